"""Characters to symbols by one table of 256 entries, and the same rules as a plain tokenizer."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

from xdomain.core.errors import DataError
from xdomain.core.sequences import Alphabet, Ids, Payload, Ragged, joined, narrow

DROPPED, REFUSED = 255, 254
SPACES = " \t\r\n\v\f"
CONTINUATION = range(0x80, 0xC0)
"""Bytes that go on with a UTF-8 character: its first byte already spoke for it."""
CHUNK = 1 << 20


@dataclass(frozen=True)
class ByteTable:
    """How single characters become symbols.

    A character has one role: it is a symbol, becomes one, is dropped, is refused, or is none of these and so
    unknown. White space is always dropped. A character beyond ASCII is one unknown, however many bytes it has.

    Parameters
    ----------
    alphabet
        Its symbols are single ASCII characters. Where it has an `unknown` symbol, unknown characters become that
        and are counted as ``unknown``; where it has none they are an error.
    becomes
        Characters that become a symbol.
    counted
        By name, the characters that are counted under it when they occur.
    dropped
        Characters that are left out, besides white space.
    refused
        Characters that are an error though they have a meaning, each with the option that would let it pass.
    unless
        The option that would let unknown characters pass.

    Raises
    ------
    ValueError
        A character with two roles, or one that is not ASCII.
    """

    alphabet: Alphabet
    becomes: Mapping[str, str] = field(default_factory=dict[str, str])
    counted: Mapping[str, str] = field(default_factory=dict[str, str])
    dropped: str = ""
    refused: Mapping[str, str] = field(default_factory=dict[str, str])
    unless: str = ""

    def __post_init__(self) -> None:
        roles = [*self.alphabet.symbols, *self.becomes, *self.dropped, *self.refused, *SPACES]
        odd = [c for c in (*roles, *"".join(self.counted.values())) if len(c) != 1 or not c.isascii()]
        if odd:
            raise ValueError(f"a byte table is for single ASCII characters, not {odd[0]!r}")
        if len(set(roles)) < len(roles):
            twice = next(c for c in roles if roles.count(c) > 1)
            raise ValueError(f"{twice!r} has two roles in one byte table")

    @cached_property
    def table(self) -> NDArray[np.uint8]:
        """Shape (256,): the symbol of each byte, or DROPPED, or REFUSED."""
        unknown = REFUSED if self.alphabet.unknown is None else self.alphabet.id(self.alphabet.unknown)
        table = np.full(256, unknown, np.uint8)
        table[list(CONTINUATION)] = DROPPED
        for i, symbol in enumerate(self.alphabet.symbols):
            table[ord(symbol)] = i
        for character, symbol in self.becomes.items():
            table[ord(character)] = self.alphabet.id(symbol)
        table[_codes(self.dropped + SPACES)] = DROPPED
        table[_codes("".join(self.refused))] = REFUSED
        return table

    @cached_property
    def _unknown(self) -> NDArray[np.bool_]:
        """Shape (256,): the bytes that begin an unknown character."""
        unknown = np.ones(256, bool)
        known = (*self.alphabet.symbols, *self.becomes, *self.dropped, *SPACES, *self.refused)
        unknown[_codes("".join(known))] = False
        unknown[list(CONTINUATION)] = False
        return unknown

    @cached_property
    def _plain(self) -> bytes:
        """Symbols that nothing is counted of: nearly all of a usual file."""
        told = set("".join(self.counted.values()))
        return "".join(s for s in self.alphabet.symbols if s not in told).encode()

    def encode(self, payloads: Sequence[Payload] | pa.Array) -> Ragged:
        """Symbols of many records, looked up in bulk.

        Returns
        -------
        Ragged
            uint16; `counts` has every name of `counted`, and ``unknown``, also where they are 0. An empty record
            stays empty.

        Raises
        ------
        DataError
            A character is refused, or bytes are not UTF-8: which, and in which record; both are counted from 1.
        """
        raw, offsets = joined(payloads)
        data = raw.tobytes()
        occurs = self._occurrences(data)
        if occurs[0x80:].any():
            _check_utf8(data, offsets)
        if occurs[self.table == REFUSED].any():
            raise self._refusal(data, offsets)
        dropped = np.flatnonzero(self.table == DROPPED).astype(np.uint8).tobytes()
        # Two C loops over bytes: several times faster than indexing the table with the whole array.
        symbols = np.frombuffer(data.translate(self.table.tobytes(), dropped), np.uint8)
        if len(symbols) < len(data):
            places = np.flatnonzero(self._marked(data, DROPPED))
            offsets = offsets - np.searchsorted(places, offsets)
        counts = {name: int(occurs[_codes(characters)].sum()) for name, characters in self.counted.items()}
        return Ragged(narrow(symbols), offsets, {**counts, "unknown": int(occurs[self._unknown].sum())})

    def spans(self, payloads: Sequence[Payload] | pa.Array) -> NDArray[np.float64]:
        """Shape (total symbols, 2): the character that each symbol of `encode` was, half-open, of its own record."""
        raw, offsets = joined(payloads)
        data = raw.tobytes()
        first = ~np.isin(raw, np.array(CONTINUATION, np.uint8))
        before = np.concatenate(([0], np.cumsum(first)))
        place = np.repeat(-before[offsets[:-1]], np.diff(offsets)) + before[1:] - 1
        kept = place[~self._marked(data, DROPPED)].astype(np.float64)
        return np.column_stack([kept, kept + 1])

    def _occurrences(self, data: bytes) -> NDArray[np.int64]:
        """Shape (256,): how often each byte occurs; 0 for the plain symbols."""
        rest = np.frombuffer(data.translate(None, self._plain), np.uint8)
        # In chunks, for bincount holds 8 bytes for each byte that it counts.
        chunks = (rest[i : i + CHUNK] for i in range(0, len(rest), CHUNK))
        return sum((np.bincount(c, minlength=256) for c in chunks), np.zeros(256, np.int64))

    def _marked(self, data: bytes, kind: int) -> NDArray[np.bool_]:
        """Shape (bytes,): where the table says `kind`."""
        return np.frombuffer(data.translate((self.table == kind).tobytes()), bool)

    def _refusal(self, data: bytes, offsets: NDArray[np.int64]) -> DataError:
        places = np.flatnonzero(self._marked(data, REFUSED))
        record, start = _record_of(int(places[0]), offsets)
        text = data[start : offsets[record + 1]].decode()
        before = len(data[start : places[0]].decode())
        letters = "".join(self.alphabet.symbols)
        option = self.refused.get(text[before], self.unless)
        return DataError(
            f"record {record + 1}: {text[before]!r} at position {before + 1} is not in the alphabet"
            + (f" (the first of {len(places):,} such characters)" if len(places) > 1 else ""),
            expected=f"{self.alphabet.unit} letters: {letters}",
            fix=(f"--set adapter.options.{option}, or " if option else "") + "fix the file",
        )

    def decode(self, ids: Ids) -> str:
        """The text of symbol ids."""
        return self._letters[ids].tobytes().decode("ascii")

    def texts(self, symbols: Ragged) -> list[str]:
        """The text of many sequences."""
        whole = self.decode(symbols.values)
        ends: list[int] = symbols.offsets.tolist()
        return [whole[a:b] for a, b in pairwise(ends)]

    @cached_property
    def _letters(self) -> NDArray[np.uint8]:
        return np.array(_codes("".join(self.alphabet.symbols)), np.uint8)

    def normalizer(self, *, keep: str = "") -> normalizers.Normalizer:
        """The same rules in the `tokenizers` library, as replacements; the characters of `keep` stay as they are.

        An unknown character that is an error for `encode` stays too, and falls to the tokenizer's unknown token.
        """
        steps: list[normalizers.Normalizer] = []
        gone = "".join(c for c in self.dropped + SPACES if c not in keep)
        if gone:
            steps.append(normalizers.Replace(Regex(f"[{re.escape(gone)}]"), ""))
        for symbol in self.alphabet.symbols:
            others = "".join(c for c, becomes in self.becomes.items() if becomes == symbol)
            if others:
                steps.append(normalizers.Replace(Regex(f"[{re.escape(others)}]"), symbol))
        if self.alphabet.unknown is not None:
            known = re.escape("".join(self.alphabet.symbols) + keep)
            steps.append(normalizers.Replace(Regex(f"[^{known}]"), self.alphabet.unknown))
        return normalizers.Sequence(steps)

    def stock_tokenizer(self, vocabulary: Mapping[str, int], unk_token: str) -> Tokenizer:
        """The same rules in the `tokenizers` library: replace, then one token a character."""
        tokenizer = Tokenizer(models.WordLevel(dict(vocabulary), unk_token))
        tokenizer.normalizer = self.normalizer()
        tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
        return tokenizer


def _codes(characters: str) -> list[int]:
    return list(characters.encode("ascii"))


def _record_of(place: int, offsets: NDArray[np.int64]) -> tuple[int, int]:
    """The record that holds a byte, from 0, and where it starts."""
    record = int(np.searchsorted(offsets, place, side="right")) - 1
    return record, int(offsets[record])


def _check_utf8(data: bytes, offsets: NDArray[np.int64]) -> None:
    """Each record must be UTF-8 by itself: else bytes would be taken for the rest of a character, and vanish."""
    try:
        data.decode()
    except UnicodeDecodeError as error:
        place = error.start
    else:
        starts = offsets[:-1][np.diff(offsets) > 0]
        cut = starts[np.frombuffer(data, np.uint8)[starts] & 0xC0 == 0x80]
        if not len(cut):
            return
        place = int(cut[0])
    record, start = _record_of(place, offsets)
    raise DataError(
        f"record {record + 1}: byte 0x{data[place]:02x}, its number {place - start + 1}, is not UTF-8",
        expected="ASCII letters, or text in UTF-8",
        fix="save the file as UTF-8",
    )
