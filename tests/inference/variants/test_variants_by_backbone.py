"""Scores of variants by a masked language model: equal to plain loops with `transformers`."""

import numpy as np
import pytest
import torch
from extras import needs_genome
from transformers import AutoModelForMaskedLM, AutoTokenizer, BertConfig, BertModel

import xdomain
from xdomain.cli.main import main
from xdomain.core.errors import BackboneError, RecipeError
from xdomain.inference.embedding import masked_lm

TABLE = {"A": "we", "C": "you", "G": "he", "T": "she"}
GIVEN = {"domain": "dna", "mapping": "given", "mapping_table": TABLE}


@pytest.fixture(scope="module")
def plain(tiny_bert):
    return AutoModelForMaskedLM.from_pretrained(tiny_bert).eval(), AutoTokenizer.from_pretrained(tiny_bert)


def log_p(plain, text, masked):
    """Log-probabilities of all pieces at the masked places of `text`, one row each."""
    model, tokenizer = plain
    ids = tokenizer(" ".join(TABLE[base] for base in text), return_tensors="pt").input_ids
    ids[0, [place + 1 for place in masked]] = tokenizer.mask_token_id
    with torch.inference_mode():
        return model(ids).logits[0].log_softmax(-1)[[place + 1 for place in masked]]


def row(plain, base):
    return plain[1].convert_tokens_to_ids(TABLE[base])


def marginal(plain, ref, alt):
    places = [i for i, (a, b) in enumerate(zip(ref, alt, strict=True)) if a != b]
    logs = log_p(plain, ref, places)
    return sum(float(one[row(plain, alt[i])] - one[row(plain, ref[i])]) for one, i in zip(logs, places, strict=True))


def likelihood(plain, text):
    return sum(float(log_p(plain, text, [i])[0][row(plain, base)]) for i, base in enumerate(text))


MUTATIONS = [("ACGTACGTACGG", "A1C", "CCGTACGTACGG"), ("ACGTACGTACGG", "A5G:T8A", "ACGTGCGAACGG"),
             ("ACGTACGTACGG", "C2-", "AGTACGTACGG"), ("ACGTTT", "G3T", "ACTTTT"),
             ("ACGTACGTACGG", "C2CTT", "ACTTGTACGTACGG")]  # fmt: skip


@pytest.mark.parametrize("logits_at_once", [2**26, 1])
def test_equal_to_a_plain_loop(plain, tiny_bert, tmp_path, monkeypatch, logits_at_once):
    monkeypatch.setattr(masked_lm, "MAX_LOGITS", logits_at_once)
    table = tmp_path / "m.csv"
    table.write_text("sequence,mutation\n" + "".join(f"{text},{one}\n" for text, one, _ in MUTATIONS))
    found = xdomain.score_variants(str(tiny_bert), table, **GIVEN).to_pylist()
    for answer, (text, _, alt) in zip(found, MUTATIONS, strict=True):
        if len(text) == len(alt):
            assert answer["how"] == "masked-marginals"
            assert answer["score"] == pytest.approx(marginal(plain, text, alt), abs=1e-5)
        else:
            assert answer["how"] == "pseudo-log-likelihood"
            assert answer["score"] == pytest.approx(likelihood(plain, alt) - likelihood(plain, text), abs=1e-4)
    assert len({round(answer["score"], 3) for answer in found}) == 5
    all_by_one = xdomain.score_variants(str(tiny_bert), table, how="pseudo-log-likelihood", **GIVEN).to_pylist()
    for answer, (text, _, alt) in zip(all_by_one, MUTATIONS, strict=True):
        assert answer["how"] == "pseudo-log-likelihood"
        assert answer["score"] == pytest.approx(likelihood(plain, alt) - likelihood(plain, text), abs=1e-4)


@needs_genome
def test_windows_of_a_genome(plain, tiny_bert, genome, contigs, vcf):
    bases = contigs["chr1"]
    new = "A" if bases[99] != "A" else "C"
    file = vcf(("chr1", 100, bases[99], new), ("chr1", 150, bases[149:152], bases[149]), ("chr1", 99, "N", "A"))
    snv, deletion, wrong = xdomain.score_variants(str(tiny_bert), file, genome=genome, **GIVEN).to_pylist()
    alone = bases[99 - 31 : 99 + 31]  # 64 positions less [CLS] and [SEP]
    assert snv["score"] == pytest.approx(marginal(plain, alone, alone[:31] + new + alone[32:]), abs=1e-5)
    ref = bases[150 + 1 - 31 : 150 + 1 + 31]
    alt = bases[150 + 1 - 31 : 150] + bases[152 : 150 + 1 + 31 + 2]
    assert len(ref) == len(alt) == 62
    assert deletion["score"] == pytest.approx(likelihood(plain, alt) - likelihood(plain, ref), abs=1e-4)
    assert wrong["score"] is None
    assert "another base" in wrong["error"]
    assert snv["how"] == "masked-marginals"
    assert wrong["how"] is None


