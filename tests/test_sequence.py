"""A sequence in, a sequence out: from a file to predictions, both ways, against plain transformers."""

import json
import random
from itertools import product
from shutil import copytree
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from Bio.Seq import translate
from families import save_backbone

import xdomain
from xdomain.core.errors import BackboneError, DamagedError, DataError, RecipeError
from xdomain.core.plugins import make_adapter
from xdomain.data.outputs import joint_alphabet
from xdomain.data.own_data import own_recipe
from xdomain.metrics.metrics import compute_metrics
from xdomain.metrics.outputs import stored_outputs
from xdomain.model.backbone import load_backbone
from xdomain.model.token_mapping import TokenMapping

MEANS = dict(zip("ACGT", "KLMN", strict=True))
SETTINGS = (
    "target.name=protein", "train.hidden_dropout=0", "train.evaluations=1", "train.precision=fp32",
    "train.learning_rate=5e-3", "metrics=[token_accuracy, exact_match, edit_similarity]",
)  # fmt: skip
NEW = ["ACG", "GGTTA", "TTTTTT", "C", "GATACA", "CAT", "GATTAG", "AAC"]


def saved_of(result) -> Any:
    """The model of a run, to ask it more than it tells."""
    return xdomain.load(result.folder)._predictor.models[0]


def translated(sequence):
    return "".join(MEANS[letter] for letter in sequence)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """400 short sequences, and a residue for each of their nucleotides."""
    rng = random.Random(0)
    rows = ["".join(rng.choice("ACGT") for _ in range(rng.randint(3, 6))) for _ in range(400)]
    path = tmp_path_factory.mktemp("pairs") / "pairs.csv"
    path.write_text("dna,peptide\n" + "".join(f"{row},{translated(row)}\n" for row in rows))
    return path


def run(file, backbone, out, *overrides, **options):
    return xdomain.run(
        data=str(file), domain="dna", problem="sequence", columns={"sequence": "dna", "label": "peptide"},
        backbone=str(backbone), out=out, overrides=[*SETTINGS, *overrides], **options,
    )  # fmt: skip


@pytest.fixture(scope="module")
def tiny_gpt2(tmp_path_factory):
    folder = tmp_path_factory.mktemp("backbones") / "gpt2"
    save_backbone("gpt2", folder)
    return folder


@pytest.fixture(scope="module")
def beside(file, tiny_bert, tmp_path_factory):
    """An encoder with a decoder beside it."""
    return run(file, tiny_bert, tmp_path_factory.mktemp("runs") / "beside", "train.max_steps=120")


@pytest.fixture(scope="module")
def going_on(file, tiny_gpt2, tmp_path_factory):
    """A decoder that goes on after what it read."""
    return run(file, tiny_gpt2, tmp_path_factory.mktemp("runs") / "going-on", "train.max_steps=60")


@pytest.fixture(params=["beside", "going_on"])
def either(request):
    return request.getfixturevalue(request.param)


def test_an_encoder_and_a_decoder_learn_to_translate(beside):
    assert beside.metric() > 0.95
    assert beside.values["learned"]
    assert beside.metric() > beside.values["majority"]["test"]["token_accuracy"] + 0.5
    found = xdomain.load(beside.folder).predict(NEW)
    assert np.mean(found == np.array([translated(one) for one in NEW])) > 0.7


def test_the_checkpoint_tells_no_folders_of_this_machine(beside, tiny_bert):
    told = (beside.folder / "model" / "config.json").read_text()
    assert str(tiny_bert.parent) not in told
    assert f'"_name_or_path": "{tiny_bert.name}"' in told


def test_a_decoder_that_goes_on_learns_which_symbols_come_out(going_on):
    assert going_on.metric() > going_on.values["majority"]["test"]["token_accuracy"]
    assert set("".join(xdomain.load(going_on.folder).predict(NEW))) <= set("KLMN")


