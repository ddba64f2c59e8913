"""Add negatives to a table of one class, and give each the split of the record that it was made for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute

from xdomain.core.choices import Problem
from xdomain.core.errors import DataError
from xdomain.core.progress import log
from xdomain.core.recipe import Recipe
from xdomain.core.recipe_sections import Columns, Negatives, Split
from xdomain.data.formats.fasta import raw_fasta
from xdomain.data.formats.genome import Genome, open_genome
from xdomain.data.formats.registry import FORMATS, raw_file, raw_options_of
from xdomain.data.negatives.background import Taken, draw_regions, places_in
from xdomain.data.negatives.proteins import nearest_lengths
from xdomain.data.negatives.shuffle import shuffled_letters, shuffled_pairs
from xdomain.data.splits.assign import assign
from xdomain.data.splits.clusters import clustered
from xdomain.data.splits.drawing import Names

pc: Any = pyarrow.compute  # its functions are made at import and have no types
MADE_FOR = "negative of"
"""The column with the row of the record that a negative was made for; null for a record of the data."""
POSITIVE = "positive"
"""The class of all records of a file without labels."""
TRIES = 100
"""Shuffles of a record, at most, until one is new."""
Negative = tuple[int, str, str]
"""The row of the record that it was made for, its id and its sequence."""


@dataclass
class _Seen:
    """Sequences that no negative may equal, on either strand of DNA."""

    dna: bool
    texts: set[str] = field(default_factory=set[str])

    def is_new(self, text: str) -> bool:
        """Whether `text` was not seen before; from now on it was."""
        if text in self.texts:
            return False
        self.know(text)
        return True

    def know(self, *texts: str) -> None:
        """Add `texts`."""
        self.texts.update(texts)
        if self.dna:
            from Bio.Seq import reverse_complement  # takes a while to load, and most tables do without

            self.texts.update(str(reverse_complement(text)) for text in texts)


def negative_class(own: str) -> str:
    """What negatives are called beside the class `own`: 0 beside 1, else negative."""
    return "0" if own == "1" else "negative"


def with_negatives(table: pa.Table, recipe: Recipe, files: Mapping[str, Path], made_of: Path | None) -> pa.Table:
    """Add a negative for each record of a table, as ``negatives`` of its recipe says.

    Parameters
    ----------
    table
        Validated, of one class.
    recipe
        Its part ``negatives`` has the way and the seed.
    files
        Of the data, to find out where in a genome the records are.
    made_of
        The genome or the proteins.

    Returns
    -------
    pa.Table
        With one record more for each that got a negative, and the column `MADE_FOR`. No negative has the sequence of
        another, or of a record, on either strand of DNA.

    Raises
    ------
    DataError
        The table has several classes, or there is too little to make negatives of.
    """
    classes: list[str] = pc.unique(table.column("label")).to_pylist()
    if len(classes) != 1:
        raise DataError(
            f"negatives for data that has {len(classes)} classes: {', '.join(classes[:5])}",
            expected="records of one class",
            fix="leave --negatives out; or --column label= takes all records for one class",
        )
    if classes[0] in ("0", "negative"):
        raise DataError(f"the only class is called {classes[0]!r}, as negatives are", expected="another name",
                        fix="rename it in the data")  # fmt: skip
    texts = ["".join(text.split()).upper() for text in table.column("sequence").to_pylist()]
    made = sorted(_made(texts, table, recipe, files, made_of))
    _say(recipe.negatives, len(texts), made, made_of)
    rows = [row for row, _, _ in made]
    taken = set(table.column("id").to_pylist())
    ids = [_free(name, taken) for _, name, _ in made]
    added = table.take(pa.array(rows, pa.int64()))
    for name, cells in (("id", ids), ("sequence", [text for _, _, text in made]),
                        ("label", [negative_class(classes[0])] * len(made))):  # fmt: skip
        added = added.set_column(added.column_names.index(name), name, pa.array(cells, pa.string()))
    whole = pa.concat_tables([table, added])
    return whole.append_column(MADE_FOR, pa.array([*[None] * len(texts), *rows], pa.int64()))


def split_with_negatives(table: pa.Table, split: Split, problem: Problem) -> tuple[pa.Table, Names]:
    """Split a table, so that each negative stands where its record does; clusters are those of the data's records.

    Parameters
    ----------
    table
        Of `with_negatives`, or without negatives.
    split
        The rule. A number in its ``limit`` counts records and negatives together.
    problem
        What the labels are.

    Returns
    -------
    tuple
        The table, without `MADE_FOR`, with the groups of clusters; and the split of each record.

    Raises
    ------
    DataError
        As `xdomain.data.splits.assign.assign`.
    """
    if MADE_FOR not in table.column_names:
        whole = clustered(table, split)
        return whole, assign(whole, split, problem)
    rows = table.column(MADE_FOR).combine_chunks()
    own = clustered(table.filter(pc.is_null(rows)).drop_columns([MADE_FOR]), split)
    halved = {name: most if most < 1 else max(1, int(most) // 2) for name, most in split.limit.items()}
    names = assign(own, split.model_copy(update={"limit": halved}), problem)
    places = np.concatenate([np.arange(len(names)), rows.drop_null().to_numpy()])
    whole = table.drop_columns([MADE_FOR])
    if "group" in own.column_names:
        groups = own.column("group").take(pa.array(places))
        others = whole.drop_columns([name for name in ("group",) if name in whole.column_names])
        whole = others.append_column("group", groups)
    return whole, names[places]


def own_class(table: pa.Table) -> str | None:
    """The class of the data's own records in a `table` of `with_negatives`; None for other tables."""
    return str(table.column("label")[0].as_py()) if MADE_FOR in table.column_names else None


