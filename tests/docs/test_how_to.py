"""The how-to pages: what they run succeeds and prints what they show."""

import pytest
from pages import DOCS, blocks, execute

PAGES = [page for path in sorted((DOCS / "how-to").glob("*.md")) if blocks(page := f"how-to/{path.name}")]
NEEDS = {"how-to/onnx-and-hub.md": "onnx"}


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_a_how_to(page, tmp_path):
    if page in NEEDS:
        pytest.importorskip(NEEDS[page])
    execute(page, tmp_path, slow=True)


def test_most_of_them_run_something():
    assert len(PAGES) >= 7