def test_the_metrics_are_those_of_the_table(either):
    import pyarrow.parquet as pq

    table = pq.read_table(either.folder / "predictions.parquet", filters=[("split", "==", "test")])
    assert len(table) == 40
    texts = zip(table["label"].to_pylist(), table["prediction"].to_pylist(), strict=True)
    right = [sum(a == b for a, b in zip(*pair, strict=False)) for pair in texts]
    longest = [
        max(map(len, pair)) for pair in zip(table["label"].to_pylist(), table["prediction"].to_pylist(), strict=True)
    ]
    assert either.metric("token_accuracy") == pytest.approx(sum(right) / sum(longest))
    targets, written = (stored_outputs(table, name) for name in ("label", "prediction"))
    values = compute_metrics(["exact_match", "edit_similarity"], targets, written, "sequence")
    for name, row in values.items():
        assert either.metric(name) == pytest.approx(row["value"])
        told = either.values["metrics"]["test"][name]
        assert told["low"] <= row["value"] <= told["high"]


@pytest.mark.parametrize("beams", [1, 3])
def test_plain_transformers_writes_the_same(either, beams, tmp_path):
    from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

    folder = either.folder / "model"
    kind = AutoModelForSeq2SeqLM if either.values["backbone"]["type"] == "bert" else AutoModelForCausalLM
    model: Any = kind.from_pretrained(folder).eval()
    model.generation_config.num_beams = beams
    tokenizer, target = (AutoTokenizer.from_pretrained(place) for place in (folder, folder / "target"))
    read = tokenizer(NEW, return_tensors="pt", padding=True)
    with torch.no_grad():
        rows = model.generate(**read)
    plain = rows if kind is AutoModelForSeq2SeqLM else rows[:, read["input_ids"].shape[1] :]
    texts = [one.replace(" ", "") for one in target.batch_decode(plain, skip_special_tokens=True)]
    own: Any = xdomain.load(either.folder)
    own._predictor.models[0].model.generation_config.num_beams = beams
    assert own.predict(NEW).tolist() == texts


def test_the_score_is_the_probability_of_the_output(beside):
    """Against the product of the probabilities that the model gives to each symbol when it is fed the output."""
    saved, answers = saved_of(beside), pd.DataFrame(xdomain.load(beside.folder).predict_table(NEW))
    model, config = saved.model, saved.model.generation_config
    residues = make_adapter("protein", {}).alphabet
    rows = saved.mapping.ids[5:]
    kept = [*rows.tolist(), config.eos_token_id]
    for sequence, text, score in zip(NEW, answers["prediction"], answers["score"], strict=True):
        read = saved.mapping.ids[[list("ACGT").index(letter) for letter in sequence]]
        fed = [config.decoder_start_token_id, *(int(rows[residues.id(letter)]) for letter in text)]
        with torch.no_grad():
            logits = model(
                input_ids=torch.tensor([[2, *read.tolist(), 3]]), decoder_input_ids=torch.tensor([fed])
            ).logits[0]
        chances = logits[:, kept].log_softmax(-1)
        wanted = [kept.index(row) for row in [*fed[1:], config.eos_token_id]]
        wanted = wanted[: config.max_new_tokens - 1]  # the longest output has to end: that is no choice
        expected = sum(chances[place, row].item() for place, row in enumerate(wanted))
        assert np.log(score) == pytest.approx(expected, abs=1e-4)


def test_a_file_is_predicted_and_evaluated(either, file, tmp_path):
    table = xdomain.predict(either.folder, file)
    assert table.column_names == ["id", "prediction", "score"]
    judged = xdomain.evaluate(either.folder, file)
    assert len(judged) == 400
    exact = np.mean(np.array(table["prediction"].to_pylist()) == pd.read_csv(file)["peptide"].to_numpy())
    assert judged.metrics["exact_match"].value == pytest.approx(exact)
    own = xdomain.evaluate(either.folder)
    assert own.metrics["token_accuracy"].value == pytest.approx(either.metric())


def test_symbols_of_two_domains_have_wordpieces_of_their_own(either):
    mapping = TokenMapping.load(either.folder / "mapping.json")
    assert len(set(mapping.ids.tolist())) == len(mapping.symbols) == 5 + 22
    assert mapping.symbols[:5] == ("A", "C", "G", "T", "N")
    assert {"protein:A", "protein:N", "K"} <= set(mapping.symbols)
    dna, protein = make_adapter("dna", {}), make_adapter("protein", {})
    assert joint_alphabet(dna, dna) == (dna.alphabet, 0)
    joint, first = joint_alphabet(dna, protein)
    assert (joint.symbols, first) == (mapping.symbols, 5)


