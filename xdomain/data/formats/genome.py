"""A genome as FASTA, of which stretches are read from the disk as they are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xdomain.core.errors import DataError, MissingError, nearest
from xdomain.core.paths import is_file


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
        """The bases of `contig` from `start` to `end`, from 0, the end left out, as they are written in the file.

        Raises
        ------
        DataError
            Something else than text stands there, or another file than was indexed.
        """
        import pyfaidx

        try:
            bases = str(self._contigs[contig][start:end])
            bases.encode("ascii")
            return bases
        except (UnicodeError, pyfaidx.FetchError, OSError) as error:
            what = f"{self.path}: {contig} cannot be read from {start:,} to {end:,} ({str(error)[:120]})"
            raise DataError(what, expected="FASTA in plain text", fix=f"delete {self.path}.fai if it is old") from None

    def contig(self, name: str) -> str | None:
        """The contig of that `name`, or else the one whose name differs by the prefix ``chr`` alone; None without one.

        M and MT are one name, that of the mitochondrion. Where two names would fit, none does.
        """
        if name in self.lengths:
            return name
        bare = name.removeprefix("chr")
        bares = ("M", "MT") if bare in ("M", "MT") else (bare,) if bare and not bare.startswith("chr") else ()
        found = [other for one in bares for other in (one, f"chr{one}") if other in self.lengths]
        return found[0] if len(found) == 1 else None

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
    if not is_file(path):
        raise DataError(f"{path} does not exist", expected="the genome as FASTA")
    try:
        contigs: Any = pyfaidx.Fasta(str(path), as_raw=True, sequence_always_upper=False)
    except Exception as error:  # pyfaidx has several of its own
        raise DataError(f"{path} cannot be indexed ({str(error)[:160]})", expected="uncompressed FASTA") from None
    if ragged := next((str(name) for name in contigs.keys() if _is_ragged(path, contigs, name)), None):  # noqa: SIM118
        raise DataError(
            f"{path}: the lines of {ragged!r} have different lengths, so that no place in it can be found",
            expected="lines of one length, but for the last of each contig",
            fix=f"seqkit seq -w 60 {path} > {path.stem}.lines{path.suffix}; or seqtk seq -l 60",
        )
    return Genome(path, {str(name): len(contigs[name]) for name in contigs.keys()}, contigs)  # noqa: SIM118


def _is_ragged(path: Path, contigs: Any, name: Any) -> bool:
    """Whether a contig does not end where its index, which knows one length of lines, says. pyfaidx does not see it."""
    place = contigs.faidx.index[name]
    lines = -(-place.rlen // place.lenc) if place.lenc else 0
    if lines < 2 or getattr(contigs.faidx, "_bgzf", False):
        return False
    with path.open("rb") as file:
        file.seek(place.offset + place.rlen + lines * (place.lenb - place.lenc))
        return file.read(1) not in (b">", b"\n", b"\r", b"")
