"""Two languages in one encoder: what is found, what is moved, and what is said of files that do not fit."""

import shutil

import numpy as np
import pytest
import torch
from transformers import AutoModelForMaskedLM, AutoTokenizer, LongformerConfig, LongformerForMaskedLM

from xdomain.analysis.alignment import align, found_share, read_pairs, retrieved
from xdomain.analysis.analyze import analyze_parallel
from xdomain.analysis.parallel_text import ALPHAS, converted, encode, line_vectors, means, moved, places
from xdomain.analysis.result import Options
from xdomain.core.errors import BackboneError, DataError

A = ["the", "ba", "ce", "dob", "fu", "we", "gi"]
B = ["he", "ra", "se", "tob", "vu", "you", "wi"]


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    """Twenty lines of seven words in all orders, and their word-by-word counterparts."""
    folder = tmp_path_factory.mktemp("parallel")
    orders = [np.random.default_rng(i).permutation(7)[: 4 + i % 3] for i in range(20)]
    for name, words in (("ours", A), ("theirs", B)):
        (folder / f"{name}.txt").write_text("".join(" ".join(words[w] for w in order) + ".\n" for order in orders))
    return folder / "ours.txt", folder / "theirs.txt"


@pytest.fixture(scope="module")
def opened(tiny_bert):
    return AutoModelForMaskedLM.from_pretrained(tiny_bert).eval(), AutoTokenizer.from_pretrained(tiny_bert)


@pytest.fixture(scope="module")
def twins(tiny_bert, tmp_path_factory):
    """The tiny checkpoint, the words of one language with the very rows of the other's."""
    folder = tmp_path_factory.mktemp("twins") / "twins"
    shutil.copytree(tiny_bert, folder)
    model, ids = AutoModelForMaskedLM.from_pretrained(tiny_bert), AutoTokenizer.from_pretrained(tiny_bert)
    table = model.get_input_embeddings().weight.data
    table[ids.convert_tokens_to_ids(B)] = table[ids.convert_tokens_to_ids(A)].clone()
    model.save_pretrained(folder)
    return folder


def test_a_counterpart_is_found_where_it_is_nearest_by_angle():
    asked = np.array([[1.0, 0], [0, 1], [1, 1]])
    assert found_share(asked, asked * [[3], [0.1], [7]]) == 1
    assert found_share(asked, asked[[1, 0, 2]]) == pytest.approx(1 / 3)
    assert found_share(asked, np.zeros((3, 2))) == pytest.approx(1 / 3)


def test_a_shift_between_languages_goes_with_the_means():
    rng = np.random.default_rng(0)
    ours = rng.standard_normal((1, 40, 8))
    theirs = ours + 50 * rng.standard_normal(8)
    shares = retrieved([ours, theirs], 20)
    assert shares[0, False][0] < 1
    assert shares[0, True][0] == shares[1, True][0] == 1


def test_lines_are_averaged_over_their_own_pieces(opened, texts):
    model, tokenizer = opened
    lines = texts[0].read_text().splitlines()
    found = line_vectors(model, encode(tokenizer, model.config, lines))
    assert found.shape == (3, 20, 32)
    for i in (0, 7, 19):
        told = model(**tokenizer(lines[i], return_tensors="pt"), output_hidden_states=True).hidden_states
        for layer in range(3):
            np.testing.assert_allclose(found[layer, i], told[layer][0, 1:-1].mean(0).detach(), rtol=1e-4, atol=1e-5)


def test_means_are_over_the_pieces_of_the_first_lines(opened, texts):
    model, tokenizer = opened
    lines = texts[0].read_text().splitlines() * 3  # in two batches
    found = means(model, places(model) or [], encode(tokenizer, model.config, lines), 35)
    told = [
        model(**tokenizer(line, return_tensors="pt"), output_hidden_states=True).hidden_states for line in lines[:35]
    ]
    for layer in range(3):
        every = torch.cat([states[layer][0, 1:-1] for states in told])
        torch.testing.assert_close(found[layer], every.mean(0), rtol=1e-4, atol=1e-5)


