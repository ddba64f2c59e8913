"""Predictions for new files by finished runs whose records are not one sequence and one label: words, and pairs."""

import json
import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from transformers import AutoModelForTokenClassification, AutoTokenizer

import xdomain
from xdomain.cli.main import main
from xdomain.core.errors import DataError, OutputError, RecipeError
from xdomain.core.plugins import find_recipe
from xdomain.data.formats.blocks import text_blocks
from xdomain.data.formats.write import write_table, write_tables
from xdomain.data.own_data import own_recipe
from xdomain.metrics.heldout import load_held_out, resampled_metric

TAG_OF = {"the": "D", "wewe": "N", "babba,": "N", "he": "P", "you": "P"}
LOST = "\x7f"  # a control character: BERT's tokenizers leave nothing of it
FAST = ("train.precision=fp32", "train.learning_rate=1e-2", "train.epochs=12", "train.batch_size=8")


def run(path, out, *changes, domain="dna", problem=None, **arm):
    recipe = own_recipe(path, domain, problem=problem)
    return xdomain.run(recipe, out=out, overrides=(*FAST, *changes), **arm)


# Words: one tag each, some of several pieces, one of none.


def sentences(n):
    rng = np.random.default_rng(0)
    for number in range(n):
        words = list(rng.choice(list(TAG_OF), 1 + number % 6))
        if number % 7 == 3:
            words.insert(len(words) // 2, LOST)
        yield words, [TAG_OF.get(word, "X") for word in words]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("words") / "words.tsv"
    lines = [f"{' '.join(words)}\t{' '.join(tags)}" for words, tags in sentences(80)]
    path.write_text("\n".join(["text\ttags", *lines]) + "\n")
    return path


@pytest.fixture(scope="module")
def tagged(table, tiny_bert, tmp_path_factory):
    return run(table, tmp_path_factory.mktemp("tagged") / "run", "run.mapping=identity", "train.max_length=7",
               "train.window_overlap=2", domain="text", backbone=str(tiny_bert))  # fmt: skip


def test_words_are_tagged(tagged):
    rows = pq.read_table(tagged.folder / "predictions.parquet").to_pylist()
    told = list(sentences(80))
    for row in rows:
        words, tags = told[int(row["id"]) - 1]
        wanted = [None if word == LOST else tag for word, tag in zip(words, tags, strict=True)]
        assert row["label"] == wanted  # what cannot be read is not scored
        assert row["prediction"] == wanted  # and all else is learned
    assert any(None in row["label"] for row in rows)
    assert tagged.metric("accuracy") == 1
    assert tagged.values["counts"]["words_without_symbols"] == 11
    assert tagged.values["counts"]["sequences_in_several_windows"] > 10


def test_a_comparison_counts_words(tagged):
    judged = load_held_out(tagged.folder)
    assert len(judged) == tagged.values["n"]["test"]
    assert resampled_metric("accuracy", judged).value == pytest.approx(tagged.metric("accuracy"))


def test_words_of_a_new_file_are_tagged_alike(tagged, table, tmp_path):
    told = pq.read_table(tagged.folder / "predictions.parquet")
    again = {row["id"]: row for row in xdomain.predict(tagged.folder, table).to_pylist()}
    for row in told.to_pylist():
        assert again[row["id"]]["prediction"] == row["prediction"]
        assert again[row["id"]]["score"] == pytest.approx(row["score"], abs=1e-5)
    (tmp_path / "new.tsv").write_text("text\nhe wewe, the\n")  # a single column, with a comma
    (row,) = xdomain.predict(tagged.folder, tmp_path / "new.tsv").to_pylist()
    assert row["prediction"] == ["P", "N", "D"]


@torch.no_grad()
def test_the_model_alone_tags_the_first_pieces_alike(tagged, tmp_path):
    tokenizer = AutoTokenizer.from_pretrained(tagged.folder / "model")
    model = AutoModelForTokenClassification.from_pretrained(tagged.folder / "model").eval()
    for text in ("he wewe", "you babba,"):  # what fits into one window
        inputs = tokenizer(text, return_offsets_mapping=True, return_tensors="pt")
        first = [start for start, _ in inputs.pop("offset_mapping")[0].tolist()]
        names = [model.config.id2label[i] for i in model(**inputs).logits[0].argmax(-1).tolist()]
        alone = [names[1 + first[1:].index(word.start())] for word in re.finditer(r"\S+", text)]
        (tmp_path / "new.tsv").write_text(f"text\n{text}\n")
        (row,) = xdomain.predict(tagged.folder, tmp_path / "new.tsv").to_pylist()
        assert row["prediction"] == alone


@pytest.mark.parametrize("baseline", ["kmer", "cnn"])
def test_baselines_tag_words_too(baseline, table, tiny_bert, tmp_path):
    result = run(table, tmp_path / "run", domain="text", backbone=str(tiny_bert), baseline=baseline)
    assert result.metric("accuracy") > 0.5  # two words of five are P
    rows = pq.read_table(result.folder / "predictions.parquet").to_pylist()
    again = {row["id"]: row for row in xdomain.predict(result.folder, table).to_pylist()}
    assert all(again[row["id"]]["prediction"] == row["prediction"] for row in rows)


def test_a_text_whose_unknown_token_stays_at_home_is_no_cause_to_warn(table, tiny_bert, tmp_path, said):
    few = ("train.max_steps=1", "run.mapping=identity")
    run(table, tmp_path / "run", *few, domain="text", backbone=str(tiny_bert))
    assert not [line for line in said if "special tokens" in line]


# Values of pairs.


@pytest.fixture(scope="module")
def affinities(tmp_path_factory):
    """A file of pairs: how much more A the first has than the second, and some noise."""
    rng = np.random.default_rng(0)
    lines = ["name,seq1,seq2,affinity"]
    for number in range(80):
        first, second = ("".join(rng.choice(list("ACGT"), 12)) for _ in range(2))
        affinity = first.count("A") - second.count("A") + rng.normal() / 4
        lines.append(f"p{number},{first},{second},{affinity:.3f}")
    path = tmp_path_factory.mktemp("pairs") / "affinities.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module", params=[None, "kmer", "cnn"])
