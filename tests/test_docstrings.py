"""Docstrings of the public names: every argument is described. (Ruff's D417 sees to lists that leave some out.)"""

import inspect
import re

import pytest

import xdomain
import xdomain.sklearn

NAMES = {name: getattr(xdomain, name) for name in xdomain.__all__}
NAMES["sklearn.XDomainClassifier"] = xdomain.sklearn.XDomainClassifier


def callables():
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


CALLABLES = dict(callables())


@pytest.mark.parametrize("name", CALLABLES)
def test_every_argument_is_described(name):
    text = inspect.getdoc(CALLABLES[name]) or ""
    assert re.match(r"[A-Z].*[.?:]", text), f"{name} has no first sentence"
    arguments = [p for p in inspect.signature(CALLABLES[name]).parameters if p not in ("self", "args", "kwargs")]
    private = [p for p in arguments if p.startswith("_")]
    missing = [
        p for p in arguments if p not in private and not re.search(rf"(?m)^\*{{0,2}}(\w+, )*{p}(, \w+)*$|`{p}`", text)
    ]
    assert not missing, f"{name} does not say what {', '.join(missing)} is"


def test_there_is_something_to_look_at():
    assert {"run", "compare", "load", "Study", "Model.predict", "Result.predictions"} <= set(CALLABLES)
