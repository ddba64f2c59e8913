"""Variants of a genome, as VCF: one for each alternative allele."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from xdomain.core.errors import DataError
from xdomain.core.progress import log
from xdomain.data.formats.decompress import decompressed
from xdomain.data.formats.genome import Genome
from xdomain.data.formats.read_file import opened, read_head
from xdomain.data.rows import short
from xdomain.inference.variants.variant import Edit, Row, Variant, checked

STARTS = re.compile(rb"\s*##fileformat=VCF|#CHROM\t")
BASES = re.compile(r"[ACGTNacgtn]+")
FIELDS = ("CHROM", "POS", "ID", "REF", "ALT")


def is_vcf(path: Path) -> bool:
    """Whether the file `path`, compressed or not, begins as VCF does.

    Raises
    ------
    DataError
        It cannot be read.
    """
    return STARTS.match(read_head(path, 1000).removeprefix(b"\xef\xbb\xbf")) is not None


def read_vcf(path: Path, genome: Genome) -> Iterator[Variant]:
    """Read variants line by line.

    Parameters
    ----------
    path
        VCF, compressed or not.
    genome
        The genome that it counts on.

    Yields
    ------
    Variant
        One for each alternative allele, with the columns chrom, pos (from 1), id, ref and alt. One that cannot be
        scored says why: another base in the genome, a symbolic allele, a contig that the genome lacks under
        this name and under the one with or without ``chr``.

    Raises
    ------
    DataError
        A line is none of VCF.
    """
    renamed = False
    with opened(path) as file, decompressed(path, file) as (stream, _):
        lines: Any = stream
        for number, raw in enumerate(lines, 1):
            line = raw.decode("utf-8", "replace").rstrip("\r\n")
            if not line or line.startswith(("#", "\ufeff#")):
                continue
            cells = line.split("\t")
            if len(cells) < len(FIELDS) or not re.fullmatch(r"\d{1,12}", cells[1]):
                raise DataError(
                    f"{path}: line {number}: {short(line)!r}",
                    expected=f"{', '.join(FIELDS)} with tabs between, POS a whole number",
                )
            chromosome, position, name, ref, alts = cells[:5]
            contig = genome.contig(chromosome)
            if contig not in (None, chromosome) and not renamed:
                renamed = True
                log.info(
                    f"contigs: {chromosome!r} of {path.name} is {contig!r} of {genome.path.name}, and so are others "
                    "whose names differ by the prefix chr alone (M is MT)"
                )
            for alt in alts.split(","):
                row: Row = {"chrom": chromosome, "pos": int(position), "id": name, "ref": ref, "alt": alt}
                yield _variant(row, Edit(int(position) - 1, ref, alt), genome, contig)


def _variant(row: Row, edit: Edit, genome: Genome, contig: str | None) -> Variant:
    if contig is None:
        error = genome.lacks(str(row["chrom"]))
        near = f" (did you mean {error.nearest}?)" if error.nearest else ""
        return Variant(row, error=f"{genome.path.name} has no contig {row['chrom']!r}{near}")
    if not BASES.fullmatch(edit.ref):
        return Variant(row, error=f"the reference allele {short(edit.ref)!r} is no sequence of A, C, G, T and N")
    if not BASES.fullmatch(edit.alt):
        return Variant(row, error=_no_sequence(edit.alt))
    part = partial(genome.part, contig)
    return checked(row, [edit], genome.lengths[contig], part, what=contig, place="base")


def _no_sequence(alt: str) -> str:
    """Why an alternative allele cannot be scored: VCF 4.5, section 1.6.1."""
    kinds = {
        r"\.": "no alternative allele",
        r"\*": "the allele * (deleted by another variant) has no sequence",
        r"<.*>": f"the symbolic allele {short(alt)} has no sequence",
        r".*[\[\]].*": f"the breakend {short(alt)} has no sequence",
    }
    told = next((why for form, why in kinds.items() if re.fullmatch(form, alt)), None)
    return told or f"the alternative allele {short(alt)!r} is no sequence of A, C, G, T and N"
