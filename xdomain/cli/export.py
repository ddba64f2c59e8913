"""The commands ``xdomain embed``, ``attention`` and ``export``: files for other tools."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xdomain.cli import complete
from xdomain.cli.options import ColumnOption, OverwriteFile, RunFolder, columns_by_role, mapping_arguments, takes
from xdomain.core.choices import ExportFormat, Pooling
from xdomain.core.errors import RecipeError

if TYPE_CHECKING:
    from xdomain.inference.embedding.encoder import Encoder

Source = Annotated[
    str,
    typer.Argument(
        help="A finished run; or a backbone that is not fine-tuned, with --domain.", autocompletion=complete.runs
    ),
]
Files = Annotated[list[Path], typer.Argument(help="A table or sequences, labels not needed; or sound files.")]


@dataclass(frozen=True, kw_only=True)
class Reading:
    """The options of every command that has an encoder read the records of a file."""

    domain: Annotated[
        str | None,
        typer.Option(help="With a backbone: what the records are: dna, protein, …", autocompletion=complete.domains),
    ] = None
    mapping: Annotated[
        str | None,
        typer.Option(
            help="With a backbone: which word stands for which symbol, as for run.",
            autocompletion=complete.mappings,
        ),
    ] = None
    mapping_seed: Annotated[
        int | None, typer.Option(min=0, help="With a backbone: seed of the mapping's draw; default 0.")
    ] = None
    column: ColumnOption = None
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="With a backbone: change how records are read: adapter.options.tokens=kmer. Repeatable."
        ),
    ] = None
    overwrite: OverwriteFile = False

    def encoder(self, source: str) -> Encoder:
        """Open the encoder of `source`, which loads torch."""
        from xdomain.inference.embedding.open_encoder import open_encoder

        return open_encoder(
            source,
            domain=self.domain,
            **mapping_arguments(self.mapping),
            mapping_seed=self.mapping_seed,
            overrides=self.changes or (),
        )


@takes(reading=Reading)
def embed_command(
    source: Source,
    files: Files,
    *,
    out: Annotated[Path, typer.Option(help="The .npy file to write, ids in .ids.txt; or the .parquet file.")],
    layer: Annotated[int, typer.Option(help="0 is the embedding layer, -1 the last.")] = -1,
    pooling: Annotated[Pooling, typer.Option(help="Over symbols; cls: the first token; none: one each.")] = "mean",
    reading: Reading,
) -> None:
    """Write a vector for each record of a file, by a run's encoder, or by a backbone that is not fine-tuned."""
    from xdomain.cli.progress_bar import progress_bar
    from xdomain.inference.embedding.files import check_vector_file

    check_vector_file(out, pooling, overwrite=reading.overwrite)
    columns = columns_by_role(reading.column)
    with progress_bar():
        reading.encoder(source).write_embeddings(
            out, *files, columns=columns, layer=layer, pooling=pooling, overwrite=reading.overwrite
        )


@takes(reading=Reading)
def attention_command(
    source: Source,
    files: Files,
    *,
    out: Annotated[Path, typer.Option(help="The .npz file to write.")],
    layer: Annotated[int | None, typer.Option(help="1 is the first layer, -1 the last; default: all.")] = None,
    reading: Reading,
) -> None:
    """Write the attention weights of each record of a file: from every position to every other, by layer and head."""
    from xdomain.cli.progress_bar import progress_bar
    from xdomain.core.run_dir import check_new_file
    from xdomain.inference.embedding.files import ATTENTION_FILES

    check_new_file(out, ATTENTION_FILES, overwrite=reading.overwrite)
    columns = columns_by_role(reading.column)
    with progress_bar():
        reading.encoder(source).write_attention(out, *files, columns=columns, layer=layer, overwrite=reading.overwrite)


def export_command(
    run_dir: RunFolder,
    *,
    form: Annotated[
        ExportFormat,
        typer.Option(
            "--format",
            help="onnx: a folder with model and tokenizer; dome: a page for a supplement; card: a model card.",
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="The folder or the page to write; without it the page is printed.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier export.")] = False,
) -> None:
    """Write a run's model for other tools, its model card, or a page of what a paper should report about it."""
    from xdomain.cli.progress_bar import progress_bar
    from xdomain.core.run_dir import read_result

    read_result(run_dir)  # report a wrong name before loading torch, which takes seconds
    if form == "dome":
        from xdomain.export.dome import dome, write_dome

        print(dome(run_dir), end="") if out is None else write_dome(run_dir, out, overwrite=overwrite)
        return
    if form == "card":
        from xdomain.core.run_dir import check_new_file, write_text
        from xdomain.hub.contents import full_card

        if out is not None:
            check_new_file(out, (".md",), overwrite=overwrite)
        print(full_card(run_dir), end="") if out is None else write_text(out, full_card(run_dir))
        return
    if out is None:
        raise RecipeError("--format onnx without --out", expected="a folder to write", fix="--out my-model")
    with progress_bar():
        from xdomain.export.onnx import export_onnx  # which loads torch

        export_onnx(run_dir, out, overwrite=overwrite)
