"""Tasks of a study that are files of one's own: found beside the study, told apart, read as in a run."""

import pytest

from xdomain.core.errors import DataError, RecipeError
from xdomain.study.config import load_grid
from xdomain.study.expand_grid import conditions_of

ROWS = "".join(f"{c * 6}ACGT{d},{'xy'[c < 'G']},{'pq'[d in 'AG']}\n" for c in "ACGT" for d in "ACGT")


@pytest.fixture
def laid_out(tmp_path):
    """The conditions of a study of one arm with these tasks, and files beside it in two folders of one name each."""

    def laid_out(tasks):
        for place in ("one", "two"):
            (tmp_path / place).mkdir(exist_ok=True)
            (tmp_path / place / "data.csv").write_text("sequence,first,second\n" + ROWS)
            (tmp_path / place / "plain.csv").write_text(ROWS)
        (tmp_path / "study.yaml").write_text("tasks:\n" + "".join(f"- {task}\n" for task in tasks) + "arms: [kmer]\n")
        return conditions_of(load_grid(tmp_path / "study.yaml"))

    return laid_out


def test_tasks_of_one_name_are_told_apart(laid_out):
    ours = [f"{{data: {place}/data.csv, domain: dna, columns: {{label: first}}}}" for place in ("one", "two")]
    other = "{data: two/data.csv, domain: dna, columns: {label: second}, name: mine}"
    found = laid_out([*ours, other, "toy/dna-classification"])
    assert [condition.task for condition in found] == [
        "dna/data (one/data.csv, first)", "dna/data (two/data.csv, first)", "mine", "toy/dna-classification",
    ]  # fmt: skip
    assert [condition.task for condition in laid_out(ours[:1])] == ["dna/data"]
    problems = [ours[0].replace("}}", f"}}, problem: {problem}}}") for problem in ("classification", "multilabel")]
    assert [condition.task[-3:] for condition in laid_out(problems)] == ["[1]", "[2]"]
    with pytest.raises(RecipeError, match="mine comes twice"):
        laid_out([other, other.replace("second", "first")])


def test_changes_are_heeded_before_the_columns_are_guessed(laid_out):
    task = "{data: one/plain.csv, domain: dna, set: {reader_options.names: 'sequence,other,label'}}"
    (condition,) = laid_out([task])
    assert condition.recipe.columns.label == "label"
    with pytest.raises(DataError, match="looks like a record"):
        laid_out([task.split(", set")[0] + "}"])


def test_all_that_a_run_takes_of_own_data(laid_out, tmp_path):
    (tmp_path / "genome.fa").write_text(">c\n" + "ACGTTGCAAC" * 30 + "\n")
    (tmp_path / "sites.csv").write_text(
        "chrom,start,end,label\n" + "".join(f"c,{i * 20},{i * 20 + 15},{i % 2}\n" for i in range(12)) + "c,3,9,\n"
    )
    (tmp_path / "only.fa").write_text("".join(f">{i}\n{'ACGT' * i}\n" for i in range(2, 12)))
    (tmp_path / "labels.csv").write_text("id,label\n" + "".join(f"{i},{i % 2}\n" for i in range(2, 12)))
    parts, sites, labelled, made = laid_out(
        [
            "{data: {train: one/data.csv, test: two/data.csv}, domain: dna, columns: {label: first}}",
            "{data: sites.csv, genome: genome.fa, drop_incomplete: true, domain: dna}",
            "{data: only.fa, labels: labels.csv, domain: dna}",
            "{data: only.fa, negatives: background=genome.fa, domain: dna}",
        ]
    )
    assert parts.recipe.split.rule == "given"
    assert sorted(parts.recipe.source.files) == ["test", "train"]
    assert sites.recipe.reader_options["drop_incomplete"] is True
    assert labelled.recipe.columns.label == "label"
    assert made.recipe.source.files["negatives"] == str(tmp_path / "genome.fa")
