"""The command variants: what changes in the answer of a run, or of a backbone, when a sequence is changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from xdomain.core.choices import VariantScore
from xdomain.core.errors import DataError, RecipeError
from xdomain.core.progress import log, reporter
from xdomain.core.recipe_sections import Columns
from xdomain.core.run_dir import is_run, refuse_for_run
from xdomain.core.sequences import Adapter
from xdomain.data.formats.genome import open_genome
from xdomain.inference.scorer import Scorer, check_letters, letters_of, load_scorer
from xdomain.inference.variants.mutations import read_mutations
from xdomain.inference.variants.scores import ByBackbone, ByRun, Readable, ScoresVariants
from xdomain.inference.variants.variant import Variant
from xdomain.inference.variants.vcf import is_vcf, read_vcf

AT_ONCE = 512
"""Variants that are scored at once."""


@dataclass(frozen=True)
class VariantFile:
    """A file of variants, and where the sequences that they change are.

    Parameters
    ----------
    path
        VCF, compressed or not; or a table of mutations.
    genome
        FASTA, for VCF.
    sequences
        FASTA, for a table of mutations that has ids in place of sequences.
    columns
        Of a table: its columns `sequence` and `id`; None: known by their names.
    mutation
        Of a table: its column of mutations; None: known by its name.
    """

    path: Path
    genome: Path | None = None
    sequences: Path | None = None
    columns: Columns | None = None
    mutation: str | None = None

    @property
    def of_genome(self) -> bool:
        """Whether the variants are of a genome.

        Raises
        ------
        DataError
            The file is VCF and no genome is given, or the other way round.
        """
        vcf = is_vcf(self.path)
        if vcf and self.genome is None:
            raise DataError(f"{self.path} is VCF", expected="the genome that it counts on", fix="--genome GENOME.fasta")
        if not vcf and self.genome is not None:
            raise DataError(f"{self.path} is no VCF", expected="##fileformat=VCF… in its first line, with --genome",
                            fix="leave --genome out, for a table with the columns sequence and mutation")  # fmt: skip
        return vcf

    def variants(self, *, residues: bool) -> Iterator[Variant]:
        """Read them, in file order; `residues` says whether the letters of a table are amino acids.

        Raises
        ------
        DataError
            The file cannot be read.
        """
        if self.genome is not None:
            return read_vcf(self.path, open_genome(self.genome, "variants"))
        return read_mutations(
            self.path, columns=self.columns, mutation=self.mutation, sequences=self.sequences, residues=residues
        )


def score_variants(
    source: str | Path | Sequence[str | Path],
    file: str | Path,
    *,
    genome: str | Path | None = None,
    sequences: str | Path | None = None,
    columns: Columns | None = None,
    mutation: str | None = None,
    window: int | None = None,
    of: str | None = None,
    reverse_complement: bool = False,
    how: VariantScore | None = None,
    **options: Any,
) -> pa.Table:
    """Score variants: the answer for the changed sequence minus that for the sequence as it is.

    Parameters
    ----------
    source
        A run for classification or regression of single sequences; several, whose answers are averaged; or a
        backbone, that is a masked language model, with ``domain=…``.
    file
        VCF, with `genome`; or a table with a column of mutations (``A23T``, from 1; several as ``A23T:G40C``) and
        one of sequences, or with `sequences` of their ids.
    genome
        The genome that the VCF counts on, as FASTA.
    sequences
        FASTA with the sequences of a table.
    columns, mutation
        Of a table: its columns `sequence` and `id`, and its column of mutations; None: known by their names.
    window
        Letters of the window about a variant. None: for VCF by a run the median length of its training records; by a
        backbone as many as it reads at once; for mutations by a run the whole sequence.
    of
        With a run: the class whose log-odds are compared. None: of two the positive one.
    reverse_complement
        With a run: whether to average both strands.
    how
        With a backbone: ``masked-marginals`` (the default, for changes that only substitute; others get
        pseudo-log-likelihoods) or ``pseudo-log-likelihood`` for all.
    options
        With a backbone: as for `xdomain.open_encoder`.

    Returns
    -------
    pyarrow.Table
        A row for each alternative allele or mutation, in file order: what names it, ``score``, by a run also the
        answers for REF and ALT, by a backbone ``how``; and ``error``: why a row has no score, empty if it has one.

    Raises
    ------
    UserError
        `source` or `file` cannot be read, or options do not fit. What is wrong with one variant is in ``error``.
    """
    given = VariantFile(Path(file), _path(genome), _path(sequences), columns, mutation)
    tables = variant_tables(
        source, given, window=window, of=of, reverse_complement=reverse_complement, how=how, **options
    )
    return pa.concat_tables(tables)


def variant_tables(
    source: str | Path | Sequence[str | Path],
    file: VariantFile,
    *,
    window: int | None = None,
    of: str | None = None,
    reverse_complement: bool = False,
    how: VariantScore | None = None,
    domain: str | None = None,
    mapping: str | None = None,
    mapping_table: Mapping[str, str] | None = None,
    mapping_seed: int | None = None,
    overrides: Sequence[str] = (),
) -> Iterator[pa.Table]:
    """Score variants as `score_variants` does, some at a time: a file of any size takes little memory.

    Parameters
    ----------
    source, window, of, reverse_complement, how
        As for `score_variants`.
    file
        The variants.
    domain, mapping, mapping_table, mapping_seed, overrides
        With a backbone: as for `xdomain.open_encoder`.
    """
    if window is not None and window < 1:
        raise RecipeError(f"a window of {window} letters", expected="1 or more")
    sources = [source] if isinstance(source, (str, Path)) else list(source)
    if is_run(sources[0]) or len(sources) > 1:
        refuse_for_run(
            sources[0], domain=domain, mapping=mapping, mapping_table=mapping_table, mapping_seed=mapping_seed,
            overrides=overrides or None, how=how,
        )  # fmt: skip
        scorer = load_scorer(*sources, of=of, reverse_complement=reverse_complement)
        return tables_by(scorer, file, window=window)
    for name, value in (("class", of), ("reverse_complement", reverse_complement or None)):
        if value is not None:
            raise RecipeError(f"{name} for the backbone {sources[0]}", expected="a run, which gives answers")
    from xdomain.inference.embedding.masked_lm import load_masked_lm
    from xdomain.inference.embedding.open_encoder import read_backbone  # which loads torch

    of_genome = file.of_genome
    read = read_backbone(sources[0], domain, mapping, mapping_table, mapping_seed, overrides)
    check_letters(read.adapter, "variants")
    model = load_masked_lm(read)
    width = window if window is not None else letters_of(read.adapter, model.room)
    if width is None and of_genome:
        raise RecipeError("how long is a window, where symbols are of any length?", expected="letters of it",
                          fix="--window 200")  # fmt: skip
    log.info(
        f"score: log p of ALT minus log p of REF, {how or 'masked-marginals'}"
        + ("" if how else " for substitutions, pseudo-log-likelihood for others")
        + ("" if width is None else f", in windows of {width:,} letters at most")
    )
    return _scored(file, read.adapter, ByBackbone(model, read.adapter, width, how or "masked-marginals"))


def tables_by(scorer: Scorer, file: VariantFile, *, window: int | None = None) -> Iterator[pa.Table]:
    """Score the variants of a file by a run.

    Parameters
    ----------
    scorer
        The model of the run, and the class that it is asked about.
    file
        The variants.
    window
        As for `score_variants`.

    Raises
    ------
    RecipeError
        The domain has no letters, or the length of a window is not known.
    """
    check_letters(scorer.predictor.adapter, "variants")
    width = window if window is not None or not file.of_genome else scorer.usual_length()
    log.info(
        f"score: {scorer.what}, ALT minus REF"
        + (", of whole sequences" if width is None else f", in windows of {width:,} letters")
        + (" (the median of training)" if width is not None and window is None else "")
    )
    return _scored(file, scorer.predictor.adapter, ByRun(scorer, width))


def _scored(file: VariantFile, adapter: Adapter, by: ScoresVariants) -> Iterator[pa.Table]:
    rows = failed = 0
    why = ""
    reporter().phase("scoring variants")
    variants = file.variants(residues=Readable(adapter).reads_residues)
    while some := list(islice(variants, AT_ONCE)):
        columns = by.columns(some, several=rows > 0 or len(some) == AT_ONCE, first=not rows)
        names = {name: pa.array([variant.row[name] for variant in some]) for name in some[0].row}
        errors = [one for one in columns["error"].to_pylist() if one]
        rows, failed, why = rows + len(some), failed + len(errors), why or next(iter(errors), "")
        yield pa.table({**names, **columns})
    if not rows:
        raise DataError(f"{file.path} holds no variants", expected="one or more")
    if failed:
        log.warning(f"{failed:,} of {rows:,} variants have no score; the first: {why} (column error)")


def _path(given: str | Path | None) -> Path | None:
    return None if given is None else Path(given)
