"""Characters to symbols by one table of 256 entries, and the same rules for the `tokenizers` library."""

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
"""Bytes that continue a UTF-8 character. They are dropped, because its first byte stands for the whole character."""
CHUNK = 1 << 20


@dataclass(frozen=True)
class ByteTable:
    """How single characters become symbols.

    Each character has one role: it is a symbol, becomes one, is dropped, is refused, or is unknown (none of these).
    White space is always dropped. A character beyond ASCII is one unknown character, however many bytes it has.

    Parameters
    ----------
    alphabet
        Its symbols are single ASCII characters. Where it has an `unknown` symbol, unknown characters become that
        symbol and are counted as ``unknown``. Otherwise they are an error.
    becomes
        The symbol that each of these characters becomes.
    counted
        By name of a count, the characters that it counts.
    dropped
        Characters to leave out, besides white space.
    refused
        Characters that are an error although they have a meaning, each with the adapter option that accepts it.
    unless
        The adapter option that accepts unknown characters.

    Raises
    ------
    ValueError
        A character has two roles or is not ASCII.
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
        """The symbols that no count includes: nearly all characters of a usual file."""
        counted = set("".join(self.counted.values()))
        return "".join(s for s in self.alphabet.symbols if s not in counted).encode()

    def encode(self, payloads: Sequence[Payload] | pa.Array) -> Ragged:
        """Look up the symbols of many records at once.

        Parameters
        ----------
        payloads
            The text of each record, as `str`, UTF-8 bytes or an Arrow string array.

        Returns
        -------
        Ragged
            uint16. Its `counts` holds every name of `counted`, and ``unknown``, even where the count is 0. An empty
            record stays empty.

        Raises
        ------
        DataError
            A character is refused, or bytes are not UTF-8. The message gives position and record, both from 1.
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
        """Shape (total symbols, 2): where the character of each symbol is in its record of `payloads`, half-open."""
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
        # In chunks, because bincount needs 8 bytes for each byte that it counts.
        chunks = (rest[i : i + CHUNK] for i in range(0, len(rest), CHUNK))
        return sum((np.bincount(c, minlength=256) for c in chunks), np.zeros(256, np.int64))

    def _marked(self, data: bytes, kind: int) -> NDArray[np.bool_]:
        """Shape (bytes,): which bytes of `data` the table maps to `kind`."""
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
        """The text of the symbols `ids`, shape (s,)."""
        return self._letters[ids].tobytes().decode("ascii")

    def texts(self, symbols: Ragged) -> list[str]:
        """The text of each sequence of `symbols`."""
        whole = self.decode(symbols.values)
        ends: list[int] = symbols.offsets.tolist()
        return [whole[a:b] for a, b in pairwise(ends)]

    @cached_property
    def _letters(self) -> NDArray[np.uint8]:
        return np.array(_codes("".join(self.alphabet.symbols)), np.uint8)

    def normalizer(self, *, keep: str = "") -> normalizers.Normalizer:
        """The same rules as replacements of the `tokenizers` library; the characters in `keep` are left unchanged.

        An unknown character that is an error for `encode` is left unchanged too: the tokenizer maps it to its unknown
        token.
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
        """The same rules as a tokenizer of the `tokenizers` library: `normalizer`, then one token per character.

        Parameters
        ----------
        vocabulary
            The id of each token. Tokens are single characters, besides special ones.
        unk_token
            The token for characters that are not in `vocabulary`.
        """
        tokenizer = Tokenizer(models.WordLevel(dict(vocabulary), unk_token))
        tokenizer.normalizer = self.normalizer()
        tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
        return tokenizer


def _codes(characters: str) -> list[int]:
    return list(characters.encode("ascii"))


def _record_of(place: int, offsets: NDArray[np.int64]) -> tuple[int, int]:
    """The number of the record that holds the byte at `place`, from 0, and where that record starts."""
    record = int(np.searchsorted(offsets, place, side="right")) - 1
    return record, int(offsets[record])


def _check_utf8(data: bytes, offsets: NDArray[np.int64]) -> None:
    """Each record must be UTF-8 on its own: otherwise its first bytes could pass for continuations and be dropped."""
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
