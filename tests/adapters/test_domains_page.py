"""docs/domains.md lists all options of each shipped domain, with their defaults."""

import dataclasses
import json
import re
from importlib.metadata import entry_points
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "domains.md").read_text("utf-8")
SECTIONS = dict(re.findall(r"(?ms)^## (\w+)\n(.*?)(?=^## |\Z)", PAGE))
IN_WORDS = {"none", "the backbone's", "by the law"}
"""Defaults that the page gives in words: empty texts, and None."""


def shipped():
    return sorted(one.name for one in entry_points(group="xdomain.adapters") if one.value.startswith("xdomain."))


def written(value):
    """A default as the page writes it."""
    if isinstance(value, str):
        return value
    return f"{value:g}" if isinstance(value, float) else json.dumps(value)


def test_each_domain_has_a_section():
    assert sorted(SECTIONS) == shipped()


@pytest.mark.parametrize("domain", shipped())
def test_options_and_defaults(domain):
    (entry,) = (one for one in entry_points(group="xdomain.adapters") if one.name == domain)
    rows = re.findall(r"(?m)^\| `(\w+)` \| (.*?) \|", SECTIONS[domain])
    options = {field.name: field for field in dataclasses.fields(entry.load())}
    assert [name for name, _ in rows] == list(options)
    for name, shown in rows:
        default = options[name].default
        if shown in IN_WORDS:
            assert not default, name
        else:
            assert shown == f"`{written(default)}`", name
