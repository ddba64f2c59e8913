"""Docstrings: every argument of every public function is described. (Ruff's D417 sees to lists that leave some out.)"""

import ast
import inspect
import re
from pathlib import Path

import pytest

import xdomain
import xdomain.sklearn

ROOT = Path(__file__).parent.parent
FILES = sorted(path for folder in ("xdomain", "adapters") for path in (ROOT / folder).rglob("*.py"))
NAMES = {name: getattr(xdomain, name) for name in xdomain.__all__}
NAMES["sklearn.XDomainClassifier"] = xdomain.sklearn.XDomainClassifier


def protocols():
    """The methods that a protocol of the core describes: who implements one need not say it again."""
    for name in ("plugins", "adapter_protocols", "sequences"):
        for node in ast.walk(ast.parse((ROOT / "xdomain" / "core" / f"{name}.py").read_text("utf-8"))):
            if isinstance(node, ast.ClassDef) and any("Protocol" in ast.unparse(base) for base in node.bases):
                yield from (part.name for part in node.body if isinstance(part, ast.FunctionDef))


DESCRIBED = set(protocols())


def functions(tree, of_class=False):
    """The public functions and methods of a module."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from functions(node, of_class=True)
        elif isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            is_command = node.name.endswith("_command")  # its options have a help text each
            if not is_command and not (of_class and node.name in DESCRIBED):
                yield node


def undescribed(text, arguments):
    """Arguments that stand neither in a list of parameters nor in `backticks`."""
    return [name for name in arguments if not re.search(rf"(?m)^\*{{0,2}}(\w+, )*{name}(, \w+)*$|`{name}`", text)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_argument_of_a_public_function_is_described(path):
    missing = {}
    for node in functions(ast.parse(path.read_text("utf-8"))):
        signature = node.args
        arguments = [a.arg for a in (*signature.posonlyargs, *signature.args, *signature.kwonlyargs)]
        arguments = [name for name in arguments if name not in ("self", "cls") and not name.startswith("_")]
        if lacking := undescribed(ast.get_docstring(node) or "", arguments):
            missing[node.name] = lacking
    assert not missing


def exported():
    for name, thing in NAMES.items():
        if inspect.isclass(thing):
            if issubclass(thing, Exception) or "core" in thing.__module__:
                continue
            yield name, thing
            for method, function in vars(thing).items():
                if not method.startswith("_") and inspect.isfunction(function):
                    yield f"{name}.{method}", function
        elif callable(thing):
            yield name, thing


EXPORTED = dict(exported())


@pytest.mark.parametrize("name", EXPORTED)
def test_exported_names_say_what_they_are_and_take(name):
    text = inspect.getdoc(EXPORTED[name]) or ""
    assert re.match(r"[A-Z].*[.?:]", text), f"{name} has no first sentence"
    arguments = [p for p in inspect.signature(EXPORTED[name]).parameters if p not in ("self", "args", "kwargs")]
    assert not undescribed(text, [p for p in arguments if not p.startswith("_")])


def test_there_is_something_to_look_at():
    assert {"run", "compare", "load", "Study", "Model.predict", "Result.predictions"} <= set(EXPORTED)
    assert len(FILES) > 150
