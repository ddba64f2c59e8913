"""How far a run has come, for whoever shows it. Nothing is shown unless the command line asks for it."""

from __future__ import annotations

from collections.abc import Callable

Say = Callable[[str], None]
"""Takes a line of text for the person who started a run."""
