"""Mappings written by hand: the table of ``given``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import cast

import yaml

from xdomain.core.errors import RecipeError, nearest, unknown
from xdomain.core.sequences import Alphabet
from xdomain.model.vocabulary import Vocabulary


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
