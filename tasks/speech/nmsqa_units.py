"""NMSQA's questions with units of their recordings, from DUAL's code files or from NMSQA-CODE."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from xdomain.core.errors import DataError, MissingError
from xdomain.core.json_text import parse_json
from xdomain.core.paths import expanded
from xdomain.core.recipe import SPLITS
from xdomain.data.run_length import Ints, merged, units_as_text

from ..tables import required_files, table_of_questions
from .nmsqa import Question, parquet_rows, question_of, read_questions, segment_name


def read_dual_units(files: Mapping[str, Path], *, codes: str = "codes", rate: float = 50.0) -> pa.Table:
    """DUAL's units of passages and questions (``.code``, merged, and ``.cnt``, run lengths) with NMSQA's answers.

    Parameters
    ----------
    files
        Parquet files of NMSQA; the names train, valid and test decide the split.
    codes
        The folder of ``NAME.code`` and ``NAME.cnt``, a number a line: beside each parquet file, or absolute. NAME is
        that of a recording: ``context-0_0_1`` (a segment), ``context-0_0`` (its passage), ``question-0_0_0``. A passage
        is joined from its segments where they exist, so that seconds within a segment can be placed.
    rate
        Frames a second.

    Questions are left out, and counted, if their answer was not located in the recording, or if its seconds count from
    the beginning of a segment and only the merged passage exists.
    """
    rows: list[dict[str, object]] = []
    left_out = {"without an answer in the recording": 0, "whose answer cannot be placed in its passage": 0}
    for name, path in files.items():
        folder = path.parent / expanded(codes)
        if not folder.is_dir():
            raise MissingError(
                f"{folder} is no folder",
                expected="DUAL's units: NAME.code and NAME.cnt for each recording",
                fix="reader_options.codes=FOLDER",
            )
        passages = _Passages(folder)
        for question in read_questions(path):
            if not question.seconds:
                left_out["without an answer in the recording"] += 1
                continue
            units, shift = passages.of(question)
            if shift is None:
                left_out["whose answer cannot be placed in its passage"] += 1
                continue
            answers = [(start + shift / rate, end + shift / rate) for start, end in question.seconds]
            rows.append({
                "id": question.id, "sequence": units_as_text(*_code(folder, question.spoken)), "sequence_b": units,
                "answers": answers, "split": name if name in SPLITS else "",
                "group": question.title or question.recording,
            })  # fmt: skip
    return _question_table(rows, left_out, files)


def read_nmsqa_code(
    files: Mapping[str, Path],
    *,
    question: str = "hubert_100_question_unit",
    context: str = "hubert_100_context_unit",
    frames: str = "code",
) -> pa.Table:
    """The parquet files of ``voidful/NMSQA-CODE``: NMSQA's rows with ready-made units.

    Parameters
    ----------
    files
        Parquet files; the names train, valid and test decide the split.
    question, context
        The columns that hold the units: JSON, a list of one object. The hub could not be reached when this was
        written: the names are those that the code of GSQA (github.com/voidful/GSQA) reads.
    frames
        The key, in that object, of the list with a unit for each frame.

    Passages are whole recordings. Questions are left out, and counted, if they have no units or no answer, or if their
    seconds count from the beginning of a later segment, as those of the published dev set do.
    """
    rows: list[dict[str, object]] = []
    left_out = {
        "without units": 0,
        "without an answer in the recording": 0,
        "whose answer cannot be placed in its passage": 0,
    }
    for name, path in files.items():
        for number, row in enumerate(parquet_rows(path), 1):
            for column in (question, context):
                if column not in row:
                    raise DataError(
                        f"{path} has no column {column!r}",
                        expected=f"units in one of {', '.join(c for c in row if 'unit' in c) or ', '.join(row)}",
                        fix="reader_options.question=COLUMN and reader_options.context=COLUMN",
                    )
            about = question_of(row, path, number)
            sides = [_frames(row[column], frames, path, about.id) for column in (question, context)]
            if not all(len(side) for side in sides):
                left_out["without units"] += 1
            elif not about.seconds:
                left_out["without an answer in the recording"] += 1
            elif about.in_segment and segment_name(about) not in ("0", ""):
                left_out["whose answer cannot be placed in its passage"] += 1
            else:
                rows.append({
                    "id": about.id, "sequence": units_as_text(sides[0]), "sequence_b": units_as_text(sides[1]),
                    "answers": about.seconds, "split": name if name in SPLITS else "",
                    "group": about.title or about.recording,
                })  # fmt: skip
    return _question_table(rows, left_out, files)


class _Passages:
    """The units of passages; each is joined from its segments once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._segments: dict[str, list[tuple[str, int]]] = {}  # of each passage, with the frame at which each begins
        self._texts: dict[str, str] = {}
        self._names: dict[str, list[str]] = {}  # the file names of each passage's segments
        for file in folder.glob("*.code"):
            passage, _, number = file.stem.replace("-", "_").rpartition("_")
            if number.isdigit():
                self._names.setdefault(passage, []).append(file.stem)

    def of(self, question: Question) -> tuple[str, int | None]:
        """The passage of a question, and the frame from which its seconds count; None where that is not known."""
        name = question.recording
        if name not in self._texts:
            self._put_together(name)
        begins = dict(self._segments[name])
        if not question.in_segment or (len(begins) == 0 and segment_name(question) in ("0", "")):
            return self._texts[name], 0
        return self._texts[name], begins.get(question.segment)

    def _put_together(self, name: str) -> None:
        plain = name.replace("-", "_")
        segments = sorted(self._names.get(plain, []), key=lambda stem: int(re.split("[-_]", stem)[-1]))
        parts = [_code(self._folder, stem) for stem in segments] or [_code(self._folder, name)]
        lengths = np.cumsum([0, *(int(runs.sum()) for _, runs in parts)])
        self._segments[name] = list(zip(segments, lengths[:-1].tolist(), strict=False))
        self._texts[name] = units_as_text(*(np.concatenate(side) for side in zip(*parts, strict=True)))


