"""Turn sound files into units: streamed, merged, with run lengths."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from xdomain.core.errors import DataError
from xdomain.core.sequences import Ids
from xdomain.data.run_length import merged, written_units

from .audio import describe
from .codebook import Codebook
from .features import Features
from .files import ids_of
from .frame_reader import ReadLog, check_all, frames_of
from .named_features import make_features


@dataclass(frozen=True)
class Utterance:
    """The units of one file.

    Parameters
    ----------
    id
        A name for the file, see `xdomain.adapters.speech.files.ids_of`.
    units, runs
        Shape (m,): units, no two neighbours equal, and how many frames each lasts.
    rate
        Frames a second. Unit i lasts from ``runs[:i].sum() / rate`` to ``runs[: i + 1].sum() / rate`` seconds; the
        last 5 to 25 ms of a file fill no window and belong to no unit.
    duration
        Seconds of audio.
    file
        The path as it was given.
    codebook
        The mark of the codebook.
    """

    id: str
    units: Ids
    runs: Ids
    rate: float
    duration: float
    file: str
    codebook: str

    @property
    def sequence(self) -> str:
        """The units with blanks between, each with its run length where that is not 1: ``71:3 12 0:14``."""
        return written_units(self.units, self.runs)

    def row(self) -> dict[str, str | float]:
        """The utterance as a row of a table."""
        return {
            "id": self.id,
            "sequence": self.sequence,
            "rate": self.rate,
            "duration": round(self.duration, 6),
            "file": self.file,
            "codebook": self.codebook,
        }


def encode_files(
    paths: Sequence[Path],
    codebook: Codebook,
    *,
    features: Features | None = None,
    skip_bad: bool = False,
    notes: ReadLog | None = None,
) -> Iterator[Utterance]:
    """Yield the units of each file; memory holds one chunk of sound and the units of one file.

    Parameters
    ----------
    paths
        Sound files, as `xdomain.adapters.speech.files.find_audio` returns them.
    codebook
        Its centroids are the units.
    features
        The features of the codebook; None: made by their name.
    skip_bad
        Whether to leave out a file that cannot be read, and note it in `notes`.
    notes
        Filled as files are read, with a report after every chunk; None: not needed.

    Raises
    ------
    DataError
        A file cannot be read, or is shorter than a frame, and `skip_bad` is not set; or no file can be read.
    RecipeError
        `features` are not those of the codebook.
    """
    features = features or make_features(codebook.features)
    codebook.check(features)
    check_all(paths, skip_bad=skip_bad)
    notes = notes or ReadLog()
    for path, name in zip(paths, ids_of(paths), strict=True):
        try:
            parts = [codebook.assign(frames) for frames in frames_of(path, features, notes)]
            duration = describe(path).duration
        except DataError as error:
            notes.skip(error, skip_bad=skip_bad)
            continue
        units, runs = merged(np.concatenate(parts))
        yield Utterance(name, units, runs, codebook.rate, duration, str(path), codebook.mark)
    notes.check_any()


def units_of_files(paths: Sequence[Path], codebook: Codebook, *, skip_bad: bool = False) -> list[str | None]:
    """The units of sound files as text, such as ``71:3 12 0:14``.

    Parameters
    ----------
    paths
        Sound files, each once.
    codebook
        Its centroids are the units.
    skip_bad
        Whether a file that cannot be read gives None; otherwise it is an error.
    """
    found = {one.file: one.sequence for one in encode_files(paths, codebook, skip_bad=skip_bad)}
    return [found.get(str(path)) for path in paths]
