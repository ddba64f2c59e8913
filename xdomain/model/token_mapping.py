"""Token mappings (one vocabulary row for each symbol, kept as JSON) and the names of the strategies that make them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xdomain.core.errors import DataError, RecipeError, unknown
from xdomain.core.json_text import parse_json

STRATEGIES = (
    "random", "own", "frequent", "rare", "identity", "permute", "shift", "block", "given", "learned", "search"
)  # fmt: skip
RANDOM_STRATEGIES = ("random", "permute", "shift", "learned", "search")
"""Strategies that give another mapping for another mapping seed."""
ARGUMENTS = {
    "block": ("[0-9]+", "block:N, N the first row; no other mapping has a number"),
    "search": ("[2-9]|[1-9][0-9]{1,2}", "search:N, the best of N draws, N from 2 to 999"),
    "learned": ("sparse", "learned, or learned:sparse"),
}
"""What may follow the colon of a strategy: a regular expression, and the sentence for an error message."""
SEARCHED = 16  # candidates of a search that names no number
STRIDE = 1000
"""Distance between the mapping seeds of a search's candidates."""
SCHEMA = 1


def is_drawn(strategy: str) -> bool:
    """Whether another mapping seed gives another mapping under `strategy`, such as ``random`` or ``search:8``."""
    return strategy.partition(":")[0] in RANDOM_STRATEGIES


def learned_kind(strategy: str) -> str | None:
    """``soft`` or ``sparse`` where `strategy` is a learned mapping, else None."""
    kind, _, how = strategy.partition(":")
    return (how or "soft") if kind == "learned" else None


def search_seeds(strategy: str, seed: int) -> tuple[int, ...]:
    """Mapping seeds of the candidates that ``search:N`` chooses among; for another `strategy` just `seed`.

    They are `seed`, `seed` + 1000, …. The first candidate is the mapping that ``random`` draws with `seed`. Searches
    with different mapping seeds below 1000 have no candidate in common.
    """
    kind, many = parse_strategy(strategy)
    return tuple(seed + STRIDE * i for i in range(many if kind == "search" else 1))


def parse_strategy(strategy: str) -> tuple[str, int]:
    """Take `strategy`, such as ``block:100``, apart: its name and its number.

    The number is the first row of a block, or the candidates of a search; 0 for every other strategy.

    Raises
    ------
    RecipeError
        There is no such strategy, or it takes no such argument.
    """
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
    """One vocabulary row for each symbol; no two symbols share one, but for those that the vocabulary lacks.

    Parameters
    ----------
    symbols
        The symbols of an alphabet, in the order of their ids.
    ids
        Shape (alphabet,), int32: symbol i has row ``ids[i]``. A read-only copy is kept.
    pieces
        The wordpieces of those rows, for people to read.
    strategy, seed
        How the rows were chosen.
    vocabulary_sha256
        Of the vocabulary that the rows belong to: `xdomain.model.vocabulary.Vocabulary.sha256`.
    lacking
        Under the strategy ``own``: the symbols that the vocabulary has no piece for, at the row of its unknown token.
    """

    symbols: tuple[str, ...]
    ids: NDArray[np.int32]
    pieces: tuple[str, ...]
    strategy: str
    seed: int
    vocabulary_sha256: str
    lacking: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        ids = np.array(self.ids, np.int32)
        if not len(self.symbols) == len(set(self.symbols)) == len(self.pieces) == len(ids):
            raise ValueError(f"{len(self.symbols)} symbols, {len(ids)} rows and {len(self.pieces)} pieces")
        own = [row for symbol, row in zip(self.symbols, ids.tolist(), strict=True) if symbol not in self.lacking]
        if len(set(own)) != len(own) or (ids < 0).any():
            raise ValueError("a mapping gives every symbol a row of its own, from 0 on")
        ids.setflags(write=False)
        object.__setattr__(self, "ids", ids)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TokenMapping) and self.sha256 == other.sha256

    def __hash__(self) -> int:
        return hash(self.sha256)

    def _contents(self) -> dict[str, object]:
        return {
            "schema": SCHEMA, "strategy": self.strategy, "seed": self.seed,
            "vocabulary_sha256": self.vocabulary_sha256, "symbols": list(self.symbols), "ids": self.ids.tolist(),
            "pieces": list(self.pieces),
            **({"lacking": sorted(self.lacking)} if self.lacking else {}),
        }  # fmt: skip

    @cached_property
    def sha256(self) -> str:
        """Of everything that the file on disk holds."""
        return hashlib.sha256(json.dumps(self._contents(), sort_keys=True).encode()).hexdigest()

    def part(self, first: int, symbols: Sequence[str]) -> TokenMapping:
        """The rows of some symbols alone: those from the place `first` on, which an adapter itself calls `symbols`."""
        places = slice(first, first + len(symbols))
        called = dict(zip(self.symbols[places], symbols, strict=True))
        lacking = frozenset(called[one] for one in self.lacking if one in called)
        return TokenMapping(
            tuple(symbols), self.ids[places], self.pieces[places], self.strategy, self.seed,
            self.vocabulary_sha256, lacking,
        )  # fmt: skip

    def special_token_collisions(self, special: Collection[int]) -> tuple[str, ...]:
        """The symbols whose row is one of `special`, such as the padding's.

        Only ``block`` and ``given`` put symbols there, and ``identity``, which leaves a text's unknown token at its own
        row.
        """
        return tuple(s for s, row in zip(self.symbols, self.ids.tolist(), strict=True) if row in special)

    def save(self, path: Path) -> None:
        """Write the mapping to the file `path`, as JSON."""
        contents = {**self._contents(), "sha256": self.sha256}
        path.write_text(json.dumps(contents, ensure_ascii=False, indent=1) + "\n", "utf-8")

    @classmethod
    def load(cls, path: Path) -> TokenMapping:
        """Read the file `path` that `save` wrote.

        Raises
        ------
        DataError
            It is no mapping, of another schema, or was changed since it was written.
        """
        try:
            contents = parse_json(path.read_text("utf-8"))
            schema, recorded = contents["schema"], contents["sha256"]
            ids = np.array(contents["ids"], np.int32)
            mapping = cls(
                tuple(contents["symbols"]), ids, tuple(contents["pieces"]), contents["strategy"], contents["seed"],
                contents["vocabulary_sha256"], frozenset(contents.get("lacking", ())),
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
