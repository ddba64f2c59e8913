"""A token mapping (one vocabulary row per symbol, kept as JSON) and the names of the strategies that make one."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xdomain.core.errors import DataError, RecipeError, unknown

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
SCHEMA = 1


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


@dataclass(frozen=True, eq=False)
class TokenMapping:
    """One vocabulary row a symbol, no row twice.

    Parameters
    ----------
    symbols
        An alphabet's, in the order of their ids.
    ids
        Shape (alphabet,), int32: symbol i has row ``ids[i]``. Cannot be written to.
    pieces
        What the vocabulary has in those rows, for people to read.
    strategy, seed
        How the rows were found.
    vocabulary_sha256
        Of the vocabulary that the rows are rows of.
    """

    symbols: tuple[str, ...]
    ids: NDArray[np.int32]
    pieces: tuple[str, ...]
    strategy: str
    seed: int
    vocabulary_sha256: str

    def __post_init__(self) -> None:
        ids = np.array(self.ids, np.int32)
        if not len(self.symbols) == len(set(self.symbols)) == len(self.pieces) == len(ids):
            raise ValueError(f"{len(self.symbols)} symbols, {len(ids)} rows and {len(self.pieces)} pieces")
        if len(set(ids.tolist())) != len(ids) or (ids < 0).any():
            raise ValueError("a mapping gives every symbol a row of its own, from 0 on")
        ids.setflags(write=False)
        object.__setattr__(self, "ids", ids)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TokenMapping) and self.sha256 == other.sha256

    def __hash__(self) -> int:
        return hash(self.sha256)

    def _told(self) -> dict[str, object]:
        return {
            "schema": SCHEMA, "strategy": self.strategy, "seed": self.seed,
            "vocabulary_sha256": self.vocabulary_sha256, "symbols": list(self.symbols), "ids": self.ids.tolist(),
            "pieces": list(self.pieces),
        }  # fmt: skip

    @cached_property
    def sha256(self) -> str:
        """Of everything that the file on disk says."""
        return hashlib.sha256(json.dumps(self._told(), sort_keys=True).encode()).hexdigest()

    def special_token_collisions(self, special: Collection[int]) -> tuple[str, ...]:
        """The symbols whose row is one of `special`, such as the padding's.

        Only ``block`` and ``given`` do that; and ``identity``, which leaves a text's unknown token at its own row.
        """
        return tuple(s for s, row in zip(self.symbols, self.ids.tolist(), strict=True) if row in special)

    def save(self, path: Path) -> None:
        """Write as JSON."""
        told = {**self._told(), "sha256": self.sha256}
        path.write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", "utf-8")

    @classmethod
    def load(cls, path: Path) -> TokenMapping:
        """Read what `save` wrote.

        Raises
        ------
        DataError
            It is no mapping, of another schema, or was changed since it was written.
        """
        try:
            told = json.loads(path.read_text("utf-8"))
            schema, recorded = told["schema"], told["sha256"]
            ids = np.array(told["ids"], np.int32)
            mapping = cls(
                tuple(told["symbols"]), ids, tuple(told["pieces"]), told["strategy"], told["seed"],
                told["vocabulary_sha256"],
            )  # fmt: skip
        except KeyError as error:
            raise DataError(
                f"{path} is no mapping: it has no {error}", expected="mapping.json as a run writes it"
            ) from None
        except (OSError, ValueError, TypeError, OverflowError) as error:
            raise DataError(f"{path} is no mapping ({error})", expected="mapping.json as a run writes it") from None
        if schema != SCHEMA:
            raise DataError(f"{path} has schema {schema}", expected=f"schema {SCHEMA}", fix="upgrade xdomain")
        if recorded != mapping.sha256:
            raise DataError(
                f"{path} was edited after it was written: its contents have sha256 {mapping.sha256[:12]}…",
                expected=f"sha256 {str(recorded)[:12]}…, as the file itself says",
                fix="put the file back as it was; for rows of your own use the mapping `given`",
            )
        return mapping
