"""Negatives of data of one class: lengths and counts kept, one seed one result, never in two splits, told."""

import json
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import yaml
from Bio.Seq import reverse_complement
from command_line import told
from extras import needs_genome

import xdomain
from xdomain.core.errors import DataError, RecipeError
from xdomain.core.plugins import make_adapter
from xdomain.core.recipe import recipe_from
from xdomain.data.loading import load_table
from xdomain.data.negatives.background import Taken
from xdomain.data.negatives.make import MADE_FOR, split_with_negatives
from xdomain.data.own_data import own_recipe
from xdomain.study.config import Grid
from xdomain.study.expand_grid import conditions_of
from xdomain.training.preparation import prepare

QUICK = ("train.max_steps=2", "train.precision=fp32")


def drawn(letters, lengths, seed):
    rng = np.random.default_rng(seed)
    return ["".join(rng.choice(list(letters), n)) for n in lengths]


@pytest.fixture
def peptides(tmp_path):
    path = tmp_path / "peptides.fa"
    texts = drawn("ACDEFGHIKLMNPQRSTVWY", [*range(20, 60)], 0)
    path.write_text("".join(f">p{i}\n{text}\n" for i, text in enumerate(texts)))
    return path


@pytest.fixture
def genome(tmp_path):
    texts = {"chr1": drawn("ACGT", [6000], 1)[0], "chr2": "N" * 1000 + drawn("ACGTacgt", [1500], 2)[0]}
    path = tmp_path / "genome.fa"
    path.write_text("".join(f">{name}\n{text}\n" for name, text in texts.items()))
    return path, texts


@pytest.fixture
def enhancers(tmp_path, genome):
    """Intervals of the genome, without labels."""
    starts = [("chr1", start) for start in range(100, 4100, 100)] + [
        ("chr2", start) for start in range(1000, 2000, 100)
    ]
    rows = [f"{contig}\t{start}\t{start + 30 + start // 100}\tenhancer" for contig, start in starts]
    path = tmp_path / "peaks.bed"
    path.write_text("\n".join(rows) + "\n")
    return path


def split_table(recipe):
    """Rows of id, sequence, label, split, and the row that a negative is of."""
    table = load_table(recipe)
    rows = [dict(row) for row in table.to_pylist()]
    names = split_with_negatives(table, recipe.split, recipe.problem)[1]
    return [{**row, "split": str(name)} for row, name in zip(rows, names, strict=True)]


def check_pairs(rows, same):
    """What holds however negatives are made."""
    made = [row for row in rows if row[MADE_FOR] is not None]
    for row in made:
        own = rows[row[MADE_FOR]]
        assert own["split"] == row["split"]
        assert same(own["sequence"].upper(), row["sequence"].upper())
        assert own["label"] != row["label"]
    assert len({row["id"] for row in rows}) == len(rows)
    texts = [row["sequence"].upper() for row in made]
    assert len(set(texts)) == len(texts)
    assert not set(texts) & {row["sequence"].upper() for row in rows if row[MADE_FOR] is None}
    return made


def test_peptides_without_labels_are_shuffled(peptides, said):
    recipe = own_recipe(peptides, "protein", negatives="shuffled")
    rows = split_table(recipe)
    made = check_pairs(rows, lambda own, new: Counter(own) == Counter(new))
    assert len(made) == 40
    assert made[0]["id"] == "p0:shuffled"
    assert Counter(row["label"] for row in rows) == {"positive": 40, "negative": 40}
    assert Counter(row["split"] for row in made) == {"train": 32, "valid": 4, "test": 4}
    assert "label: every record is 'positive', as there are no labels" in said
    assert "negatives: 40 made for 40 records, shuffled, seed 0" in said
    assert split_table(recipe) == rows
    other = own_recipe(peptides, "protein", negatives="shuffled", overrides=("negatives.seed=1",))
    assert [row["sequence"] for row in split_table(other)[:40]] == [row["sequence"] for row in rows[:40]]
    assert not {row["sequence"] for row in split_table(other)[40:]} & {row["sequence"] for row in made}
    by_key = own_recipe(peptides, "protein", overrides=("negatives.how=shuffled",))
    assert by_key == recipe


