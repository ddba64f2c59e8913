"""Examples at the end of a command's help, also of one that a domain adds."""

from __future__ import annotations

import inspect
import textwrap

HEAD = "Examples:"


KEPT = "\b\n"
"""Before a paragraph whose lines are not joined and wrapped."""


def examples(text: str) -> str:
    """Make the epilog of a command out of `text`, whose lines are kept as they are, however narrow the terminal.

    A line that begins with ``#`` says what the command below it is for.
    """
    paragraphs = textwrap.indent(inspect.cleandoc(text), "  ").split("\n\n")
    return f"{KEPT}{HEAD}\n" + f"\n\n{KEPT}".join(paragraphs)


def commands_in(epilog: str | None) -> str:
    """The text that `examples` made an `epilog` of; empty where it holds no examples."""
    _, _, text = (epilog or "").replace(KEPT, "").partition(f"{HEAD}\n")
    return textwrap.dedent(text)
