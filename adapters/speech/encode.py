"""From sound files to units: streamed, merged, with run lengths."""

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
from .frame_reader import ReadLog, frames_of, make_features


@dataclass(frozen=True)
class Utterance:
    """The units of one file.

    Parameters
    ----------
    units, runs
        Shape (m,): units with no two neighbours alike, and how many frames each lasts.
    rate
        Frames a second. Unit i lasts from ``runs[:i].sum() / rate`` to ``runs[: i + 1].sum() / rate`` seconds; the
        last 5 to 25 ms of a file, which fill no window, belong to none.
    duration
        Seconds of the audio.
    file
        Its path as it was given.
    codebook
        Its mark.
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
        """Units with blanks between them, each with its run length where that is not 1: ``71:3 12 0:14``."""
        return written_units(self.units, self.runs)

    def row(self) -> dict[str, str | float]:
        """As a row of a table."""
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
    """The units of each file, one after another; memory holds one chunk of sound and one file's units.

    Parameters
    ----------
    paths
        See `xdomain.adapters.speech.files.find_audio`.
    codebook
        Its centroids are the units.
    features
        None: made by the name in the codebook.
    skip_bad
        Whether a file that cannot be read is left out, and told in `notes`.
    notes
        Filled, and called, as files are heard.

    Raises
    ------
    DataError
        A file cannot be read, or is shorter than a frame, and `skip_bad` is not set; or no file can be read.
    RecipeError
        The features are not those of the codebook.
    """
    features = features or make_features(codebook.features)
    codebook.check(features)
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


def units_of_files(paths: Sequence[Path], codebook: Codebook) -> list[str]:
    """The units of each file as text, such as ``71:3 12 0:14``."""
    return [utterance.sequence for utterance in encode_files(paths, codebook)]
