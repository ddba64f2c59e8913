"""Cluster sequences with MMseqs2 (Steinegger & Söding 2017, Nature Biotechnology 35: 1026-1028), if it is installed."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from xdomain.core.errors import DataError
from xdomain.data.splits.drawing import Indices

PROGRAM = "mmseqs"
COVERAGE = 0.8
"""The share of both sequences that an alignment must cover."""


def mmseqs_clusters(sequences: Sequence[str], identity: float) -> tuple[Indices, str]:
    """Run ``mmseqs easy-cluster``.

    Parameters
    ----------
    sequences
        Distinct sequences in letters, nucleotides or amino acids; MMseqs2 sees which.
    identity
        Its ``--min-seq-id``.

    Returns
    -------
    tuple
        Shape (n,): the number of each sequence's cluster; and how they were made.

    Raises
    ------
    DataError
        The program failed, or its table cannot be read.
    """
    with tempfile.TemporaryDirectory() as folder:
        fasta, out = Path(folder, "in.fasta"), Path(folder, "out")
        fasta.write_text("".join(f">{i}\n{text}\n" for i, text in enumerate(sequences)), "ascii")
        options = ["--min-seq-id", f"{identity:g}", "-c", f"{COVERAGE:g}"]
        command = [PROGRAM, "easy-cluster", str(fasta), str(out), str(Path(folder, "tmp")), *options]
        try:
            done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        except OSError as error:
            raise _failure(str(error)) from None
        table = Path(folder, "out_cluster.tsv")
        if done.returncode or not table.is_file():
            last = [line for line in (done.stdout + "\n" + done.stderr).splitlines() if line.strip()]
            raise _failure(last[-1].strip() if last else f"exit status {done.returncode}")
        clusters = _read(table.read_text("ascii", errors="replace"), len(sequences))
    return clusters, f"MMseqs2 (identity {identity:g}, coverage {COVERAGE:g})"


def _read(text: str, number: int) -> Indices:
    """The cluster of each of `number` sequences, from lines of representative and member."""
    clusters = np.arange(number, dtype=np.int64)
    seen = 0
    for line in text.splitlines():
        fields = line.split("\t")
        if len(fields) != 2 or not all(field.isdecimal() and int(field) < number for field in fields):
            raise _failure(f"its table has the line {line[:60]!r}")
        clusters[int(fields[1])] = int(fields[0])
        seen += 1
    if seen != number:
        raise _failure(f"its table has {seen:,} of {number:,} sequences")
    return clusters


def _failure(why: str) -> DataError:
    return DataError(
        f"split.rule cluster: mmseqs easy-cluster failed: {why}",
        expected="MMseqs2, version 13 or later",
        fix="repair it, or take it off PATH: shared k-mers are then compared instead",
    )
