"""Which vocabulary row each symbol gets: at random but reproducibly, or by a rule."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerBase

from xdomain.data.sequences import Alphabet
from xdomain.errors import DataError, RecipeError, nearest, unknown

SCHEMA = 1
STRATEGIES = ("random", "frequent", "rare", "identity", "permute", "shift", "block", "given")
UNUSED = re.compile(r"\[unused\d+\]|<unused\d+>|madeupword\d+")


@dataclass(frozen=True)
class Vocabulary:
    """A backbone's wordpieces in the order of their ids, and which ids are special."""

    pieces: tuple[str, ...]
    special: frozenset[int]

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase) -> Vocabulary:
        """The vocabulary of a tokenizer; rows without a piece are named ``[unusedN]``."""
        ids = tokenizer.get_vocab()
        pieces = [f"[unused{i}]" for i in range(max(ids.values()) + 1)]
        for piece, i in ids.items():
            pieces[i] = piece
        return cls(tuple(pieces), frozenset(tokenizer.all_special_ids))

    @property
    def sha256(self) -> str:
        """A digest of the pieces in order."""
        return hashlib.sha256("\n".join(self.pieces).encode()).hexdigest()

    @property
    def ordinary(self) -> NDArray[np.int64]:
        """Rows that stand for text: no special tokens, no unused rows. Sorted."""
        return np.array(
            [i for i, p in enumerate(self.pieces) if i not in self.special and not UNUSED.fullmatch(p)], np.int64
        )


@dataclass(frozen=True)
class TokenMapping:
    """One vocabulary row a symbol, no row twice.

    Parameters
    ----------
    ids
        Shape (alphabet,), int32.
    """

    symbols: tuple[str, ...]
    ids: NDArray[np.int32]
    pieces: tuple[str, ...]
    strategy: str
    seed: int
    vocabulary_sha256: str

    def __post_init__(self) -> None:
        if len(self.symbols) != len(self.ids) or len(set(self.ids.tolist())) != len(self.ids):
            raise ValueError("a mapping gives every symbol a row of its own")

    @property
    def sha256(self) -> str:
        """A digest of symbols, rows and vocabulary: what decides what the model sees."""
        told = json.dumps([self.symbols, self.ids.tolist(), self.vocabulary_sha256])
        return hashlib.sha256(told.encode()).hexdigest()

    def save(self, path: Path) -> None:
        """Write as JSON."""
        told = {
            "schema": SCHEMA, "strategy": self.strategy, "seed": self.seed, "sha256": self.sha256,
            "vocabulary_sha256": self.vocabulary_sha256, "symbols": list(self.symbols), "ids": self.ids.tolist(),
            "pieces": list(self.pieces),
        }  # fmt: skip
        path.write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", "utf-8")

    @classmethod
    def load(cls, path: Path) -> TokenMapping:
        """Read what `save` wrote; a file that was changed since is a `DataError`."""
        try:
            told = json.loads(path.read_text("utf-8"))
            mapping = cls(
                tuple(told["symbols"]), np.array(told["ids"], np.int32), tuple(told["pieces"]), told["strategy"],
                told["seed"], told["vocabulary_sha256"],
            )  # fmt: skip
            recorded = told["sha256"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path} is no mapping ({error})", expected="mapping.json as a run writes it") from None
        if recorded != mapping.sha256:
            raise DataError(f"{path} was changed after it was written", expected=f"sha256 {recorded}")
        return mapping


