"""How a mutation is written: ``A23T``, and of proteins also ``Lys23Arg``, ``p.Lys23Arg`` or ``K23del``, as in HGVS."""

from __future__ import annotations

import re

from xdomain.core.errors import DataError
from xdomain.data.rows import short
from xdomain.inference.variants.variant import Edit

SEVERAL = re.compile(r"[:;,\s]+")
IN_BRACKETS = re.compile(r"p\.\[(.*)\]")
PREDICTED = re.compile(r"p\.\((.*)\)")
ONE = re.compile(r"([A-Za-z*]+)(\d{1,12})(\S+)")
THREE = re.compile(r"[A-Z][a-z]{2}")
CAPITALS = re.compile(r"[A-Z*]+|[a-z]")
STOP = "*"
EXPECTED = "the letter there, its place from 1, and the new letter: A23T; several as A23T:G40C; a deletion as A23-"
WORDS = {
    "delins": "a deletion with an insertion; write the letters instead: A23GT",
    "ins": "an insertion; write the letter there and those behind it: A23AGG",
    "dup": "a duplication; write the letter twice: A23AA",
    "fs": "a shift of the frame, after which the sequence is not known",
    "ext": "an extension, whose sequence is not known",
    "^_": "a change of a range; write its letters: AC23T, or AC23-",
    "=": "no change",
    r"\?": "an unknown change",
}
"""Patterns of what HGVS says with words and signs that stand for no letters: such a mutation has no score."""


def read_mutation(text: str, *, residues: bool) -> list[Edit]:
    """Read the changes that a mutation consists of.

    Parameters
    ----------
    text
        One change, or several with ``:``, ``;``, a comma or a blank between.
    residues
        Whether the letters are amino acids. Then three-letter codes and a leading ``p.`` are read, letters are
        capitals, but for one alone, and a new stop is refused: what stands behind it would not be there.

    Raises
    ------
    DataError
        A change cannot be read, or says something that is not the letters there and the new ones.
    """
    text = text.strip()
    if residues and (whole := IN_BRACKETS.fullmatch(text)):
        text = whole[1]
    return [_edit(one, residues=residues) for one in SEVERAL.split(text)]


def _edit(text: str, *, residues: bool) -> Edit:
    plain = text
    if residues:
        predicted = PREDICTED.fullmatch(text)
        plain = predicted[1] if predicted else text.removeprefix("p.")
    found = ONE.fullmatch(plain)
    told = next((what for word, what in WORDS.items() if re.search(word, found[3] if found else plain)), None)
    if told:
        raise DataError(f"{short(text)!r} is {told}")
    if found is None:
        raise DataError(f"{short(text)!r} is no mutation; expected {EXPECTED}")
    ref, alt = (_letters(part, text, residues=residues) for part in (found[1], found[3]))
    if residues and STOP in alt:
        raise DataError(f"{short(text)!r} is a stop: {STOP} is no letter of an amino acid, and ends the protein")
    return Edit(int(found[2]) - 1, ref, alt)


def _letters(part: str, text: str, *, residues: bool) -> str:
    """The letters that one side of the change `text` stands for, in capitals; none for a deletion."""
    if part in ("-", "del"):
        return ""
    codes = THREE.findall(part)
    if codes and "".join(codes) == part:
        from Bio.Data.IUPACData import protein_letters_3to1_extended  # takes a while to load

        known = {**protein_letters_3to1_extended, "Ter": STOP}
        if all(code in known for code in codes):
            if not residues:
                raise DataError(f"{short(text)!r} has an amino acid, {part}, and the domain none")
            return "".join(known[code] for code in codes)
    if not re.fullmatch(CAPITALS if residues else r"[A-Za-z*]+", part):
        raise DataError(
            f"{short(text)!r} is no mutation: {short(part)!r} is no amino acid; expected {EXPECTED}"
            if residues
            else f"{short(text)!r} is no mutation; expected {EXPECTED}"
        )
    return part.upper()
