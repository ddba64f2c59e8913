"""The tokenizers of MidiTok as symbols."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xdomain.core.errors import RecipeError, unknown
from xdomain.core.sequences import Alphabet, Ids

from .midi import library, part_of, score_of
from .notes import NO_METER, Piece, piece_of

KNOWN = ("MIDILike", "REMI", "Structured", "TSD")
"""Tokenizers that write a piece as one row of symbols, each pitch by itself, without further settings."""


@dataclass(frozen=True)
class MidiTokens:
    """The tokens of one of MidiTok's tokenizers, all parts as one.

    The settings are MidiTok's defaults, except that all pitches have tokens: by default MidiTok silently leaves out
    notes beyond those of a piano, 21 to 108.

    Parameters
    ----------
    kind
        A class of MidiTok, one of `KNOWN`.

    Raises
    ------
    RecipeError
        `kind` is not in `KNOWN`, or the installed MidiTok does not have it.
    MissingError
        MidiTok is not installed.
    """

    kind: str

    def __post_init__(self) -> None:
        if self.kind not in KNOWN:
            raise unknown("tokenizer of MidiTok", self.kind, KNOWN)

    @cached_property
    def _tokenizer(self) -> Any:
        miditok = library("miditok")
        if not hasattr(miditok, self.kind):
            raise RecipeError(f"the MidiTok that is installed has no {self.kind}", fix="pip install -U miditok")
        return getattr(miditok, self.kind)(miditok.TokenizerConfig(pitch_range=(0, 127)))

    @cached_property
    def alphabet(self) -> Alphabet:
        """MidiTok's vocabulary in the order of its ids, including its special tokens."""
        vocabulary: Mapping[str, int] = self._tokenizer.vocab
        return Alphabet(tuple(sorted(vocabulary, key=lambda token: vocabulary[token])), "token")

    def encode(self, piece: Piece) -> tuple[Ids, Mapping[str, int]]:
        """The tokens of all parts of `piece` together, and no counts."""
        whole = replace(piece, programs=(0,), part=np.zeros(len(piece), np.int64), meter=NO_METER)
        sequences = self._tokenizer(score_of(whole))
        rows = sequences if isinstance(sequences, list) else [sequences]
        return np.array([i for row in rows for i in row.ids], np.int64), {}

    def decode(self, ids: Ids) -> Piece:
        """The notes that MidiTok reads from its tokens `ids`.

        Where MidiTok's grid moves several notes to one onset, it keeps the order in which they began. That order is
        lost here, so such notes encode to the same tokens in another order.
        """
        numbers = [int(i) for i in ids]
        score = self._tokenizer.decode(numbers if self._tokenizer.config.one_token_stream_for_programs else [numbers])
        parts = [part_of(track).notes for track in score.tracks]
        notes = np.concatenate([np.empty((0, 4), np.int64), *parts])
        piece = piece_of(notes[:, 0], start=notes[:, 1])
        return replace(piece, ticks=int(score.tpq), duration=notes[:, 2], velocity=notes[:, 3]).in_order()

    def spans(self, piece: Piece) -> NDArray[np.float64]:
        """Refuse: the tokens of MidiTok have no times.

        Raises
        ------
        RecipeError
            Always.
        """
        raise RecipeError(
            f"the tokens of MidiTok's {self.kind} have no times",
            expected="symbols with times: pitch or events",
            fix="--set adapter.options.symbols=events",
        )
