"""A run as a user sees it: one command, one folder, the same numbers again."""

import json
import math
import os
import shutil
import signal
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import forked
import numpy as np
import pyarrow.parquet as pq
import pytest

import xdomain
from xdomain.adapters.bpe import train_bpe
from xdomain.core.errors import DataError, OutputError, RecipeError
from xdomain.core.plugins import find_recipe
from xdomain.core.recipe import load_recipe
from xdomain.data.loading import load_table
from xdomain.pretraining.api import Pretraining, pretrain_synthetic
from xdomain.training import trainer
from xdomain.training.trainer import last_whole

FAST = ("train.epochs=2", "split.limit.train=64", "split.limit.valid=24", "split.limit.test=24", "train.precision=fp32",
        "train.learning_rate=1e-3")  # fmt: skip
PROBLEMS = ("toy/dna-classification", "toy/dna-regression", "toy/dna-tagging", "toy/dna-pair")


def fast_run(task, backbone, out, **options):
    extra = options.pop("extra", ())
    return xdomain.run(task, overrides=(*FAST, *extra), backbone=str(backbone), out=out, **options)


@pytest.fixture(scope="module")
def run_of(pictures, tiny_bert, tmp_path_factory):
    """The finished run of a task, made once."""

    @cache
    def run(task):
        with pictures():
            return fast_run(task, tiny_bert, tmp_path_factory.mktemp("runs") / task.replace("/", "-"))

    return run


@pytest.fixture(params=PROBLEMS)
def finished(request, run_of):
    return run_of(request.param)


def test_the_folder_holds_what_was_promised(finished):
    names = {p.name for p in finished.folder.iterdir()}
    promised = {
        "recipe.yaml",
        "mapping.json",
        "history.jsonl",
        "history.png",
        "predictions.parquet",
        "model",
        "result.json",
    }
    assert promised <= names
    assert "checkpoints" not in names
    for picture in finished.folder.glob("*.png"):
        assert picture.read_bytes().startswith(b"\x89PNG")
        assert "<svg" in picture.with_suffix(".svg").read_text()
    assert {"config.json", "model.safetensors", "tokenizer.json", "README.md"} <= {
        p.name for p in (finished.folder / "model").iterdir()
    }
    assert not [p for p in finished.folder.rglob("*") if p.suffix in (".bin", ".pt", ".pkl")]


def test_the_result_says_what_the_design_lists(finished):
    values = json.loads((finished.folder / "result.json").read_text())
    fields = {"schema", "task", "arm", "mapping", "seed", "n", "metrics", "train_loss", "counts", "seconds", "git",
              "tokens_per_second", "peak_memory_bytes", "device", "dtype", "versions"}  # fmt: skip
    assert fields <= values.keys()
    assert values["n"] == {"train": 64, "valid": 24, "test": 24}
    first = next(iter(values["metrics"]["test"].values()))
    assert isinstance(first["value"], float)
    assert isinstance(first["higher_is_better"], bool)


def test_other_tests_render_no_figures(tiny_bert, tmp_path):
    """Half of their time: see `saved_empty` in conftest.py."""
    folder = fast_run("toy/dna-classification", tiny_bert, tmp_path / "run", baseline="kmer").folder
    assert {path.name: path.stat().st_size for path in folder.glob("*.png")} == {
        "confusion.png": 0, "history.png": 0, "reliability.png": 0,
    }  # fmt: skip


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks Linux what is resident")
def test_the_memory_told_is_that_of_this_run(tiny_bert, tmp_path):
    held = np.ones(2**27)  # 1 GiB, given back before the run
    before = resident("VmRSS")
    del held
    result = fast_run("toy/dna-classification", tiny_bert, tmp_path / "x", baseline="kmer")
    told = result.values["peak_memory_bytes"]
    assert told is None or resident("VmRSS") - 2**28 < told < before - 2**28


