"""Whatever befalls a file that xdomain wrote: it is read as it is, or there is one message. Never another error.

Runs, a study, a codebook and a checkpoint are made once. Then a file of one of them is damaged at random, all that
reads it is called, and the folder is put back. A number names each case: `case` repeats it.
"""

from __future__ import annotations

import contextlib
import io
import random
import shutil
import sys
import traceback
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from damage import damage
from small_study import cells_run_here

import xdomain
from xdomain.adapters.speech.codebook import Codebook
from xdomain.adapters.speech.mfcc import Mfcc
from xdomain.cli.main import main
from xdomain.core.errors import UserError
from xdomain.data.corpus import load_tokenizer
from xdomain.inference.evaluation import evaluate
from xdomain.metrics.heldout import load_held_out
from xdomain.model.backbone import load_backbone
from xdomain.runs.result import load_result
from xdomain.study.api import run_study

LONGEST = 2000
"""Characters of a message."""
QUICK = ("train.max_steps=2", "train.precision=fp32")
NOT_READ = (".png", ".md", ".html", ".svg", ".tex", ".csv")


@dataclass(frozen=True)
class Subject:
    """A folder that can be damaged, and the calls that read it."""

    name: str
    folder: Path
    readers: dict[str, Callable[[Path], object]]

    def files(self) -> list[Path]:
        return sorted(p for p in self.folder.rglob("*") if p.is_file() and p.suffix not in NOT_READ)


def typed(*arguments: str) -> Callable[[Path], object]:
    """A command; ``RUN`` stands for the folder."""

    def call(folder: Path) -> None:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as said:
            try:
                main([one.replace("RUN", str(folder)) for one in arguments])
            except SystemExit as end:
                if end.code == 2:
                    raise UserError(said.getvalue().split("error: ", 1)[-1]) from None
                assert not end.code, said.getvalue()

    return call


def looked_at(folder: Path) -> None:
    """The result in Python."""
    result = load_result(folder)
    assert repr(result)
    assert result._repr_html_()
    assert result.metrics
    result.predictions()
    result.plot()


def made_again(folder: Path) -> None:
    """The recipe of a run, resumed: what is finished is printed."""
    typed("run", f"{folder}/recipe.yaml", "--resume", "--out", str(folder))(folder)


def of_run(new: Path, *, encoder: bool = False) -> dict[str, Callable[[Path], object]]:
    readers: dict[str, Callable[[Path], object]] = {
        "predict": typed("predict", "RUN", str(new)),
        "predict --unlike": typed("predict", "RUN", str(new), "--unlike"),
        "evaluate": lambda folder: evaluate(folder),
        "result": looked_at,
        "run --resume": made_again,
        "held out": load_held_out,
        "export dome": typed("export", "RUN", "--format", "dome", "--out", f"{new}.md", "--overwrite"),
    }
    if encoder:
        readers["embed"] = typed("embed", "RUN", str(new), "--out", f"{new}.parquet", "--overwrite")
        readers["analyze"] = typed("analyze", "RUN", "--only", "probes", "--records", "8", "--out", f"{new}.found")
    return readers