def measured(request, affinities, tiny_bert, tmp_path_factory):
    out = tmp_path_factory.mktemp("measured") / "run"
    return run(affinities, out, "train.max_steps=20", backbone=str(tiny_bert), baseline=request.param)


def test_pairs_with_a_measured_label_need_no_more_to_be_told(measured):
    assert measured.values["paired"]
    assert measured.values["classes"] == []
    assert list(measured.values["metrics"]["test"]) == ["spearmanr", "pearsonr", "mse"]


def test_values_of_new_pairs_are_predicted_alike(measured, affinities, tmp_path):
    told = pq.read_table(measured.folder / "predictions.parquet").to_pylist()
    again = {row["id"]: row for row in xdomain.predict(measured.folder, affinities).to_pylist()}
    assert [again[row["id"]]["prediction"] for row in told] == pytest.approx([r["prediction"] for r in told], abs=1e-5)
    # the second sequence is read: without the first's partner another value comes out
    swapped = tmp_path / "swapped.csv"
    swapped.write_text(affinities.read_text().replace("seq1,seq2", "seq2,seq1"))
    other = {row["id"]: row for row in xdomain.predict(measured.folder, swapped).to_pylist()}
    assert [r["prediction"] for r in other.values()] != pytest.approx([r["prediction"] for r in again.values()])


def test_a_file_without_the_second_sequence_is_refused(measured, tmp_path):
    (tmp_path / "one.csv").write_text("name,seq1\na,ACGT\n")
    with pytest.raises(DataError) as told:
        xdomain.predict(measured.folder, tmp_path / "one.csv")
    assert "one.csv has no column 'seq2' for the sequence_b" in told.value.block()
    assert "--column sequence_b=NAME" in told.value.block()
    (tmp_path / "one.fasta").write_text(">a\nACGT\n")
    with pytest.raises(DataError, match="has no column 'seq2' for the sequence_b"):
        xdomain.predict(measured.folder, tmp_path / "one.fasta")


