"""Pages are executed as a reader would execute them, and a page that promises something else fails."""

import pages
import pytest
from pages import blocks, execute, unseen

OUTPUT = "reading\naccuracy\t0.9500\t0.9000 [0.8400, 0.9500]\t0.5100\nrun folder: runs/x\n"
PAGE = """\
# A page

```python title="say.py"
print("one", 2.5)
```

<!-- test: setup
from pathlib import Path
Path("given.txt").write_text("here")
-->

```sh
python say.py
cat given.txt
```

```text
one 2.6
…
here
```

<!-- test: slow -->
```sh
false
```

<!-- test: skip -->
```sh
no-such-command
```

Text that nothing printed:

```text
nothing
```
"""


@pytest.fixture
def page(tmp_path, monkeypatch):
    monkeypatch.setattr(pages, "DOCS", tmp_path)

    def write(text=PAGE):
        (tmp_path / "page.md").write_text(text)
        return "page.md"

    return write


@pytest.mark.parametrize(
    "shown",
    [
        ("accuracy  0.9500  0.9000 [0.8400, 0.9500]  0.5100",),
        ("accuracy 0.8 0.8 [0.7, 1.0] 0.5",),
        ("accuracy …",),
        ("reading", "…", "run folder: runs/x"),
        ("accuracy … … [0.84, …",),
    ],
)
def test_what_is_printed_is_found(shown):
    assert unseen(shown, OUTPUT) is None


@pytest.mark.parametrize(
    "shown",
    [
        ("accuracy 0.95 0.2 [0.84, 0.95] 0.51",),
        ("f1 0.9500",),
        ("accuracy",),
        ("accuracy 0.95 0.90 [0.84, 0.95] 0.51 0.60",),
        ("run folder: runs/x", "reading"),
        ("run folder: runs/y",),
    ],
)
def test_what_is_not_printed_is_named(shown):
    assert unseen(shown, OUTPUT) == shown[-1]


def test_a_page_is_read_as_its_marks_say(page):
    saved, setup, ran, slow = blocks(page())
    assert (saved.file, saved.code) == ("say.py", 'print("one", 2.5)')
    assert (setup.language, setup.shown, slow.slow) == ("python", (), True)
    assert ran.shown == ("one 2.6", "…", "here") and ran.place == "docs/page.md:12"


def test_a_page_is_executed(page, tmp_path):
    assert execute(page(), tmp_path, slow=False) == "one 2.5\nhere"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [("one 2.6", "two 2.6", "does not print\n  two 2.6"), ("cat given.txt", "cat lost.txt", "ends with exit code 1")],
)
def test_a_page_that_does_something_else_fails(page, tmp_path, old, new, says):
    with pytest.raises(AssertionError, match=says):
        execute(page(PAGE.replace(old, new)), tmp_path, slow=False)
    with pytest.raises(AssertionError, match="exit code 1"):
        execute(page(), tmp_path, slow=True)
