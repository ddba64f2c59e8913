"""Which vocabulary row each symbol has: one row a symbol, kept as JSON."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xdomain.core.errors import DataError

SCHEMA = 1


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

    def collides(self, special: Collection[int]) -> tuple[str, ...]:
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
            raise DataError(f"{path} has schema {schema}", expected=f"schema {SCHEMA}", mend="upgrade xdomain")
        if recorded != mapping.sha256:
            raise DataError(
                f"{path} was edited after it was written: its contents have sha256 {mapping.sha256[:12]}…",
                expected=f"sha256 {str(recorded)[:12]}…, as the file itself says",
                mend="put the file back as it was; for rows of your own use the mapping `given`",
            )
        return mapping