def test_a_second_sequence_that_the_run_never_saw_is_passed_over(affinities, tiny_bert, tmp_path):
    single = tmp_path / "single.csv"
    rows = [line.split(",") for line in affinities.read_text().splitlines()]
    single.write_text("".join(f"{name},{first},{value}\n" for name, first, _, value in rows))
    result = run(single, tmp_path / "run", backbone=str(tiny_bert), baseline="kmer")
    assert not result.values["paired"]
    one, two = (xdomain.predict(result.folder, path) for path in (single, affinities))
    assert one.equals(two)


def test_one_half_of_a_pair_is_not_turned_to_the_other_strand(affinities, tiny_bert, tmp_path):
    with pytest.raises(RecipeError, match="reverse_complement is not for pairs"):
        run(affinities, tmp_path / "run", "train.augment=reverse_complement", backbone=str(tiny_bert))
    assert not (tmp_path / "run").exists()


# A format that only its own reader reads.


def test_a_file_that_only_the_runs_own_reader_reads_is_refused(tiny_bert, tmp_path, monkeypatch):
    words = [("the", "DET"), ("wewe", "NOUN"), ("he,", "PRON")]
    lines = [f"{place}\t{word}\t_\t{tag}\t_\t_\t0\tdep\t_\t_" for place, (word, tag) in enumerate(words, 1)]
    (tmp_path / "my.conllu").write_text(("\n".join(lines) + "\n\n") * 20)
    monkeypatch.setenv("XDOMAIN_DATA", str(tmp_path))
    changes = [f"source.files.{split}=my.conllu" for split in ("train", "test")]
    recipe = find_recipe("text/ud-english-pos", (*FAST, *changes, "train.max_steps=1"))
    result = xdomain.run(recipe, backbone=str(tiny_bert), out=tmp_path / "run")
    with pytest.raises(DataError) as told:
        xdomain.predict(result.folder, tmp_path / "my.conllu")
    assert "is read here, not what the run's own reader conllu reads" in str(told.value)
    (tmp_path / "new.csv").write_text('sequence\n"he, the"\n')
    (row,) = xdomain.predict(result.folder, tmp_path / "new.csv").to_pylist()
    assert len(row["prediction"]) == 2


# Files of predictions.

TAGS = pa.table(
    {"id": ["a", "b"], "prediction": [["D", "N"], ["P", None]], "score": [[0.5, 0.25], [1.0, float("nan")]]}
)


def test_the_ending_says_how_predictions_are_written(tmp_path, capsys):
    for name in ("p.csv", "p.tsv", "p.parquet", "p.jsonl", "P.CSV"):
        write_table(TAGS, tmp_path / name)
    csv = '"id","prediction","score"\n"a","D N","0.5 0.25"\n"b","P None","1 nan"\n'
    assert (tmp_path / "p.csv").read_text() == (tmp_path / "P.CSV").read_text() == csv
    assert (tmp_path / "p.tsv").read_text() == csv.replace(",", "\t")
    assert pq.read_table(tmp_path / "p.parquet").column("prediction").to_pylist() == [["D", "N"], ["P", None]]
    assert [json.loads(line) for line in (tmp_path / "p.jsonl").read_text().splitlines()] == [
        {"id": "a", "prediction": ["D", "N"], "score": [0.5, 0.25]},
        {"id": "b", "prediction": ["P", None], "score": [1.0, None]},
    ]
    write_table(TAGS, None)
    assert capsys.readouterr().out == csv


def test_a_file_that_cannot_be_written_whole_is_left_as_it_was(tmp_path):
    (tmp_path / "p.csv").write_text("before")

    def half():
        yield TAGS
        raise OSError(28, "No space left on device")

    with pytest.raises(OutputError, match="No space left"):
        write_tables(half(), tmp_path / "p.csv")
    assert (tmp_path / "p.csv").read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["p.csv"]


