"""Files of speech units, an utterance on each line, as fairseq, textlesslib and others write them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from xdomain.core.errors import DataError
from xdomain.core.json_text import parse_literal
from xdomain.data.formats.read_file import read_text
from xdomain.data.run_length import merged, written_out, written_units

FORMS = ("dict", "named", "km")
UNITS = ("units", "audio_repr", "hubert", "cpc_km100", "vqvae256")
NAMES = ("file_name", "audio", "id", "name")
STARTS = (
    rb"([^\t|,\r\n]*[\t|])?[ ]*\d+(:\d+)?([ ]+\d+(:\d+)?)+[ ]*(\r?\n|$)",  # two units or more, after a name or alone
    rb"\s*\{\s*'",
    rb'\s*\{[^\n]*"(hubert|audio_repr|cpc_km100|vqvae256)"\s*:',
    rb'\s*\{[^\n]*"units"\s*:\s*\[',
)
"""What such files begin with; a first line of a single unit is not told from a table."""
MANIFEST = rb"/[^\t\r\n]*\r?\n[^\t\r\n]+\.\w+\t\d+\s"
"""What the list of sound files begins with that fairseq puts beside units: a folder; a path in it and its samples."""
LARGEST = 2**31 - 1
"""The largest unit and the longest run: room enough for any codebook, and their sums fit 64 bits."""
EXPECTED = (
    "lines like {'audio': 'a.wav', 'hubert': '71 71 12'}, {\"units\": [71, 12], \"duration\": [2, 1]}, "
    "a.wav|71 71 12, or 71 71 12"
)


def raw_units(path: Path, form: str | None = None, merge: bool = True) -> pa.Table:
    """Read a file of units.

    Parameters
    ----------
    path
        The file. Where its lines are units alone, names come from the manifest ``NAME.tsv`` beside it, else they are
        ``FILE:LINE``.
    form
        One of `FORMS`; None: guessed from the first line.
    merge
        Whether units that come again are written once, with their number; if not, a run is written out.

    Returns
    -------
    pa.Table
        The columns id and sequence, strings, such as ``71:2 12``, or ``71 71 12``.

    Raises
    ------
    DataError
        A line that holds no units, with its number; or a manifest of another number of lines.
    """
    names, sequences = zip(*utterances(path, form), strict=True)
    if not merge:
        sequences = tuple(map(written_out, sequences))
    return pa.table({"id": pa.array(names, pa.string()), "sequence": pa.array(sequences, pa.string())})


def utterances(path: Path, form: str | None = None) -> Iterator[tuple[str, str]]:
    """Yield name and units of each utterance; `path` and `form` are those of `raw_units`."""
    lines = [(number, line) for number, line in enumerate(read_text(path).decode().splitlines(), 1) if line.strip()]
    kind = form or _guess(lines[0][1])
    names = _manifest(path, len(lines)) if kind == "km" else None
    for place, (number, line) in enumerate(lines):
        try:
            if kind == "dict":
                yield _of_dict(line)
            elif kind == "named":
                mark = "\t" if "\t" in line else "|"
                name, between, units = line.partition(mark)
                if not between:
                    raise ValueError("no tab or bar between a name and units")
                yield name.strip(), _payload(units)
            else:
                yield names[place] if names else f"{path.stem}:{number}", _payload(line)
        except ValueError as error:
            shown = line if len(line) < 50 else line[:50] + "…"
            raise DataError(f"{path}, line {number}: {error} ({shown})", expected=EXPECTED) from None


def _guess(line: str) -> str:
    if line.lstrip().startswith("{"):
        return "dict"
    return "named" if "|" in line or "\t" in line else "km"


def _manifest(path: Path, lines: int) -> list[str] | None:
    """The names of the files in the manifest beside `path`, without their suffix; None where there is none."""
    manifest = path.with_suffix(".tsv")
    if manifest == path or not manifest.is_file() or not re.match(MANIFEST, content := read_text(manifest)):
        return None
    names = [line.split("\t")[0] for line in content.decode().splitlines()[1:] if line.strip()]
    if len(names) != lines:
        raise DataError(
            f"{path} has {lines:,} lines of units, and {manifest} beside it names {len(names):,} files",
            expected="a line of units for each file",
            fix="make the units anew, or rename the manifest if it belongs to other units",
        )
    return [str(Path(name).with_suffix("")) for name in names]


def _of_dict(line: str) -> tuple[str, str]:
    try:
        entry: Any = parse_literal(line)
    except ValueError:
        raise ValueError("neither JSON nor a Python dictionary") from None
    if not isinstance(entry, dict):
        raise ValueError("no dictionary")
    key = next((name for name in UNITS if name in entry), None)
    if key is None:
        raise ValueError(f"no units: its keys are {', '.join(map(str, entry))}")
    name = next((str(entry[name]) for name in NAMES if name in entry), None)
    if name is None:
        raise ValueError(f"no name: its keys are {', '.join(map(str, entry))}")
    runs = entry.get("duration") if key == "units" else None
    if not isinstance(entry[key], str | list):
        raise ValueError(f"{key} is neither a text nor a list")
    return name, _payload(entry[key], runs if isinstance(runs, list) else None)


def _payload(value: str | list[Any], runs: Sequence[Any] | None = None) -> str:
    """Units as a record holds them: ``71:2 12``. `value` may have run lengths itself, so ``71:2`` is read as well."""
    parts: list[Any] = (re.findall(r"<Un(\d+)>", value) or value.split()) if isinstance(value, str) else list(value)
    if runs is None:
        pairs = [str(part).partition(":")[::2] for part in parts]
        parts, runs = [unit for unit, _ in pairs], [run or 1 for _, run in pairs]
    if len(runs) != len(parts):
        raise ValueError(f"{len(parts)} units and {len(runs)} run lengths")
    try:
        units, lengths = ([int(str(number)) for number in numbers] for numbers in (parts, runs))
    except ValueError:
        raise ValueError("units that are no whole numbers") from None
    if not units:
        raise ValueError("no units")
    if min(units) < 0:
        raise ValueError(f"unit {min(units)}, which is negative")
    if min(lengths) < 1:
        raise ValueError(f"a unit of {min(lengths)} frames")
    if (largest := max(*units, *lengths)) > LARGEST:
        raise ValueError(f"a number of {len(str(largest))} digits; the largest is {LARGEST:,}")
    return written_units(*merged(units, lengths))
