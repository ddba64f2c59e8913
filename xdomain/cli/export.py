"""The commands ``xdomain embed``, ``attention`` and ``export``: files for other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xdomain.cli.options import ColumnOption, Set, columns_by_role, mapping_arguments
from xdomain.core.choices import Pooling

Source = Annotated[str, typer.Argument(help="A finished run; or a backbone that is not fine-tuned, with --domain.")]
Files = Annotated[list[Path], typer.Argument(help="A table or sequences, without need of labels; or sound files.")]
Domain = Annotated[str | None, typer.Option(help="With a backbone: what the records are: dna, protein, …")]
Mapping = Annotated[str | None, typer.Option(help="With a backbone: which word stands for which symbol, as for run.")]
MappingSeed = Annotated[int | None, typer.Option(min=0, help="With a backbone: seed of the mapping's draw; default 0.")]


def embed_command(
    source: Source,
    files: Files,
    *,
    out: Annotated[Path, typer.Option(help="The .npy file to write, with ids beside it, or the .parquet file.")],
    layer: Annotated[int, typer.Option(help="0 is the embedding layer, -1 the last.")] = -1,
    pooling: Annotated[Pooling, typer.Option(help="Over symbols; cls: the first token; none: one each.")] = "mean",
    domain: Domain = None,
    mapping: Mapping = None,
    mapping_seed: MappingSeed = None,
    column: ColumnOption = None,
    changes: Set = None,
) -> None:
    """Write a vector for each record of a file: what a run's encoder, or a backbone as it is, makes of it."""
    from xdomain.cli.progress_bar import progress_bar
    from xdomain.embedding.files import check_vector_file

    check_vector_file(out, pooling)
    columns = columns_by_role(column)
    with progress_bar():
        from xdomain.embedding.source import open_encoder  # which loads torch

        encoder = open_encoder(source, domain=domain, **mapping_arguments(mapping), mapping_seed=mapping_seed,
                               overrides=changes or ())  # fmt: skip
        encoder.write_embeddings(out, *files, columns=columns, layer=layer, pooling=pooling)


def attention_command(
    source: Source,
    files: Files,
    *,
    out: Annotated[Path, typer.Option(help="The .npz file to write.")],
    layer: Annotated[int | None, typer.Option(help="1 is the first layer, -1 the last; default: all.")] = None,
    domain: Domain = None,
    mapping: Mapping = None,
    mapping_seed: MappingSeed = None,
    column: ColumnOption = None,
    changes: Set = None,
) -> None:
    """Write the attention weights of each record of a file: from every position to every other, by layer and head."""
    from xdomain.cli.progress_bar import progress_bar
    from xdomain.embedding.files import check_attention_file

    check_attention_file(out)
    columns = columns_by_role(column)
    with progress_bar():
        from xdomain.embedding.source import open_encoder  # which loads torch

        encoder = open_encoder(source, domain=domain, **mapping_arguments(mapping), mapping_seed=mapping_seed,
                               overrides=changes or ())  # fmt: skip
        encoder.write_attention(out, *files, columns=columns, layer=layer)
