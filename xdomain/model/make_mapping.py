"""Make a token mapping: at random but reproducibly, by a rule, or from the user's own table."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import yaml
from numpy.typing import NDArray

from xdomain.core.errors import RecipeError, nearest, unknown
from xdomain.core.sequences import Alphabet
from xdomain.model.token_mapping import TokenMapping, parse_strategy
from xdomain.model.vocabulary import Vocabulary

PERMUTE = 1  # a stream of its own, so that permute is drawn independently of random


def load_given(path: Path) -> dict[str, str]:
    """A table of symbol to piece for the mapping ``given``, from a JSON or YAML file.

    Every entry is read as text: ``N: no`` gives N the piece "no".

    Raises
    ------
    RecipeError
        The file cannot be read, holds no such table, or has a symbol twice.
    """
    expected = "a table such as {A: we, T: you, C: he, G: she}"
    try:
        text = path.read_text("utf-8").replace("\t", " ")  # JSON may be indented by tabs, YAML not
        node = cast("yaml.Node | None", yaml.compose(text, Loader=yaml.BaseLoader))  # pyright: ignore
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path} cannot be read ({error})", expected=expected) from None
    except yaml.YAMLError as error:
        told = str(error).replace("\n", " ")
        raise RecipeError(f"{path} is neither JSON nor YAML: {told}", expected=expected) from None
    entries: Iterable[tuple[yaml.Node, yaml.Node]] = node.value if isinstance(node, yaml.MappingNode) else ()
    table: dict[str, str] = {}
    for key, value in entries:
        line = f"{path}, line {key.start_mark.line + 1}"
        if not (isinstance(key, yaml.ScalarNode) and isinstance(value, yaml.ScalarNode)):
            raise RecipeError(f"{line}: one piece for each symbol", expected=expected)
        if key.value in table:
            raise RecipeError(f"{line}: the symbol {key.value} comes twice", expected="every symbol once")
        table[key.value] = value.value
    if not table:
        raise RecipeError(f"{path} holds no mapping table", expected=expected)
    return table


def by_hand(
    alphabet: Alphabet, given: Mapping[str, str], vocabulary: Vocabulary, fixed: Mapping[str, int]
) -> dict[str, int]:
    owner = {row: symbol for symbol, row in fixed.items()}
    for symbol, piece in given.items():
        if symbol not in alphabet.symbols:
            raise unknown("symbol in the mapping table", symbol, alphabet.symbols)
        if piece not in vocabulary.rows:
            raise RecipeError(
                f"the mapping table gives {symbol} the piece {piece!r}, which the vocabulary does not have",
                expected=f"one of its {len(vocabulary.pieces):,} pieces",
                nearest=_nearest_piece(piece, vocabulary),
            )
        row = vocabulary.rows[piece]
        if fixed.get(symbol, row) != row:
            raise RecipeError(f"the mapping table gives {symbol} the piece {piece!r}, but it is a piece itself",
                              expected=f"no entry for {symbol}: it keeps its own row")  # fmt: skip
        if owner.setdefault(row, symbol) != symbol:
            raise RecipeError(f"the mapping table gives {owner[row]} and {symbol} the same piece {piece!r}",
                              expected="a piece of its own for every symbol")  # fmt: skip
    return {symbol: vocabulary.rows[piece] for symbol, piece in given.items()}


def _nearest_piece(piece: str, vocabulary: Vocabulary) -> str | None:
    mark = vocabulary.word_mark
    alike = (piece.lower(), mark + piece, mark + piece.lower())
    return next((p for p in alike if p in vocabulary.rows), None) or nearest(piece, vocabulary.rows)


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
    alphabet
        The symbols of the domain.
    vocabulary
        The rows of the backbone.
    strategy
        random: drawn from the ordinary rows without replacement;
        frequent, rare: the first or the last whole words of two letters or more. Trainers of wordpieces list
        them by frequency, so the vocabulary's order stands for it;
        identity: the symbol's own letters where the vocabulary has them, as they are or else in lower case; the
        other symbols at random;
        permute: symbol i gets entry i of a permutation of all ordinary rows, as in Kao & Lee 2021
        (arXiv 2103.07162); drawn independently of random's;
        shift: symbol i gets ordinary row start + i, cyclic, the start at random: order is kept, special rows are not
        touched;
        block: symbol i gets raw row i, or N + i for ``block:N``, special and unused rows included, as speech
        toolkits do by how they resize embeddings. Symbols may so share the row of [CLS], or of [PAD], which
        PyTorch gives no gradient: `TokenMapping.special_token_collisions` names them;
        given: as the table `given` says; symbols it does not name at random;
        learned, ``learned:sparse``: random's rows, which training fills: `xdomain.model.reprogramming`;
        search, ``search:N``: random's rows; `xdomain.training.mapping_search` makes one for each of `search_seeds`, by
        default 16, and keeps the best.
    seed
        ≥ 0; with alphabet and vocabulary it decides what is random, the same on any machine and with any version of
        numpy: the order of raw PCG64 words.
    given
        For the strategy ``given``: symbol to wordpiece.

    A symbol that is itself a special or unused piece of the vocabulary, such as [UNK] for text, keeps its row.

    Raises
    ------
    RecipeError
        An unknown strategy, an alphabet larger than the vocabulary, or a table that cannot hold.
    """
    kind, start = parse_strategy(strategy)
    if (kind == "given") != bool(given):
        raise RecipeError(
            f"mapping {strategy} " + ("without a table" if kind == "given" else "with a table of its own"),
            expected="a table goes with the mapping given, and only with it",
            fix="run.mapping: given, and run.mapping_table: {A: we, T: you, C: he, G: she}",
        )
    if seed < 0:
        raise RecipeError(f"mapping seed {seed}", expected="0 or more")
    usual = set(vocabulary.ordinary.tolist())
    places = {s: vocabulary.rows[s] for s in alphabet.symbols if s in vocabulary.rows}
    fixed = {symbol: row for symbol, row in places.items() if row not in usual}
    if kind == "identity":
        fixed |= _own_letters(alphabet.symbols, vocabulary, usual)
    if given:
        fixed |= by_hand(alphabet, given, vocabulary, fixed)
    free = [s for s in alphabet.symbols if s not in fixed]
    taken = set(fixed.values())
    rows = _rows(kind, start, len(free), vocabulary, taken, seed)
    chosen = fixed | dict(zip(free, rows, strict=True))
    ids = np.array([chosen[s] for s in alphabet.symbols], np.int32)
    pieces = tuple(vocabulary.pieces[chosen[s]] for s in alphabet.symbols)
    return TokenMapping(alphabet.symbols, ids, pieces, strategy, seed, vocabulary.sha256)


