"""A model of the domain itself: each symbol at the row of the piece that it is."""

from itertools import product

import numpy as np
import pytest
import torch
from families import SMALL as SHAPE
from transformers import BertConfig, BertForMaskedLM, EsmConfig, EsmForMaskedLM

import xdomain
from xdomain.core.errors import RecipeError
from xdomain.core.plugins import make_adapter
from xdomain.core.sequences import Alphabet
from xdomain.model.backbone import load_backbone
from xdomain.model.make_mapping import make_mapping
from xdomain.model.token_mapping import TokenMapping
from xdomain.model.tokenizer import layout_of
from xdomain.model.vocabulary import Vocabulary

ESM = [*["<cls>", "<pad>", "<eos>", "<unk>"], *"LAGVSERTIDPKQNFYMHWCXBUZO.-", "<null_1>", "<mask>"]
"""As facebook/esm2_t6_8M_UR50D has it, which only a slow tokenizer reads."""
KMERS = ["".join(letters) for letters in product("ATCG", repeat=3)]


def save(model, pieces, folder, **config):
    torch.manual_seed(0)
    model.save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(pieces) + "\n")
    return str(folder)


@pytest.fixture(scope="module")
def esm(tmp_path_factory):
    config = EsmConfig(
        **{**SHAPE, "vocab_size": len(ESM)}, pad_token_id=1, mask_token_id=32, max_position_embeddings=66,
        position_embedding_type="rotary", token_dropout=True, emb_layer_norm_before=False,
    )  # fmt: skip
    return save(EsmForMaskedLM(config), ESM, tmp_path_factory.mktemp("esm"))


@pytest.fixture(scope="module")
def dnabert(tmp_path_factory):
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *KMERS]
    config = BertConfig(**{**SHAPE, "vocab_size": len(pieces)}, max_position_embeddings=66)
    return save(BertForMaskedLM(config), pieces, tmp_path_factory.mktemp("dnabert"))


def own(adapter, backbone):
    return make_mapping(adapter.alphabet, Vocabulary.of(load_backbone(backbone).tokenizer), strategy="own")


def test_each_residue_is_at_its_own_row_of_an_esm(esm):
    mapping = own(make_adapter("protein"), esm)
    rows = dict(zip(mapping.symbols, mapping.ids.tolist(), strict=True))
    assert [rows[residue] for residue in "LAGVSERTIDPKQNFYMHWCX"] == list(range(4, 25))
    assert layout_of(load_backbone(esm).tokenizer).start == (0,)
    assert layout_of(load_backbone(esm).tokenizer).end == (2,)


def test_k_mers_of_a_dnabert_but_for_that_of_unknown_letters(dnabert):
    mapping = own(make_adapter("dna", {"tokens": "kmer", "k": 3}), dnabert)
    assert mapping.lacking == {"NNN"}
    for symbol, row, piece in zip(mapping.symbols, mapping.ids.tolist(), mapping.pieces, strict=True):
        assert (row, piece) == ((1, "[UNK]") if symbol == "NNN" else (5 + KMERS.index(symbol), symbol))


def test_letters_for_a_model_of_k_mers_are_refused_with_the_k(dnabert):
    with pytest.raises(RecipeError, match="its pieces are 3-mers") as told:
        own(make_adapter("dna"), dnabert)
    assert "--set adapter.options.tokens=kmer --set adapter.options.k=3" in told.value.block()


def test_a_model_of_another_domain_is_told(esm, dnabert, caplog):
    own(make_adapter("protein"), esm)
    assert caplog.text == ""
    own(make_adapter("dna"), esm)
    assert "the vocabulary also has L, V, S, E, R" in caplog.text
    assert "is it a model of another one?" in caplog.text
    with pytest.raises(RecipeError, match='to fix it: mapping="random"'):
        own(make_adapter("protein"), dnabert)