def _code(folder: Path, name: str) -> tuple[Ints, Ints]:
    sides: list[Ints] = []
    for ending in ("code", "cnt"):
        path = folder / f"{name}.{ending}"
        try:
            sides.append(np.array([int(float(number)) for number in path.read_text("utf-8").split()], np.int64))
        except OSError as error:
            state = "does not exist" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})"
            raise DataError(f"{path} {state}", expected="NAME.code and NAME.cnt for each recording") from None
        except (ValueError, OverflowError):
            raise DataError(f"{path} holds something else than whole numbers", expected="a number a line") from None
    if len(sides[0]) != len(sides[1]) or not len(sides[0]):
        raise DataError(
            f"{folder / name}.code holds {len(sides[0])} units and its .cnt {len(sides[1])} run lengths",
            expected="as many of both, and at least one",
        )
    return merged(*sides)


def _frames(cell: object, key: str, path: Path, name: str) -> Ints:
    if not cell:
        return np.empty(0, np.int64)
    try:
        value: Any = parse_json(cell) if isinstance(cell, str) else cell
        value = value[0] if isinstance(value, list) and value and isinstance(value[0], dict) else value
        return np.array(value[key] if isinstance(value, dict) else value, np.int64).ravel()
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise DataError(
            f"{path}, record {name!r}: its units cannot be read ({type(error).__name__}: {str(error)[:60]})",
            expected=f'JSON like [{{"{key}": [71, 71, 12]}}], a unit for each frame',
            fix="reader_options.frames=KEY",
        ) from None


def _question_table(rows: list[dict[str, object]], left_out: Mapping[str, int], files: Mapping[str, Path]) -> pa.Table:
    if not files:
        required_files(files, "train")
    if not rows:
        raise DataError(
            f"no question of {', '.join(map(str, files.values()))} can be used",
            expected="; ".join(f"{count} are {why}" for why, count in left_out.items() if count) or "some questions",
        )
    if not any(row["split"] for row in rows):
        rows = [{key: value for key, value in row.items() if key != "split"} for row in rows]
    said = [f"{count:,} questions left out: {why}" for why, count in left_out.items() if count]
    return table_of_questions(rows, said)


READERS = {"dual_units": read_dual_units, "nmsqa_code": read_nmsqa_code}
