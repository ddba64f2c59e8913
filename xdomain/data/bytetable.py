"""Characters to symbols by one table of 256 entries, and the same rules as a plain tokenizer."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

from xdomain.data.sequences import Alphabet, Payload, Ragged, joined, narrow, offsets_of
from xdomain.errors import DataError

DROPPED, REFUSED = 255, 254
SPACES = " \t\r\n\v\f"
CONTINUATION = range(0x80, 0xC0)
"""Bytes that go on with a UTF-8 character: its first byte already spoke for it."""


@dataclass(frozen=True)
class ByteTable:
    """How single characters become symbols.

    Parameters
    ----------
    alphabet
        Its symbols are single ASCII characters.
    becomes
        Characters that become another symbol than themselves.
    counted
        Characters that are counted when they occur, under a name.
    dropped
        Characters that are left out, besides white space.
    refused
        Characters that are an error, though they have a meaning elsewhere.
    """

    alphabet: Alphabet
    becomes: Mapping[str, str] = field(default_factory=dict[str, str])
    counted: Mapping[str, str] = field(default_factory=dict[str, str])
    dropped: str = ""
    refused: str = ""

    @cached_property
    def table(self) -> NDArray[np.uint8]:
        """Shape (256,): a byte's symbol, or DROPPED, or REFUSED."""
        unknown = REFUSED if self.alphabet.unknown is None else self.alphabet.id(self.alphabet.unknown)
        table = np.full(256, unknown, np.uint8)
        table[list(CONTINUATION)] = DROPPED
        for i, symbol in enumerate(self.alphabet.symbols):
            table[ord(symbol)] = i
        for character, symbol in self.becomes.items():
            table[ord(character)] = self.alphabet.id(symbol)
        for character in self.dropped + SPACES:
            table[ord(character)] = DROPPED
        for character in self.refused:
            table[ord(character)] = REFUSED
        return table

    @cached_property
    def known(self) -> str:
        """All characters that have a meaning."""
        return "".join(dict.fromkeys([*self.alphabet.symbols, *self.becomes, *self.dropped, *SPACES]))

    def encode(self, payloads: Sequence[Payload] | pa.Array) -> Ragged:
        """Symbols of many records, looked up in bulk.

        Raises
        ------
        DataError
            A character is refused: which, and in which record, counted from 1.
        """
        raw, offsets = joined(payloads)
        symbols = self.table[raw]
        self._refuse(raw, offsets, symbols)
        keep = symbols != DROPPED
        histogram = np.bincount(raw, minlength=256)
        counts: dict[str, int] = {}
        for character, name in self.counted.items():
            counts[name] = counts.get(name, 0) + int(histogram[ord(character)])
        meant = np.zeros(256, bool)
        meant[[ord(c) for c in self.known]] = True
        meant[list(CONTINUATION)] = True
        counts["unknown"] = int(histogram[~meant].sum())
        if keep.all():
            return Ragged(narrow(symbols), offsets, counts)
        kept_before = np.concatenate(([0], np.cumsum(keep)))
        return Ragged(narrow(symbols[keep]), offsets_of(np.diff(kept_before[offsets])), counts)

    def _refuse(self, raw: NDArray[np.uint8], offsets: NDArray[np.int64], symbols: NDArray[np.uint8]) -> None:
        faults = np.flatnonzero(symbols == REFUSED)
        if not len(faults):
            return
        place = int(faults[0])
        record = int(np.searchsorted(offsets, place, side="right")) - 1
        text = bytes(raw[offsets[record] : offsets[record + 1]]).decode("utf-8", "replace")
        before = bytes(raw[offsets[record] : place]).decode("utf-8", "replace")
        raise DataError(
            f"record {record + 1}: {text[len(before)]!r} at position {len(before) + 1} is not in the alphabet"
            + (f" ({len(faults):,} such characters in all)" if len(faults) > 1 else ""),
            expected=f"{self.alphabet.unit} letters: {''.join(self.alphabet.symbols)}",
            mend="--set adapter.options.unknown=count turns such characters into "
            "the alphabet's unknown symbol and counts them; or mend the file",
        )

    def decode(self, ids: NDArray[np.integer]) -> str:  # pyright: ignore[reportMissingTypeArgument]
        """The text of symbol ids."""
        return "".join(self.alphabet.symbols[i] for i in ids)

    def stock_tokenizer(self, vocabulary: Mapping[str, int], unk_token: str) -> Tokenizer:
        """The same rules in the `tokenizers` library: replace, then one token a character."""
        tokenizer = Tokenizer(models.WordLevel(dict(vocabulary), unk_token))
        steps: list[normalizers.Normalizer] = [
            normalizers.Replace(Regex(_any_of(self.dropped + SPACES)), ""),
        ]
        for symbol in self.alphabet.symbols:
            others = "".join(c for c, becomes in self.becomes.items() if becomes == symbol)
            if others:
                steps.append(normalizers.Replace(Regex(_any_of(others)), symbol))
        if self.alphabet.unknown is not None:
            others = "[^" + re.escape("".join(self.alphabet.symbols)) + "]"
            steps.append(normalizers.Replace(Regex(others), self.alphabet.unknown))
        tokenizer.normalizer = normalizers.Sequence(steps)
        tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
        return tokenizer


def _any_of(characters: str) -> str:
    return "[" + "".join(re.escape(c) for c in characters) + "]"