def test_states_are_moved_behind_one_layer_and_only_while_asked(opened):
    model, tokenizer = opened
    asked, by = tokenizer("the ba ce", return_tensors="pt"), torch.arange(32) / 8
    with torch.no_grad():
        usual = model(**asked, output_hidden_states=True)
        modules = places(model) or []
        assert len(modules) == 3
        for layer, module in enumerate(modules):
            states = usual.hidden_states[layer] + by
            for later in modules[layer + 1 :]:
                states = later(states)
                states = states[0] if isinstance(states, tuple) else states
            with moved(module, by):
                torch.testing.assert_close(model(**asked).logits, model.cls(states), rtol=1e-4, atol=1e-4)
        assert torch.equal(model(**asked).logits, usual.logits)


def test_answers_are_counted_at_the_first_languages_own_pieces(opened, texts):
    model, tokenizer = opened
    ours, theirs = (path.read_text().splitlines() for path in texts)
    coded = (encode(tokenizer, model.config, ours), encode(tokenizer, model.config, theirs))
    (found, *_) = converted(model, coded, 10) or []
    assert found.layer == 0
    assert found.positions == sum(len(line.split()) for line in ours[10:])  # the full stop is both languages'
    own, other = (set(tokenizer.convert_tokens_to_ids(words)) for words in (A, B))
    counts = np.zeros(4)
    for i in range(10, 20):
        said = model(**tokenizer(ours[i], return_tensors="pt")).logits[0, 1:-2].argmax(-1).tolist()
        here, there = (set(tokenizer(theirs[j])["input_ids"]) for j in (i, 10 + (i - 9) % 10))
        counts += [sum(s in own for s in said), sum(s in other for s in said)] + [
            sum(s in other & line for s in said) for line in (here, there)
        ]
    shares = np.array([found.first[0], found.second[0], found.twin[0], found.stranger[0]])
    assert shares == pytest.approx(counts / found.positions)


def test_shares_are_shares_at_every_layer(opened, texts):
    model, tokenizer = opened
    ours, theirs = (encode(tokenizer, model.config, path.read_text().splitlines()) for path in texts)
    found = converted(model, (ours, theirs), 10) or []
    assert [layer.layer for layer in found] == [0, 1, 2]
    for layer in found:
        assert len(layer.first) == len(ALPHAS)
        assert ((layer.first + layer.second) <= 1).all()
        assert (layer.twin <= layer.second).all()


def test_far_enough_along_the_difference_the_other_language_comes_out(tiny_bert, texts):
    """A head that answers by the nearer of two languages: its rows are e for one and -e for the other, plus a word."""
    model, tokenizer = AutoModelForMaskedLM.from_pretrained(tiny_bert).eval(), AutoTokenizer.from_pretrained(tiny_bert)
    with torch.no_grad():
        generator = torch.Generator().manual_seed(0)
        rows, side = torch.zeros(model.config.vocab_size, 32), torch.zeros(32)
        side[0] = 1.0
        words = torch.randn((7, 32), generator=generator)
        for pieces, sign in ((A, 1), (B, -1)):
            rows[tokenizer.convert_tokens_to_ids(pieces)] = words + 20 * sign * side
        model.get_input_embeddings().weight.copy_(rows)
        model.cls.predictions.transform = torch.nn.Identity()
    ours, theirs = (encode(tokenizer, model.config, path.read_text().splitlines()) for path in texts)
    (*_, last) = converted(model, (ours, theirs), 10) or []
    assert last.second[ALPHAS.index(0)] == 0
    assert last.second[ALPHAS.index(1)] == last.second[ALPHAS.index(3)] == 1


