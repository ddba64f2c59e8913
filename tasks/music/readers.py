"""Readers of music data sets."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import pyarrow as pa

from xdomain.core.errors import DataError, MissingError, RecipeError, unknown
from xdomain.core.json_text import parse_json
from xdomain.core.paths import is_file
from xdomain.data.formats.read_file import read_text
from xdomain.data.formats.tables import raw_table
from xdomain.data.rows import short

from ..tables import check_columns, required_files, table_of_rows

Include = Literal["performances", "scores", "both"]
VARIANT = re.compile(r"(_no)?(_first|_2)?_repeat$")
"""The end of a folder's name where a piece is played with other repeats."""
NOTE_NAMES = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
# Kinds of chord, by semitones above the root. Of the seventh chords in chorales, those on a triad count as the triad.
CHORDS = {
    "": ((0, 4, 7), (0, 4, 7, 10), (0, 4, 10), (0, 4)),
    "m": ((0, 3, 7), (0, 3, 7, 10), (0, 3)),
    "dim": ((0, 3, 6),),
}
SIXTEENTHS_A_BEAT = 4
REST = "rest"


def read_asap(
    files: Mapping[str, Path],
    *,
    include: Include = "performances",
    min_pieces: int = 8,
    most: int = 0,
    valid: float = 0.1,
    test: float = 0.2,
    seed: int = 0,
) -> pa.Table:
    """ASAP: piano pieces, scores and performances, with their composers; ``sequence`` is the path of a MIDI file.

    No piece is in two splits: its score and all its performances are in one, including those with other repeats, which
    have folders of their own. Every composer has at least one piece in every split.

    Parameters
    ----------
    files
        ``metadata``: the table of the data set, in the folder that holds the pieces.
    include
        Which files of a piece: performances, scores or both.
    min_pieces
        Composers with fewer pieces are left out; at least 3.
    most
        The most performances of a piece, drawn at random; 0: all.
    valid, test
        Shares of the pieces of every composer, above 0 and together below 1.
    seed
        Seed of the split and of the performances, 0 or more.

    Raises
    ------
    DataError
        The table lacks a column, or no composer has `min_pieces` pieces.
    MissingError
        A MIDI file is missing.
    """
    (metadata,) = required_files(files, "metadata")
    if include not in get_args(Include):
        raise unknown("reader option include:", str(include), get_args(Include))
    if min_pieces < 3:
        raise RecipeError(f"reader option min_pieces={min_pieces}", expected="at least 3: one piece for each split")
    if min(valid, test) <= 0 or valid + test >= 1:
        raise RecipeError(f"reader options valid={valid}, test={test}", expected="shares above 0 whose sum is below 1")
    listed = _metadata(metadata)
    pieces: dict[str, dict[str, list[str]]] = defaultdict(dict)  # composer -> piece -> its performances
    scores: dict[str, dict[str, None]] = defaultdict(dict)
    for row in listed:
        piece = VARIANT.sub("", row["folder"])
        pieces[row["composer"]].setdefault(piece, []).append(row["midi_performance"])
        scores[piece][row["midi_score"]] = None
    rows: list[dict[str, object]] = []
    for number, composer in enumerate(sorted(pieces)):
        rng = np.random.Generator(np.random.PCG64([seed, number]))
        names = sorted(pieces[composer])
        if len(names) < min_pieces:
            continue
        for name, split in zip(names, _splits(len(names), valid, test, rng), strict=True):
            played = sorted(pieces[composer][name])
            drawn = sorted(rng.permutation(len(played))[: most or None].tolist())
            chosen = [played[i] for i in drawn] if include != "scores" else []
            chosen += sorted(scores[name]) if include != "performances" else []
            for file in chosen:
                rows.append({"id": file.removesuffix(".mid"), "sequence": str(metadata.parent.resolve() / file),
                             "label": composer, "split": split, "group": name})  # fmt: skip
    if not rows:
        raise DataError(f"{metadata}: no composer has {min_pieces} pieces", fix="reader_options.min_pieces=3")
    _check_files([str(row["sequence"]) for row in rows], metadata)
    return table_of_rows(rows)


def _metadata(path: Path) -> list[dict[str, str]]:
    needed = ("composer", "folder", "midi_score", "midi_performance")
    listed = raw_table(path, delimiter="comma")
    check_columns(listed, path, *needed)
    rows = listed.select(needed).to_pylist()
    for number, row in enumerate(rows, 1):
        if lacking := [name for name in needed if not row[name]]:
            raise DataError(f"{path}: row {number} has no {lacking[0]}", expected="the table of ASAP, whole")
    return rows