def test_dna_keeps_dinucleotides_and_a_record_that_has_no_other_order_is_told(tmp_path, said):
    texts = [*drawn("ACGT", [30] * 30, 5), "AAAAAAAAAA"]
    path = tmp_path / "one.csv"
    path.write_text("sequence,label\n" + "".join(f"{text},1\n" for text in texts))
    rows = split_table(own_recipe(path, "dna", negatives="shuffled"))
    made = check_pairs(rows, lambda own, new: Counter(pairwise(own)) == Counter(pairwise(new)))
    assert {row["label"] for row in made} == {"0"}
    assert len(made) == 30
    assert said[-1].startswith("warning: negatives: 1 records have none")
    assert said[-1].endswith("the first is row 31")
    both = {row["sequence"] for row in rows}
    assert not both & {str(reverse_complement(row["sequence"])) for row in made}


@needs_genome
def test_background_is_apart_from_the_records_and_from_itself(enhancers, genome, said):
    path, texts = genome
    recipe = own_recipe(enhancers, "dna", genome=path, negatives="background", columns=None)
    assert recipe.source.files["negatives"] == str(path)
    rows = split_table(recipe)
    made = check_pairs(rows, lambda own, new: len(own) == len(new) and "N" not in new)
    assert len(made) == 50
    taken = {name: np.zeros(len(text), int) for name, text in texts.items()}
    for line in enhancers.read_text().splitlines():
        contig, start, end, _ = line.split("\t")
        taken[contig][int(start) : int(end)] = 1
    for row in made:
        contig, _, place = row["id"].rpartition(":")
        start, end = map(int, place.split("-"))
        assert texts[contig][start:end] == row["sequence"]
        assert not taken[contig][start:end].any()
        taken[contig][start:end] = 1
    assert {row["id"].split(":")[0] for row in made} == {"chr1", "chr2"}
    assert {row["label"] for row in made} == {"negative"}
    assert "negatives: 50 intervals of the data are known, and none overlaps them" in said
    again = own_recipe(enhancers, "dna", negatives=f"background={path}", genome=path)
    assert split_table(again) == rows


@needs_genome
def test_background_of_fasta_whose_ids_tell_places_or_do_not(genome, tmp_path, said):
    path, texts = genome
    ids = [f"{'peak::' * (i % 2)}chr1:{i * 100}-{i * 100 + 50}{'(-)' * (i % 2)}" for i in range(40)]
    fasta = tmp_path / "cut.fa"
    fasta.write_text("".join(f">{name}\n{texts['chr1'][i * 100 : i * 100 + 50]}\n" for i, name in enumerate(ids)))
    rows = split_table(own_recipe(fasta, "dna", negatives=f"background={path}"))
    for row in check_pairs(rows, lambda own, new: len(own) == len(new)):
        contig, start = row["id"].split(":")[0], int(row["id"].split(":")[1].split("-")[0])
        assert contig != "chr1" or start >= 3950
    assert "negatives: 40 intervals of the data are known, and none overlaps them" in said
    fasta.write_text("".join(f">r{i}\n{text}\n" for i, text in enumerate(drawn("ACGT", [20] * 20, 9))))
    split_table(own_recipe(fasta, "dna", negatives=f"background={path}"))
    assert any(
        line.startswith("warning: negatives: where the 20 records lie in genome.fa is not known") for line in said
    )
    fasta.write_text("".join(f">r{i}\n{text}\n" for i, text in enumerate(drawn("ACGT", [3000] * 5, 9))))
    with pytest.raises(DataError, match="no region of 3,000 bases"):
        split_table(own_recipe(fasta, "dna", negatives=f"background={path}"))


def test_taken_intervals_as_a_slow_twin():
    rng = np.random.default_rng(0)
    taken, slow = Taken([("a", 5, 9), ("a", 7, 12), ("b", 0, 3)]), set(range(5, 12))
    for _ in range(200):
        start = int(rng.integers(200))
        end = start + int(rng.integers(1, 9))
        assert taken.take("a", start, end) == (not slow & set(range(start, end)))
        slow |= set(range(start, end)) if not slow & set(range(start, end)) else set()
    assert taken.take("b", 3, 4)
    assert not taken.take("b", 2, 4)


def test_other_proteins_of_like_length(peptides, tmp_path):
    others = drawn("ACDEFGHIKLMNPQRSTVWY", [*range(20, 60), 200, 300], 7)
    first = peptides.read_text().splitlines()[1]
    path = tmp_path / "others.fasta"
    path.write_text("".join(f">o{i}\n{text}\n" for i, text in enumerate([first.lower(), others[0], *others])))
    recipe = own_recipe(peptides, "protein", negatives=f"proteins={path}")
    rows = split_table(recipe)
    made = check_pairs(rows, lambda own, new: len(own) == len(new))  # each length is there exactly once
    assert len(made) == 40
    assert {row["id"] for row in made} <= {f"o{i}" for i in range(1, 42)}
    path.write_text("".join(f">o{i}\n{text}\n" for i, text in enumerate(others[:39])))
    with pytest.raises(DataError, match="has 39 proteins besides those of the data, for 40 records"):
        split_table(recipe)