def resident(what):
    """Bytes that this process has resident: VmRSS now, VmHWM at most."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines[what].split()[0]) * 1024


def test_predictions_agree_with_the_metrics(finished):
    table = pq.read_table(finished.folder / "predictions.parquet").to_pylist()
    assert [row["split"] for row in table] == ["valid"] * 24 + ["test"] * 24
    test = [row for row in table if row["split"] == "test"]
    if "accuracy" in finished.values["metrics"]["test"]:
        pairs = [(row["label"], row["prediction"]) for row in test]
        if isinstance(pairs[0][0], list):
            pairs = [pair for labels, tags in pairs for pair in zip(labels, tags, strict=True)]
        right = np.mean([label == prediction for label, prediction in pairs if label is not None])
        assert right == pytest.approx(finished.metric("accuracy"))


def test_the_resolved_recipe_repeats_the_run(finished, tmp_path):
    again = xdomain.run(finished.folder / "recipe.yaml", out=tmp_path / "again")
    one, two = (pq.read_table(r.folder / "predictions.parquet") for r in (finished, again))
    assert one.equals(two)
    assert load_recipe(finished.folder / "recipe.yaml") == load_recipe(again.folder / "recipe.yaml")


ALONE = """
import json, sys, torch
from transformers import AutoTokenizer, AutoModelForSequenceClassification, AutoModelForTokenClassification
def answers(model, problem, texts):
    tokenizer = AutoTokenizer.from_pretrained(model)
    heads = AutoModelForTokenClassification if problem == "tagging" else AutoModelForSequenceClassification
    model = heads.from_pretrained(model).eval()
    for one in texts:
        logits = model(**tokenizer(*one, return_tensors="pt")).logits[0]
        if problem == "regression":
            yield logits.item()
        elif problem == "tagging":
            yield [model.config.id2label[i] for i in logits[1:-1].argmax(-1).tolist()]
        else:
            yield model.config.id2label[logits.argmax().item()]
with torch.no_grad():
    out = [list(answers(*job)) for job in json.load(sys.stdin)]
