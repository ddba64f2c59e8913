"""docs/run-folder.md lists every file that a run writes."""

import re
from pathlib import Path

from xdomain.core.run_dir import LOCK, WRITTEN

PAGE = (Path(__file__).parents[2] / "docs" / "run-folder.md").read_text("utf-8")


def test_every_file_of_a_run_has_a_row():
    rows = re.findall(r"(?m)^\| `([\w.-]+?)/?`", PAGE)
    assert set(WRITTEN) <= set(rows)
    assert set(rows) - set(WRITTEN) == {"fold-0"}
    assert f"`{LOCK}`" in PAGE
