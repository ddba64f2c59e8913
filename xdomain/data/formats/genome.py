"""A genome as FASTA, of which stretches are read from the disk as they are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xdomain.core.errors import DataError, MissingError, nearest


@dataclass(frozen=True, eq=False)
class Genome:
    """The contigs of a FASTA file; `open_genome` makes it.

    Parameters
    ----------
    path
        The file.
    lengths
        By the name of each contig, its bases, in file order.
    """

    path: Path
    lengths: Mapping[str, int]
    _contigs: Any

    def part(self, contig: str, start: int, end: int) -> str:
        """The bases of `contig` from `start` to `end`, from 0, the end left out, as they are written in the file."""
        return str(self._contigs[contig][start:end])

    def lacks(self, contig: str) -> DataError:
        """The error that there is no `contig`, with the name that is nearest: ``1`` is near ``chr1``."""
        other = contig.removeprefix("chr") if contig.startswith("chr") else f"chr{contig}"
        return DataError(
            f"the genome has no chromosome {contig!r}",
            expected=f"one of {', '.join(list(self.lengths)[:8])}{' …' if len(self.lengths) > 8 else ''}",
            nearest=other if other in self.lengths else nearest(contig, self.lengths),
        )


def open_genome(path: Path, what: str) -> Genome:
    """Open a genome, which is indexed beside itself (``.fai``) at the first use.

    Parameters
    ----------
    path
        Uncompressed FASTA.
    what
        What needs it, for the message: ``intervals``, ``variants``.

    Raises
    ------
    MissingError
        pyfaidx is not installed.
    DataError
        The file does not exist, or cannot be indexed.
    """
    try:
        import pyfaidx
    except ImportError:
        raise MissingError(
            f"{path}: {what} need pyfaidx, which is not installed", fix="pip install 'xdomain[genome]'"
        ) from None
    if not path.is_file():
        raise DataError(f"{path} does not exist", expected="the genome as FASTA")
    try:
        contigs: Any = pyfaidx.Fasta(str(path), as_raw=True, sequence_always_upper=False)
    except Exception as error:  # pyfaidx has several of its own
        raise DataError(f"{path} cannot be indexed ({str(error)[:160]})", expected="uncompressed FASTA") from None
    return Genome(path, {str(name): len(contigs[name]) for name in contigs.keys()}, contigs)  # noqa: SIM118
