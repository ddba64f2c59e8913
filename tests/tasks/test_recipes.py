"""Every shipped recipe parses; those on real data read it; the toys are the same each time and can be learned."""

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from xdomain.baselines.api import fit_baseline
from xdomain.core.adapter_protocols import LearnsAlphabet
from xdomain.core.errors import DataError, MissingError
from xdomain.core.plugins import find_recipe, make_adapter, readers, task_names
from xdomain.core.recipe import dump_recipe, parse_recipe
from xdomain.data.dataset import check_symbols, encode_examples
from xdomain.data.loading import load_table
from xdomain.data.splits.assign import assign
from xdomain.metrics.metrics import check_metrics, compute_metrics
from xdomain.training.preparation import adapter_of

TASKS = task_names()
TOYS = [t for t in TASKS if t.startswith("toy/")]
REAL = {  # records of train, valid, test
    "dna/splice": (2552, 319, 319),
    "dna/promoter": (64, 21, 21),
    "dna/promoter-core": (47356, 5920, 5920),
    "dna/promoter-300-tata": (4904, 613, 613),
    "dna/histone-h3": (1347, 150, 1497),
    "dna/histone-h4": (1315, 146, 1461),
    "dna/histone-h3k9ac": (2501, 278, 2779),
    "dna/tf-0": (32378, 1000, 1000),
    "dna/tf-1": (30672, 1000, 1000),
    "dna/tf-2": (19000, 1000, 1000),
    "protein/amp": (1424, 708, 1424),
    "protein/localization": (4767, 596, 596),
    "protein/secondary-structure": (9712, 1080, 364),
    "text/sst-2": (66002, 1347, 872),
    "text/cola": (7250, 1301, 1043),
    "text/mrpc": (3260, 408, 408),
    "text/rte": (2241, 249, 277),
    "text/sts-b": (5174, 575, 1500),
    "text/qnli": (4371, 546, 546),
    "text/ud-english-pos": (1790, 211, 2077),
    "speech/simulated-qa": (8428, 1039, 1103),
    "speech/simulated-qa-text": (8428, 1039, 1103),
    "music/composer": (246, 36, 68),
    "music/next-chord": (6061, 2015, 2076),
    "protein/gb1": None,
    "protein/fluorescence": None,
    "protein/stability": None,
}


MADE = ("speech/digits", "speech/speakers", "speech/nmsqa")
"""On data that does not come as it is: units that are made of sound, and columns of a hub."""


def test_there_are_recipes():
    assert len(TASKS) >= 34
    assert set(TASKS) - set(TOYS) == {*REAL, *MADE}


@pytest.mark.parametrize("task", TASKS)
def test_a_recipe_is_whole(task):
    recipe = find_recipe(task)
    check_metrics(recipe.metrics, recipe.problem)
    assert recipe.name == task
    assert recipe.source.licence
    assert recipe.source.citation
    assert recipe.reader in {"table", "fasta", *readers()}
    assert all(value.source for value in recipe.published)
    assert parse_recipe(dump_recipe(recipe), where=task) == recipe
    if recipe.adapter.name != "text":
        make_adapter(recipe.adapter.name, recipe.adapter.options)


