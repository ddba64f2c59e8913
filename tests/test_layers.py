"""The layers of the code: an import goes down, never up, in a circle, or to another package of the same layer."""

import ast
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LAYERS = (  # lowest first; packages and modules of one layer do not import each other
    ("xdomain/core/",),
    ("xdomain/data/",),
    ("adapters/", "xdomain/model/", "tasks/"),
    ("xdomain/metrics/",),
    ("xdomain/training/",),
    ("xdomain/baselines/", "xdomain/pretraining/"),
    ("xdomain/inference/",),
    ("xdomain/runs/",),
    ("xdomain/analysis/", "xdomain/export/", "xdomain/sklearn.py", "xdomain/study/"),
    ("xdomain/compression/", "xdomain/hub/"),
    ("xdomain/inspection.py",),
    ("xdomain/app/",),
    ("xdomain/cli/",),
    ("xdomain/__main__.py",),
)
MODULES = sorted(
    str(path.relative_to(ROOT))
    for folder in ("xdomain", "adapters", "tasks")
    for path in (ROOT / folder).rglob("*.py")
    if path != ROOT / "xdomain" / "__init__.py"  # the public names: it imports from every layer
)


def layer(path):
    for number, places in enumerate(LAYERS):
        for place in places:
            if path == place or (place.endswith("/") and path.startswith(place)):
                return number, place
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


def test_no_modules_import_each_other_in_a_circle():
    files = {path for path in MODULES if not path.endswith("__init__.py")}  # any import of a package's module loads it
    graph = {path: {file_of(module) for module in imports(path)} & files - {path} for path in files}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


def test_there_are_modules_to_look_at():
    assert len(MODULES) > 40


@pytest.mark.parametrize("path", MODULES)
def test_imports_go_down(path):
    here = layer(path)
    assert here is not None, f"{path} is in no layer"
    for module in imports(path):
        target = file_of(module)
        if target in (None, path, "xdomain/__init__.py"):
            continue
        there = layer(target)
        assert there is not None
        assert there[1] == here[1] or there[0] < here[0], f"{path} imports {target}, which does not lie below it"


@pytest.mark.parametrize("path", [p for p in MODULES if p.startswith("xdomain/")])
def test_the_core_finds_the_wings_through_entry_points_alone(path):
    assert not [m for m in imports(path) if re.match(r"xdomain\.(adapters|tasks)\b", m)]


@pytest.mark.parametrize("path", MODULES)
def test_files_are_short(path):
    assert (ROOT / path).read_text("utf-8").count("\n") <= 500
