"""Ways in which a file on disk goes wrong: cut, emptied, overwritten, or valid but of another shape or kind."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from safetensors.numpy import load_file, save_file

VALUES: list[Any] = [
    None, True, 0, -1, 3, 10**30, 1e308, float("nan"), "", "x", "é" * 300, "../up", [], [None], ["a", "a"], {},
    {"a": 1}, [[1]], "1e5", 0.5,
]  # fmt: skip


def damage(path: Path, rng: random.Random, others: list[Path]) -> str:
    """Damage the file `path` in one way, drawn by `rng`, and say which; `others` are files to take the place of it."""
    ways: list[Callable[[Path, random.Random], str]] = [_cut, _empty, _noise, _flipped, _other_json, _gone, _folder]
    by_suffix = {
        ".json": _tree, ".yaml": _tree, ".jsonl": _lines, ".parquet": _table, ".safetensors": _tensors,
    }  # fmt: skip
    if path.suffix in by_suffix:  # damage that a parser does not see is as likely as all else together
        ways += [by_suffix[path.suffix]] * 8
    if others:
        ways.append(lambda one, drawn: _swapped(one, drawn.choice(others)))
    return rng.choice(ways)(path, rng)


def _cut(path: Path, rng: random.Random) -> str:
    content = path.read_bytes()
    path.write_bytes(content[: rng.randrange(max(1, len(content)))])
    return f"cut at {path.stat().st_size}"


def _empty(path: Path, _: random.Random) -> str:
    path.write_bytes(b"")
    return "emptied"


def _noise(path: Path, rng: random.Random) -> str:
    path.write_bytes(rng.randbytes(rng.choice([1, 8, 100, 5000])))
    return "random bytes"


def _flipped(path: Path, rng: random.Random) -> str:
    content = bytearray(path.read_bytes())
    for _ in range(rng.choice([1, 1, 3, 20])):
        if content:
            content[rng.randrange(min(len(content), rng.choice([64, 10**9])))] = rng.randrange(256)
    path.write_bytes(bytes(content))
    return "some bytes changed"


def _other_json(path: Path, rng: random.Random) -> str:
    text = rng.choice(["[]", "null", "{}", "0", '"x"', "[{}]", "[[[[1]]]]", "{" * 50, "[" * 100000, "\ufeff{}", "NaN"])
    path.write_text(text, "utf-8")
    return f"it is {text[:20]}"


def _gone(path: Path, _: random.Random) -> str:
    path.unlink()
    return "gone"


def _folder(path: Path, _: random.Random) -> str:
    path.unlink()
    path.mkdir()
    return "a folder instead"


def _swapped(path: Path, other: Path) -> str:
    shutil.copyfile(other, path)
    return f"{other.name} in its place"


def _tree(path: Path, rng: random.Random) -> str:
    tree = yaml.safe_load(path.read_text("utf-8")) if path.suffix == ".yaml" else json.loads(path.read_text("utf-8"))
    said = _changed(tree, rng)
    path.write_text(yaml.safe_dump(tree) if path.suffix == ".yaml" else json.dumps(tree), "utf-8")
    return said


def _lines(path: Path, rng: random.Random) -> str:
    lines = path.read_text("utf-8").splitlines() or ["{}"]
    place = rng.randrange(len(lines))
    tree = json.loads(lines[place])
    said = _changed(tree, rng) if tree else "no row"
    lines[place] = rng.choice([json.dumps(tree), "", "{", "[]", "null", lines[place][:-3]])
    path.write_text("\n".join(lines), "utf-8")
    return f"line {place + 1}: {said}"


def _changed(tree: Any, rng: random.Random) -> str:
    """Change one place in `tree`, a dict or list that is not empty."""
    place: list[str] = []
    while True:
        keys: list[Any] = list(tree) if isinstance(tree, dict) else list(range(len(tree)))
        if not keys:
            return "nothing"
        key = rng.choice(keys)
        place.append(str(key))
        inner = tree[key]
        if isinstance(inner, (dict, list)) and inner and rng.random() < 0.7:
            tree = inner
            continue
        how = rng.choice(["lost", "other", "other", "other", "twice"])
        if how == "lost":
            del tree[key]
        elif how == "twice" and isinstance(tree, list):
            tree.append(inner)
        else:
            tree[key] = rng.choice(VALUES)
            how = f"is {str(tree[key])[:20]!r}"
        return f"{'.'.join(place)} {how}"


def _table(path: Path, rng: random.Random) -> str:
    table = pq.read_table(path)
    place = rng.randrange(table.num_columns)
    name, rows = table.column_names[place], table.num_rows
    other = rng.choice([
        pa.array(["x"] * rows), pa.array([7] * rows), pa.array([None] * rows), pa.array([float("nan")] * rows),
        pa.array([["a"]] * rows), pa.array([1e300] * rows), pa.array([None] * rows, pa.string()),
        pa.array([-1] * rows), pa.array([b"\xff"] * rows),
    ])  # fmt: skip
    how = rng.choice(["lost", "renamed", "other", "other", "other", "twice", "no rows", "few rows"])
    if how == "lost":
        table = table.drop_columns([name])
    elif how == "renamed":
        table = table.rename_columns([*table.column_names[:place], "zz", *table.column_names[place + 1 :]])
    elif how == "other":
        table = table.set_column(place, name, other)
        how = f"of {other.type}"
    elif how == "twice":
        table = table.append_column(name, table.column(place))
    else:
        table = table.slice(0, 0 if how == "no rows" else 1)
    pq.write_table(table, path)
    return f"column {name} {how}"


def _tensors(path: Path, rng: random.Random) -> str:
    tensors = {name: one.copy() for name, one in load_file(path).items()}
    name = rng.choice(list(tensors))
    one = tensors[name]
    how = rng.choice(["lost", "renamed", "of other shape", "of other type", "not finite", "longer", "empty"])
    if how == "lost":
        del tensors[name]
    elif how == "renamed":
        tensors["zz"] = tensors.pop(name)
    elif how == "of other shape":
        tensors[name] = one.reshape(-1) if one.ndim != 1 else one.reshape(1, -1)
    elif how == "of other type":
        tensors[name] = one.astype(rng.choice([np.int8, np.float64, np.int64]))
    elif how == "not finite":
        tensors[name] = np.full_like(one, np.nan) if one.dtype.kind == "f" else one
    else:
        tensors[name] = np.repeat(one, 2, axis=0) if how == "longer" and one.ndim else one[:0] if one.ndim else one
    save_file(tensors, path, {"format": "pt"})
    return f"tensor {name} {how}"
