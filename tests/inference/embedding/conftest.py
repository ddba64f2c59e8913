"""A run to embed with, and records of many lengths."""

import numpy as np
import pytest

import xdomain

QUICK = ("train.max_steps=2", "train.precision=fp32", "train.window_overlap=4")


@pytest.fixture(scope="session")
def records():
    """Of 5 to 13 nt, which fit one window of 62 symbols, and two that do not fit."""
    rng = np.random.default_rng(0)
    return ["".join(rng.choice(list("ACGT"), n)) for n in (*rng.integers(5, 14, 58), 70, 155)]


@pytest.fixture(scope="session")
def run(records, tiny_bert, tmp_path_factory):
    """The folder of a finished run."""
    labels = ["even" if len(r) % 2 == 0 else "odd" for r in records]
    return xdomain.run(data=(records, labels), domain="dna", backbone=str(tiny_bert), overrides=QUICK,
                       out=tmp_path_factory.mktemp("embedding") / "run").folder  # fmt: skip


@pytest.fixture
def fasta(records, tmp_path):
    path = tmp_path / "records.fa"
    path.write_text("".join(f">r{i}\n{record}\n" for i, record in enumerate(records)))
    return path
