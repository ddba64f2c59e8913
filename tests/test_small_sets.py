"""The defaults of training suit small sets of real data: none learns less than in 6 epochs at 1e-4, as once."""

import contextlib
import os
from pathlib import Path

import pytest

import xdomain
from xdomain.cli.main import main

pytestmark = [pytest.mark.realdata, pytest.mark.slow]
CUT = ("train.too_long=truncate", "train.max_windows=1", "train.batch_size=16", "train.precision=fp32")
FORMER = ("train.epochs=6", "train.learning_rate=1e-4")
OPEN = ("train.epochs=null", "train.learning_rate=null")
SETS = {
    "peptides": ("protein/amp", ("split.limit.train=467", "train.max_length=40")),
    "MIDI files": (
        "music/composer",
        ("split.limit.train=64", "adapter.options.first_notes=96", "reader_options.most=1", "train.max_length=98"),
    ),
    "sites": ("dna/tf-0", ("split.limit.train=600", "split.limit.valid=200", "split.limit.test=400")),
    "digits": ("speech/digits", ("split.limit.train=80", "train.max_length=96")),
}


@pytest.fixture(scope="module")
def units(tmp_path_factory):
    """The recordings of digits as units, which speech/digits reads."""
    home = Path(os.environ["XDOMAIN_DATA"])
    work = tmp_path_factory.mktemp("units")
    recordings = sorted(str(path) for path in (home / "speech/fsdd/recordings").glob("*.wav"))
    for arguments in (
        ["fit", *recordings, "--units", "100", "--out", str(work / "book")],
        ["encode", *recordings, "--codebook", str(work / "book"), "--out", str(work / "units.csv")],
    ):
        with contextlib.suppress(SystemExit):  # with which a command ends
            main(["units", *arguments])
    return work / "units.csv"


def accuracy(name, folder, overrides, request):
    task, fixed = SETS[name]
    if name == "digits":
        overrides = (f"source.files.all={request.getfixturevalue('units')}", *overrides)
    return xdomain.run(task, overrides=(*CUT, *fixed, *overrides), out=folder)


@pytest.mark.parametrize("name", SETS)
def test_a_small_set_learns_no_less_than_under_the_former_defaults(name, tmp_path, request):
    former = accuracy(name, tmp_path / "former", FORMER, request)
    now = accuracy(name, tmp_path / "now", OPEN, request)
    print(name, "former", former.metric(), "now", now.metric())
    first, test = next(iter(now.values["metrics"]["test"].items()))
    assert test["high"] > former.metric()  # which lies in the interval, or below
    assert now.metric() > now.values["majority"]["test"][first]
