"""The command ``xdomain anomaly``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xdomain.cli import complete
from xdomain.cli.export import Reading
from xdomain.cli.options import columns_by_role, mapping_arguments, takes


@takes(reading=Reading)
def anomaly_command(
    backbone: Annotated[
        str,
        typer.Argument(help="A masked language model: a folder or hub id.", autocompletion=complete.backbones),
    ],
    file: Annotated[Path, typer.Argument(help="A table or sequences; with --column label=NAME, scores are evaluated.")],
    *,
    passes: Annotated[
        int,
        typer.Option(min=0, help="Passes over a record, each masking some symbols; 0: one a symbol, exact."),
    ] = 8,
    anomalous: Annotated[str | None, typer.Option(help="The label of anomalous records; default: the rarer.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="A .csv, .tsv, .xlsx, .parquet or .jsonl to write instead of printing CSV.")
    ] = None,
    reading: Reading,
) -> None:
    """Score how unlikely a pre-trained masked language model finds each record: higher for the less likely."""
    from xdomain.cli.progress_bar import progress_bar
    from xdomain.data.formats.write import check_table_file, write_tables
    from xdomain.inference.anomaly import anomaly_scores

    if out:
        check_table_file(out, overwrite=reading.overwrite)
    with progress_bar():
        found = anomaly_scores(
            backbone,
            file,
            passes=passes or None,
            columns=columns_by_role(reading.column),
            anomalous=anomalous,
            domain=reading.domain,
            **mapping_arguments(reading.mapping),
            mapping_seed=reading.mapping_seed,
            overrides=reading.changes or (),
        )
    write_tables([found.table], out)
