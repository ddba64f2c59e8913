"""Readers of text data sets that are not plain tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from xdomain.core.errors import DataError, RecipeError, nearest, unknown
from xdomain.core.recipe import SPLITS
from xdomain.data.formats.read_file import read_text

from ..tables import table_of_rows

FIELDS = 10
TAGS = {"upos": 3, "xpos": 4}
"""The fields of CoNLL-U that hold the tag of a word, counted from 0."""


def read_conllu(files: Mapping[str, Path], *, tags: str = "upos") -> pa.Table:
    """Sentences of CoNLL-U files, a tag for each word.

    Words are the syntactic ones: the last two of ``1-2 don't``, ``1 do``, ``2 n't``; empty nodes (``1.1``) are left
    out. A sequence is its words with blanks between, so that it can be split into words again; a blank within a word
    ("10 000") is removed. The tag ``_`` is not scored. The group is the document, which ``# newdoc`` begins; before the
    first of these each sentence is a group of its own.

    Parameters
    ----------
    files
        CoNLL-U files named train, valid and test.
    tags
        ``upos``, the universal tags, or ``xpos``, the treebank's own.

    Raises
    ------
    DataError
        A line is not CoNLL-U (the message gives its number, from 1), or a file has no sentence.
    RecipeError
        `files` has none, or other names, or `tags` is unknown.
    """
    if not files:
        raise RecipeError("the source names no files", expected="source.files named train, valid and test")
    if tags not in TAGS:
        raise unknown("column of tags", tags, TAGS)
    for name in files:
        if name not in SPLITS:
            raise RecipeError(
                f"source.files names {name!r}",
                expected=f"names among {', '.join(SPLITS)}, which decide the split",
                nearest=nearest(name, SPLITS),
            )
    rows: list[dict[str, object]] = []
    for split, path in files.items():
        sentences = [
            _row(split, number, marks, words, TAGS[tags]) for number, (marks, words) in enumerate(_sentences(path), 1)
        ]
        if not sentences:
            raise DataError(f"{path} holds no sentence", expected="CoNLL-U: a word a line, then a blank line")
        rows += sentences
    return table_of_rows(rows)


def _row(
    split: str, number: int, marks: Mapping[str, str], words: Sequence[Sequence[str]], field: int
) -> dict[str, object]:
    name = marks.get("sent_id") or f"{split}:{number}"
    return {
        "id": name,
        "sequence": " ".join("".join(word[1].split()) for word in words),
        "tags": [None if word[field] == "_" else word[field] for word in words],
        "split": split,
        "group": marks.get("newdoc") or name,
    }


def _sentences(path: Path) -> Iterator[tuple[dict[str, str], list[Sequence[str]]]]:
    """Yield the comments of each sentence, to which an earlier ``newdoc`` is added, and the fields of its words."""
    marks: dict[str, str] = {}
    words: list[Sequence[str]] = []
    for number, line in enumerate([*read_text(path).decode().split("\n"), ""], 1):
        line = line.rstrip("\r")
        if line.startswith("#"):
            key, _, value = line[1:].partition("=")
            if key.strip().split(" ")[0] == "newdoc":  # its id may be left out
                marks["newdoc"] = value.strip() or f"line {number}"
            else:
                marks[key.strip()] = value.strip()
        elif line.strip():
            fields = _fields(line, path, number)
            words += [fields] if fields[0].isdigit() else []
        else:
            if words:
                yield marks, words
            words, marks = [], {"newdoc": marks["newdoc"]} if "newdoc" in marks else {}


def _fields(line: str, path: Path, number: int) -> Sequence[str]:
    fields = line.split("\t")
    if len(fields) != FIELDS:
        raise DataError(
            f"{path}, line {number}: {len(fields)} field{'s' if len(fields) > 1 else ''} ({line[:60]!r})",
            expected=f"the {FIELDS} of CoNLL-U with tabs between, a comment that begins with #, or nothing",
        )
    if not fields[0].replace("-", "").replace(".", "").isdigit():
        raise DataError(
            f"{path}, line {number}: the word has the number {fields[0][:20]!r}",
            expected="1, 2, …; 1-2 for several words written as one; 1.1 for an empty node",
        )
    if not fields[1].strip():
        raise DataError(f"{path}, line {number}: word {fields[0]} has no form", expected="the word in the second field")
    return fields


READERS = {"conllu": read_conllu}