assert not [m for m in sys.modules if m.split(".")[0] == "xdomain"]
print(json.dumps(out))
"""


def test_the_models_alone_give_the_same_predictions(run_of):
    """In a process that never imports xdomain: text in, the predictions of the table out."""
    jobs, wanted = [], []
    for task in PROBLEMS:
        result = run_of(task)
        recipe = load_recipe(result.folder / "recipe.yaml")
        rows = {row["id"]: row for row in load_table(recipe).to_pylist()}
        told = pq.read_table(result.folder / "predictions.parquet", filters=[("split", "==", "test")]).to_pylist()
        texts = [[rows[r["id"]][c] for c in ("sequence", "sequence_b") if c in rows[r["id"]]] for r in told]
        jobs.append((str(result.folder / "model"), recipe.problem, texts))
        wanted.append([r["prediction"] for r in told])
    done = subprocess.run([sys.executable, "-c", ALONE], input=json.dumps(jobs), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for (_, problem, _), alone, told in zip(jobs, json.loads(done.stdout), wanted, strict=True):
        assert len(told) == 24
        assert alone == (pytest.approx(told, abs=1e-4) if problem == "regression" else told)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_long_sequences_are_read_in_windows_to_the_end(precision, tiny_bert, tmp_path):
    extra = ("train.max_length=20", "train.window_overlap=4", f"train.precision={precision}")
    result = fast_run("toy/dna-classification", tiny_bert, tmp_path / "w", extra=extra)
    assert result.values["counts"]["sequences_in_several_windows"] == 112
    assert result.values["counts"]["truncated"] == 0


def test_augmentation_and_early_stopping_are_obeyed(tiny_bert, tmp_path):
    extra = ("train.augment=reverse_complement", "train.patience=1", "train.evaluations=8")
    result = fast_run("toy/dna-classification", tiny_bert, tmp_path / "a", extra=extra)
    evaluations = [json.loads(x) for x in (result.folder / "history.jsonl").read_text().splitlines()]
    assert len([e for e in evaluations if "valid" in e]) <= 8


def test_patience_goes_on_counting_after_an_interruption(tiny_bert, tmp_path, listen):
    task = "toy/dna-classification"
    changes = (
        *FAST,
        "train.epochs=30",
        "train.evaluations=30",
        "train.patience=2",
        "train.learning_rate=1e-9",  # never better: stops at once
    )
    whole = xdomain.run(task, overrides=changes, backbone=str(tiny_bert), out=tmp_path / "whole")
    options: dict[str, Any] = {"overrides": changes, "backbone": str(tiny_bert), "out": tmp_path / "cut"}
    steps = []

    def stop(line):
        if line.startswith("step "):
            steps.append(line)
            if len(steps) == 3:  # as it is about to stop; the last checkpoint has counted one of two
                raise KeyboardInterrupt

    with listen(stop), pytest.raises(KeyboardInterrupt):
        xdomain.run(task, **options)
    resumed = xdomain.run(task, **options, resume=True)
    assert resumed.values["steps"] == whole.values["steps"] == 12


@pytest.mark.parametrize(
    "changes",
    [
        ["train.epochs=1.5", "train.evaluations=3"],
        ["train.epochs=30", "train.evaluations=30", "train.patience=2", "train.learning_rate=1e-9"],
    ],
    ids=["steps", "patience"],
)
def test_a_run_that_was_interrupted_after_its_last_step_takes_no_other(changes, tiny_bert, tmp_path, monkeypatch):
    task = "toy/dna-classification"
    options: dict[str, Any] = {"overrides": [*FAST, *changes], "backbone": str(tiny_bert)}
    whole = xdomain.run(task, **options, out=tmp_path / "whole")
    with monkeypatch.context() as patch:
        patch.setattr(trainer._WindowTrainer, "_finalize_training", interrupted)  # before it removes checkpoints
        with pytest.raises(KeyboardInterrupt):
            xdomain.run(task, **options, out=tmp_path / "cut")
    resumed = xdomain.run(task, **options, out=tmp_path / "cut", resume=True)
    for name in ("steps", "best_step", "train_loss", "metrics"):
        assert resumed.values[name] == whole.values[name], name
    assert (resumed.folder / "history.jsonl").read_bytes() == (whole.folder / "history.jsonl").read_bytes()


def interrupted(*_):
    raise KeyboardInterrupt


def test_a_checkpoint_that_was_cut_short_is_passed_over(tmp_path):
    for step in (8, 16, 120):
        (tmp_path / f"checkpoint-{step}").mkdir()
        if step < 120:
            (tmp_path / f"checkpoint-{step}" / "trainer_state.json").write_text("{}")
    assert last_whole(tmp_path) == tmp_path / "checkpoint-16"
    assert last_whole(tmp_path / "nowhere") is None


KILLED = """
import logging, os, signal, sys
import xdomain
seen = []
def die(record):
    if record.getMessage().startswith("step "):
        seen.append(record)
        if len(seen) == 2:
            os.kill(os.getpid(), signal.SIGKILL)
    return True
