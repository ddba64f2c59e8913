"""Optional abilities of adapters, one Protocol each: an adapter that defines the methods has the ability.

Test for one with ``isinstance(adapter, HasSpans)``. An adapter need not inherit from the Protocol.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from xdomain.core.sequences import Adapter, Ids, Payload, Ragged


@runtime_checkable
class HasSpans(Protocol):
    """Knows where in a sequence each symbol lies. The problem ``span`` needs this."""

    def spans(self, payloads: Sequence[Payload] | pa.Array) -> NDArray[np.float64]:
        """Locate the symbols that `encode` yields.

        Parameters
        ----------
        payloads
            Raw records, as for `encode`.

        Returns
        -------
        numpy.ndarray
            Shape (total symbols, 2), half-open, in the sequence's own coordinate: seconds, characters, nt.
        """
        ...


@runtime_checkable
class HasWordStarts(Protocol):
    """Has words of several symbols. In tagging there is one tag per word."""

    def word_starts(self, payloads: Sequence[Payload] | pa.Array) -> Ragged:
        """Find the first symbol of each word.

        Parameters
        ----------
        payloads
            Raw records, as for `encode`.

        Returns
        -------
        Ragged
            For each record one number per word: the position of the word's first symbol in the record. For a word
            without symbols, the number of symbols of the record.
        """
        ...


@runtime_checkable
class ReadsFiles(Protocol):
    """Reads sound or music files, each of which is one record."""

    @property
    def media(self) -> tuple[str, ...]:
        """File name endings in lower case, with the dot. Empty if the adapter's options rule out reading files."""
        ...

    def encode_files(self, paths: Sequence[Path]) -> Sequence[str | None]:
        """Turn each of the files `paths` into a string that `encode` reads, in the same order.

        None stands for a file that cannot be read, where an option of the adapter says that such files are left out.
        """
        ...


@runtime_checkable
class ReadsLines(Protocol):
    """Has records that a text file may hold without more, one on each line, with blanks or commas in them.

    Such a file, without a header, is then read wherever no labels are needed.
    """

    reads_lines: ClassVar[bool]
    """True."""


@runtime_checkable
class CutsFiles(Protocol):
    """Can cut an answer out of a file."""

    def clip(self, path: Path, start: float, end: float, out: Path) -> None:
        """Write the part of the file `path` from `start` to `end`, in the unit of `HasSpans`, to the file `out`."""
        ...


@runtime_checkable
class KeepsFiles(Protocol):
    """Has options that name files, which must be copied into the run folder so that it can be moved."""

    def export_assets(self, folder: Path) -> None:
        """Copy each of these files into `folder`. The name of the copy, without its ending, is that of the option."""
        ...


@runtime_checkable
class ChecksRecords(Protocol):
    """Can tell whether records were made in a way that fits its options."""

    def check_compatible(self, told: Mapping[str, Sequence[str]]) -> None:
        """Raise a `UserError` if they were not; `told` is the value of `xdomain.data.assemble.constants_of`."""
        ...


@runtime_checkable
class LearnsAlphabet(Protocol):
    """Takes its alphabet from the data where its options name none. It should have `KeepsFiles`, too."""

    def fitted(self, payloads: Iterable[Sequence[Payload] | pa.Array]) -> Adapter:
        """The same adapter with the symbols of `payloads`, raw records, many at once, as its alphabet.

        Where its options name an alphabet, it returns itself and does not read them.
        """
        ...


@runtime_checkable
class RecognizesOtherDomains(Protocol):
    """Can tell when sequences that it can read are more likely those of another domain."""

    def other_domain(self, symbols: Ragged) -> str | None:
        """Say in a sentence why that is so, and what to do; None where nothing is strange. `symbols` is of `encode`."""
        ...


@runtime_checkable
class ReverseComplements(Protocol):
    """Has sequences that can be read from the other strand, for the leakage check and ``train.augment``."""

    def reverse_complement(self, ids: Ids) -> Ids:
        """Give the symbols of the other strand, read in its own direction, for the symbols `ids` of one sequence."""
        ...


@runtime_checkable
class Transposes(Protocol):
    """Has pitches that can be moved together, for ``train.augment``."""

    def transpose(self, ids: Ids, semitones: int) -> Ids:
        """Move every pitch in the symbols `ids` of one piece up by `semitones`, or down if that is negative."""
        ...


@runtime_checkable
class SpacesTokens(Protocol):
    """Has a plain tokenizer that reads records in another notation than the data."""

    def to_tokenizer_text(self, payload: Payload) -> str:
        """Rewrite the raw record `payload` so that `stock_tokenizer` gives the symbols that `encode` gives."""
        ...
