"""What a name that somebody typed stands for, however long or odd it is."""

from __future__ import annotations

from pathlib import Path

RECIPE, RESULT, PLAN = "recipe.yaml", "result.json", "plan.json"
"""The files by which the folder of a run, that of a finished run, and that of a study are known."""


def is_file(path: str | Path) -> bool:
    """Whether `path` is a file; False for a name that is too long for one, where `Path.is_file` raises an OSError."""
    try:
        return Path(path).is_file()
    except OSError:
        return False


def is_folder(path: str | Path) -> bool:
    """Whether `path` is a folder; False for a name that is too long for one."""
    try:
        return Path(path).is_dir()
    except OSError:
        return False


def exists(path: str | Path) -> bool:
    """Whether `path` is there; False for a name that is too long."""
    try:
        return Path(path).exists()
    except OSError:
        return False


def expanded(path: str | Path) -> Path:
    """`path` with ``~`` as the home folder; unchanged where there is no such user."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def nearby(path: str) -> str:
    """`path` as somebody would type it: from the working directory, where it lies below it."""
    try:
        return str(Path(path).relative_to(Path.cwd()))
    except (ValueError, OSError):  # elsewhere, or no path; or the working directory is gone
        return path