def _splits(number: int, valid: float, test: float, rng: np.random.Generator) -> list[str]:
    """A split for each of `number` pieces, in random order, with at least one piece in each split."""
    for_test, for_valid = max(1, round(test * number)), max(1, round(valid * number))
    if for_test + for_valid >= number:
        for_test = for_valid = 1
    names = ["test"] * for_test + ["valid"] * for_valid
    names += ["train"] * (number - len(names))
    return [names[i] for i in rng.permutation(number)]


def _check_files(paths: Sequence[str], metadata: Path) -> None:
    absent = [path for path in paths if not is_file(path)]
    if absent:
        raise MissingError(
            f"{len(absent)} of {len(paths)} MIDI files that {metadata} names are not there, the first: {absent[0]}",
            expected="the whole data set, the folders of the composers beside metadata.csv",
            fix="git clone https://github.com/fosfrancesco/asap-dataset, and put its contents there",
        )


def chord_name(pitches: Sequence[int]) -> str:
    """Name the triad that sounds, such as C, Ebm or Bdim, whatever its bass; else ``other``, or ``rest``.

    A seventh on a major or minor triad, and a triad without its fifth, count as the triad.

    Parameters
    ----------
    pitches
        MIDI pitches that sound together.
    """
    classes = {pitch % 12 for pitch in pitches}
    if not classes:
        return REST
    for name, kinds in CHORDS.items():
        for kind in kinds:
            for root in range(12):
                if {(root + step) % 12 for step in kind} == classes:
                    return NOTE_NAMES[root] + name
    return "other"


def read_next_chord(files: Mapping[str, Path], *, context: int = 8, every: int = 1, classes: int = 24) -> pa.Table:
    """JSB chorales: predict the name of a chord from the beats before it; ``sequence`` is a line of notes.

    Parameters
    ----------
    files
        ``all``: a JSON object of ``train``, ``valid`` and ``test``: chorales, each a list of sixteenths, each a list of
        MIDI pitches.
    context
        How many beats are read, at least 1. What sounds at the beat counts as notes of one beat.
    every
        A record every so many beats, at least 1.
    classes
        How many of the most frequent names in train are classes of their own, at least 1; all others are ``other``.
    """
    (path,) = required_files(files, "all")
    for option, value in (("context", context), ("every", every), ("classes", classes)):
        if value < 1:
            raise RecipeError(f"reader option {option}={value}", expected="at least 1")
    rows: list[dict[str, Any]] = []
    for split, chorales in _chorales(path).items():
        for number, chorale in enumerate(chorales):
            beats = chorale[::SIXTEENTHS_A_BEAT]
            for place in range(context, len(beats), every):
                before, name = beats[place - context : place], chord_name(beats[place])
                if name == REST or not any(before):
                    continue
                notes = (f"{p}:{i}:1:64" for i, chord in enumerate(before) for p in sorted(chord))
                rows.append({"id": f"{split}{number}:{place}", "sequence": " ".join(["ticks=1", *notes]),
                             "label": name, "split": split, "group": f"{split}{number}"})  # fmt: skip
    often = Counter(row["label"] for row in rows if row["split"] == "train" and row["label"] != "other")
    kept = {name for name, _ in sorted(often.items(), key=lambda item: (-item[1], item[0]))[:classes]}
    return table_of_rows([{**row, "label": row["label"] if row["label"] in kept else "other"} for row in rows])


def _chorales(path: Path) -> dict[str, list[list[list[int]]]]:
    expected = "a JSON object of train, valid and test: lists of chorales, of sixteenths, of MIDI pitches 0 to 127"
    try:
        content = parse_json(read_text(path))
    except ValueError as error:
        raise DataError(f"{path} is not JSON ({error})", expected=expected) from None
    if not isinstance(content, dict) or set(content) != {"train", "valid", "test"}:
        raise DataError(f"{path} holds other things than train, valid and test", expected=expected)
    splits: dict[str, list[list[list[int]]]] = {}
    parts: dict[str, Any] = content
    for split, chorales in parts.items():
        if not isinstance(chorales, list) or not all(isinstance(chorale, list) for chorale in chorales):
            raise DataError(f"{path}: {split} holds other things than chorales", expected=expected)
        splits[split] = []
        for number, chorale in enumerate(chorales, 1):
            for step, chord in enumerate(chorale, 1):
                if not _are_pitches(chord):
                    where = f"{path}: {split}, chorale {number}, sixteenth {step}"
                    raise DataError(f"{where}: {short(str(chord))}", expected=expected)
            splits[split].append([[int(pitch) for pitch in chord] for chord in chorale])
    return splits


def _are_pitches(chord: Any) -> bool:
    """Whether `chord` is a list of MIDI pitches; some of the published file are written as 60.0."""
    return isinstance(chord, list) and all(isinstance(p, int | float) and p in range(128) for p in chord)


READERS = {"asap": read_asap, "next_chord": read_next_chord}