logging.basicConfig(level="INFO")
logging.getLogger("xdomain").addFilter(die)
xdomain.run(sys.argv[1], overrides=sys.argv[4:], backbone=sys.argv[2], out=sys.argv[3])
"""


def test_killed_and_resumed_is_the_same_run(tiny_bert, tmp_path):
    """Each in a process of its own: what tests ran before in this one may change the last digits."""
    task, changes = "toy/dna-classification", (*FAST, "train.epochs=3", "train.augment=reverse_complement")
    killed = forked.run(KILLED, task, tiny_bert, tmp_path / "cut", *changes)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not (tmp_path / "cut" / "result.json").exists()

    options: dict[str, Any] = {"overrides": changes, "backbone": str(tiny_bert), "out": tmp_path / "cut"}
    with pytest.raises(OutputError, match="interrupted run") as caught:
        xdomain.run(task, **options)
    assert "--resume" in caught.value.block()

    typed = [task, "--backbone", tiny_bert, *(word for change in changes for word in ("--set", change))]
    resumed = forked.run(forked.XDOMAIN, "run", *typed, "--out", tmp_path / "cut", "--resume")
    whole = forked.run(forked.XDOMAIN, "run", *typed, "--out", tmp_path / "whole")
    assert resumed.returncode == whole.returncode == 0, resumed.stderr + whole.stderr
    assert (resumed.stderr.count("going on from step"), whole.stderr.count("going on from step")) == (1, 0)
    one, two = (pq.read_table(tmp_path / name / "predictions.parquet") for name in ("whole", "cut"))
    assert one.equals(two)
    histories = [(tmp_path / name / "history.jsonl").read_text().splitlines() for name in ("whole", "cut")]
    losses = [[row["loss"] for row in map(json.loads, history) if "loss" in row] for history in histories]
    assert losses[0] == losses[1]


def test_a_folder_is_never_overwritten_without_being_told(tiny_bert, tmp_path):
    out = tmp_path / "run"
    fast_run("toy/dna-classification", tiny_bert, out, baseline="kmer")
    with pytest.raises(OutputError, match="a finished run"):
        fast_run("toy/dna-classification", tiny_bert, out, baseline="kmer")
    with pytest.raises(OutputError, match="other options"):
        (out / "result.json").unlink()
        fast_run("toy/dna-classification", tiny_bert, out, baseline="kmer", seed=1, resume=True)
    fast_run("toy/dna-classification", tiny_bert, out, baseline="kmer", seed=1, overwrite=True)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    with pytest.raises(OutputError, match=r"holds thesis.tex, which no run wrote"):
        fast_run("toy/dna-classification", tiny_bert, tmp_path / "mine", baseline="kmer", overwrite=True)
    assert (tmp_path / "mine" / "thesis.tex").read_text() == "years of work"


def test_a_finished_run_of_other_options_is_not_passed_off_as_this_one(tiny_bert, tmp_path):
    first = fast_run("toy/dna-classification", tiny_bert, tmp_path / "x", baseline="kmer")
    again = fast_run("toy/dna-classification", tiny_bert, tmp_path / "x", baseline="kmer", resume=True)
    assert again == first
    with pytest.raises(OutputError, match="was started with other options"):
        fast_run("toy/dna-classification", tiny_bert, tmp_path / "x", baseline="kmer", seed=1, resume=True)


@pytest.mark.parametrize("split", ["valid", "test"])
def test_a_run_without_a_split_is_refused_before_it_learns(split, tiny_bert, tmp_path):
    with pytest.raises(DataError, match=f"toy/dna-classification has no {split} records") as told:
        fast_run("toy/dna-classification", tiny_bert, tmp_path / "x", extra=(f"split.{split}=0",))
    assert f"--set split.{split}=0.1" in told.value.block()


def test_an_unwritable_folder_is_named(tiny_bert, tmp_path, monkeypatch):
    tmp_path.chmod(0o500)
    if os.geteuid() == 0:  # who may write everywhere
        monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)
    with pytest.raises(OutputError, match=rf"cannot be written \(no permission to write to {tmp_path}\)"):
        fast_run("toy/dna-classification", tiny_bert, tmp_path / "x", baseline="kmer")


def test_what_is_refused_leaves_a_finished_run_and_an_empty_place_as_they_were(tiny_bert, tmp_path):
    done = fast_run("toy/dna-classification", tiny_bert, tmp_path / "x", baseline="kmer")
    for place in ("x", "y"):
        with pytest.raises(RecipeError, match="unknown mapping"):
            fast_run("toy/dna-classification", tiny_bert, tmp_path / place, mapping="frequnt", overwrite=True)
    assert xdomain.run(done.folder / "recipe.yaml", out=done.folder, resume=True) == done
    assert not (tmp_path / "y").exists()


def test_an_undefined_metric_is_told_as_such(tiny_bert, tmp_path, said):
    extra = ("split.limit.test=2", "metrics=[roc_auc, accuracy]", "train.max_steps=1")
    result = fast_run("toy/dna-classification", tiny_bert, tmp_path / "x", extra=extra)
    assert math.isnan(result.metric("roc_auc")) or 0 <= result.metric("roc_auc") <= 1
    assert "test roc_auc" in said[-1]


def test_an_output_below_a_file_is_named(tiny_bert, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        fast_run("toy/dna-classification", tiny_bert, tmp_path / "file" / "x", baseline="kmer")


UNEVEN = ("classification", "regression", "tagging", "span")
PARTED = ("train.max_steps=4", "train.evaluations=1", "train.max_length=24", "train.window_overlap=4",
          "train.hidden_dropout=0", "train.precision=fp32", "train.learning_rate=1e-3")  # fmt: skip


def uneven_task(problem, folder):
    """A recipe of 22 training records of 3 to 66 nt: batches of 16 and of 6, whose parts differ in what they hold.

    Of the spans, short passages are one window and long ones two, and some answers fit into no window.
    """
    rng = np.random.default_rng(0)
    folder.mkdir()
    for split, records in (("train", 22), ("valid", 4), ("test", 6)):
        lines = []
        for i in range(records):
            length = 3 + 3 * i
            sequence = "".join(rng.choice(list("ACGT"), length))
            if problem == "span":
                lines.append(f"{sequence[:2]},{sequence},{i % 3},{max(length - 1, 3) if i % 4 == 3 else 3}")
            elif problem == "tagging":
                lines.append(f"{sequence},{''.join(rng.choice(list('HE'), length))}")
            else:
                lines.append(f"{sequence},{i % 2 if problem == 'classification' else 0.1 * i * i}")
        columns = {"span": "question,passage,start,end", "tagging": "sequence,tags"}.get(problem, "sequence,label")
        (folder / f"{split}.csv").write_text("\n".join([columns, *lines]) + "\n")
    metric = {"span": "FF1", "regression": "mse"}.get(problem, "accuracy")
    recipe = {
        "name": problem, "title": problem, "problem": problem, "metrics": [metric], "adapter": {"name": "dna"},
        "split": {"rule": "given"}, "source": {"licence": "none", "citation": "none", "files": {
            split: str(folder / f"{split}.csv") for split in ("train", "valid", "test")}},
    }  # fmt: skip
    (folder / "task.yaml").write_text(json.dumps(recipe))
    return folder / "task.yaml"


def learned(folder):
    """The losses of a run, step by step, and the scores of its model."""
    losses = [row["loss"] for row in history(folder) if "loss" in row]
    return losses, pq.read_table(folder / "predictions.parquet")["score"].combine_chunks()


def assert_learned_alike(one, two):
    (losses, scores), (other_losses, other_scores) = learned(one), learned(two)
    assert len(losses) == 4
    assert losses == pytest.approx(other_losses, rel=1e-5)
    flat, other = (np.concatenate([np.atleast_1d(x) for x in part.to_pylist()]) for part in (scores, other_scores))
    np.testing.assert_allclose(flat, other, atol=1e-5)


@pytest.mark.parametrize("problem", UNEVEN)
def test_a_batch_in_parts_teaches_the_same(problem, tiny_bert, tmp_path):
    """The loss and the model are the same to the rounding of float32, though parts hold unlike numbers of labels."""
    task = uneven_task(problem, tmp_path / "task")
    for parts in (1, 4):
        changes = [*PARTED, f"train.gradient_accumulation_steps={parts}"]
        xdomain.run(task, overrides=changes, backbone=str(tiny_bert), out=tmp_path / str(parts))
    assert_learned_alike(tmp_path / "1", tmp_path / "4")


def history(folder):
    return [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]


def test_a_batch_that_cannot_be_parted_is_refused_before_anything_is_written(tiny_bert, tmp_path):
    with pytest.raises(RecipeError, match="a batch of 16 cannot be shared by 3 parts"):
        extra = ["train.gradient_accumulation_steps=3"]
        fast_run("toy/dna-classification", tiny_bert, tmp_path / "r", extra=extra)
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize("baseline", ["kmer", "cnn"])
@pytest.mark.parametrize("task", PROBLEMS)
def test_baselines_give_the_same_result_schema(task, baseline, tiny_bert, tmp_path):
    result = fast_run(task, tiny_bert, tmp_path / "b", baseline=baseline)
    assert result.values["arm"]["label"] == baseline
    assert {"metrics", "n", "train_loss", "seconds", "counts"} <= result.values.keys()
    assert pq.read_table(result.folder / "predictions.parquet").num_rows == 48


@pytest.mark.parametrize("init", ["scratch", "reembed", "shuffled", "rescaled", "aligned"])
def test_every_init_runs(init, tiny_bert, tmp_path):
    result = fast_run("toy/dna-classification", tiny_bert, tmp_path / "r", init=init, extra=("train.max_steps=2",))
    assert result.values["arm"]["init"] == init


@pytest.mark.parametrize("tune", ["head", "norms", "lora", "bottleneck"])
@pytest.mark.parametrize("task", ["toy/dna-classification", "toy/dna-tagging"])
def test_every_tuning_runs_and_repeats(task, tune, tiny_bert, tmp_path):
    result = fast_run(task, tiny_bert, tmp_path / "t", tune=tune, extra=("train.max_steps=2",))
    assert result.values["arm"]["tune"] == tune
    table = xdomain.predict(result.folder, _table_of(task, tmp_path))
    assert table.num_rows == 5


def _table_of(task, tmp_path):
    rows = load_table(find_recipe(task)).slice(0, 5).to_pylist()
    path = tmp_path / "new.csv"
    path.write_text("id,sequence\n" + "".join(f"{r['id']},{r['sequence']}\n" for r in rows))
    return path


def test_predict_repeats_the_runs_own_predictions(finished, tmp_path):
    predicted_again(finished, tmp_path / "test.csv")


@pytest.mark.parametrize("baseline", [None, "kmer"])
@pytest.mark.parametrize(
    ("task", "option"), [("toy/text-classification", "tokenizer"), ("toy/dna-classification", "merges")]
)
def test_a_run_needs_no_file_but_its_own(task, option, baseline, tiny_bert, tmp_path):
    backbone, merges = shutil.copytree(tiny_bert, tmp_path / "backbone"), tmp_path / "merges.json"
    train_bpe(["ACGTTGCATTAGGACCA" * 4], 12, merges)
    bpe = ("adapter.options.tokens=bpe", f"adapter.options.merges={merges}") if option == "merges" else ()
    result = fast_run(task, backbone, tmp_path / "run", extra=bpe, baseline=baseline)
    shutil.rmtree(backbone)
    merges.unlink()
    predicted_again(result, tmp_path / "test.csv")


def predicted_again(finished, path):
    """Predict a run's test records from a CSV, and compare with what the run itself wrote."""
    recipe = load_recipe(finished.folder / "recipe.yaml")
    rows = {r["id"]: r for r in load_table(recipe).to_pylist()}
    told = [r for r in pq.read_table(finished.folder / "predictions.parquet").to_pylist() if r["split"] == "test"]
    columns = [c for c in ("id", "sequence", "sequence_b") if c in rows[told[0]["id"]]]
    lines = [",".join(columns)] + [",".join(rows[r["id"]][c] for c in columns) for r in told]
    path.write_text("\n".join(lines) + "\n")
    again = xdomain.predict(finished.folder, path).to_pylist()
    assert [r["id"] for r in again] == [r["id"] for r in told]
    if recipe.problem == "regression":
        assert [r["prediction"] for r in again] == pytest.approx([r["prediction"] for r in told], abs=1e-5)
    else:
        assert [r["prediction"] for r in again] == [r["prediction"] for r in told]


