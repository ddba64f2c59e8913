"""The page over all tasks is what the script makes of the committed reports, and nothing else."""

import importlib
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_page_is_made_from_the_reports(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    script = importlib.import_module("does_text_help")
    page = (ROOT / "docs" / "results" / "text-pretraining.md").read_text("utf-8")
    named = dict.fromkeys(re.findall(r"\((text-pretraining-[\w-]+)/report\.md\)", page))
    reports = [ROOT / "docs" / "results" / name for name in named]
    assert set(reports) == set((ROOT / "docs" / "results").glob("text-pretraining-*"))
    assert script.page_of(reports) == page