def test_a_limit_counts_both_and_groups_folds_and_clusters_go_together(peptides, tmp_path):
    def rows_of(*changes, data=peptides):
        return split_table(own_recipe(data, "protein", negatives="shuffled", overrides=changes))

    limited = rows_of("split.limit={train: 11, test: 0.5}")
    assert Counter(row["split"] for row in limited if row["split"]) == {"train": 10, "valid": 8, "test": 4}
    folds = [rows_of("split.rule=fold", "split.folds=4", f"split.fold={i}") for i in range(4)]
    for rows in (limited, rows_of("split.rule=cluster"), *folds):
        check_pairs(rows, lambda own, new: Counter(own) == Counter(new))
    tested = Counter(row["id"] for rows in folds for row in rows if row["split"] == "test")
    assert set(tested.values()) == {1}
    assert len(tested) == 80
    table = tmp_path / "groups.csv"
    lines = peptides.read_text().split()[1::2]
    table.write_text("sequence,group,label\n" + "".join(f"{text},g{i // 4},yes\n" for i, text in enumerate(lines)))
    recipe = own_recipe(table, "protein", negatives="shuffled")
    examples, _ = prepare(recipe, make_adapter("protein"))
    assert examples.groups[:40] == examples.groups[40:]
    assert examples.classes == ("negative", "yes")


def test_no_sequence_is_in_two_splits(peptides):
    _, counts = prepare(own_recipe(peptides, "protein", negatives="shuffled"), make_adapter("protein"))
    assert all(not between["sequences"] for between in counts["leakage"].values())
    assert counts["negatives_made"] == 40


@needs_genome
def test_a_run_tells_and_repeats(enhancers, genome, tiny_bert, tmp_path, capsys):
    path, _ = genome
    result = xdomain.run(data=str(enhancers), domain="dna", genome=path, negatives="background", overrides=QUICK,
                         backbone=str(tiny_bert), out=tmp_path / "run", label="name")  # fmt: skip
    told = json.loads((tmp_path / "run" / "result.json").read_text())
    assert told["negatives"] == {"how": "background", "seed": 0}
    assert told["counts"]["negatives_made"] == 50
    assert told["classes"] == ["negative", "enhancer"]
    assert told["positive_class"] == "enhancer"
    recipe = yaml.safe_load((tmp_path / "run" / "recipe.yaml").read_text())
    assert recipe["negatives"] == {"how": "background", "seed": 0}
    assert (
        "The negatives are no measurements: they are random regions"
        in (tmp_path / "run" / "model" / "README.md").read_text()
    )
    again = xdomain.run(tmp_path / "run" / "recipe.yaml", out=tmp_path / "again")
    first, second = ((r.predictions(), r.metric()) for r in (result, again))
    assert first[1] == second[1]
    assert list(first[0]["id"]) == list(second[0]["id"])
    same = xdomain.evaluate(tmp_path / "run")
    assert same.metrics["accuracy"].value == pytest.approx(result.metric("accuracy"))
    labelled = tmp_path / "labelled.csv"
    labelled.write_text("sequence,name\nACGTACGTACGTAA,enhancer\nACGGTTACGTACGTAA,negative\n")
    assert len(xdomain.evaluate(tmp_path / "run", labelled).predictions) == 2


def test_a_run_without_labels_evaluates_files_with_labels(peptides, tmp_path):
    run = xdomain.run(data=peptides, domain="protein", negatives="shuffled", baseline="kmer", out=tmp_path / "run")
    assert run.metric("accuracy") >= 0
    other = tmp_path / "other.fa"
    other.write_text(">a label=positive\nACDEFGHIKLMNPQRSTVWY\n>b label=negative\nYYYYFGHIKLMNPQRSTVWY\n")
    evaluated = xdomain.evaluate(tmp_path / "run", other)
    assert sorted(evaluated.predictions["label"].to_pylist()) == ["negative", "positive"]
    assert len(xdomain.predict(tmp_path / "run", peptides)) == 40


