"""Discrete speech units: what a codebook makes of sound, as symbols that know their seconds."""

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

from .unit_runs import Runs, parse_runs

MARK = re.compile("[0-9a-f]{16}")  # of a codebook, as `Codebook.mark`


@dataclass(frozen=True)
class Speech:
    """Units of speech, a record as text: ``71:3 12 0:14`` is unit 71 for three frames, 12 for one, 0 for fourteen.

    Parameters
    ----------
    units
        Size of the codebook: units are 0 … units - 1. Told by `codebook` where there is one.
    merge
        Equal neighbours are one symbol (their frames are kept, for `spans`); else each frame is a symbol.
    rate
        Frames a second: 50 for HuBERT and wav2vec 2, 100 for MFCC. Told by `codebook` where there is one.
    codebook
        Folder that ``xdomain units fit`` wrote: with it, records may be sound files too.
    """

    units: int = 512
    merge: bool = True
    rate: float = 50.0
    codebook: str = path_option()

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
        """The numbers of the units."""
        size = self._codebook.size if self.codebook else self.units
        return Alphabet(tuple(map(str, range(size))), "frame unit")

    @property
    def frames_a_second(self) -> float:
        """Of the codebook, or as told."""
        return float(self._codebook.rate) if self.codebook else self.rate

    def encode(self, payloads: Sequence[Payload] | pa.Array) -> Ragged:
        """Units of many utterances, in bulk; `counts` tells the frames that they stand for.

        Raises
        ------
        DataError
            What is no unit, or a unit beyond the codebook: which, and in which record, counted from 1.
        """
        runs = self._runs(payloads)
        return Ragged(runs.units.astype(np.uint16), runs.offsets, {"frames": int(runs.lengths.sum())})

    def spans(self, payloads: Sequence[Payload] | pa.Array) -> NDArray[np.float64]:
        """Shape (total symbols, 2): from which second to which each symbol lasts, half-open.

        Exact both ways: second times frames a second, rounded, is the frame again.
        """
        runs = self._runs(payloads)
        ends = np.cumsum(runs.lengths)
        before = np.concatenate(([0], ends))[runs.offsets[:-1]]
        ends = ends - np.repeat(before, np.diff(runs.offsets))
        return np.column_stack([ends - runs.lengths, ends]) / self.frames_a_second

    def decode(self, ids: Ids) -> str:
        """Numbers with blanks between."""
        return " ".join(map(str, ids.tolist()))

    def to_tokenizer_text(self, payload: Payload) -> str:
        """What the plain tokenizer reads for a record: its units alone, merged where `merge` says so."""
        return self.decode(self.encode([payload]).values)

    def stock_tokenizer(self, vocabulary: Mapping[str, int], unk_token: str) -> Tokenizer:
        """One token a unit, of text as `to_tokenizer_text` writes it."""
        tokenizer = Tokenizer(models.WordLevel(dict(vocabulary), unk_token))
        tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        return tokenizer

    @property
    def media(self) -> tuple[str, ...]:
        """The endings of sound files."""
        from .files import SUFFIXES

        return SUFFIXES

    def encode_files(self, paths: Sequence[Path]) -> list[str]:
        """Sound files to records.

        Raises
        ------
        MissingError
            There is no codebook to do it with.
        """
        if not self.codebook:
            raise MissingError(
                f"{paths[0]} is sound, and no codebook is named to make units of it",
                fix="xdomain run … --set adapter.options.codebook=DIR, made by `xdomain units fit WAVS --out DIR`",
            )
        from .encode import units_of_files

        return units_of_files(paths, self._codebook)

    def check_compatible(self, told: Mapping[str, Sequence[str]]) -> None:
        """Hold the column ``codebook``, which ``xdomain units encode`` writes, against the codebook of this adapter.

        Raises
        ------
        DataError
            Units of another codebook, or of two.
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
        """Write the seconds [start, end) of a sound file to another."""
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
