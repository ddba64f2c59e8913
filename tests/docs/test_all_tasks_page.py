"""The page over all tasks is what the script makes of the committed reports, and nothing else."""

import importlib.util
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_page_is_made_from_the_reports():
    spec = importlib.util.spec_from_file_location("does_text_help", ROOT / "benchmarks" / "does_text_help.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    page = (ROOT / "docs" / "results" / "text-pretraining.md").read_text("utf-8")
    named = dict.fromkeys(re.findall(r"\((text-pretraining-[\w-]+)/report\.md\)", page))
    reports = [ROOT / "docs" / "results" / name for name in named]
    assert {folder.name for folder in reports} == {
        folder.name for folder in (ROOT / "docs" / "results").glob("text-pretraining-*")
    }
    assert script.page_of(reports) == page