def test_the_same_domain_keeps_the_mapping_of_other_problems(file, tiny_bert, tmp_path):
    """Copying: what comes out has the wordpieces of what goes in, which are those of a classification."""
    same = tmp_path / "same.csv"
    rows = pd.read_csv(file)["dna"]
    same.write_text("sequence,label,kind\n" + "".join(f"{one},{one},{one[0] > 'C'}\n" for one in rows))
    one = xdomain.run(
        data=str(same), domain="dna", problem="sequence", label="label", backbone=str(tiny_bert), out=tmp_path / "copy",
        overrides=["train.max_steps=2", "train.decoder=warm", "train.beams=2", "train.max_output=4"],
    )  # fmt: skip
    other = xdomain.run(
        data=str(same), domain="dna", label="kind", backbone=str(tiny_bert), out=tmp_path / "kind",
        overrides=["train.max_steps=1"],
    )  # fmt: skip
    assert one.values["mapping"] == other.values["mapping"]
    found = pd.DataFrame(one.predictions())["prediction"]
    assert found.str.len().max() <= 4
    assert set("".join(found)) <= set("ACGTN")
    assert (
        one.values["parameters"]["tensors_from_checkpoint"]
        > 1.5 * other.values["parameters"]["tensors_from_checkpoint"]
    )


def test_a_frozen_encoder_stays_as_it_was(file, tiny_bert, tmp_path):
    from transformers import AutoModel

    result = run(file, tiny_bert, tmp_path / "head", "train.max_steps=2", tune="head")
    model = saved_of(result).model
    before = AutoModel.from_pretrained(tiny_bert).state_dict()
    after = model.encoder.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items() if "pooler" not in name)
    assert result.values["parameters"]["trained"] < result.values["parameters"]["all"]


def test_lora_is_merged_into_a_stock_checkpoint(file, tiny_gpt2, tmp_path):
    result = run(file, tiny_gpt2, tmp_path / "lora", "train.max_steps=20", tune="lora")
    assert result.values["parameters"]["trained"] < result.values["parameters"]["all"] / 5
    *_, last = (json.loads(line) for line in (result.folder / "history.jsonl").read_text().splitlines())
    assert result.metric(split="valid") == pytest.approx(last["valid"]["token_accuracy"])  # as it was while trained


def test_a_run_that_is_resumed_ends_as_one_that_was_not(file, tiny_bert, tmp_path, listen):
    settings = ("train.max_steps=8", "train.evaluations=4")
    whole = run(file, tiny_bert, tmp_path / "whole", *settings)

    def stop(line):
        if line.startswith("step 4/8"):
            raise KeyboardInterrupt

    with listen(stop), pytest.raises(KeyboardInterrupt):
        run(file, tiny_bert, tmp_path / "part", *settings)
    resumed = run(file, tiny_bert, tmp_path / "part", *settings, resume=True)
    assert resumed.metrics == whole.metrics


@pytest.mark.parametrize(
    ("overrides", "options", "told"),
    [
        (["train.attention=bidirectional"], {}, "train.attention bidirectional"),
        ([], {"tune": "norms"}, "tune norms for sequence with a bert"),
        ([], {"tune": "lora"}, "tune lora for sequence with a bert"),
        ([], {"mapping": "learned"}, "mapping learned for sequence"),
        ([], {"mapping": "search:2"}, "mapping search:2 for sequence"),
        ([], {"mapping": "block"}, "puts A, G, T on rows of special tokens"),
        ([], {"baseline": "kmer"}, "a kmer writes no sequences"),
        (["calibration=temperature"], {}, "calibration"),
        (["class_balance=weights"], {}, "class_balance"),
    ],
)  # fmt: skip
def test_what_has_no_meaning_is_refused(file, tiny_bert, tmp_path, overrides, options, told):
    with pytest.raises(RecipeError, match=told):
        run(file, tiny_bert, tmp_path / "x", *overrides, **options)
    assert not (tmp_path / "x").exists()


