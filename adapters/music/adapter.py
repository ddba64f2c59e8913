"""The adapter of music."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from tokenizers import Tokenizer, models, pre_tokenizers

from xdomain.core.choices import check_choices
from xdomain.core.errors import DataError, RecipeError, nearest
from xdomain.core.progress import log
from xdomain.core.sequences import Alphabet, Ids, Payload, Ragged, narrow
from xdomain.data.media_files import or_skip

from .events import Events, Pitches
from .midi import SUFFIXES, read_and_clip, write_midi
from .miditokens import KNOWN, MidiTokens
from .notes import Piece, parsed, written

MIDITOK = "miditok:"
PITCHED = ("Pitch", "NoteOn", "NoteOff")
EVEN_BEATS_A_SECOND = 2


@dataclass(frozen=True)
class Music:
    """Notes in order of onset, chords from low to high, one or several symbols for each note.

    Records are MIDI files, or the lines of text that `encode_files` makes of them (see `xdomain.adapters.music.notes`).

    Parameters
    ----------
    symbols
        pitch: one symbol a note, its MIDI pitch; events: bars, places, pitches, durations and velocities (see
        `xdomain.adapters.music.events.Events`); or ``miditok:NAME``, a tokenizer of MidiTok with its own defaults.
    reader
        The library that reads MIDI files: symusic, or miditoolkit, which is some hundred times slower.
    tracks
        all: every part together; first: the first part of the file that is not drums; skyline: the highest of the
        notes that begin at the same time, a plain guess at the melody (Uitdenbogerd & Zobel 1998). Notes that are left
        out are counted as ``notes_of_other_tracks``.
    drums
        drop, counted as ``drums_dropped``; or keep, as symbols of their own, whatever `tracks` says.
    time
        beats: the file's own, by its ticks; seconds: by its tempo map, with half a second as a beat. It decides where
        events lie, and the unit of `spans`.
    first_notes
        How many notes of a piece to read, the others counted as ``notes_behind``; 0: all.
    grid, bar, longest, velocities
        For events: steps of a beat, 1 to 96; beats of a bar, 1 to 16; beats of the longest duration, 1 to 64; bins
        of velocity, 1 to 127.
    bars
        For events. fixed: every bar has `bar` beats, whatever the file says; file: bars follow its time signatures,
        which get symbols such as ``TimeSig_3/4``, and `bar` is for where there are none.
    clip_values
        Whether to read a value above 127 in a MIDI file, such as a note's pitch or velocity, as 127; otherwise the file
        is refused.
    skip_bad
        Whether to leave out MIDI files that cannot be read; otherwise the first of them is an error.
    """

    media: ClassVar[tuple[str, ...]] = SUFFIXES
    symbols: str = "pitch"
    reader: Literal["symusic", "miditoolkit"] = "symusic"
    tracks: Literal["all", "first", "skyline"] = "all"
    drums: Literal["drop", "keep"] = "drop"
    time: Literal["beats", "seconds"] = "beats"
    first_notes: int = 0
    grid: int = 4
    bar: int = 4
    longest: int = 8
    velocities: int = 16
    bars: Literal["fixed", "file"] = "fixed"
    clip_values: bool = False
    skip_bad: bool = False

    def __post_init__(self) -> None:
        check_choices(self)
        limits = {"first_notes": (0, 10**9), "grid": (1, 96), "bar": (1, 16), "longest": (1, 64),
                  "velocities": (1, 127)}  # fmt: skip
        for option, (low, high) in limits.items():
            if not low <= getattr(self, option) <= high:
                raise RecipeError(
                    f"music option {option}={getattr(self, option)}", expected=f"a whole number, {low} to {high}"
                )
        if self.symbols not in ("pitch", "events") and not self.symbols.startswith(MIDITOK):
            known = ["pitch", "events", *(MIDITOK + kind for kind in KNOWN)]
            raise RecipeError(f"music option symbols={self.symbols!r}", expected=f"one of {', '.join(known)}",
                              nearest=nearest(self.symbols, known))  # fmt: skip
        if self.bars == "file" and (self.symbols, self.time) != ("events", "beats"):
            raise RecipeError(f"music options bars=file, symbols={self.symbols}, time={self.time}",
                              expected="symbols=events and time=beats: others have no bars of the file")  # fmt: skip
        if self.symbols.startswith(MIDITOK):
            MidiTokens(self.symbols.removeprefix(MIDITOK))  # so that an unknown name fails now, not at the first record
            if self.drums == "keep":
                raise RecipeError(f"music options symbols={self.symbols}, drums=keep",
                                  expected="drums=drop: only pitch and events have symbols for drums")  # fmt: skip

    @property
    def name(self) -> str:
        """The domain."""
        return "music"

    @cached_property
    def _writing(self) -> Pitches | Events | MidiTokens:
        """How a piece becomes symbols: each has ``alphabet, encode, decode, spans``."""
        drums = self.drums == "keep"
        if self.symbols == "pitch":
            return Pitches(drums)
        if self.symbols == "events":
            return Events(drums, self.grid, self.bar, self.longest, self.velocities, self.bars == "file")
        return MidiTokens(self.symbols.removeprefix(MIDITOK))

    @property
    def alphabet(self) -> Alphabet:
        """Pitches; or bar, places, pitches, durations, velocities, time signatures; or MidiTok's vocabulary."""
        return self._writing.alphabet

    def encode_files(self, paths: Sequence[Path]) -> list[str | None]:
        """Read the MIDI files `paths`, each into one line of text; with `skip_bad` None for each that cannot be read.

        Raises
        ------
        DataError
            A file is not a complete MIDI file with notes, and `skip_bad` is not set; the message names the file and the
            event.
        """
        lines: list[str | None] = []
        clipped: dict[Path, int] = {}
        for path in paths:
            try:
                piece, number = read_and_clip(path, reader=self.reader, clip=self.clip_values)
            except DataError as error:
                if not self.skip_bad:
                    raise or_skip(error) from None
                lines.append(None)
                continue
            lines.append(written(piece))
            clipped |= {path: number} if number else {}
        if clipped:
            log.warning(f"{sum(clipped.values()):,} values above 127 in {len(clipped):,} MIDI files are read as 127, "
                        f"in {next(iter(clipped))} for one")  # fmt: skip
        return lines

    def encode(self, payloads: Sequence[Payload] | pa.Array) -> Ragged:
        """Encode pieces, with counts of what was left out or changed; each of `payloads` is a line of notes.

        Raises
        ------
        DataError
            A line does not hold notes; the message names the record and the note, counted from 1.
        """
        sequences: list[Ids] = []
        counts: Counter[str] = Counter()
        for record, payload in enumerate(_listed(payloads)):
            piece, left_out = self._chosen(payload, record)
            ids, changed = self._writing.encode(piece)
            sequences.append(narrow(ids))
            counts.update(left_out)
            counts.update(changed)
        return Ragged.from_lists(sequences, counts=dict(counts))

    def _chosen(self, payload: Payload, record: int) -> tuple[Piece, dict[str, int]]:
        """The notes to read, in order, and counts of those left out."""
        whole = parsed(payload, record=record)
        wanted, drums = self._wanted(whole.in_order())
        kept = wanted.take(np.arange(min(len(wanted), self.first_notes or len(wanted))))
        piece = kept.at_even_tempo() if self.time == "seconds" else kept
        rest = len(whole) - drums - len(wanted)
        return piece, {
            "drums_dropped": drums, "notes_of_other_tracks": rest, "notes_behind": len(wanted) - len(kept),
        }  # fmt: skip

    def _wanted(self, piece: Piece) -> tuple[Piece, int]:
        """The piece without the parts that are not read, and how many drums were dropped."""
        keep = piece.drum if self.drums == "keep" else np.zeros(len(piece), bool)
        tones = ~piece.drum
        if self.tracks == "first" and tones.any():
            keep = keep | (tones & (piece.part == piece.part[tones].min()))
        elif self.tracks == "skyline":
            among = np.flatnonzero(tones)  # in order: the last note of an onset is the highest
            highest = np.diff(piece.start[among], append=-1) != 0
            keep = keep.copy()
            keep[among[highest]] = True
        else:
            keep = keep | tones
        return piece.take(keep), 0 if self.drums == "keep" else int(piece.drum.sum())

    def spans(self, payloads: Sequence[Payload] | pa.Array) -> NDArray[np.float64]:
        """Shape (total symbols, 2): start and end of each symbol, half-open, in the unit that `time` names.

        Raises
        ------
        RecipeError
            With the tokens of MidiTok, which have no times.
        """
        parts = [np.empty((0, 2))]
        for record, payload in enumerate(_listed(payloads)):
            piece, _ = self._chosen(payload, record)
            beats = self._writing.spans(piece) / piece.ticks
            parts.append(beats / EVEN_BEATS_A_SECOND if self.time == "seconds" else beats)
        return np.concatenate(parts)

    def decode(self, ids: Ids) -> str:
        """A line of notes that encodes to `ids`: pitches alone, or for events notes on the grid.

        For MidiTok's tokens see `MidiTokens.decode`.
        """
        if self.symbols == "pitch":
            return " ".join(self.alphabet.symbols[i] for i in ids)
        return written(self._writing.decode(ids))

    def to_midi(self, ids: Ids, path: Path) -> None:
        """Write the notes of the symbols `ids` to the MIDI file `path`; pitches last a beat each, one after another."""
        write_midi(self._writing.decode(ids), path)

    def stock_tokenizer(self, vocabulary: Mapping[str, int], unk_token: str) -> Tokenizer:
        """One token a symbol, at its row in `vocabulary`, else `unk_token`; see `to_tokenizer_text` for the text."""
        tokenizer = Tokenizer(models.WordLevel(dict(vocabulary), unk_token))
        tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        return tokenizer

    def to_tokenizer_text(self, payload: Payload) -> str:
        """What the plain tokenizer reads for a piece: the names of its symbols, with blanks between."""
        return " ".join(self.alphabet.symbols[i] for i in self.encode([payload]).values)

    def transpose(self, ids: Ids, semitones: int) -> Ids:
        """The same music higher by `semitones`, lower where negative; drums stay as they are.

        A pitch that would leave the alphabet is moved back by octaves, so it keeps its name.
        """
        return self._transposed(semitones)[ids]

    def _transposed(self, semitones: int) -> Ids:
        """Shape (alphabet,): what each symbol becomes."""
        numbers = {symbol: i for i, symbol in enumerate(self.alphabet.symbols)}
        table = np.arange(len(numbers))
        for symbol, number in numbers.items():
            kind, _, value = symbol.rpartition("_")
            if not value.isdecimal() or (kind not in PITCHED and not (kind == "" and self.symbols == "pitch")):
                continue
            name = (f"{kind}_" if kind else "") + "{}"
            pitch = int(value) + semitones
            inside = [p for p in range(pitch % 12, 128, 12) if name.format(p) in numbers]
            table[number] = numbers[name.format(min(inside, key=lambda p: abs(p - pitch)))]
        return narrow(table)


def _listed(payloads: Sequence[Payload] | pa.Array) -> list[Payload]:
    return list(payloads.to_pylist() if isinstance(payloads, pa.Array) else payloads)  # pyright: ignore