@pytest.mark.parametrize("task", TOYS)
def test_a_toy_is_the_same_each_time_and_can_be_learned(task, tiny_bert):
    recipe = find_recipe(task)
    table = load_table(recipe)
    assert table.slice(0, 50).equals(load_table(recipe).slice(0, 50))
    adapter = make_adapter(recipe.adapter.name, recipe.adapter.options, tokenizer=str(tiny_bert))
    table = table.slice(0, 1500)  # enough to learn from
    if isinstance(adapter, LearnsAlphabet):
        adapter = adapter.fitted([table.column("sequence").combine_chunks()])
    target = make_adapter(recipe.target.name, recipe.target.options) if recipe.target else None
    split = assign(table, recipe.split, recipe.problem)
    examples = encode_examples(table, adapter, recipe.problem, split, target=target)
    if examples.outputs:
        assert len(examples.outputs.targets()) == len(table)
        return  # which no baseline writes; `test_sequence` learns one
    assert examples.labels is not None
    if recipe.problem == "span":
        assert len(examples.labels) == len(table)
        return  # which no baseline finds; `test_spans` learns one
    if recipe.adapter.name == "text" or task == "toy/dna-classification":
        return  # 400 pieces are too few for these words; and where the site lies, a bag of k-mers cannot see
    fitted = fit_baseline(
        "kmer", symbols=examples.symbols, symbols_b=examples.symbols_b, labels=examples.labels, split=examples.split,
        alphabet_size=len(adapter.alphabet), problem=recipe.problem, n_classes=len(examples.classes), seed=0,
        metric=recipe.metrics[0],
    )  # fmt: skip
    test = examples.indices("test")
    second = examples.symbols_b.take(test) if examples.symbols_b else None
    scores, labels = fitted.scores(examples.symbols.take(test), second), examples.labels_of(test)
    value = compute_metrics([recipe.metrics[0]], labels, scores, recipe.problem)[recipe.metrics[0]]["value"]
    chance = 0.0 if recipe.problem == "regression" else np.bincount(labels[labels >= 0]).max() / (labels >= 0).sum()
    assert value > chance + 0.05


@pytest.mark.realdata
@pytest.mark.parametrize("task", REAL)
def test_a_recipe_reads_its_data(task, tmp_path):
    if not os.environ.get("XDOMAIN_DATA"):
        pytest.skip("XDOMAIN_DATA is not set")
    recipe = find_recipe(task)
    table = load_table(recipe, adapter=adapter_of(recipe))
    split = assign(table, recipe.split, recipe.problem)
    sizes = tuple(int((split == name).sum()) for name in ("train", "valid", "test"))
    assert min(sizes) > 0
    if REAL[task]:
        assert sizes == REAL[task]
    examples = encode_examples(table, adapter_of(recipe), recipe.problem, split)
    check_symbols(examples)
    check_metrics(recipe.metrics, recipe.problem, examples.classes)


@pytest.mark.realdata
def test_digits_and_speakers_are_read_from_the_units_of_their_recordings(tmp_path, monkeypatch):
    from xdomain.cli.main import main

    if not os.environ.get("XDOMAIN_DATA"):
        pytest.skip("XDOMAIN_DATA is not set")
    wavs = str(Path(os.environ["XDOMAIN_DATA"]) / "speech" / "fsdd" / "recordings")
    units = tmp_path / "speech" / "fsdd" / "units.csv"
    for command in (
        ["units", "fit", f"{wavs}/*_4*.wav", "--units", "100", "--out", str(tmp_path / "mfcc-100")],
        ["units", "encode", wavs, "--codebook", str(tmp_path / "mfcc-100"), "--out", str(units)],
    ):
        with pytest.raises(SystemExit) as end:
            main(command)
        assert not end.value.code
    monkeypatch.setenv("XDOMAIN_DATA", str(tmp_path))
    for task, classes in (("speech/digits", 10), ("speech/speakers", 6)):
        recipe = find_recipe(task)
        table = load_table(recipe)
        split = assign(table, recipe.split, recipe.problem)
        assert Counter(split.tolist()) == {"train": 2430, "valid": 270, "test": 300}
        examples = encode_examples(table, adapter_of(recipe), recipe.problem, split)
        assert len(examples.classes) == classes


@pytest.mark.realdata
def test_published_sizes():
    if not os.environ.get("XDOMAIN_DATA"):
        pytest.skip("XDOMAIN_DATA is not set")
    splice = load_table(find_recipe("dna/splice"))
    labels = splice.column("label").to_pylist()
    assert {c: labels.count(c) for c in set(labels)} == {"EI": 767, "IE": 768, "N": 1655}
    gfp = load_table(find_recipe("protein/fluorescence"))
    assert gfp.num_rows == 51_715


TEXT = {  # records of each file: GLUE's train and dev (arXiv 1804.07461), UD English EWT's dev and test
    "text/sst-2": {"train": 67_349, "test": 872},
    "text/cola": {"train": 7_250, "valid": 1_301, "test": 1_043},  # 8,551 parted in two
    "text/rte": {"train": 2_490, "test": 277},
    "text/sts-b": {"train": 5_749, "test": 1_500},
    "text/ud-english-pos": {"train": 2_001, "test": 2_077},
}


