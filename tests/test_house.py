"""The house as drawn: an import goes down, never up, in a circle, or to a room on the same floor."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FLOORS = (  # lowest first; rooms of one floor stand side by side
    ("xdomain/core/",),
    ("xdomain/data/",),
    ("adapters/", "xdomain/model/", "tasks/"),
    ("xdomain/metrics/",),
    ("xdomain/training/",),
    ("xdomain/baselines/", "xdomain/pretraining/"),
    ("xdomain/saved_model.py", "xdomain/verdict.py"),
    ("xdomain/predictor.py",),
    ("xdomain/prediction.py", "xdomain/scorer.py"),
    ("xdomain/embedding/", "xdomain/genome_track.py"),
    ("xdomain/variants/", "xdomain/anomaly.py"),
    ("xdomain/trained_model.py",),
    ("xdomain/result.py", "xdomain/run_names.py"),
    ("xdomain/cross_validation.py",),
    ("xdomain/pipeline.py",),
    ("xdomain/sklearn.py",),
    ("xdomain/evaluation.py", "xdomain/zero_shot.py"),
    ("xdomain/analysis/", "xdomain/study/", "xdomain/export/"),
    ("xdomain/compression/",),
    ("xdomain/inspection.py",),
    ("xdomain/cli/",),
)
MODULES = sorted(
    str(path.relative_to(ROOT))
    for folder in ("xdomain", "adapters", "tasks")
    for path in (ROOT / folder).rglob("*.py")
    if path != ROOT / "xdomain" / "__init__.py"  # the public names: it imports from every floor
)


def floor(path):
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
        assert there[1] == here[1] or there[0] < here[0], f"{path} imports {target}, which does not lie below it"


@pytest.mark.parametrize("path", [p for p in MODULES if p.startswith("xdomain/")])
def test_the_core_finds_the_wings_through_entry_points_alone(path):
    assert not [m for m in imports(path) if re.match(r"xdomain\.(adapters|tasks)\b", m)]


@pytest.mark.parametrize("path", MODULES)
def test_files_are_short(path):
    assert (ROOT / path).read_text("utf-8").count("\n") <= 500