@pytest.mark.usefixtures("validated_briefly")
def test_text_is_read_by_a_model_of_made_up_integers(tmp_path):
    # stage two of Chiang & Lee 2022: the wordpieces of a text model, each at the row of some integer
    plan = Pretraining(layers=1, width=32, heads=2, lengths=(16, 32), shares=(1, 1), tokens=8192)
    made_up = pretrain_synthetic("shuffle:4", tmp_path / "bert", options=plan, symbols=9000)
    options: dict[str, Any] = {"backbone": str(made_up), "mapping": "random"}
    with pytest.raises(RecipeError, match="knows no letters"):
        xdomain.run("toy/text-classification", overrides=FAST, out=tmp_path / "run", **options)
    told = [*FAST, "adapter.options.tokenizer=english-4x256"]
    result = xdomain.run("toy/text-classification", overrides=told, out=tmp_path / "run", **options)
    counts = {name: count for name, count in result.values["counts"].items() if name == "unknown"}
    assert counts.get("unknown", 0) == 0
    mapping = json.loads((result.folder / "mapping.json").read_text())
    assert len(set(mapping["ids"])) == len(mapping["symbols"]) > 8000
    assert [piece for piece in mapping["pieces"] if not piece.isdecimal()] == ["[UNK]"]


def test_an_unknown_option_is_refused_before_anything_runs(tiny_bert, tmp_path):
    with pytest.raises(RecipeError, match=r"did you mean: train.epochs"):
        fast_run("toy/dna-classification", tiny_bert, tmp_path / "x", extra=("train.epocs=2",))
    assert not (tmp_path / "x").exists()


