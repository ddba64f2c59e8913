"""Discrete speech units as symbols, with the seconds at which each lies."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from tokenizers import Tokenizer, models, pre_tokenizers

from xdomain.core.errors import DataError, MissingError, RecipeError
from xdomain.core.sequences import Alphabet, Ids, Payload, Ragged, path_option
from xdomain.data.media_files import or_skip

from .unit_runs import Runs, parse_runs

MARK = re.compile("[0-9a-f]{16}")  # of a codebook, as `Codebook.mark`


@dataclass(frozen=True)
class Speech:
    """Units of speech, a record as text: ``71:3 12 0:14`` is unit 71 for three frames, 12 for one, 0 for fourteen.

    Parameters
    ----------
    units
        Size of the codebook: units are 0 … units - 1. Ignored with a `codebook`, which has its own.
    merge
        Whether equal neighbours become one symbol (their frames are kept, for `spans`); else each frame is a symbol.
    rate
        Frames a second: 50 for HuBERT and wav2vec 2, 100 for MFCC. Ignored with a `codebook`, which has its own.
    codebook
        A folder that ``xdomain units fit`` wrote. With it, records may be sound files, too.
    skip_bad
        Whether to leave out sound files that cannot be read; otherwise the first of them is an error.
    """

    units: int = 512
    merge: bool = True
    rate: float = 50.0
    codebook: str = path_option()
    skip_bad: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.units <= 2**16 or self.rate <= 0:
            raise RecipeError(
                f"speech options units={self.units}, rate={self.rate}", expected="1 to 65536 units and a rate above 0"
            )

    @property
    def name(self) -> str:
        """The domain."""
        return "speech"

    @cached_property
    def _codebook(self) -> Any:
        from .codebook import Codebook

        return Codebook.load(Path(self.codebook))

    @cached_property
    def alphabet(self) -> Alphabet:
        """The numbers of the units, as text."""
        size = self._codebook.size if self.codebook else self.units
        return Alphabet(tuple(map(str, range(size))), "frame unit")

    @property
    def frames_a_second(self) -> float:
        """The frame rate of the codebook, or else the option `rate`."""
        return float(self._codebook.rate) if self.codebook else self.rate

    def encode(self, payloads: Sequence[Payload] | pa.Array) -> Ragged:
        """Read the units of the utterances `payloads`, with a count of the frames that they stand for.

        Raises
        ------
        DataError
            Something is not a unit, or a unit is beyond the codebook; the message names it and its record, from 1.
        """
        runs = self._runs(payloads)
        return Ragged(runs.units.astype(np.uint16), runs.offsets, {"frames": int(runs.lengths.sum())})

    def spans(self, payloads: Sequence[Payload] | pa.Array) -> NDArray[np.float64]:
        """Shape (total symbols, 2): the seconds from which to which each symbol lasts, half-open.

        Seconds times `frames_a_second`, rounded, are the exact frames again.
        """
        runs = self._runs(payloads)
        ends = np.cumsum(runs.lengths)
        before = np.concatenate(([0], ends))[runs.offsets[:-1]]
        ends = ends - np.repeat(before, np.diff(runs.offsets))
        return np.column_stack([ends - runs.lengths, ends]) / self.frames_a_second

    def decode(self, ids: Ids) -> str:
        """The units `ids` as numbers with blanks between."""
        return " ".join(map(str, ids.tolist()))

    def to_tokenizer_text(self, payload: Payload) -> str:
        """What the plain tokenizer reads for a record: its units without run lengths, merged if `merge` is set."""
        return self.decode(self.encode([payload]).values)

    def stock_tokenizer(self, vocabulary: Mapping[str, int], unk_token: str) -> Tokenizer:
        """One token a unit, at its row in `vocabulary`, else `unk_token`; see `to_tokenizer_text` for the text."""
        tokenizer = Tokenizer(models.WordLevel(dict(vocabulary), unk_token))
        tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        return tokenizer

    @property
    def media(self) -> tuple[str, ...]:
        """The endings of the names of sound files."""
        from .files import SUFFIXES

        return SUFFIXES

    def encode_files(self, paths: Sequence[Path]) -> list[str | None]:
        """Turn the sound files `paths` into records; with `skip_bad` None for each that cannot be read.

        Raises
        ------
        DataError
            A file cannot be read, and `skip_bad` is not set; or none can be.
        MissingError
            The option `codebook` is not set.
        """
        if not self.codebook:
            raise MissingError(
                f"{paths[0]} is sound, and no codebook is named to make units of it",
                fix="xdomain run … --set adapter.options.codebook=DIR, made by `xdomain units fit WAVS --out DIR`",
            )
        from .encode import units_of_files

        try:
            return units_of_files(paths, self._codebook, skip_bad=self.skip_bad)
        except DataError as error:
            raise error if self.skip_bad else or_skip(error) from None

    def check_compatible(self, told: Mapping[str, Sequence[str]]) -> None:
        """Compare the column ``codebook``, which ``xdomain units encode`` writes, with the codebook of this adapter.

        Raises
        ------
        DataError
            The units were made with another codebook, or with two.
        """
        marks = [mark for mark in told.get("codebook", ()) if MARK.fullmatch(mark)]
        own = self._codebook.mark if self.codebook else next(iter(marks), "")
        other = next((mark for mark in marks if mark != own), None)
        if other:
            own_is = f"{self.codebook} is" if self.codebook else "those of another file are of"
            raise DataError(
                f"these are units of the codebook {other}, {own_is} {own}",
                expected="one codebook for all units",
                fix="name that which they were made with, or make them anew: xdomain units encode",
            )

    def clip(self, path: Path, start: float, end: float, out: Path) -> None:
        """Write the seconds [`start`, `end`) of the sound file `path` to the file `out`."""
        from .audio import cut_audio

        cut_audio(path, start, end, out)

    def export_assets(self, folder: Path) -> None:
        """Copy the codebook."""
        if self.codebook:
            shutil.copytree(self.codebook, folder / "codebook", dirs_exist_ok=True)

    def _runs(self, payloads: Sequence[Payload] | pa.Array) -> Runs:
        runs = parse_runs(payloads)
        beyond = np.flatnonzero(runs.units >= len(self.alphabet))
        if len(beyond):
            record = int(np.searchsorted(runs.offsets, beyond[0], side="right"))
            raise DataError(
                f"record {record}: unit {runs.units[beyond[0]]}",
                expected=f"units below {len(self.alphabet)}",
                fix=f"--set adapter.options.units={runs.units.max() + 1}, or what the codebook's size is",
            )
        return runs.merged() if self.merge else runs.frames()
