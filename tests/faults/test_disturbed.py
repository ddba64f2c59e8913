"""Commands that are killed, or whose disk fills up, at every place in turn: nothing is lost, nothing is mixed.

The normal suite tries every command at a few places, ``-m slow`` at all of them; docs/reliability.md has the figures.
"""

from __future__ import annotations

import itertools
import json
import wave
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import forked
import numpy as np
import pytest
import yaml

import xdomain
from xdomain.cli.main import main

SMALL = {"train.max_steps": 6, "train.evaluations": 3, "train.precision": "fp32", "train.batch_size": 8,
         "train.gradient_accumulation_steps": 2, "split.limit": {"train": 32, "valid": 16, "test": 16}}  # fmt: skip
TASK = "toy/dna-classification"
RESULTS = ["*/result.json", "*/predictions.parquet", "*/history.jsonl", "*/mapping.json", "*/model/*.safetensors"]


def changes() -> list[str]:
    return [word for name, value in SMALL.items() for word in ("--set", f"{name}={json.dumps(value)}")]


def commands(backbone: Path, folder: Path) -> dict[str, dict[str, Any]]:
    """What is disturbed, by name: the command, the command that goes on, and the files that must be the same."""
    (folder / "new.csv").write_text("id,sequence\n" + "".join(f"r{i},{'ACGTTGCA' * 4}\n" for i in range(200)))
    words = ["".join(letters) for letters in itertools.product("bdgkt", "aeio", "lmnrs", "kpt")]
    (folder / "books.txt").write_text("".join(" ".join(words[i::7]) + "\n" for i in range(7)) * 4)
    grid = {"name": "grid", "tasks": [TASK], "arms": ["pretrained", "kmer"], "seeds": 2, "learning_rates": [1e-3],
            "backbone": str(backbone), "set": SMALL}  # fmt: skip
    (folder / "grid.yaml").write_text(yaml.safe_dump(grid))
    run = ["run", TASK, "--backbone", str(backbone), *changes(), "--out", "{out}/run"]
    kmer = ["run", TASK, "--baseline", "kmer", *changes(), "--out", "{out}/run"]
    arms = ["--arms", "pretrained,kmer", "--seeds", "1"]
    compare = ["compare", TASK, "--backbone", str(backbone), *arms, *changes(), "--out", "{out}/runs"]
    predict = ["predict", str(folder / "finished"), str(folder / "new.csv"), "--out"]
    size = ["--layers", "1", "--width", "16", "--heads", "2", "--lengths", "16", "--shares", "1", "--tokens", "1280",
            "--batch-tokens", "64", "--save-every", "5", "--precision", "fp32",
            "--out", "{out}/checkpoint"]  # fmt: skip
    checkpoint = ["checkpoint/model.safetensors", "checkpoint/tokenizer.json", "checkpoint/history.jsonl"]
    inside = ["analyze", str(folder / "encoder"), "--only", "saliency", "--records", "8", "--out", "{out}/analysis"]
    units = ["units", "fit", str(folder / "sounds"), "--units", "4", "--out", "{out}/book"]
    encode = ["units", "encode", str(folder / "sounds"), "--codebook", str(folder / "book"), "--out", "{out}/units.csv"]
    text = ["pretrain", "text", str(folder / "books.txt"), "--vocabulary", "100", *size]
    return {
        "run": {"command": run, "again": [*run, "--resume"], "results": RESULTS},
        "kmer": {"command": kmer, "again": [*kmer, "--resume"], "results": RESULTS},
        "compare": {"command": compare, "again": [*compare, "--resume"],
                    "results": ["runs/comparison.json", *(f"runs/{name}" for name in RESULTS)]},
        "study": _same(["study", str(folder / "grid.yaml"), "--out", "{out}/store"], "store/grid/report.md",
                       "store/cells/*/predictions.parquet", "store/cells/*/result.json"),
        "predict": _same([*predict, "{out}/new.csv"], "new.csv"),
        "predict-parquet": _same([*predict, "{out}/new.parquet"], "new.parquet"),
        "analyze": _same(inside, "analysis/saliency.*"),
        "units": _same(units, "book/*"),
        "encode": _same(encode, "units.csv"),
        "pretrain": _same(["pretrain", "synthetic", "nesting", "--symbols", "30", *size], *checkpoint),
        "pretrain-text": _same(text, *checkpoint),
    }  # fmt: skip