SHARED = """
import sys
from xdomain.cli.main import main
folder, backbone, *changes = sys.argv[1:]
for problem in ("classification", "regression", "tagging", "span"):
    try:
        main(["run", f"{folder}/{problem}/task.yaml", "--out", f"{folder}/two-{problem}", "--backbone", backbone,
              *(word for change in changes for word in ("--set", change))])
    except SystemExit as end:
        if end.code:
            raise
"""
DISAGREEING = """
import importlib, os, time
from pathlib import Path
import xdomain
from xdomain.training import mapping_search, trainer
pipeline = importlib.import_module("xdomain.runs.pipeline")
folder, rank, told = Path(folder), int(os.environ["RANK"]), []

def metrics(names, *args, **options):
    told.append(len(told) if rank else -len(told))  # the first never gets better, the other always does
    return {names[0]: {"value": float(told[-1]), "higher_is_better": True}}

trainer.compute_metrics = metrics
real = mapping_search._score
def score(*args):
    told_of = real(*args)
    return told_of if rank == 0 else -told_of
mapping_search._score = score
plan = pipeline.plan_encoder
def planned(*args, **options):
    made = plan(*args, **options)
    (folder / f"mapping-{rank}").write_text(made.mapping.sha256)
    return made
pipeline.plan_encoder = planned
while rank and not list(folder.glob("runs/kmer*/result.json")):  # late: the first has a run behind it
    time.sleep(0.1)
changes = ["train.max_steps=8", "train.evaluations=8", "train.patience=2", "train.precision=fp32",
           "split.limit={train: 64, valid: 8, test: 8}"]
xdomain.compare("toy/dna-classification", ["kmer", "pretrained"], seeds=1, overrides=changes, out=folder / "runs",
                backbone=backbone, mapping="search:3")
(folder / f"evaluations-{rank}").write_text(str(len(told)))
"""


