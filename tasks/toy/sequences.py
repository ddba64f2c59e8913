"""Generated tasks: no file, no network, the same records from the same seed, learnable in a minute."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from xdomain.core.errors import RecipeError

Rng = np.random.Generator
MAX_RECORDS = 1_000_000
NT = np.array(list("ACGT"))
AA = np.array(list("ACDEFGHIKLMNPQRSTVWY"))

# Share of A, C, G, T, in percent, at the positions of primate splice sites, rounded from
# Shapiro & Senapathy 1987, Nucleic Acids Research 15, 7155, tables of donor and acceptor consensus.
DONOR = np.array(  # exon -3 … -1 | intron +1 … +6
    [[33, 37, 18, 12], [58, 13, 14, 15], [10, 4, 78, 8], [0, 0, 100, 0], [0, 0, 0, 100],
     [57, 3, 39, 1], [71, 8, 12, 9], [5, 6, 84, 5], [16, 18, 20, 46]]
)  # fmt: skip
ACCEPTOR = np.array(  # intron -14 … -1 | exon +1
    [[9, 31, 15, 45], [8, 30, 13, 49], [7, 30, 11, 52], [7, 31, 10, 52], [8, 33, 11, 48], [10, 36, 11, 43],
     [10, 36, 8, 46], [7, 38, 7, 48], [8, 41, 9, 42], [7, 41, 6, 46], [24, 31, 20, 25], [4, 74, 0, 22],
     [100, 0, 0, 0], [0, 0, 100, 0], [26, 13, 52, 9]]
)  # fmt: skip
ISLANDS = np.array([[35, 15, 15, 35], [10, 40, 40, 10]])  # outside and inside of a stretch rich in CG
LENGTH, MIDDLE = 60, 30
# Binding sites of MYC/MAX and of GATA factors: consensus of Blackwell et al. 1990, Science 250, 1149 (CACGTG), and of
# Ko & Engel 1993, Mol. Cell. Biol. 13, 4011 (GATAAG).
SITES = {"ebox": "CACGTG", "gata": "GATAAG"}
ORDER_LENGTH = 24
STEPS = ("walk", "hop", "turn", "slide", "kick", "spin", "sway", "stomp")
"""Steps of a made-up dance."""
# NCBI translation table 1, the standard genetic code: of TTT, TTC, TTA, TTG, TCT, … to GGG.
CODONS = ["".join(codon) for codon in product("TCAG", repeat=3)]
GENETIC_CODE = dict(zip(CODONS, "FFLLSSSSYY**CC*WLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG", strict=True))
SENSE = [codon for codon in CODONS if GENETIC_CODE[codon] != "*"]

# Kyte & Doolittle 1982, J. Mol. Biol. 157, 105, table 2.
HYDROPATHY = dict(
    zip("ARNDCQEGHILKMFPSTWYV", (1.8, -4.5, -3.5, -3.5, 2.5, -3.5, -3.5, -0.4, -3.2, 4.5, 3.8, -3.9, 1.9, 2.8, -1.6,
                                 -0.8, -0.7, -0.9, -1.3, 4.2), strict=True)
)  # fmt: skip
# Propensities for helix, strand and coil, rounded from Chou & Fasman 1978, Adv. Enzymol. 47, 45 (coil from turns).
PROPENSITY = {
    "H": dict(zip("EMALKFQWIVDHRTSCYNPG", (1.51, 1.45, 1.42, 1.21, 1.16, 1.13, 1.11, 1.08, 1.08, 1.06, 1.01, 1.0, 0.98,
                                           0.83, 0.77, 0.7, 0.69, 0.67, 0.57, 0.57), strict=True)),
    "E": dict(zip("VIYFWLTCQMRNHASGKPDE", (1.7, 1.6, 1.47, 1.38, 1.37, 1.3, 1.19, 1.19, 1.1, 1.05, 0.93, 0.89, 0.87,
                                           0.83, 0.75, 0.75, 0.74, 0.55, 0.54, 0.37), strict=True)),
    "C": dict(zip("NGPDSCYKQTWRHEAMFLVI", (1.56, 1.56, 1.52, 1.46, 1.43, 1.19, 1.14, 1.01, 0.98, 0.96, 0.96, 0.95,
                                           0.95, 0.74, 0.66, 0.6, 0.6, 0.59, 0.5, 0.47), strict=True)),
}  # fmt: skip


def _background(rng: Rng, length: int = LENGTH) -> NDArray[np.str_]:
    return NT[rng.integers(4, size=length)]


def _cumulative(shares: NDArray[Any]) -> NDArray[np.float64]:
    summed = np.cumsum(shares / shares.sum(axis=1, keepdims=True), axis=1)
    return summed / summed[:, -1:]


def _drawn(rng: Rng, table: NDArray[Any]) -> NDArray[np.str_]:
    """A nucleotide for each row of shares: those that ``rng.choice(NT, p=…)`` draws row by row, many times as fast."""
    return NT[(_cumulative(table) <= rng.random((len(table), 1))).sum(axis=1)]


def _splice(rng: Rng) -> dict[str, Any]:
    """60 nt with a donor (EI) or an acceptor (IE) in the middle, or with one elsewhere, or none (N)."""
    kind = str(rng.choice(["EI", "IE", "N"], p=[0.25, 0.25, 0.5]))
    letters = _background(rng)
    shift = int(rng.integers(4, 15)) * int(rng.choice([-1, 1])) if kind == "N" else 0
    site = kind if kind != "N" else str(rng.choice(["EI", "IE", "none"]))
    middle = MIDDLE + shift
    if site == "EI":
        letters[middle - 3 : middle + 6] = _drawn(rng, DONOR)
    elif site == "IE":
        letters[middle - 14 : middle + 1] = _drawn(rng, ACCEPTOR)
    else:
        letters[MIDDLE : MIDDLE + 2] = ["G", "T"]
    return {"sequence": "".join(letters), "label": kind}


def _motif_order(rng: Rng) -> dict[str, Any]:
    """24 nt with two binding sites, an E-box and a GATA site, 1 to 6 nt apart anywhere: which of them comes first?"""
    order = str(rng.choice(["ebox-gata", "gata-ebox"]))
    first, second = (SITES[name] for name in order.split("-"))
    gap = int(rng.integers(1, 7))
    start = int(rng.integers(ORDER_LENGTH - len(first) - gap - len(second) + 1))
    letters = _background(rng, ORDER_LENGTH)
    for place, site in ((start, first), (start + len(first) + gap, second)):
        letters[place : place + len(site)] = list(site)
    return {"sequence": "".join(letters), "label": order}


def _translation(rng: Rng) -> dict[str, Any]:
    """8 to 12 codons, none of them a stop, and the peptide that they code for."""
    codons = [SENSE[i] for i in rng.integers(len(SENSE), size=int(rng.integers(8, 13)))]
    return {"sequence": "".join(codons), "label": "".join(GENETIC_CODE[codon] for codon in codons)}


def _dna_value(rng: Rng) -> dict[str, Any]:
    """The share of G and C, drawn uniformly, plus a bonus for a TATA box."""
    share = rng.uniform(0.1, 0.9)
    letters = rng.choice(NT, LENGTH, p=[(1 - share) / 2, share / 2, share / 2, (1 - share) / 2])
    box = rng.random() < 0.5
    if box:
        place = rng.integers(5, LENGTH - 15)
        letters[place : place + 8] = list("TATAAAAG")
    return {"sequence": "".join(letters), "label": float(np.isin(letters, ["G", "C"]).mean() + 0.3 * box)}


def _dna_tags(rng: Rng) -> dict[str, Any]:
    """Islands rich in CG (I) in a background poor in it (B): two states that seldom change."""
    start, *drawn = rng.random(1 + 2 * LENGTH)  # for each position whether the state changes, and the letter
    island = (start < 0.5) ^ np.logical_xor.accumulate(np.array(drawn[::2]) < 0.06)
    letters = NT[(_cumulative(ISLANDS)[island.astype(int)] <= np.array(drawn[1::2])[:, None]).sum(axis=1)]
    return {"sequence": "".join(letters), "tags": ["I" if inside else "B" for inside in island]}


def _dna_pair(rng: Rng) -> dict[str, Any]:
    """Which of two strands has more G and C?"""
    shares = rng.permutation([rng.uniform(0.2, 0.5), rng.uniform(0.5, 0.8)])
    sides = ["".join(rng.choice(NT, 28, p=[(1 - s) / 2, s / 2, s / 2, (1 - s) / 2])) for s in shares]
    counts = [sum(c in "GC" for c in side) for side in sides]
    return {"sequence": sides[0], "sequence_b": sides[1], "label": "first" if counts[0] >= counts[1] else "second"}


def _residues(rng: Rng, length: int, scale: Mapping[str, float] | None = None, sharpness: float = 1.0) -> list[str]:
    weights = np.array([scale[a] for a in AA]) ** sharpness if scale else np.ones(20)
    return [str(a) for a in rng.choice(AA, length, p=weights / weights.sum())]


def _protein_class(rng: Rng) -> dict[str, Any]:
    """Proteins that begin with a signal peptide (M, basic end, hydrophobic core, A-X-A) or with just an M."""
    secreted = rng.random() < 0.5
    letters = ["M", *_residues(rng, int(rng.integers(39, 59)))]
    if secreted:
        core = [str(a) for a in rng.choice(list("LLLLAAVIF"), int(rng.integers(8, 13)))]
        signal = ["K", str(rng.choice(list("KR"))), *core, "A", str(rng.choice(AA)), "A"]
        letters[1 : 1 + len(signal)] = signal
    return {"sequence": "".join(letters), "label": "secreted" if secreted else "cytosolic"}


def _protein_value(rng: Rng) -> dict[str, Any]:
    """Mean Kyte-Doolittle hydropathy of a peptide that is hydrophobic or hydrophilic to a random degree."""
    scale = {a: float(np.exp(rng.normal() * 0.1 + HYDROPATHY[a] * 0.3)) for a in AA}
    tilt = rng.uniform(-1, 1)
    letters = _residues(rng, int(rng.integers(20, 51)), scale, sharpness=tilt)
    return {"sequence": "".join(letters), "label": float(np.mean([HYDROPATHY[a] for a in letters]))}


def _protein_tags(rng: Rng) -> dict[str, Any]:
    """Stretches of helix, strand and coil whose residues follow the propensities of each."""
    letters: list[str] = []
    tags: list[str] = []
    while len(letters) < 50:
        state = str(rng.choice(["H", "E", "C"]))
        stretch = int(rng.integers(5, 13))
        letters += _residues(rng, stretch, PROPENSITY[state], sharpness=3.0)
        tags += [state] * stretch
    return {"sequence": "".join(letters[:50]), "tags": tags[:50]}


def _protein_pair(rng: Rng) -> dict[str, Any]:
    """Which of two peptides is the more hydrophobic?"""
    scale = {a: float(np.exp(HYDROPATHY[a] * 0.3)) for a in AA}
    sides = ["".join(_residues(rng, 24, scale, sharpness=rng.uniform(-1, 1))) for _ in range(2)]
    sums = [sum(HYDROPATHY[a] for a in side) for side in sides]
    return {"sequence": sides[0], "sequence_b": sides[1], "label": "first" if sums[0] >= sums[1] else "second"}


def _sentence(rng: Rng) -> tuple[str, float]:
    good = ["fine", "lovely", "splendid", "happy", "pleasant", "charming"]
    bad = ["dreadful", "dull", "miserable", "wretched", "gloomy", "tedious"]
    mood = int(rng.integers(2))
    word, other = (good, bad)[mood], (bad, good)[mood]
    subject = rng.choice(["the evening", "his letter", "that house", "the old captain", "her answer", "our voyage"])
    verb = rng.choice(["was", "seemed", "had been", "looked"])
    negated = rng.random() < 0.3
    chosen = str(rng.choice(other if negated else word))
    tail = rng.choice(["", " in the morning", " to all of us", " after the rain", " at the beginning"])
    return f"{subject} {verb} {'not ' if negated else ''}{chosen}{tail}", 1.0 - mood


def _text_class(rng: Rng) -> dict[str, Any]:
    """Sentences of praise and blame, a third of them by negation."""
    text, value = _sentence(rng)
    return {"sequence": text, "label": "good" if value else "bad"}


def _text_value(rng: Rng) -> dict[str, Any]:
    """How much of three sentences is praise, from 0 to 1."""
    each = [_sentence(rng) for _ in range(3)]
    return {"sequence": ". ".join(t for t, _ in each), "label": float(np.mean([v for _, v in each]))}


def _text_pair(rng: Rng) -> dict[str, Any]:
    """Which of two sentences is praise, the other being blame?"""
    one, first = _sentence(rng)
    two, second = _sentence(rng)
    while second == first:
        two, second = _sentence(rng)
    return {"sequence": one, "sequence_b": two, "label": "first" if first > second else "second"}


def _dance(rng: Rng) -> dict[str, Any]:
    """16 to 24 steps of a made-up dance with one bow and one clap, in one order or the other."""
    steps = np.array(STEPS)[rng.integers(len(STEPS), size=rng.integers(16, 25))]
    first, second = np.sort(rng.choice(len(steps), 2, replace=False))
    kind = str(rng.choice(["bow first", "clap first"]))
    steps[first], steps[second] = ("bow", "clap") if kind == "bow first" else ("clap", "bow")
    return {"sequence": " ".join(steps.tolist()), "label": kind}


def made_up(draw: Callable[[Rng], dict[str, Any]]) -> Callable[..., pa.Table]:
    """A reader of generated records: each is a call of `draw` with a random generator of its own."""

    @lru_cache(maxsize=4)  # the runs of a comparison read the same records
    def table(records: int, seed: int) -> pa.Table:
        rows = [draw(np.random.Generator(np.random.PCG64([seed, i]))) for i in range(records)]
        return pa.Table.from_pylist([{"id": f"toy{i}", **row} for i, row in enumerate(rows)])

    def read(files: Mapping[str, Path], *, records: int = 3000, seed: int = 0) -> pa.Table:
        del files  # nothing is read: the records are generated
        if not 1 <= records <= MAX_RECORDS or seed < 0:
            raise RecipeError(
                f"reader options records={records}, seed={seed}", expected=f"1 to {MAX_RECORDS:,}, and 0 or more"
            )
        return table(records, seed)

    read.__doc__ = draw.__doc__
    return read


READERS = {
    "toy_dna_classification": made_up(_splice),
    "toy_dna_motif_order": made_up(_motif_order),
    "toy_dna_regression": made_up(_dna_value),
    "toy_dna_tagging": made_up(_dna_tags),
    "toy_dna_pair": made_up(_dna_pair),
    "toy_dna_translation": made_up(_translation),
    "toy_protein_classification": made_up(_protein_class),
    "toy_protein_regression": made_up(_protein_value),
    "toy_protein_tagging": made_up(_protein_tags),
    "toy_protein_pair": made_up(_protein_pair),
    "toy_text_classification": made_up(_text_class),
    "toy_text_regression": made_up(_text_value),
    "toy_text_pair": made_up(_text_pair),
    "toy_tokens_classification": made_up(_dance),
}
