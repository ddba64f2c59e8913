"""The command ``xdomain predict`` with ``--windows``: a track along the contigs of a genome."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from xdomain.core.errors import RecipeError


def write_track(
    runs: Sequence[Path],
    files: Sequence[Path],
    out: Path | None,
    window: int,
    stride: int | None,
    of: str | None,
    reverse_complement: bool,
    *,
    overwrite: bool,
    others: Mapping[str, Any],
    overrides: Sequence[str],
) -> None:
    """Check what goes with ``--windows``, and write the track.

    Parameters
    ----------
    runs, out, window, stride, of, reverse_complement, overwrite, overrides
        As for `xdomain.predict_windows`; `out` must be given.
    files
        The genome alone.
    others
        Options that do not go with windows, by their names; None where they are not given.

    Raises
    ------
    UserError
        Options do not go together, or as for `xdomain.predict_windows`.
    """
    from xdomain.cli.progress_bar import progress_bar
    from xdomain.inference.genome_track import predict_windows  # which may load torch

    if given := next((name for name, value in others.items() if value is not None), None):
        raise RecipeError(f"{given} with --windows", expected="one of the two")
    if len(files) != 1:
        raise RecipeError(f"{len(files)} files with --windows", expected="one FASTA of contigs")
    if out is None:
        raise RecipeError("--windows without --out", expected="a file", fix="--out predictions.bedgraph")
    with progress_bar():
        predict_windows(
            runs, files[0], out, window=window, stride=stride, of=of, reverse_complement=reverse_complement,
            overwrite=overwrite, overrides=overrides,
        )  # fmt: skip