@pytest.fixture(scope="module", params=["forked", pytest.param("torchrun", marks=pytest.mark.slow)])
def two_processes(request, tiny_bert, tmp_path_factory, torchrun):
    """The folder, and what was said, of two gloo processes that share runs, and that then find different numbers."""
    start = torchrun if request.param == "torchrun" else forked.run_two_processes
    folder = tmp_path_factory.mktemp("two-processes")
    for problem in UNEVEN:
        uneven_task(problem, folder / problem)
    (folder / "script.py").write_text(SHARED + DISAGREEING)
    parts = "train.gradient_accumulation_steps=2"
    return folder, *start(folder / "script.py", folder, tiny_bert, *PARTED, parts)


def test_two_processes_share_a_batch(two_processes, tiny_bert):
    """Two processes learn what one does, though each has labels of another number."""
    folder, out, err = two_processes
    assert out.count("run folder") == err.count("step 4/4") == len(UNEVEN)
    for problem in UNEVEN:
        task, alone = folder / problem / "task.yaml", folder / f"one-{problem}"
        xdomain.run(task, overrides=PARTED, backbone=str(tiny_bert), out=alone)
        assert_learned_alike(alone, folder / f"two-{problem}")


def test_processes_that_find_other_numbers_decide_as_the_first(two_processes):
    """Best step, early stop and mapping: whoever stopped alone would leave the other waiting.

    Folders are checked by the first alone, too: one that comes late sees what the first has written by then.
    """
    folder, *_ = two_processes
    results = [json.loads(path.read_text()) for path in folder.glob("runs/pretrained*/result.json")]
    assert [(result["best_step"], result["steps"]) for result in results] == [(1, 3)]
    assert (folder / "runs" / "comparison.json").exists()
    for what in ("mapping", "evaluations"):
        first, second = ((folder / f"{what}-{rank}").read_text() for rank in (0, 1))
        assert first == second
