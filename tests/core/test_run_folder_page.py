"""docs/run-folder.md lists every file that a run writes."""

import re
from pathlib import Path

from xdomain.core.run_dir import LOCK, WRITTEN, as_svg

PAGE = (Path(__file__).parents[2] / "docs" / "run-folder.md").read_text("utf-8")


def test_every_file_of_a_run_has_a_row():
    rows = re.findall(r"(?m)^\| `([\w.-]+?)/?`", PAGE)
    written = set(WRITTEN) - {as_svg(name) for name in WRITTEN if name.endswith(".png")}
    assert written <= set(rows)
    assert set(rows) - written == {"fold-0"}
    assert "each PNG has an SVG beside it" in PAGE
    assert f"`{LOCK}`" in PAGE