@pytest.mark.realdata
@pytest.mark.parametrize("task", TEXT)
def test_published_sizes_of_text(task):
    if not os.environ.get("XDOMAIN_DATA"):
        pytest.skip("XDOMAIN_DATA is not set")
    assert Counter(load_table(find_recipe(task)).column("split").to_pylist()) == TEXT[task]


@pytest.mark.realdata
def test_text_is_read_as_it_stands():
    """Quotes that nobody closes part no cells and join no lines."""
    if not os.environ.get("XDOMAIN_DATA"):
        pytest.skip("XDOMAIN_DATA is not set")
    for task, positive, first in (
        ("text/mrpc", ("1", 2_753), 'Amrozi accused his brother, whom he called "the witness", of deliberately'),
        ("text/qnli", ("entailment", 2_702), "What came into force after the new constitution was herald?"),
    ):
        table = load_table(find_recipe(task))
        assert table.column("label").to_pylist().count(positive[0]) == positive[1]
        assert table.column("sequence")[0].as_py().startswith(first)
    scores = load_table(find_recipe("text/sts-b")).column("label").to_numpy()
    assert (scores.min(), scores.max()) == (0, 5)
    tags = load_table(find_recipe("text/ud-english-pos")).column("tags").combine_chunks().flatten()
    assert (len(tags), len(tags.unique())) == (50_241, 17)


def test_missing_data_says_where_to_put_it(monkeypatch, tmp_path):
    monkeypatch.setenv("XDOMAIN_DATA", str(tmp_path))
    with pytest.raises(MissingError) as caught:
        load_table(find_recipe("protein/localization"))
    assert "protein/multiloc/ER.fasta" in str(caught.value)
    assert "XDOMAIN_DATA" in str(caught.value)


FILES = {
    "uci": ({"all": "EI, A,  ACGT\nN, A, TTTT\n"}, [("A", "ACGT", "EI"), ("A#2", "TTTT", "N")]),
    "class_files": ({"x": ">p1 z\nMK\n", "y": ">p2\nML\n"}, [("p1", "MK", "x"), ("p2", "ML", "y")]),
    "labelled_splits": ({"amp.train": ">a\nMK\n"}, [("a", "MK", "amp")]),
    "flip_values": ({"all": ">S TARGET=1.5 SET=train VALIDATION=True\nMKV\n"}, [("S", "MKV", 1.5)]),
}


@pytest.mark.parametrize("reader", FILES)
def test_a_reader_by_hand(reader, tmp_path):
    contents, wanted = FILES[reader]
    table = readers()[reader](_written(contents, tmp_path))
    assert [(r["id"], r["sequence"], r["label"]) for r in table.to_pylist()] == wanted


def test_tags_under_a_mask(tmp_path):
    files = _written({"sequences": ">a\nMKV\n", "labels": ">a SET=test\nHHC\n", "mask": ">a\n011\n"}, tmp_path)
    (row,) = readers()["flip_tags"](files).to_pylist()
    assert row == {"id": "a", "sequence": "MKV", "tags": [None, "H", "C"], "split": "test"}


@pytest.mark.parametrize(
    ("reader", "contents", "told"),
    [
        ("uci", {"all": "EI, only-two\n"}, r"line 1: 'EI, only-two'"),
        ("uci", {"all": "\n"}, "is empty"),
        ("class_files", {"x": "no fasta\n"}, "holds no record"),
        ("flip_values", {"all": ">S SET=train\nM\n"}, "record 'S': no TARGET="),
        ("flip_values", {"all": ">S TARGET=1\nM\n"}, "record 'S': no SET="),
        ("flip_tags", {"sequences": ">a\nMK\n", "labels": ">a SET=test\nH\n", "mask": ">a\n11\n"}, "1 labels for 2"),
    ],
)
def test_a_malformed_record_is_named(reader, contents, told, tmp_path):
    with pytest.raises(DataError, match=told):
        readers()[reader](_written(contents, tmp_path))


def _written(contents: dict[str, str], folder: Path) -> dict[str, Path]:
    for name, text in contents.items():
        (folder / name).write_text(text)
    return {name: folder / name for name in contents}
