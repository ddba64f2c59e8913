"""Streams of tokens of any kind: words, signs, states, letters. Their alphabet is what occurs in the data."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute
from numpy.typing import NDArray
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

from xdomain.core.errors import RecipeError
from xdomain.core.sequences import Alphabet, Ids, Payload, Ragged, narrow, offsets_of, path_option
from xdomain.data.cell_text import natural_order
from xdomain.data.rows import short

from .unicode_texts import texts_of

pc: Any = pyarrow.compute  # its functions are made at import and have no types
UNKNOWN = "<unknown>"
BLANK = "[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"
"""A pattern of one character of Unicode's White_Space, for RE2, Oniguruma and Python alike."""
BLANKS, CHARACTERS = "blanks", "characters"
VOCABULARY = "vocabulary.txt"
MARKS = (",", ";", "|")
"""What may part tokens that have blanks in them."""


@dataclass(frozen=True)
class Tokens:
    """One symbol a token. Tokens that are not in the alphabet are counted as ``unknown`` and read as one symbol.

    Parameters
    ----------
    between
        What parts tokens: ``blanks``, any white space; ``characters``, nothing: each character but white space is a
        token; else the text between them, such as ``,``, with white space around it left out.
    vocabulary
        A text file, a token a line, in the order of their ids. Empty: the tokens of the data.
    symbols
        The tokens themselves, where there is no file.
    min_count
        Tokens of the data that occur less often are left out of the alphabet.
    """

    reads_lines: ClassVar[bool] = True
    between: str = BLANKS
    vocabulary: str = path_option()
    symbols: tuple[str, ...] = ()
    min_count: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "symbols", tuple(map(str, self.symbols)))
        if not self.between.strip():
            raise RecipeError("tokens with nothing between", expected=f"{BLANKS}, {CHARACTERS} or a text such as ,")
        if self.min_count < 1:
            raise RecipeError(f"min_count {self.min_count}", expected="1 or more")

    @property
    def name(self) -> str:
        """The domain."""
        return "tokens"

    def fitted(self, payloads: Iterable[Sequence[Payload] | pa.Array]) -> Tokens:
        """The same with the tokens of `payloads` as its alphabet; itself where options name one.

        They are in the order of numbers where all are numbers, else of characters.

        Parameters
        ----------
        payloads
            Raw records, many at once. They are not read where options name an alphabet.

        Raises
        ------
        DataError
            A record is not UTF-8.
        RecipeError
            No token occurs `min_count` times.
        """
        if self.vocabulary or self.symbols:
            return self
        counts: Counter[str] = Counter()
        for batch in payloads:
            for found in pc.value_counts(self._split(batch).flatten()).to_pylist():
                counts[found["values"]] += found["counts"]
        often = [token for token, count in counts.items() if count >= self.min_count]
        if not often:
            raise RecipeError(
                f"none of {len(counts):,} tokens occurs {self.min_count} times" if counts else "no tokens",
                expected="records with tokens",
                fix="--set adapter.options.min_count=1" if counts else None,
            )
        return replace(self, symbols=tuple(natural_order(often)))

    @cached_property
    def alphabet(self) -> Alphabet:
        """The tokens, then the symbol for unknown ones.

        Raises
        ------
        RecipeError
            No data were seen and no options name an alphabet, or the file of them cannot be used.
        """
        tokens = _read(Path(self.vocabulary)) if self.vocabulary else self.symbols
        if not tokens:
            raise RecipeError(
                "the tokens domain has no alphabet without data",
                expected="a file with a token a line",
                fix="--set adapter.options.vocabulary=FILE",
            )
        if len(set(tokens)) < len(tokens):
            twice, _ = Counter(tokens).most_common(1)[0]
            raise RecipeError(f"the token {twice!r} is named twice", expected="different tokens")
        return Alphabet((*(token for token in tokens if token != UNKNOWN), UNKNOWN), "token", UNKNOWN)

    def encode(self, payloads: Sequence[Payload] | pa.Array) -> Ragged:
        """Encode the raw records `payloads` at once, with a count of unknown tokens.

        Raises
        ------
        DataError
            A record is not UTF-8; the message counts records from 1.
        """
        tokens = self._split(payloads)
        unknown = len(self.alphabet) - 1
        found = pc.index_in(tokens.flatten(), value_set=pa.array(self.alphabet.symbols, pa.large_string()))
        values = narrow(found.fill_null(unknown).to_numpy(zero_copy_only=False).astype(np.int64))
        lengths = pc.list_value_length(tokens).to_numpy(zero_copy_only=False)
        return Ragged(values, offsets_of(lengths), {"unknown": int((values == unknown).sum())})

    def other_domain(self, symbols: Ragged) -> str | None:
        """A sentence where most tokens in `symbols` are unknown, or look as if something else parted them."""
        known = self.alphabet.symbols[:-1]
        *counts, unknown = np.bincount(symbols.values, minlength=len(self.alphabet)).tolist()
        total, change = sum(counts), "--set adapter.options.between="
        if unknown > total:
            return f"{unknown / (unknown + total):.0%} of tokens are none of the {len(known):,} of the alphabet"
        if self.between != CHARACTERS and 1 < len(symbols) == total:
            return (
                f"every record is a single token, such as {short(known[0])!r}: {change}{CHARACTERS}, or …=, parts them"
            )
        for mark in MARKS if self.between == BLANKS else ():
            ending = {
                token: n for token, n in zip(known, counts, strict=True) if token.endswith(mark) and token != mark
            }
            if 2 * sum(ending.values()) > total:
                such = short(next(iter(ending)))
                return f"most tokens end with {mark!r}, such as {such!r}: {change}'{mark}' parts them there"
        return None

    def spans(self, payloads: Sequence[Payload] | pa.Array) -> NDArray[np.float64]:
        """Shape (total tokens, 2): the characters that each token of the raw records covers, half-open."""
        edges = [edge for text in texts_of(payloads) for edge in self._places(text)]
        return np.array(edges, np.float64).reshape(-1, 2)

    def _places(self, text: str) -> Iterator[tuple[int, int]]:
        if self.between == CHARACTERS:
            yield from (one.span() for one in re.finditer(f"(?!{BLANK})(?s:.)", text))
            return
        begin, end = re.match(f"{BLANK}*", text), re.search(f"{BLANK}*\\Z", text)
        place, stop = (begin.end() if begin else 0), (end.start() if end else 0)
        for one in re.finditer(self._separator, text[:stop]):
            if one.end() > place:
                if one.start() > place:
                    yield place, one.start()
                place = one.end()
        if place < stop:
            yield place, stop

    def decode(self, ids: Ids) -> str:
        """The tokens `ids` with what parts them between."""
        separator = {BLANKS: " ", CHARACTERS: ""}.get(self.between, self.between)
        return separator.join(self.alphabet.symbols[i] for i in ids)

    def stock_tokenizer(self, vocabulary: Mapping[str, int], unk_token: str) -> Tokenizer:
        """One token a symbol, at its row in `vocabulary`; others at that of the unknown symbol, or of `unk_token`."""
        own = UNKNOWN if UNKNOWN in vocabulary else unk_token
        tokenizer = Tokenizer(models.WordLevel(dict(vocabulary), own))
        if self.between == CHARACTERS:
            tokenizer.normalizer = normalizers.Replace(Regex(BLANK), "")
            tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("(?m)."), "isolated")
            return tokenizer
        # a token of a text that is called as a special token is none
        special = "|".join(map(re.escape, vocabulary.keys() - {*self.alphabet.symbols, own})) or r"(?!)"
        between = " " if self.between == BLANKS else self.between
        edge = re.escape(between)
        tokenizer.normalizer = normalizers.Sequence([
            normalizers.Replace(Regex(rf"\A{BLANK}+|{BLANK}+\z"), ""),
            normalizers.Replace(Regex(self._separator), between),
            normalizers.Replace(Regex(rf"(?:\A|(?<={edge}))(?:{special})(?={edge}|\z)"), UNKNOWN),
        ])  # fmt: skip
        tokenizer.pre_tokenizer = pre_tokenizers.Split(between, "removed")
        return tokenizer

    def export_assets(self, folder: Path) -> None:
        """Write the alphabet as a `vocabulary`."""
        lines = [token for token in self.alphabet.symbols if token != UNKNOWN]
        (folder / VOCABULARY).write_text("".join(f"{line}\n" for line in lines), "utf-8", newline="\n")

    @property
    def _separator(self) -> str:
        """A pattern of what stands between two tokens, unless each character is one."""
        return f"{BLANK}+" if self.between == BLANKS else f"{BLANK}*{re.escape(self.between)}{BLANK}*"

    def _split(self, payloads: Sequence[Payload] | pa.Array) -> Any:
        """The tokens of each record, as an Arrow array of lists."""
        column: Any = payloads
        if isinstance(column, pa.Array) and pa.types.is_string(column.type):
            texts: Any = column.cast(pa.large_string())
        else:
            texts = pa.array(texts_of(payloads), pa.large_string())
        if self.between == CHARACTERS:
            spaced = pc.replace_substring_regex(pc.replace_substring_regex(texts, f"{BLANK}+", ""), "(?s)(.)", r"\1 ")
            pieces = pc.split_pattern(spaced, " ")
        else:
            trimmed = pc.replace_substring_regex(texts, rf"\A{BLANK}+|{BLANK}+\z", "")
            pieces = pc.split_pattern_regex(trimmed, self._separator)
        flat = pieces.flatten()
        there = pc.not_equal(flat, "").to_numpy(zero_copy_only=False)
        ends = np.concatenate(([0], np.cumsum(there)))[pieces.offsets.to_numpy() - pieces.offsets[0].as_py()]
        return pa.LargeListArray.from_arrays(pa.array(ends, pa.int64()), flat.filter(pa.array(there)))


def _read(path: Path) -> tuple[str, ...]:
    """The tokens in the file at `path`."""
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise RecipeError(f"{path} cannot be read ({why})", expected="a text file with a token a line") from None
    tokens = tuple(line for line in text.split("\n") if line)
    if not tokens:
        raise RecipeError(f"{path} is empty", expected="a token a line")
    return tokens