def write_sounds(folder: Path) -> None:
    """Three tones of half a second."""
    folder.mkdir()
    for number in range(3):
        samples = (8000 * np.sin(np.arange(8000) * (0.05 + 0.03 * number))).astype("<i2")
        with wave.open(str(folder / f"{number}.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(16000)
            file.writeframes(samples.tobytes())


def _same(command: list[str], *results: str) -> dict[str, Any]:
    return {"command": command, "again": command, "results": list(results)}


NAMES = ("run", "kmer", "compare", "study", "predict", "predict-parquet", "analyze", "units", "encode", "pretrain",
         "pretrain-text")  # fmt: skip


WAYS = ("kill", "full")


def check(
    names: Sequence[str], backbone: Path, folder: Path, *, ways: Sequence[str] = WAYS, first: int = 1, stride: int = 1
) -> None:
    """Disturb the commands `names` in some `ways`, from the place `first` at every `stride`-th; judge the outcome."""
    plans = commands(backbone, folder)
    if any(name.startswith("predict") for name in names):
        xdomain.run(TASK, baseline="kmer", overrides=changes()[1::2], out=folder / "finished")
    if "analyze" in names:
        xdomain.run(TASK, backbone=str(backbone), overrides=changes()[1::2], out=folder / "encoder")
    if {"units", "encode"} & set(names):
        write_sounds(folder / "sounds")
    if "encode" in names:
        with pytest.raises(SystemExit, match=r"^0$"):
            main(["units", "fit", str(folder / "sounds"), "--units", "4", "--out", str(folder / "book")])
    asked = [(name, how) for name in names for how in ways]
    places = {"first": first, "stride": stride}
    whole = [plans[name] | places | {"how": how, "folder": str(folder / f"{name}-{how}")} for name, how in asked]
    (folder / "plan.json").write_text(json.dumps(whole))
    done = forked.run(Path(__file__).with_name("disturb.py").read_text("utf-8"), folder / "plan.json", timeout=3600)
    assert done.returncode == 0, done.stderr
    for (name, how), line in zip(asked, done.stdout.splitlines(), strict=True):
        undisturbed, *rows = json.loads(line)
        assert undisturbed["code"] == 0, undisturbed["told"]
        assert undisturbed["results"]
        print(f"{name}: {how} at {len(rows)} of {undisturbed['places']} places")
        assert rows
        check_killed(rows) if how == "kill" else check_full(rows)


def check_killed(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        assert row["code"] == -9, row
        assert row["again"] == 0, row["told_again"]
        assert not row["changed"], row


def check_full(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        if row["code"] != 0:  # else what could not be written was of no importance, as when old files are removed
            assert row["code"] == 2, row["told"]
            assert row["told"].count("error: ") == 1, row["told"]
            assert "No space left on device" in row["told"], row["told"]
            assert "to fix it: make room" in row["told"], row["told"]
        assert row["again"] == 0, row["told_again"]
        assert not row["changed"], row


def test_predictions_on_a_disk_that_is_full_at_some_time(tiny_bert, tmp_path):
    check(["predict"], tiny_bert, tmp_path, ways=["full"], stride=3)


@pytest.mark.slow
def test_a_baseline_at_some_places(tiny_bert, tmp_path):
    check(["kmer"], tiny_bert, tmp_path, first=2, stride=5)


@pytest.mark.slow
@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("name", NAMES)
def test_every_command_at_every_place(name, how, tiny_bert, tmp_path):
    check([name], tiny_bert, tmp_path, ways=[how])