@pytest.mark.parametrize("command", ["predict", "evaluate"])
@pytest.mark.parametrize(("name", "said"), [("p.ods", "ends in .ods"), ("p", "no ending"), ("no/p.csv", "no folder")])
def test_a_file_of_another_kind_is_refused_before_anything_is_read(command, name, said, tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        main([command, str(tmp_path / "no-run"), str(tmp_path / "no.csv"), "--out", str(tmp_path / name)])
    assert stop.value.code == 2
    assert said in capsys.readouterr().err


# Files of any size.


def works(command):
    with pytest.raises(SystemExit) as stop:
        main(command)
    assert stop.value.code == 0


def test_a_large_file_is_predicted_as_its_parts_are(affinities, tiny_bert, tmp_path, monkeypatch, said):
    single = tmp_path / "single.csv"
    rows = [line.split(",") for line in affinities.read_text().splitlines()]
    single.write_text("".join(f"{name},{first},{value}\n" for name, first, _, value in rows))
    folder = run(single, tmp_path / "run", "train.max_steps=2", backbone=str(tiny_bert)).folder
    read = text_blocks
    monkeypatch.setattr("xdomain.data.pieces.text_blocks", lambda *a, **options: read(*a, **options, size=500))
    monkeypatch.setattr("xdomain.data.pieces.EVERY", 0)
    sequences = [f"{first}{'ACGT' * 2}" for _, first, _, _ in rows[1:]]
    parts = {"whole": sequences, "one": sequences[:33], "two": sequences[33:]}
    for name, of_part in parts.items():
        start = 33 * (name == "two")
        lines = [f"r{start + row},{one}\n" for row, one in enumerate(of_part)]
        (tmp_path / f"{name}.csv").write_text("id,sequence\n" + "".join(lines))
        works(["predict", str(folder), str(tmp_path / f"{name}.csv"), "--out", str(tmp_path / f"p-{name}.csv")])
    whole, one, two = ((tmp_path / f"p-{name}.csv").read_text().splitlines() for name in parts)
    assert whole == [*one, *two[1:]]
    assert len(whole) == 81
    assert any(re.fullmatch(r"\d+ of about \d+ records, [\d,]+ a second, [\d:]+ left", line) for line in said)
    works(["predict", str(folder), str(tmp_path / "whole.csv"), "--out", str(tmp_path / "p.parquet")])
    assert pq.read_table(tmp_path / "p.parquet").equals(xdomain.predict(folder, tmp_path / "whole.csv"))


def test_a_fault_at_the_end_leaves_no_file_and_a_file_is_replaced_only_if_asked(affinities, tiny_bert, tmp_path, capsys,
                                                                               monkeypatch):  # fmt: skip
    folder = run(affinities, tmp_path / "run", backbone=str(tiny_bert), baseline="kmer").folder
    read = text_blocks
    monkeypatch.setattr("xdomain.data.pieces.text_blocks", lambda *a, **options: read(*a, **options, size=500))
    (tmp_path / "odd.csv").write_text(affinities.read_text() + "p80,ACGT\n")
    out = tmp_path / "p.csv"
    command = ["predict", str(folder), str(tmp_path / "odd.csv"), "--out", str(out)]
    with pytest.raises(SystemExit):
        main(command)
    assert "row 81 has 2 fields" in capsys.readouterr().err
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("p.csv")]
    command[2] = str(affinities)
    works(command)
    before = out.read_text()
    with pytest.raises(SystemExit) as stop:
        main(command)
    assert stop.value.code == 2
    assert "exists already" in capsys.readouterr().err
    works([*command, "--overwrite"])
    assert out.read_text() == before


def test_a_model_that_did_not_learn_says_so(tmp_path, caplog):
    rng = np.random.default_rng(0)
    lines = "".join(f"{''.join(rng.choice(list('ACGT'), 20))},{i % 2}\n" for i in range(60))
    (tmp_path / "noise.csv").write_text("sequence,label\n" + lines)
    result = xdomain.run(data=tmp_path / "noise.csv", domain="dna", baseline="kmer", out=tmp_path / "run")
    assert not result.values["learned"]
    caplog.clear()
    xdomain.predict(result.folder, tmp_path / "noise.csv")
    assert "kmer did not learn: it " in caplog.text
