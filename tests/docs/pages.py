"""Execute the pages of docs as a reader would: save the files, run the commands, and look for the printed output.

A page runs in one folder, block after block:

- a block of any language with ``title="NAME"`` is saved as the file NAME;
- a block of ``sh`` or ``python`` is run, and must succeed;
- a block of ``text`` right behind one that was run is what it prints, leaving lines out: ``…`` in a line stands for
  anything, and numbers may differ by `TOLERANCE`, as they do between machines;
- ``<!-- test: slow -->`` before a block: only with ``-m slow``; ``<!-- test: skip -->``: never;
- ``<!-- test: setup`` … ``-->`` holds Python that is run, and that readers do not see.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import forked

DOCS = Path(__file__).parents[2] / "docs"
TOLERANCE = 0.3
"""A number may be off by this, or by this share of itself."""
PART = re.compile(
    r"^<!-- test: setup\n(?P<setup>.*?)\n-->$"
    r"|^(?P<mark><!-- test: (?:slow|skip) -->\n)?```(?P<language>\w+)(?P<options>[^\n]*)\n(?P<code>.*?)\n```$",
    re.DOTALL | re.MULTILINE,
)
HERE = "import sys\nsys.path.insert(0, '')\n"
"""Modules and packages that a page writes are found in its folder, as if they were installed."""


@dataclass(frozen=True)
class Block:
    """Something that a page lets its reader save or run.

    Parameters
    ----------
    place
        The page and the line of the block.
    language
        ``sh``, ``python``, or that of a file.
    code
        The text.
    file
        The name under which it is saved; empty: it is run.
    slow
        It takes long.
    shown
        Lines that it prints.
    """

    place: str
    language: str
    code: str
    file: str = ""
    slow: bool = False
    shown: tuple[str, ...] = ()


def blocks(page: str) -> list[Block]:
    """What a page, given by its name below docs, lets a reader save or run, in order."""
    text = (DOCS / page).read_text("utf-8")
    found: list[Block] = []
    end, last_ran = 0, False
    for part in PART.finditer(text):
        place = f"docs/{page}:{text.count(chr(10), 0, part.start()) + 1}"
        mark, title = part["mark"] or "", re.search(r'title="(.+?)"', part["options"] or "")
        if part["setup"] is not None:
            found.append(Block(place, "python", part["setup"]))
        elif "skip" in mark:
            last_ran = False
            continue
        elif part["language"] == "text":
            if last_ran and not text[end : part.start()].strip():
                before = found.pop()
                shown = tuple(part["code"].splitlines())
                found.append(Block(before.place, before.language, before.code, slow=before.slow, shown=shown))
            last_ran = False
            continue
        elif title:
            found.append(Block(place, part["language"], part["code"], file=title[1]))
        elif part["language"] in ("sh", "python"):
            found.append(Block(place, part["language"], part["code"], slow="slow" in mark))
        else:
            continue
        end, last_ran = part.end(), part["setup"] is None and not title
    return found


def execute(page: str, folder: Path, *, slow: bool) -> str:
    """Run a page in an empty folder, with or without its slow blocks; all that it printed."""
    printed = ""
    for block in blocks(page):
        if block.file:
            (folder / block.file).parent.mkdir(parents=True, exist_ok=True)
            (folder / block.file).write_text(block.code + "\n", "utf-8")
        elif slow or not block.slow:
            output = run(block, folder)
            missing = unseen(block.shown, output)
            assert not missing, f"{block.place} does not print\n  {missing}\nbut\n{output}"
            printed += output
    return printed


def run(block: Block, folder: Path) -> str:
    """Run the commands or the Python of a block, which must succeed; what it printed, errors and messages first."""
    with tempfile.TemporaryFile("w+b") as file:
        steps = [_python(block.code, (), folder, file)] if block.language == "python" else _shell(block, folder, file)
        output = ""
        for code in steps:
            file.seek(0)
            output = file.read().decode()
            assert code == 0, f"{block.place} ends with exit code {code}:\n{output}"
        return output


def _shell(block: Block, folder: Path, file: IO[bytes]) -> Iterator[int]:
    for line in re.sub(r"\\\n\s*", "", block.code).splitlines():
        words = shlex.split(line, comments=True)
        if words[:1] == ["xdomain"] and not {"&", "|", ">"} & set(words):
            yield _python(forked.XDOMAIN, words[1:], folder, file)
        elif words[:1] == ["python"]:
            yield _python((folder / words[1]).read_text("utf-8"), words[2:], folder, file)
        elif words:
            path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
            bash = ["bash", "-euc", line]
            env = {**os.environ, "PATH": path}
            yield subprocess.run(bash, cwd=folder, env=env, stdout=file, stderr=file, check=False).returncode


def _python(script: str, arguments: list[str] | tuple[str, ...], folder: Path, file: IO[bytes]) -> int:
    environment = {**os.environ, "XDOMAIN_DATA": str(folder / "no-data")}
    ended = forked.run(HERE + script, *arguments, cwd=folder, stdout=file, stderr=file, env=environment)
    return ended.returncode


def unseen(shown: tuple[str, ...], output: str) -> str | None:
    """The first of the lines shown that the output lacks, at its place in their order; None if it has all."""
    lines = iter(output.splitlines())
    for expected in shown:
        if expected.strip() != "…" and not any(_alike(expected, line) for line in lines):
            return expected
    return None


def _alike(expected: str, line: str) -> bool:
    """A line says what is expected, but for blanks, numbers that differ a little, and what ``…`` stands for."""
    words, given = expected.split(), line.split()
    open_end = words[-1:] != [] and words[-1].endswith("…")
    if len(given) != len(words) and not (open_end and len(given) >= len(words) - (words[-1] == "…")):
        return False
    return all(_same(*pair) for pair in zip(words, given, strict=False))


NUMBER = re.compile(r"-?\d+\.\d+|\d+(?:,\d{3})*")


def _same(word: str, given: str) -> bool:
    if word.endswith("…"):
        return given.startswith(word[:-1])
    if NUMBER.sub("#", word) != NUMBER.sub("#", given):
        return False
    pairs = zip(NUMBER.findall(word), NUMBER.findall(given), strict=True)
    return all(_near(float(a.replace(",", "")), float(b.replace(",", ""))) for a, b in pairs)


def _near(a: float, b: float) -> bool:
    return abs(a - b) <= TOLERANCE * max(1, abs(a))