def test_the_key_of_a_cell_is_as_before_where_no_negatives_are_made(peptides, tmp_path):
    def cell(**task):
        own = {"data": str(task.pop("data", peptides)), "domain": "protein", **task}
        grid = Grid.model_validate({"name": "s", "tasks": [own], "arms": ["kmer"]})
        (condition,) = conditions_of(grid)
        return condition.cell(condition.seeds[0], None)

    labelled = tmp_path / "labelled.csv"
    labelled.write_text("sequence,label\n" + "".join(f"ACDEFGHI{'KL'[i % 2]},{i % 2}\n" for i in range(20)))
    one = cell(data=labelled)
    tree = one.recipe.model_dump(mode="json")
    assert tree.pop("negatives") == {"how": "none", "seed": 0}
    old = recipe_from(tree, where="old")  # as a recipe of before, which has no such key
    assert old == one.recipe
    shuffled = cell(negatives="shuffled")
    others = [tmp_path / "a.fasta", tmp_path / "b.fasta"]
    for i, path in enumerate(others):
        path.write_text("".join(f">o{j}\n{t}\n" for j, t in enumerate(drawn("ACDEFGHIKL", [30] * 50, i))))
    keys = {shuffled.key, *(cell(negatives=f"proteins={path}").key for path in others)}
    assert len(keys) == 3
    moved = tmp_path / "moved.fasta"
    moved.write_text(others[0].read_text())
    assert cell(negatives=f"proteins={moved}").key in keys


def test_check_says_that_there_is_one_class_and_how_to_make_another(capsys, peptides, tmp_path):
    table = tmp_path / "one.csv"
    table.write_text("sequence,label\nACDEFGHIK,1\nKLMNPQRS,1\n")
    bare = tmp_path / "bare.csv"
    bare.write_text("sequence\nACDEFGHIK\nKLMNPQRS\n")
    for data in (peptides, table, bare):
        code, _, err = told(capsys, "check", data, "--domain", "protein")
        assert code == 2
        assert "--negatives shuffled, background=GENOME.fa (DNA) or proteins=FILE.fasta" in err
    code, out, err = told(capsys, "check", peptides, "--domain", "protein", "--negatives", "shuffled", "--json")
    assert code == 0, err
    assert json.loads(out)["changed"]["negatives_made"] == 40
    options = ["--negatives", "shuffled", "--set", "negatives.seed=3", "--baseline", "kmer"]
    code, out, err = told(capsys, "run", peptides, "--domain", "protein", *options, "--out", tmp_path / "run")
    assert code == 0, err
    assert "The negatives are no measurements: they are the other records, shuffled (seed 3)." in out


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"negatives": "shufled"}, "did you mean: shuffled"),
        ({"negatives": "shuffled=x"}, "without a file"),
        ({"negatives": "proteins"}, "--negatives proteins=FILE"),
        ({"negatives": "proteins=nothing.fa"}, "nothing.fa does not exist"),
        ({"negatives": "background=FASTA"}, "background is for classification of dna, not classification of protein"),
        ({"overrides": ("negatives.how=proteins",)}, "needs a file"),
        ({"overrides": ("negatives.how=often",)}, "negatives.how"),
    ],
)
def test_a_mistake_is_told(peptides, options, expected):
    if "FASTA" in options.get("negatives", ""):
        options = {"negatives": options["negatives"].replace("FASTA", str(peptides))}
    with pytest.raises(RecipeError) as caught:
        own_recipe(peptides, "protein", **options)
    assert expected in caught.value.block()


def test_data_that_has_two_classes_is_refused(tmp_path):
    table = tmp_path / "two.csv"
    table.write_text("sequence,label\n" + "".join(f"ACDEFGHI{'KL'[i % 2]}{'A' * i},{i % 2}\n" for i in range(20)))
    with pytest.raises(DataError, match="negatives for data that has 2 classes: 0, 1"):
        load_table(own_recipe(table, "protein", negatives="shuffled"))
    recipe = own_recipe(table, "protein", negatives="shuffled", columns=xdomain.core.recipe.Columns(label=""))
    assert load_table(recipe).num_rows > 20
    table.write_text("sequence,label\n" + "".join(f"ACDEFGHI{'A' * i},0\n" for i in range(20)))
    with pytest.raises(DataError, match="the only class is called '0'"):
        load_table(own_recipe(table, "protein", negatives="shuffled"))


@pytest.mark.usefixtures("in_process")
def test_a_study_of_data_without_labels_tells_it(peptides, tmp_path):
    task = {"data": str(peptides), "domain": "protein", "negatives": "shuffled"}
    study = {"name": "made", "tasks": [task], "arms": ["kmer"], "seeds": 1}
    findings = xdomain.run_study(study, out=tmp_path)
    sentence = "The negatives are no measurements: they are the other records, shuffled (seed 0)."
    assert findings.negatives == (f"protein/peptides: {sentence}",)
    assert sentence in (tmp_path / "made" / "report.md").read_text()
