"""What only some adapters can do, each a Protocol of its own: write the method, and it is used.

Ask with ``isinstance(adapter, HasSpans)``; an adapter inherits from none of these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from xdomain.core.sequences import Ids, Payload, Ragged


@runtime_checkable
class HasSpans(Protocol):
    """Knows where in a sequence each symbol lies, which answers in a passage need."""

    def spans(self, payloads: Sequence[Payload] | pa.Array) -> NDArray[np.float64]:
        """Locate the symbols that `encode` yields.

        Returns
        -------
        numpy.ndarray
            Shape (total symbols, 2), half-open, in the sequence's own coordinate: seconds, characters, nt.
        """
        ...


@runtime_checkable
class HasWordStarts(Protocol):
    """Has words of several symbols, where tags are one a word."""

    def word_starts(self, payloads: Sequence[Payload] | pa.Array) -> Ragged:
        """Find the position of each word's first symbol; that of the sequence's end for a word without symbols."""
        ...


@runtime_checkable
class ReadsFiles(Protocol):
    """Reads records that are files of their own, of sound or of music."""

    @property
    def media(self) -> tuple[str, ...]:
        """Endings of the names of such files, in lower case, with their dots; none where options rule them out."""
        ...

    def encode_files(self, paths: Sequence[Path]) -> list[str]:
        """Turn each file into what `encode` reads."""
        ...


@runtime_checkable
class CutsFiles(Protocol):
    """Can cut an answer out of a file."""

    def clip(self, path: Path, start: float, end: float, out: Path) -> None:
        """Write the part from `start` to `end`, in the coordinate of `HasSpans`, to `out`."""
        ...


@runtime_checkable
class KeepsFiles(Protocol):
    """Needs files that its options name, also when the run has moved."""

    def export_assets(self, folder: Path) -> None:
        """Copy each into `folder`, under the name of the option."""
        ...


@runtime_checkable
class ChecksRecords(Protocol):
    """Can tell whether records were made as it makes them."""

    def check_compatible(self, told: Mapping[str, Sequence[str]]) -> None:
        """Refuse others with a `UserError`; `told` is what `xdomain.data.assemble.constants_of` returns."""
        ...


@runtime_checkable
class RecognizesOtherDomains(Protocol):
    """Can tell when sequences that it can read are more likely those of another domain."""

    def other_domain(self, symbols: Ragged) -> str | None:
        """Say in a sentence why that is so, and what to do; None where nothing is strange. `symbols` is of `encode`."""
        ...


@runtime_checkable
class ReverseComplements(Protocol):
    """Has sequences that can be read from the other strand: for leakage and ``train.augment``."""

    def reverse_complement(self, ids: Ids) -> Ids:
        """Give the symbols of the other strand, read in its own direction."""
        ...


@runtime_checkable
class Transposes(Protocol):
    """Has pitches that can be moved together: for ``train.augment``."""

    def transpose(self, ids: Ids, semitones: int) -> Ids:
        """Move every pitch up by `semitones`, down where that is below 0."""
        ...


@runtime_checkable
class SpacesTokens(Protocol):
    """Writes a record in another way for the plain tokenizer than it is in the data."""

    def to_tokenizer_text(self, payload: Payload) -> str:
        """Write it so that `stock_tokenizer` finds the symbols of `encode`."""
        ...