def test_the_card_says_how_k_mers_are_cut(dnabert, tmp_path):
    data = table(tmp_path, "ACGT")
    result = xdomain.run(
        data=data, domain="dna", backbone=dnabert, mapping="own", out=tmp_path / "run",
        overrides=["adapter.options.tokens=kmer", "adapter.options.k=3", "train.max_steps=1"],
    )  # fmt: skip
    assert 'tokenizer("ACG CGT GTT TTG TGC' in (result.folder / "model" / "README.md").read_text()


def test_a_text_model_is_no_model_of_k_mers(tiny_bert):
    with pytest.raises(RecipeError, match="has no pieces for 65 of 65 symbols, such as"):
        own(make_adapter("dna", {"tokens": "kmer", "k": 3}), str(tiny_bert))


def test_a_piece_may_have_the_mark_of_a_word():
    spaced = Vocabulary(("<unk>", *("▁" + residue for residue in "ACDE"), *("▁x", "▁y")), frozenset({0}), 0)
    assert make_mapping(Alphabet(tuple("ACDE"), "letter"), spaced, strategy="own").ids.tolist() == [1, 2, 3, 4]


def test_what_is_lacking_is_kept_in_the_file(tmp_path):
    few = Vocabulary(("<unk>", "A", "C", "D"), frozenset({0}), 0)
    mapping = make_mapping(Alphabet(tuple("ACDEF"), "letter"), few, strategy="own")
    mapping.save(tmp_path / "m.json")
    again = TokenMapping.load(tmp_path / "m.json")
    assert again == mapping
    assert again.lacking == {"E", "F"}
    assert again.ids.tolist() == [1, 2, 3, 0, 0]


def table(folder, letters, *, strange="", n=60):
    rng = np.random.default_rng(0)
    rows = []
    for i in range(n):
        half = letters[: len(letters) // 2] if i % 2 else letters[len(letters) // 2 :]
        rows.append("".join(rng.choice(list(half), 20)) + strange + f",{'one' if i % 2 else 'two'}")
    path = folder / "own.csv"
    path.write_text("sequence,label\n" + "\n".join(rows) + "\n")
    return path


def test_a_run_on_an_esm_gives_what_plain_transformers_gives(esm, tmp_path):
    """The tokenizer that is saved reads a raw protein as the ESM's own does."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    data = table(tmp_path, "ACDEFGHIKLMNPQRSTVWY")
    result = xdomain.run(data=data, domain="protein", backbone=esm, mapping="own", out=tmp_path / "run",
                         overrides=["train.max_steps=5"])  # fmt: skip
    text = "MKVLAAGIWC"
    tokenizer = AutoTokenizer.from_pretrained(result.folder / "model")
    model = AutoModelForSequenceClassification.from_pretrained(result.folder / "model").eval()
    original = load_backbone(esm).tokenizer
    assert tokenizer(text)["input_ids"] == original(text)["input_ids"]
    with torch.no_grad():
        chances = model(**tokenizer(text, return_tensors="pt")).logits.softmax(-1)[0].tolist()
    predicted = xdomain.load(result.folder).predict_proba([text])[0]
    np.testing.assert_allclose(predicted, chances, atol=1e-6)


def test_unknown_letters_are_told_and_many_are_refused(dnabert, tmp_path, caplog):
    k_mers = ["adapter.options.tokens=kmer", "adapter.options.k=3", "adapter.options.stride=3", "train.max_steps=2"]
    options = {"domain": "dna", "backbone": dnabert, "mapping": "own", "overrides": k_mers}
    some = table(tmp_path, "ACGT", strange="N")  # the last of the seven k-mers of each
    with pytest.raises(RecipeError, match=r"has no pieces for NNN, 14\.29% of all symbols"):
        xdomain.run(data=some, out=tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()
    data = tmp_path / "few.csv"
    lines = some.read_text().replace("N,", "A,").splitlines()
    data.write_text("\n".join([*lines[:-1], lines[-1].replace("A,", "N,")]) + "\n")
    xdomain.run(data=data, out=tmp_path / "run", **options)
    assert "has no pieces for NNN, 0.24% of all symbols: they are read as its unknown token" in caplog.text