def test_kmers_that_change_are_masked_together(tiny_bert, tmp_path):
    (tmp_path / "m.csv").write_text("sequence,mutation\nACGTACGTACGG,A5G\n")
    options = {"domain": "dna", "overrides": ("adapter.options.tokens=kmer", "adapter.options.k=3")}
    (found,) = xdomain.score_variants(str(tiny_bert), tmp_path / "m.csv", **options).to_pylist()
    model, tokenizer = AutoModelForMaskedLM.from_pretrained(tiny_bert).eval(), AutoTokenizer.from_pretrained(tiny_bert)
    from xdomain.inference.embedding.open_encoder import read_backbone

    read = read_backbone(str(tiny_bert), "dna", overrides=options["overrides"])
    ref, alt = (read.mapping.ids[list(read.adapter.encode([text])[0])] for text in ("ACGTACGTACGG", "ACGTGCGTACGG"))
    places = np.flatnonzero(ref != alt)
    assert len(places) == 3
    ids = torch.tensor([[2, *ref, 3]])
    ids[0, places + 1] = tokenizer.mask_token_id
    with torch.inference_mode():
        logs = model(ids).logits[0].log_softmax(-1)
    wanted = sum(float(logs[i + 1, alt[i]] - logs[i + 1, ref[i]]) for i in places)
    assert found["score"] == pytest.approx(wanted, abs=1e-5)


def test_a_sequence_too_long_for_one_window_is_told(tiny_bert, tmp_path):
    (tmp_path / "m.csv").write_text(f"sequence,mutation\n{'ACGT' * 30},A1C\n{'ACGT' * 30},A1C:A101C\n")
    found = xdomain.score_variants(str(tiny_bert), tmp_path / "m.csv", **GIVEN).to_pylist()
    assert found[0]["error"] == ""
    assert found[1]["error"] == "the change takes 101 letters, more than the window of 62"
    (found,) = xdomain.score_variants(str(tiny_bert), tmp_path / "m.csv", window=120, **GIVEN).to_pylist()[:1]
    assert found["error"] == "120 symbols, more than the 62 that the backbone reads at once"


def test_what_is_no_masked_lm_is_refused(tiny_bert, tmp_path):
    config = BertConfig(vocab_size=400, hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
                        intermediate_size=64, max_position_embeddings=64)  # fmt: skip
    BertModel(config).save_pretrained(tmp_path / "headless")
    AutoTokenizer.from_pretrained(tiny_bert).save_pretrained(tmp_path / "headless")
    (tmp_path / "m.csv").write_text("sequence,mutation\nACGT,A1C\n")
    with pytest.raises(BackboneError, match="has no masked-LM head"):
        xdomain.score_variants(tmp_path / "headless", tmp_path / "m.csv", domain="dna")
    with pytest.raises(RecipeError, match="what are the records"):
        xdomain.score_variants(str(tiny_bert), tmp_path / "m.csv")
    with pytest.raises(RecipeError, match="class for the backbone"):
        xdomain.score_variants(str(tiny_bert), tmp_path / "m.csv", of="a", **GIVEN)
    with pytest.raises(RecipeError, match="variants of text"):
        xdomain.score_variants(str(tiny_bert), tmp_path / "m.csv", domain="text")


def test_the_command(capsys, tiny_bert, tmp_path):
    (tmp_path / "m.csv").write_text("sequence,mutation\nACGTACGTACGG,A1C\n")
    with pytest.raises(SystemExit, match="0"):
        main(["variants", str(tiny_bert), str(tmp_path / "m.csv"), "--domain", "dna", "--mapping", "frequent", "--how",
              "pseudo-log-likelihood", "--out", str(tmp_path / "x.jsonl")])  # fmt: skip
    assert "pseudo-log-likelihood, in windows of 62 letters at most" in capsys.readouterr().err
    assert '"how": "pseudo-log-likelihood"' in (tmp_path / "x.jsonl").read_text()
