"""Ways to find a mapping, by name: ``random``, ``frequent``, ``block:100``, ``search:16``, …"""

from __future__ import annotations

import re

from xdomain.core.errors import RecipeError, unknown

STRATEGIES = ("random", "frequent", "rare", "identity", "permute", "shift", "block", "given", "learned", "search")
DRAWN = ("random", "permute", "shift", "learned", "search")
"""Mappings of which another seed is another one."""
ARGUMENTS = {
    "block": ("[0-9]+", "block:N, N the first row; no other mapping has a number"),
    "search": ("[2-9]|[1-9][0-9]{1,2}", "search:N, the best of N draws, N from 2 to 999"),
    "learned": ("sparse", "learned, or learned:sparse"),
}
"""What may follow a mapping's colon, and how to say so."""
SEARCHED = 16
STRIDE = 1000
"""Between the seeds of the draws that a search chooses among."""


def is_drawn(strategy: str) -> bool:
    """Whether another mapping seed is another mapping."""
    return strategy.partition(":")[0] in DRAWN


def learned_kind(strategy: str) -> str | None:
    """``soft`` or ``sparse`` where a mapping is learned, None where it is not."""
    kind, _, how = strategy.partition(":")
    return (how or "soft") if kind == "learned" else None


def search_seeds(strategy: str, seed: int) -> tuple[int, ...]:
    """Seeds of the random mappings that ``search:N`` chooses among: seed, seed + 1000, …; elsewhere its own.

    The first is what `random` would draw with that mapping seed; searches with mapping seeds below 1000 share none.
    """
    kind, many = parse_strategy(strategy)
    return tuple(seed + STRIDE * i for i in range(many if kind == "search" else 1))


def parse_strategy(strategy: str) -> tuple[str, int]:
    """What a mapping is called, and its number: the first row of a block, the draws of a search."""
    kind, colon, argument = strategy.partition(":")
    if kind not in STRATEGIES:
        raise unknown("mapping", strategy, STRATEGIES)
    allowed, expected = ARGUMENTS.get(kind, ("", "block:N, N the first row; no other mapping has a number"))
    if colon and not re.fullmatch(allowed, argument):
        raise RecipeError(f"mapping {strategy!r}", expected=expected, nearest=kind)
    if kind == "learned":
        return kind, 0
    return kind, int(argument or (SEARCHED if kind == "search" else 0))