def _rows(kind: str, start: int, n: int, vocabulary: Vocabulary, taken: Collection[int], seed: int) -> list[int]:
    """Rows for n symbols, none of `taken`."""
    if kind == "block":
        listed = list(range(start, len(vocabulary.pieces)))
    elif kind in ("frequent", "rare"):
        listed = vocabulary.whole_words()[:: 1 if kind == "frequent" else -1]
    else:
        listed = vocabulary.ordinary.tolist()
    pool = [row for row in listed if row not in taken]
    if n > len(pool):
        kinds = {"frequent": "whole words", "rare": "whole words", "block": f"rows from {start} on"}
        raise RecipeError(
            f"{n:,} symbols do not fit the {len(pool):,} {kinds.get(kind, 'ordinary wordpieces')} "
            f"of a vocabulary of {len(vocabulary.pieces):,}",
            expected=f"an alphabet of at most {len(pool):,} symbols, or a backbone with a larger vocabulary",
        )
    if kind == "shift" and pool:
        first = int(_keys(seed, 1)[0]) * len(pool) >> 64
        pool = [*pool[first:], *pool[:first]]
    elif kind in ("random", "permute", "identity", "given", "learned", "search"):
        stream = () if kind != "permute" else (PERMUTE,)
        pool = [pool[i] for i in np.argsort(_keys(seed, len(pool), *stream), kind="stable").tolist()]
    return pool[:n]


def _keys(seed: int, n: int, *stream: int) -> NDArray[np.uint64]:
    """Draw n random 64-bit words.

    numpy keeps the raw words of PCG64 from version to version, but not what its `Generator` makes of them (NEP 19):
    so a mapping is drawn by sorting raw words.
    """
    return np.random.PCG64([seed, *stream]).random_raw(n)


def _own_letters(symbols: Sequence[str], vocabulary: Vocabulary, usual: Collection[int]) -> dict[str, int]:
    """Exact matches first, so that A does not take the row that a, further on, owns."""
    found = {s: vocabulary.rows[s] for s in symbols if vocabulary.rows.get(s, -1) in usual}
    taken = set(found.values())
    for symbol in symbols:
        row = vocabulary.rows.get(symbol.lower(), -1)
        if symbol not in found and symbol not in vocabulary.rows and row in usual and row not in taken:
            found[symbol] = row
            taken.add(row)
    return found