def test_a_target_of_another_domain_is_for_sequence_alone(file, tiny_bert, tmp_path):
    with pytest.raises(RecipeError, match="problem sequence alone, not of classification"):
        xdomain.run(data=str(file), domain="dna", problem="classification", label="peptide", backbone=str(tiny_bert),
                    overrides=["target.name=protein"], out=tmp_path / "x")  # fmt: skip


def test_families_without_cross_attention_get_a_fresh_decoder(file, tmp_path):
    save_backbone("distilbert", tmp_path / "distilbert")
    with pytest.raises(BackboneError, match="no distilbert that reads another's states"):
        run(file, tmp_path / "distilbert", tmp_path / "x", "train.decoder=warm", "train.max_steps=1")
    assert run(file, tmp_path / "distilbert", tmp_path / "x", "train.max_steps=1").values["steps"] == 1


def test_what_does_not_fit_is_refused_or_cut(file, tiny_gpt2, tmp_path):
    long = tmp_path / "long.csv"
    long.write_text(file.read_text() + f"{'A' * 30},K\n")
    with pytest.raises(DataError, match="30 symbols, more than the 16 that fit") as refused:
        run(long, tiny_gpt2, tmp_path / "x", "train.max_steps=1")
    assert "too_long=truncate" in str(refused.value)
    cut = run(long, tiny_gpt2, tmp_path / "x", "train.max_steps=1", "train.too_long=truncate")
    assert cut.values["counts"]["truncated"] == 1
    with pytest.raises(DataError, match="outputs of up to 40 symbols do not fit in 24 positions beside an input"):
        run(file, tiny_gpt2, tmp_path / "y", "train.max_steps=1", "train.max_output=40")


def test_several_runs_are_no_model(beside, going_on):
    with pytest.raises(RecipeError, match="several runs for sequence"):
        xdomain.load(beside.folder, going_on.folder)


def test_what_reads_is_embedded(beside, going_on):
    """The states are those of the encoder, or of the decoder that reads."""
    for result, width in ((beside, 32), (going_on, 32)):
        vectors = xdomain.load(result.folder).embed(NEW, pooling="none")
        assert [one.shape for one in vectors] == [(len(sequence), width) for sequence in NEW]
        rows = saved_of(result).mapping.ids[[0, 1, 2]]
        framed = [2, *rows.tolist(), 3] if result is beside else rows.tolist()
        body = saved_of(result).reader.base_model
        with torch.no_grad():
            states = body(torch.tensor([framed])).last_hidden_state[0]
        plain = states[1:4] if result is beside else states
        np.testing.assert_allclose(vectors[0], plain, atol=1e-4)


def test_what_looks_at_answers_of_one_pass_is_refused(beside, tmp_path):
    refused = {
        "holds a run for sequence": lambda: xdomain.analyze(beside.folder, out=tmp_path / "a"),
        "holds a run for sequence ": lambda: xdomain.compress(beside.folder, how="vocabulary", out=tmp_path / "b"),
        "ONNX of a run for sequence": lambda: xdomain.export_onnx(beside.folder, tmp_path / "c"),
        "one number for a sequence by a run for sequence": lambda: xdomain.score_variants(
            beside.folder, tmp_path / "x.vcf", genome=tmp_path / "x.fa"
        ),
    }
    for told, ask in refused.items():
        with pytest.raises(RecipeError, match=told.strip()):
            ask()


def test_a_run_fits_into_minutes(file, tiny_bert, tmp_path):
    result = run(file, tiny_bert, tmp_path / "short", "train.max_steps=10", minutes=1)
    assert result.values["steps"] == 10  # for which there was time, as was measured


def test_arms_are_compared(file, tiny_bert, tmp_path):
    compared = xdomain.compare(
        run(file, tiny_bert, tmp_path / "one", "train.max_steps=2").folder / "recipe.yaml",
        seeds=2,
        out=tmp_path / "out",
    )
    assert [row.arm for row in compared.rows] == ["pretrained", "scratch"]


