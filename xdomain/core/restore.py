"""Read back what xdomain wrote. A file that is damaged gets one message: which, what is wrong, what to do."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ValidationError

from xdomain.core.errors import DamagedError, UserError

M = TypeVar("M", bound=BaseModel)
AS_WRITTEN = "the file as xdomain wrote it"
REPEAT = "train again, or restore the folder from a copy"
SHOWN = 200
"""Characters of another library's message that are shown."""


@contextmanager
def reading(path: Path, *, expected: str = AS_WRITTEN, fix: str = REPEAT) -> Generator[None]:
    """Within this context `path`, a file or folder that xdomain wrote, is read and checked.

    Parameters
    ----------
    path
        Named in the message.
    expected, fix
        For the message: what it should be, and how to get it.

    Raises
    ------
    DamagedError
        Anything went wrong, as damaged bytes can make a library raise any error. Messages for the user, and a lack of
        memory, pass through.
    """
    try:
        yield
    except (UserError, MemoryError):
        raise
    except FileNotFoundError as error:
        missing = error.filename or path
        raise DamagedError(f"{missing} is missing", expected=expected, fix=fix) from None
    except Exception as error:
        if type(error).__name__ == "OutOfMemoryError":  # torch's, which has a message of its own
            raise
        raise DamagedError(f"{path} cannot be read ({cause(error)})", expected=expected, fix=fix) from None


def cause(error: Exception) -> str:
    """What `error` says, in a line for a message."""
    said = (str(error).strip().splitlines() or [""])[0].strip()
    said = said if len(said) <= SHOWN else said[:SHOWN] + "…"
    name = type(error).__name__
    if isinstance(error, KeyError):
        return f"it has no {said}"
    return said if said and isinstance(error, (OSError, ValueError)) else f"{name}: {said}" if said else name


def read_json(path: Path, *, expected: str = AS_WRITTEN, fix: str = REPEAT) -> Any:
    """Read the JSON file `path`; `expected` and `fix` as for `reading`.

    Raises
    ------
    DamagedError
        It is missing, cannot be read, or is no JSON.
    """
    with reading(path, expected=expected, fix=fix):
        return json.loads(path.read_text("utf-8"))


def read_object(path: Path, model: type[M], *, expected: str = AS_WRITTEN, fix: str = REPEAT) -> dict[str, Any]:
    """Read the JSON object in the file `path` as it is, once it fits `model`; `expected` and `fix` as for `reading`.

    Raises
    ------
    DamagedError
        It is missing, cannot be read, or does not fit: the message names the first field that is wrong.
    """
    tree = read_json(path, expected=expected, fix=fix)
    check_fits(tree, model, path, expected=expected, fix=fix)
    return tree


def check_fits(tree: Any, model: type[BaseModel], path: Path, *, expected: str = AS_WRITTEN, fix: str = REPEAT) -> None:
    """Check that `tree`, read from `path`, fits `model`; `expected` and `fix` as for `reading`.

    Raises
    ------
    DamagedError
        It does not: the message names the first field that is wrong.
    """
    try:
        model.model_validate(tree, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(step)[:40] for step in first["loc"][:6])
        what = f"{place}: {first['msg']}" if place else str(first["msg"])
        raise DamagedError(f"{path} is damaged ({what[:SHOWN]})", expected=expected, fix=fix) from None


def read_parquet(path: Path, **options: Any) -> pa.Table:
    """Read the Parquet file `path`; `options` are those of `pyarrow.parquet.read_table`.

    Raises
    ------
    DamagedError
        It is missing or cannot be read, or lacks a column that `options` name.
    """
    with reading(path):
        table = pq.read_table(path, **options)
        table.validate(full=True)
        return table