def test_twins_are_found_and_everything_is_written(twins, texts, said):
    findings = align(twins, texts[0], texts[1], Options())
    assert [f.name for f in findings] == ["alignment-retrieval", "alignment-conversion"]
    rows = findings[0].table.to_pylist()
    assert {row["share"] for row in rows if not row["means_taken_off"]} == {1.0}
    assert {row["way"] for row in rows} == {"ours → theirs", "theirs → ours"}
    assert {row["chance"] for row in rows} == {0.1}
    assert "ours → theirs: 100.0% (layer 0) as they are" in findings[0].caption
    again = analyze_parallel(twins, *texts)
    assert {p.name for p in (twins / "analysis").iterdir()} == {"README.md"} | {
        f"{f.name}{e}" for f in findings for e in (".png", ".svg", ".csv")
    }
    assert [line.split("\n")[0] for line in said] == [f.title for f in findings]
    assert [f.table for f in again] == [f.table for f in findings]


def test_a_run_folder_stands_for_its_model_and_says_what_cannot_be_asked(looked_at, texts):
    (only,) = align(looked_at[0], texts[0], texts[1], Options(records=12))
    assert "Without a masked-LM head" in only.caption
    assert "unknown to the tokenizer" in only.caption
    assert only.table["chance"][0].as_py() == pytest.approx(1 / 6)


def test_long_lines_are_cut_with_their_end_kept(opened):
    model, tokenizer = opened
    coded = encode(tokenizer, model.config, ["ba " * 100, "ba"])
    (inputs, here), *_ = coded.batches
    assert inputs["input_ids"].shape == (2, 64)
    assert inputs["input_ids"][0, -1] == tokenizer.sep_token_id
    assert here.sum(1).tolist() == [62, 1]
    assert coded.truncated == 1


def test_files_that_are_not_parallel_are_refused(texts, tmp_path, tiny_bert):
    short = tmp_path / "short.txt"
    short.write_text("one\ntwo\n")
    with pytest.raises(DataError, match=r"20 lines, .* has 2"):
        align(tiny_bert, texts[0], short, Options())
    with pytest.raises(DataError, match="2 pairs"):
        align(tiny_bert, short, short, Options())
    with pytest.raises(DataError, match="does not exist"):
        align(tiny_bert, texts[0], tmp_path / "none.txt", Options())
    with pytest.raises(BackboneError, match="no checkpoint"):
        align(tmp_path, texts[0], texts[1], Options())


def test_blank_and_repeated_lines_are_left_out(tmp_path):
    a, b = tmp_path / "a.txt", tmp_path / "b.txt"
    a.write_text("\n".join([*"abcdefghij", "a", "", "x"]) + "\n")
    b.write_text("\n".join([*"ABCDEFGHIJ", "Z", "Q", ""]) + "\n")
    pairs = read_pairs(a, b, most=100)
    assert sorted(zip(pairs.a, pairs.b, strict=True)) == list(zip("abcdefghij", "ABCDEFGHIJ", strict=True))
    assert pairs.left_out == 3
    assert pairs.names == ("a", "b")
    assert len(read_pairs(a, b, most=8).a) == 8


def test_longformer_pads_lines_to_its_windows(opened, texts):
    tokenizer = opened[1]
    config = LongformerConfig(vocab_size=400, hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
                              intermediate_size=16, attention_window=16, max_position_embeddings=40,
                              pad_token_id=0, sep_token_id=3)  # fmt: skip
    model = LongformerForMaskedLM(config).eval()
    ours, theirs = (encode(tokenizer, config, text.read_text().splitlines()) for text in texts)
    vectors = line_vectors(model, ours)
    modules = places(model)
    assert modules is not None
    told = means(model, modules, ours, 4)
    counts = torch.cat([here.sum(1) for _, here in ours.batches])[:4]
    wanted = np.einsum("lnd,n->ld", vectors[:, :4], counts / counts.sum())
    np.testing.assert_allclose(told, wanted, atol=1e-5)
    found = converted(model, (ours, theirs), 10)
    assert found is not None
    assert found[0].positions > 0