def make_mapping(
    alphabet: Alphabet,
    vocabulary: Vocabulary,
    *,
    strategy: str = "random",
    seed: int = 0,
    given: Mapping[str, str] | None = None,
) -> TokenMapping:
    """Give every symbol a vocabulary row.

    Parameters
    ----------
    strategy
        random: drawn from the ordinary rows without replacement;
        frequent, rare: the first or last whole words of two letters or more, in the vocabulary's order, in
        which trainers of wordpieces list them by frequency;
        identity: the symbol's own letters where the vocabulary has them, as they are or in lower case;
        permute: row i of a permutation of all ordinary rows, for symbol i;
        shift: consecutive ordinary rows from a random start, cyclic;
        block: consecutive raw rows from 0, or from N for ``block:N``, special and unused rows included, as
        two speech toolkits do by how they resize embeddings;
        given: by the table `given`; symbols it does not name are drawn at random.
    seed
        Alone decides what is random: PCG64, the same on any machine.

    A symbol that is itself one of the vocabulary's special tokens, such as [UNK] for text, keeps its row.

    Raises
    ------
    RecipeError
        An unknown strategy, an alphabet larger than the vocabulary, or a table that cannot hold.
    """
    kind, _, argument = strategy.partition(":")
    if kind not in STRATEGIES or (argument and (kind != "block" or not argument.isdigit())):
        raise unknown("mapping", strategy, STRATEGIES)
    if (kind == "given") != bool(given):
        raise RecipeError(
            f"mapping {strategy} " + ("without a table" if kind == "given" else "with a table"),
            expected="run.mapping: given, and run.mapping_table: {A: we, T: you, C: he, G: she}",
        )
    place = {piece: i for i, piece in enumerate(vocabulary.pieces)}
    fixed = {s: place[s] for s in alphabet.symbols if s in place and place[s] in vocabulary.special}
    if kind == "identity":
        fixed |= _own_letters(alphabet, vocabulary, place, fixed)
    if given:
        fixed |= _by_hand(alphabet, given, place)
    free = [s for s in alphabet.symbols if s not in fixed]
    rows = _rows(kind, int(argument or 0), len(free), vocabulary, set(fixed.values()), seed)
    chosen = fixed | dict(zip(free, rows, strict=True))
    ids = np.array([chosen[s] for s in alphabet.symbols], np.int32)
    pieces = tuple(vocabulary.pieces[i] for i in ids)
    return TokenMapping(alphabet.symbols, ids, pieces, strategy, seed, vocabulary.sha256)


def _rows(kind: str, start: int, n: int, vocabulary: Vocabulary, taken: set[int], seed: int) -> list[int]:
    """Rows for n symbols, none of `taken`."""
    rng = np.random.Generator(np.random.PCG64(seed))
    pool: Sequence[int] = [i for i in vocabulary.ordinary.tolist() if i not in taken]
    if kind in ("frequent", "rare"):
        words = [i for i in pool if len(vocabulary.pieces[i]) > 1 and vocabulary.pieces[i].isalpha()]
        pool = words if kind == "frequent" else words[::-1]
    elif kind == "block":
        pool = [i for i in range(start, len(vocabulary.pieces)) if i not in taken]
    elif kind == "shift":
        first = int(rng.integers(len(pool))) if pool else 0
        pool = [*pool[first:], *pool[:first]]
    elif kind == "permute":
        pool = rng.permutation(pool).tolist()
    elif n <= len(pool):
        pool = rng.choice(pool, n, replace=False).tolist() if n else []
    if n > len(pool):
        raise RecipeError(
            f"{n} symbols do not fit {len(pool)} rows of the vocabulary",
            expected="a smaller alphabet, or a backbone with a larger vocabulary",
        )
    return list(pool[:n])


def _own_letters(
    alphabet: Alphabet, vocabulary: Vocabulary, place: Mapping[str, int], fixed: Mapping[str, int]
) -> dict[str, int]:
    found: dict[str, int] = {}
    taken = set(fixed.values())
    for symbol in alphabet.symbols:
        row = place.get(symbol, place.get(symbol.lower()))
        if symbol not in fixed and row is not None and row not in taken and row not in vocabulary.special:
            found[symbol] = row
            taken.add(row)
    return found


def _by_hand(alphabet: Alphabet, given: Mapping[str, str], place: Mapping[str, int]) -> dict[str, int]:
    found: dict[str, int] = {}
    for symbol, piece in given.items():
        if symbol not in alphabet.symbols:
            raise unknown("symbol in the mapping table", symbol, alphabet.symbols)
        if piece not in place:
            raise RecipeError(
                f"the mapping table gives {symbol} the piece {piece!r}, which the vocabulary does not have",
                nearest=nearest(piece, place),
            )
        other = next((s for s, row in found.items() if row == place[piece]), None)
        if other:
            raise RecipeError(f"the mapping table gives {other} and {symbol} the same piece {piece!r}",
                              expected="a piece of its own for every symbol")  # fmt: skip
        found[symbol] = place[piece]
    return found
