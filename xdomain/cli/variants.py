"""The command ``xdomain variants``."""

from __future__ import annotations

from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xdomain.cli import complete
from xdomain.cli.export import Reading
from xdomain.cli.options import columns_by_role, mapping_arguments, takes
from xdomain.core.choices import VariantScore, listed
from xdomain.core.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa


@takes(reading=Reading)
def variants_command(
    source: Annotated[
        str,
        typer.Argument(help="A finished run; or a backbone, a masked LM, with --domain.", autocompletion=complete.runs),
    ],
    files: Annotated[
        list[Path],
        typer.Argument(
            help="VCF with --genome; or a table of sequences and mutations (A23T). Folders before it: further runs, "
            "whose answers are averaged."
        ),
    ],
    *,
    genome: Annotated[Path | None, typer.Option(help="The genome that the VCF refers to, as FASTA.")] = None,
    sequences: Annotated[Path | None, typer.Option(help="FASTA, where the table has ids of sequences.")] = None,
    mutation: Annotated[str | None, typer.Option(help="The table's column of mutations; default: by its name.")] = None,
    window: Annotated[
        int | None,
        typer.Option(
            min=1, help="Letters around a variant; default: the median of training, or what the backbone reads."
        ),
    ] = None,
    of: Annotated[
        str | None, typer.Option("--class", help="The class whose log-odds are compared; default: the positive one.")
    ] = None,
    reverse_complement: Annotated[
        bool, typer.Option("--reverse-complement", help="DNA: average the answers for both strands.")
    ] = False,
    how: Annotated[VariantScore | None, typer.Option(help=f"With a backbone: {listed(VariantScore)}.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="A .csv, .tsv, .xlsx, .parquet or .jsonl to write instead of printing CSV.")
    ] = None,
    reading: Reading,
) -> None:
    """Score variants: the answer of a model for the changed sequence minus that for the original one."""
    from xdomain.cli.progress_bar import progress_bar
    from xdomain.data.formats.write import check_table_file, write_tables
    from xdomain.inference.variants.api import VariantFile, variant_tables

    if out:
        check_table_file(out, overwrite=reading.overwrite)
    further = list(takewhile(Path.is_dir, files))
    if len(files) != len(further) + 1:
        raise DataError(f"{len(files) - len(further)} files of variants", expected="one VCF, or one table of mutations")
    file = VariantFile(files[-1], genome, sequences, columns_by_role(reading.column), mutation)
    counts = {"scored": 0}

    def counted(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
        for table in tables:
            counts["scored"] += table.num_rows - table.column("score").null_count
            yield table

    with progress_bar():
        tables = variant_tables(
            [source, *further],
            file,
            window=window,
            of=of,
            reverse_complement=reverse_complement,
            how=how,
            domain=reading.domain,
            **mapping_arguments(reading.mapping),
            mapping_seed=reading.mapping_seed,
            overrides=reading.changes or (),
        )
        write_tables(counted(tables), out)
    if not counts["scored"]:
        raise DataError("no variant has a score", expected="one or more that fit the sequence and the window",
                        fix=f"see the column error{f' of {out}' if out else ''}")  # fmt: skip
