"""docs/security.md names a test for each line; the tests exist."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text("utf-8")
ROWS = [line for line in PAGE.splitlines() if line.startswith("|")][2:]


def named(text):
    return re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text)


def test_every_line_names_a_test():
    assert len(ROWS) >= 12
    assert [row for row in ROWS if not named(row)] == []


def test_every_named_test_exists():
    lost = [
        f"{file}::{name}"
        for file, name in named(PAGE)
        if not any(
            isinstance(node, ast.FunctionDef) and node.name == name and name.startswith("test_")
            for node in ast.parse((ROOT / file).read_text("utf-8")).body
        )
    ]
    assert lost == []


def test_the_limits_of_downloads_are_those_of_the_code():
    from xdomain.data.download import Limits

    limits, text = Limits(), " ".join(PAGE.split())
    pace = f"after {limits.window:g} seconds with fewer than {limits.pace:,} bytes"
    assert f"after {limits.seconds / 3600:g} hours, {pace}" in text
    assert f"after {limits.size / 2**30:g} GiB" in text