def count_negatives(table: pa.Table) -> dict[str, int]:
    """Counts for the result: negatives that were made, and records without one; none for a `table` without them."""
    if MADE_FOR not in table.column_names:
        return {}
    made = table.num_rows - table.column(MADE_FOR).null_count
    lacking = table.num_rows - 2 * made
    return {"negatives_made": made, **({"without_negative": lacking} if lacking else {})}


def _made(
    texts: Sequence[str], table: pa.Table, recipe: Recipe, files: Mapping[str, Path], made_of: Path | None
) -> Iterator[Negative]:
    how, seed, dna = recipe.negatives.how, recipe.negatives.seed, recipe.adapter.name == "dna"
    seen = _Seen(dna)
    seen.know(*texts)
    if how == "shuffled":
        shuffle = shuffled_pairs if dna else shuffled_letters
        ids: list[str] = table.column("id").to_pylist()
        for row, text in enumerate(texts):
            rng = np.random.Generator(np.random.PCG64([seed, row]))
            shuffles = (shuffle(text, rng) for _ in range(TRIES))
            if (new := next((one for one in shuffles if seen.is_new(one)), None)) is not None:
                yield row, f"{ids[row]}:shuffled", new
        return
    if made_of is None:
        raise DataError(f"negatives by {how} without a file", fix=f"--negatives {how}=FILE")
    rng = np.random.Generator(np.random.PCG64(seed))
    if how == "background":
        genome = open_genome(made_of, "negatives")
        yield from _regions(texts, genome, Taken(_known(recipe, files, genome, len(texts))), seen, rng)
        return
    proteins = raw_fasta(made_of)
    pairs = zip(proteins.column("id").to_pylist(), proteins.column("sequence").to_pylist(), strict=True)
    others = {name: text for name, text in ((n, "".join(t.split()).upper()) for n, t in pairs) if seen.is_new(text)}
    for row, name in nearest_lengths([len(text) for text in texts], others, rng, where=str(made_of)):
        yield row, name, others[name]


def _regions(
    texts: Sequence[str], genome: Genome, taken: Taken, seen: _Seen, rng: np.random.Generator
) -> Iterator[Negative]:
    waiting = list(range(len(texts)))
    for _ in range(TRIES):  # a region may hold what another holds, as repeats do
        again: list[int] = []
        for row, (contig, start, end) in zip(
            waiting, draw_regions([len(texts[row]) for row in waiting], genome, taken, rng), strict=True
        ):
            text = genome.part(contig, start, end)
            if seen.is_new(text.upper()):
                yield row, f"{contig}:{start}-{end}", text
            else:
                again.append(row)
        waiting = again
        if not waiting:
            return


def _known(recipe: Recipe, files: Mapping[str, Path], genome: Genome, records: int) -> list[tuple[str, int, int]]:
    """Where the records of the data lie in the genome, and a sentence on how many of them tell."""
    known: list[tuple[str, int, int]] = []
    for path in files.values() if recipe.reader in FORMATS else ():
        options = raw_options_of(recipe.reader, recipe.reader_options)
        raw = raw_file(recipe.reader, path, columns=Columns(), labelled=False, **options)
        known += places_in({name: raw.column(name).to_pylist() for name in raw.column_names}, genome)
    if known:
        log.info(f"negatives: {len(known):,} intervals of the data are known, and none overlaps them")
    else:
        log.warning(
            f"negatives: where the {records:,} records lie in {genome.path.name} is not known (no columns chrom, start "
            "and end, no ids such as chr1:100-200), so that background may overlap them"
        )
    return known


def _free(name: str, taken: set[str]) -> str:
    """The `name`, or with a number behind it where it is taken; from now on it is."""
    free, number = name, 1
    while free in taken:
        number += 1
        free = f"{name}:{number}"
    taken.add(free)
    return free


def _say(negatives: Negatives, records: int, made: Sequence[Negative], made_of: Path | None) -> None:
    of = f" of {made_of.name}" if made_of else ""
    log.info(f"negatives: {len(made):,} made for {records:,} records, {negatives.how}{of}, seed {negatives.seed}")
    if len(made) < records:
        first = min(set(range(records)) - {row for row, _, _ in made})
        log.warning(
            f"negatives: {records - len(made):,} records have none, as no other sequence is left for them; "
            f"the first is row {first + 1}"
        )
