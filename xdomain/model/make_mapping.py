"""Make a token mapping: at random but reproducibly, by a rule, or from the user's own table."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray

from xdomain.core.bounded_yaml import compose_texts, read_bounded
from xdomain.core.errors import RecipeError, nearest, unknown
from xdomain.core.progress import log
from xdomain.core.sequences import Alphabet
from xdomain.model.token_mapping import TokenMapping, parse_strategy
from xdomain.model.vocabulary import Vocabulary

IUPAC = 15
"""Letters for nucleotides, those for several included."""
PERMUTE = 1  # a random stream of its own: permute is drawn independently of random


def load_given(path: Path) -> dict[str, str]:
    """Read the table of symbol to piece for the mapping ``given`` from the JSON or YAML file `path`.

    Every entry is read as text: ``N: no`` gives N the piece "no".

    Raises
    ------
    RecipeError
        The file cannot be read, holds no such table, or has a symbol twice.
    """
    expected = "a table such as {A: we, T: you, C: he, G: she}"
    try:
        node = compose_texts(read_bounded(path).replace("\t", " "))  # JSON may be indented by tabs, YAML not
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path} cannot be read ({error})", expected=expected) from None
    except yaml.YAMLError as error:
        message = str(error).replace("\n", " ")
        raise RecipeError(f"{path} is neither JSON nor YAML: {message}", expected=expected) from None
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
    """Check a table written by hand and look up the vocabulary row of each symbol in it.

    Parameters
    ----------
    alphabet
        The symbols that the table may name.
    given
        Symbol to piece.
    vocabulary
        Where the pieces have their rows.
    fixed
        Rows of the symbols that are special or unused pieces themselves: no other symbol may have them.

    Raises
    ------
    RecipeError
        The table names an unknown symbol or piece, gives a piece to two symbols, or moves a symbol of `fixed`.
    """
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

    A symbol that is itself a special or unused piece of the vocabulary, such as [UNK] for text, keeps its row.

    Parameters
    ----------
    alphabet
        The symbols of the domain.
    vocabulary
        The rows of the backbone.
    strategy
        random: drawn from the ordinary rows without replacement;
        own: the pieces that the vocabulary has for the symbols themselves, as a model of the domain does (ESM, DNABERT,
        a checkpoint of `xdomain pretrain sequences`); symbols that it lacks are read as its unknown token;
        frequent, rare: the first or the last whole words of two letters or more. Trainers of wordpieces list
        them by frequency, so the vocabulary's order stands for frequency;
        identity: the symbol's own letters where the vocabulary has them, as they are or else in lower case; the
        other symbols at random;
        permute: symbol i gets entry i of a permutation of all ordinary rows, as in Kao & Lee 2021
        (arXiv 2103.07162); drawn independently of random's;
        shift: symbol i gets ordinary row start + i, wrapping around, from a random start: the order is kept, and
        special rows are left out;
        block: symbol i gets raw row i, or N + i for ``block:N``, special and unused rows included, as in speech
        toolkits, because of how they resize embeddings. So a symbol may share the row of [CLS], or of [PAD], which
        gets no gradient in PyTorch: `TokenMapping.special_token_collisions` names such symbols;
        given: as the table `given` says; symbols that it does not name get rows at random;
        learned, ``learned:sparse``: random's rows, whose contents are then learned: `xdomain.model.reprogramming`;
        search, ``search:N``: random's rows; `xdomain.training.mapping_search` makes one mapping for each of
        `search_seeds`, by default 16, and keeps the best.
    seed
        0 or more. Together with alphabet and vocabulary it decides what is random, alike on any machine and with any
        version of numpy: rows are drawn by sorting raw PCG64 words.
    given
        Only for the strategy ``given``: symbol to wordpiece.

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
    if kind == "own":
        return _own(alphabet, vocabulary, seed)
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


def _own(alphabet: Alphabet, vocabulary: Vocabulary, seed: int) -> TokenMapping:
    """Every symbol at the row of the piece that is the symbol itself, or the same with a mark of words before it."""
    mark, rows = vocabulary.word_mark, vocabulary.rows
    found = {s: rows.get(s, rows.get(mark + s)) for s in alphabet.symbols}
    lacking = [s for s, row in found.items() if row is None]
    if 2 * len(lacking) > len(found) or (lacking and vocabulary.unknown is None):
        raise RecipeError(
            f"mapping own: the vocabulary has no pieces for {len(lacking):,} of {len(found):,} symbols, such as "
            f"{', '.join(lacking[:5])}",
            expected="a model of this domain, such as an ESM for proteins, that is cut as the recipe cuts",
            fix=_cut_as(alphabet, vocabulary),
        )
    _warn_of_other_domain(found, vocabulary)
    ids = np.array([vocabulary.unknown if row is None else row for row in found.values()], np.int32)
    pieces = tuple(vocabulary.pieces[row] for row in ids.tolist())
    return TokenMapping(alphabet.symbols, ids, pieces, "own", seed, vocabulary.sha256, frozenset(lacking))


def _warn_of_other_domain(found: Mapping[str, int | None], vocabulary: Vocabulary) -> None:
    """Say so if most pieces that look like symbols of this alphabet are none, as residues are for nucleotides."""
    lengths = {len(symbol) for symbol in found}
    pieces = (vocabulary.pieces[row].removeprefix(vocabulary.word_mark) for row in vocabulary.ordinary.tolist())
    others = [piece for piece in pieces if len(piece) in lengths and piece.isupper() and piece not in found]
    if len(others) > len(found):
        log.warning(
            f"mapping own: the vocabulary also has {', '.join(others[:5])}, {len(others):,} pieces that are no symbols "
            "of this domain: is it a model of another one?"
        )


def _cut_as(alphabet: Alphabet, vocabulary: Vocabulary) -> str:
    """What to do about a vocabulary that does not have the symbols: for nucleotides, perhaps it has k-mers."""
    nucleotides = set("ACGT") <= set(alphabet.symbols) and len(alphabet.symbols) <= IUPAC
    for k in range(8, 1, -1) if nucleotides else ():
        if "A" * k in vocabulary.rows and "C" + "G" * (k - 1) in vocabulary.rows:
            return f"its pieces are {k}-mers: --set adapter.options.tokens=kmer --set adapter.options.k={k}"
    return "--mapping random"


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
    match kind:
        case "block" | "frequent" | "rare":
            return pool[:n]
        case "shift":
            first = int(_keys(seed, 1)[0]) * len(pool) >> 64
            return [*pool[first:], *pool[:first]][:n]
        case "permute":
            return _drawn(pool, n, seed, PERMUTE)
        case "random" | "identity" | "given" | "learned" | "search":
            return _drawn(pool, n, seed)
        case _:
            raise NotImplementedError(f"mapping {kind} is listed in STRATEGIES, but nothing chooses its rows")


def _drawn(pool: Sequence[int], n: int, seed: int, *stream: int) -> list[int]:
    return [pool[i] for i in np.argsort(_keys(seed, len(pool), *stream), kind="stable").tolist()[:n]]


def _keys(seed: int, n: int, *stream: int) -> NDArray[np.uint64]:
    """Draw n random 64-bit words.

    numpy guarantees the raw words of PCG64 across versions, but not what its `Generator` makes of them (NEP 19).
    Therefore a mapping is drawn by sorting raw words.
    """
    return np.random.PCG64([seed, *stream]).random_raw(n)


def _own_letters(symbols: Sequence[str], vocabulary: Vocabulary, usual: Collection[int]) -> dict[str, int]:
    """Rows of the symbols that the vocabulary has as pieces.

    Exact matches come first, so that the symbol A does not take the row of a symbol a further on.
    """
    rows = {s: vocabulary.rows[s] for s in symbols if vocabulary.rows.get(s, -1) in usual}
    taken = set(rows.values())
    for symbol in symbols:
        row = vocabulary.rows.get(symbol.lower(), -1)
        if symbol not in rows and symbol not in vocabulary.rows and row in usual and row not in taken:
            rows[symbol] = row
            taken.add(row)
    return rows