@pytest.fixture(scope="module")
def subjects(tiny_bert: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Subject]:
    base = tmp_path_factory.mktemp("damaged")
    rng = np.random.default_rng(0)
    sequences = ["".join(rng.choice(list("ACGT"), 12)) for _ in range(60)]
    classes = ["odd" if one.count("A") % 2 else "even" for one in sequences]
    several = [";".join(sorted({"abc"[one.count("A") % 3], "ab"[one.count("C") % 2]})) for one in sequences]
    mine = base / "mine.csv"
    mine.write_text("sequence,label,bits\n" + "".join(map("{},{},{}\n".format, sequences, classes, several)))
    new = base / "new.csv"
    new.write_text("sequence\nACGTACGTACGT\nCCGTACGTTTAA\n")

    def run(name: str, label: str = "label", **arm: object) -> Path:
        options = {"overrides": QUICK, **arm}
        return xdomain.run(data=mine, domain="dna", label=label, out=base / name, **options).folder

    study = {
        "name": "small",
        "tasks": {"data": str(mine), "domain": "dna", "columns": {"label": "label"}},
        "arms": ["kmer", "cnn"],
        "seeds": 2,
        "set": {"split.limit": {"train": 24}},
    }
    with cells_run_here():
        run_study(study, out=base / "store")
    centroids = np.random.default_rng(0).normal(size=(3, 39)).astype(np.float32)
    Codebook(centroids, Mfcc().name, Mfcc().digest, 16000, 100.0).save(base / "book")
    shutil.copytree(tiny_bert, base / "bert")
    encoder = {"backbone": str(tiny_bert), "tune": "mix", "overrides": (*QUICK, "calibration=temperature")}
    runs = {"kmer": run("kmer", baseline="kmer"), "several": run("several", "bits", baseline="kmer"),
            "cnn": run("cnn", baseline="cnn")}  # fmt: skip
    return [
        *(Subject(name, folder, of_run(new)) for name, folder in runs.items()),
        Subject("encoder", run("encoder", **encoder), of_run(new, encoder=True)),
        Subject("study", base / "store", {"report": typed("report", "RUN/small")}),
        Subject("codebook", base / "book", {"codebook": Codebook.load}),
        Subject(
            "backbone",
            base / "bert",
            {
                "backbone": lambda folder: load_backbone(str(folder)),
                "tokenizer": lambda folder: load_tokenizer(str(folder)),
            },
        ),
    ]


@contextlib.contextmanager
def damaged(subject: Subject, seed: int) -> Generator[str]:
    """Within this context a file of the `subject` is damaged."""
    rng = random.Random(seed)
    whole = subject.folder.with_name(subject.folder.name + ".whole")
    shutil.copytree(subject.folder, whole)
    try:
        files = subject.files()
        name = rng.choice(sorted({path.name for path in files}))  # a study has many files of one name
        path = rng.choice([path for path in files if path.name == name])
        yield f"{path.relative_to(subject.folder)}: " + damage(path, rng, [f for f in files if f != path])
    finally:
        shutil.rmtree(subject.folder)
        whole.rename(subject.folder)


def case(subject: Subject, seed: int) -> list[str]:
    """The faults in one case: other errors than messages for the user, and messages that are too long."""
    faults: list[str] = []
    with damaged(subject, seed) as what:
        for name, read in subject.readers.items():
            try:
                read(subject.folder)
            except UserError as error:
                if len(str(error)) > LONGEST:
                    faults.append(f"{subject.name} {seed} {what}: {name} says {len(str(error)):,} characters")
            except Exception as error:
                frames = [f for f in traceback.extract_tb(sys.exc_info()[2]) if "/xdomain/" in f.filename
                          or "/adapters/" in f.filename or "/tasks/" in f.filename]  # fmt: skip
                place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"
                faults.append(f"{subject.name} {seed} {what}: {name}: {type(error).__name__} at {place}: {error}"[:400])
    return faults


def cases(subjects: list[Subject], count: int, first: int = 0) -> list[str]:
    """The faults in `count` cases, which the subjects take in turn."""
    return [
        fault
        for seed in range(first, first + count)
        for fault in case(subjects[seed % len(subjects)], seed)
    ]  # fmt: skip


@pytest.mark.filterwarnings("ignore")
def test_the_undamaged_folders_are_read(subjects):
    refused: dict[str, str] = {}
    for subject in subjects:
        for name, read in subject.readers.items():
            try:
                read(subject.folder)
            except UserError as error:
                refused[f"{subject.name}: {name}"] = str(error)
    assert refused == {}


@pytest.mark.filterwarnings("ignore")
def test_a_sample_of_damage(subjects):
    assert cases(subjects, len(subjects)) == []


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("part", range(8))
def test_much_damage(subjects, part):
    assert cases(subjects, 500, 1000 + 500 * part) == []
