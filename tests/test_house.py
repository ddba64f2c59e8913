"""The house as drawn: an import goes down, never up, and never between wings."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FLOORS = (  # lowest first
    ("xdomain/errors.py", "xdomain/lazy.py", "xdomain/progress.py"),
    ("xdomain/entries.py", "xdomain/written.py", "xdomain/wording.py", "xdomain/imports.py"),
    ("xdomain/data/", "xdomain/plugins.py", "xdomain/recipe.py"),
    ("adapters/", "xdomain/model/", "tasks/"),
    ("xdomain/training/", "xdomain/preparation.py"),
    ("xdomain/run.py",),
    (
        "xdomain/study/",
        "xdomain/analysis/",
        "xdomain/prediction.py",
        "xdomain/evaluation.py",
        "xdomain/inspection.py",
        "xdomain/diagnosis.py",
    ),
    ("xdomain/printing.py",),
    (
        "xdomain/cli.py",
        "xdomain/cli_analyze.py",
        "xdomain/cli_plugins.py",
        "xdomain/cli_pretrain.py",
        "xdomain/cli_progress.py",
        "xdomain/cli_study.py",
    ),
)
WINGS = FLOORS[3]
MODULES = sorted(
    str(path.relative_to(ROOT))
    for folder in ("xdomain", "adapters", "tasks")
    for path in (ROOT / folder).rglob("*.py")
    if path != ROOT / "xdomain" / "__init__.py"  # the public names: it imports from every floor
)


def floor(path):
    if re.fullmatch(r"adapters/\w+/commands\.py", path):  # what a domain adds to the command line
        return len(FLOORS) - 1, path
    for number, rooms in enumerate(FLOORS):
        for room in rooms:
            if path == room or (room.endswith("/") and path.startswith(room)):
                return number, room
    return None


def file_of(module):
    parts = module.split(".")
    if parts[:2] in (["xdomain", "adapters"], ["xdomain", "tasks"]):
        parts = parts[1:]
    for candidate in ("/".join(parts) + ".py", "/".join(parts) + "/__init__.py"):
        if (ROOT / candidate).is_file():
            return candidate
    return None


def imports(path):
    package = ("xdomain/" + path if path.startswith(("adapters", "tasks")) else path).split("/")[:-1]
    for node in ast.walk(ast.parse((ROOT / path).read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            stem = ".".join([*base, *([node.module] if node.module else [])])
            yield stem
            yield from (f"{stem}.{alias.name}" for alias in node.names)


def test_there_are_modules_to_look_at():
    assert len(MODULES) > 40


@pytest.mark.parametrize("path", MODULES)
def test_imports_go_down(path):
    here = floor(path)
    assert here is not None, f"{path} is on no floor of the house"
    for module in imports(path):
        target = file_of(module)
        if target in (None, path, "xdomain/__init__.py"):
            continue
        there = floor(target)
        assert there is not None
        assert there[0] <= here[0], f"{path} imports {target}, which lies above it"
        between_wings = here[1] in WINGS and there[1] in WINGS and here[1] != there[1]
        assert not between_wings, f"{path} imports {target}: from one wing into another"


@pytest.mark.parametrize("path", [p for p in MODULES if p.startswith("xdomain/")])
def test_the_core_finds_the_wings_through_entry_points_alone(path):
    assert not [m for m in imports(path) if re.match(r"xdomain\.(adapters|tasks)\b", m)]


@pytest.mark.parametrize("path", MODULES)
def test_files_are_short(path):
    assert (ROOT / path).read_text("utf-8").count("\n") <= 400
