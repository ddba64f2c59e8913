"""Data structures for sequences: alphabets, ragged arrays of symbols, and the adapters that make them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from xdomain.core.errors import DataError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Ids = NDArray[np.integer[Any]]
Payload = str | bytes


@dataclass(frozen=True)
class Alphabet:
    """The ordered symbols of a domain; a symbol's id is its position.

    Parameters
    ----------
    symbols
        Unique, in the order of their ids.
    unit
        What one symbol stands for: nt, aa, wordpiece, frame unit, tick.
    unknown
        The symbol for unknown input. None: such input is an error.
    """

    symbols: tuple[str, ...]
    unit: str
    unknown: str | None = None

    def __post_init__(self) -> None:
        if len(set(self.symbols)) != len(self.symbols):
            raise ValueError("an alphabet's symbols must be unique")
        if self.unknown is not None and self.unknown not in self.symbols:
            raise ValueError(f"the unknown symbol {self.unknown!r} is not in the alphabet")

    def __len__(self) -> int:
        return len(self.symbols)

    def id(self, symbol: str) -> int:
        """The id of `symbol`, in [0, len(self))."""
        return self.symbols.index(symbol)


@dataclass(frozen=True)
class Ragged:
    """Many integer sequences of unequal length in two flat arrays.

    Parameters
    ----------
    values
        Shape (total,), uint16 or uint32: the sequences one after another.
    offsets
        Shape (n + 1,), int64: sequence i is ``values[offsets[i]:offsets[i + 1]]``.
    counts
        How often the encoder changed or dropped something, by name.
    """

    values: Ids
    offsets: NDArray[np.int64]
    counts: Mapping[str, int] = field(default_factory=dict[str, int])

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> Ids:
        return self.values[self.offsets[index] : self.offsets[index + 1]]

    def __iter__(self) -> Iterator[Ids]:
        return (self[i] for i in range(len(self)))

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Shape (n,): the length of every sequence."""
        return np.diff(self.offsets)

    @classmethod
    def from_lists(cls, sequences: Sequence[Sequence[int] | Ids], *, counts: Mapping[str, int] | None = None) -> Ragged:
        """Pack `sequences`, lists or arrays of symbol ids, and note `counts` (None: no counts)."""
        lengths = np.fromiter((len(s) for s in sequences), np.int64, len(sequences))
        flat = [np.asarray(s, np.int64) for s in sequences]
        values = np.concatenate(flat) if flat else np.empty(0, np.int64)
        return cls(narrow(values), offsets_of(lengths), counts or {})

    def take(self, indices: Ids) -> Ragged:
        """Select the sequences at `indices`, shape (m,), in that order; `counts` stay those of all."""
        lengths = self.lengths[indices]
        offsets = offsets_of(lengths)
        source = np.repeat(self.offsets[:-1][indices] - offsets[:-1], lengths) + np.arange(offsets[-1])
        return Ragged(self.values[source], offsets, self.counts)

    def save(self, path: Path) -> None:
        """Write to the Arrow file `path`, whole or not at all."""
        counts = {"counts": json.dumps(dict(self.counts))}
        values = pa.ListArray if len(self.values) < 2**31 else pa.LargeListArray
        kind = pa.int32() if values is pa.ListArray else pa.int64()
        column = values.from_arrays(pa.array(self.offsets).cast(kind), pa.array(self.values))
        table = pa.table({"symbols": column}).replace_schema_metadata(counts)
        part = path.with_suffix(path.suffix + ".part")
        with pa.OSFile(str(part), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
        part.replace(path)

    @classmethod
    def load(cls, path: Path) -> Ragged:
        """Read the file `path` that `save` wrote. It is memory-mapped: values stay on disk until they are used.

        Raises
        ------
        DataError
            It is not a complete Arrow file.
        """
        try:
            table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
        except pa.ArrowInvalid as error:
            raise DataError(f"{path} is not a whole Arrow file ({error})", fix=f"delete {path} and run again") from None
        column = table.column("symbols").combine_chunks()
        counts = json.loads((table.schema.metadata or {}).get(b"counts", b"{}"))
        return cls(column.values.to_numpy(), column.offsets.to_numpy().astype(np.int64), counts)


def offsets_of(lengths: Ids) -> NDArray[np.int64]:
    """Shape (n + 1,): the running sums of `lengths`, shape (n,), starting at 0."""
    return np.concatenate(([0], np.cumsum(lengths, dtype=np.int64)))


def narrow(values: Ids) -> Ids:
    """Convert `values` to uint16 if they fit, else to uint32."""
    fits = not len(values) or int(values.max()) < 2**16
    return values.astype(np.uint16 if fits else np.uint32)


def joined(payloads: Sequence[Payload] | pa.Array) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Join the n raw records `payloads`: all bytes, shape (total,), and the offsets of records, shape (n + 1,).

    The bytes of an Arrow string column are not copied.
    """
    if isinstance(payloads, pa.Array):
        column: Any = payloads.cast(pa.large_binary())  # pyright: ignore
        _, offsets, data = column.buffers()
        ends = np.frombuffer(offsets, np.int64)[column.offset : column.offset + len(column) + 1]
        whole = np.frombuffer(data, np.uint8) if data is not None else np.empty(0, np.uint8)
        return whole[ends[0] : ends[-1]], ends - ends[0]
    texts = [p.encode() if isinstance(p, str) else p for p in payloads]
    lengths = np.fromiter((len(t) for t in texts), np.int64, len(texts))
    return np.frombuffer(b"".join(texts), np.uint8), offsets_of(lengths)


PATH = "path"
"""Key in the metadata of a field whose value is the path of a file or folder."""


def path_option(default: str = "") -> Any:
    """A dataclass field of an adapter for the path of a file or folder, with a `default`; empty means none.

    A study identifies a cell by the contents of such a file. The value of any other option is used as it is, even if
    a file of that name happens to be in the current folder.
    """
    return field(default=default, metadata={PATH: True})


@runtime_checkable
class Adapter(Protocol):
    """One domain: how its raw records become symbols.

    Write it as a frozen dataclass whose fields are the options that change the output. They are part of its
    fingerprint. Make those that name files with `path_option`. Register it in the entry-point group
    ``xdomain.adapters``.

    Optional abilities, such as places of symbols or files as records, are in `xdomain.core.adapter_protocols`.
    An option called `tokenizer` that is left out is set to the backbone's tokenizer.
    """

    @property
    def name(self) -> str:
        """The domain's name, as in ``--domain``."""
        ...

    @property
    def alphabet(self) -> Alphabet:
        """The symbols that `encode` yields."""
        ...

    def encode(self, payloads: Sequence[Payload] | pa.Array) -> Ragged:
        """Encode many raw records at once.

        Parameters
        ----------
        payloads
            Raw records: strings, bytes, or an Arrow string column.

        Returns
        -------
        Ragged
            Ids of symbols in `alphabet`, and counts of what was changed.
        """
        ...

    def decode(self, ids: Ids) -> str:
        """The text that `encode` turns into the symbols `ids`."""
        ...

    def stock_tokenizer(self, vocabulary: Mapping[str, int], unk_token: str) -> Tokenizer:
        """A plain tokenizer that turns one raw record into the same symbols as `encode`.

        It is saved with the checkpoint, so it may use nothing but the `tokenizers` library.

        Parameters
        ----------
        vocabulary
            The row of every symbol and special token in the backbone's vocabulary.
        unk_token
            The token for symbols that are not in `vocabulary`.
        """
        ...


def fingerprint(adapter: Adapter) -> str:
    """A digest of the class and options of `adapter`. Adapters with equal digests encode alike."""
    settings = {"class": f"{type(adapter).__module__}.{type(adapter).__qualname__}", "options": repr(adapter)}
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


def object_array(values: Sequence[Any]) -> NDArray[Any]:
    """Shape (n,): each of `values` as one object, even if all are lists of the same length."""
    array = np.empty(len(values), object)
    array[:] = values
    return array