def test_text_is_written_as_text(tiny_bert, tmp_path):
    """Wordpieces are the symbols of both sides; the tokenizer of the run is kept for both, so it can be moved."""
    words = ["bab", "the", "we", "you", "he", "she"]
    rows = [(f"{a} {b}", f"{b} {a}") for a in words for b in words]
    file = tmp_path / "turned.csv"
    file.write_text("text,target\n" + "".join(f"{a},{b}\n" for a, b in rows))
    result = xdomain.run(
        data=str(file), domain="text", problem="sequence", backbone=str(tiny_bert), mapping="identity",
        out=tmp_path / "run",
        overrides=["train.max_steps=2", "metrics=[token_accuracy, chrf, bleu]", "target.name=text"],
    )  # fmt: skip
    assert {"token_accuracy", "chrf", "bleu"} == result.metrics.keys()
    assert set(result.predictions()["label"]) <= {b for _, b in rows}
    moved = (tmp_path / "run").rename(tmp_path / "moved")
    assert isinstance(xdomain.load(moved).predict(["the bab we"])[0], str)
    assert (moved / "target-adapter" / "tokenizer").is_dir()


def test_folds_are_judged_together(file, tiny_bert, tmp_path):
    result = run(file, tiny_bert, tmp_path / "folds", "split.rule=fold", "split.folds=2", "train.max_steps=2")
    assert result.values["n"]["test"] == 400
    assert 0 <= result.metric() <= 1


def test_rows_without_a_target_are_refused_or_left_out(tmp_path):
    file = tmp_path / "some.csv"
    file.write_text("sequence,label\n" + "ACGT,NA\nCCG,\n" + "GGTA,KL\n" * 3)
    settings = ("target.name=protein", "split.valid=0.3", "split.test=0.3")
    with pytest.raises(DataError, match=r"row 2.*empty label"):
        xdomain.check(own_recipe(str(file), "dna", problem="sequence", overrides=settings))
    left = own_recipe(str(file), "dna", problem="sequence", drop_incomplete=True, overrides=settings)
    told = xdomain.check(left)
    assert sum(told["records"].values()) == 4  # asparagine and alanine, NA, are a target
    assert told["target"]["train"]["longest output"] == 2


@pytest.mark.parametrize("change", [None, {"suppress_tokens": []}, {"max_new_tokens": None}])
def test_a_damaged_search_is_named(beside, tmp_path, change):
    folder = copytree(beside.folder, tmp_path / "run")
    path = folder / "model" / "generation_config.json"
    told = json.loads(path.read_text()) | (change or {})
    path.unlink() if change is None else path.write_text(json.dumps(told))
    with pytest.raises(DamagedError, match=r"generation_config\.json of the run for dna/pairs names"):
        xdomain.load(folder).predict(NEW)


@pytest.fixture
def small_llama(tmp_path):
    """A decoder that nobody trained, with the tokenizer of the shipped BERT."""
    from transformers import LlamaConfig, LlamaModel

    shipped = load_backbone()
    torch.manual_seed(0)
    sizes = {"hidden_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 512}
    special = {"max_position_embeddings": 64, "bos_token_id": 2, "eos_token_id": 3, "tie_word_embeddings": True}
    LlamaModel(LlamaConfig(vocab_size=8192, **sizes, **special)).save_pretrained(tmp_path / "llama")
    shipped.tokenizer.save_pretrained(tmp_path / "llama")
    return tmp_path / "llama"


@pytest.mark.slow
@pytest.mark.parametrize("way", ["beside", "going on"])
def test_the_genetic_code_is_learned_both_ways(way, small_llama, tmp_path):
    longer = ["train.max_steps=800", "train.learning_rate=3e-3"] if way == "going on" else []
    backbone = str(small_llama) if way == "going on" else None
    result = xdomain.run("toy/dna-translation", backbone=backbone, overrides=longer, out=tmp_path / "run")
    assert result.metric() > 0.99
    model = xdomain.load(result.folder)
    every = ["".join(codon) for codon in product("ACGT", repeat=3) if translate("".join(codon)) != "*"]
    genes = ["".join(every[start : start + 10]) for start in range(0, 60, 10)]
    assert np.mean(model.predict(genes) == np.array([translate(gene) for gene in genes])) > 0.8
