"""The commands ``xdomain units fit``, ``encode``, ``import`` and ``speak``."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from xdomain.core.errors import OutputError, RecipeError
from xdomain.core.examples import examples
from xdomain.core.formatting import duration
from xdomain.core.progress import log

if TYPE_CHECKING:  # not loaded to print the help
    from .files import SoundTable
    from .frame_reader import ReadLog

app = typer.Typer(help="Turn speech into discrete units.", no_args_is_help=True, rich_markup_mode=None)

EVERY = 5.0  # seconds between two lines of progress in a pipe
METHODS = {"kmeans": "k-means", "vqvae": "VQ-VAE"}
SAMPLE = 200_000
"""The most frames that a codebook is fitted to."""

Wavs = Annotated[
    list[str],
    typer.Argument(
        metavar="WAVS",
        help="Sound files, folders, quoted patterns; or one CSV or TSV file with columns of sound files.",
    ),
]
FeaturesOption = Annotated[
    str,
    typer.Option(
        "--features",
        help="mfcc; FOLDER_OR_HUB_ID:LAYER, of HuBERT, wav2vec 2 or WavLM; or torchaudio:PIPELINE:LAYER, "
        "which needs the extra xdomain[torchaudio].",
    ),
]
CodebookOut = Annotated[Path, typer.Option(help="Folder to write the codebook to.")]
SkipBad = Annotated[bool, typer.Option("--skip-bad", help="Leave out files that cannot be read, and report them.")]
Json = Annotated[bool, typer.Option("--json", help="JSON to stdout instead of a table.")]


@app.command(
    "fit",
    epilog=examples(
        """
        # A hundred units of MFCC, by k-means
        xdomain units fit recordings --out my-units

        # Of the sixth layer of a HuBERT
        xdomain units fit recordings --features facebook/hubert-base-ls960:6 \\
          --out hubert-units
        """
    ),
)
def fit_command(
    wavs: Wavs,
    *,
    out: CodebookOut,
    features: FeaturesOption = "mfcc",
    method: Annotated[
        Literal["kmeans", "vqvae"],
        typer.Option(help="k-means, or a small VQ-VAE, which needs the extra xdomain[vqvae]."),
    ] = "kmeans",
    units: Annotated[int, typer.Option(min=1, help="Number of units: k of k-means, codes of a VQ-VAE.")] = 100,
    frames: Annotated[
        int, typer.Option(min=1, help="Fit to at most this many frames, drawn at random from all files.")
    ] = SAMPLE,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed of the sample of frames and of the fit.")] = 0,
    skip_bad: SkipBad = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing codebook.")] = False,
    as_json: Json = False,
) -> None:
    """Fit a codebook of units to sound files."""
    import numpy as np

    from .codebook import check_place, fit_codebook, sample_frames
    from .frame_reader import ReadLog, frames_of_files
    from .labels import usage
    from .named_features import make_features

    check_place(out, overwrite=overwrite)
    paths, _ = _named(wavs)
    hears = make_features(features)
    notes = ReadLog(Progress(len(paths)))
    heard = frames_of_files(paths, hears, notes, skip_bad=skip_bad)
    sample, total = sample_frames(heard, frames, width=hears.width, seed=seed)
    for line in notes.lines():
        log.info(line)
    log.info(f"{METHODS[method]}: {units:,} units from {len(sample):,} of {total:,} frames")
    book, distance = fit_codebook(sample, units, features=hears, seed=seed, method=method)
    fitted = book.assign(sample)
    book.save(out, overwrite=overwrite)
    use = usage(fitted, np.ones_like(fitted), size=book.size, seconds=notes.seconds)
    measures = {
        "files": notes.heard,
        "skipped": len(notes.skipped),
        "seconds of audio": round(notes.seconds, 2),
        "frames": total,
        "frames fitted to": len(sample),
        "units": book.size,
        "perplexity": round(use.perplexity, 2),
        "share of units used": round(use.used, 4),
        "mean squared distance" if method == "kmeans" else "mean squared error, standardised": round(distance, 4),
        "codebook": book.mark,
    }
    _show(measures, as_json=as_json, where=out)


@app.command(
    "encode",
    epilog=examples(
        """
        # A CSV with the units of each recording
        xdomain units encode recordings --codebook my-units --out units.csv

        # The sounds that a table names, and how well units agree with phones
        xdomain units encode questions.csv --codebook my-units --out units.csv \\
          --labels phones.csv
        """
    ),
)
def encode_command(
    wavs: Wavs,
    *,
    codebook: Annotated[Path, typer.Option(help="Codebook: a folder written by `xdomain units fit`.")],
    out: Annotated[Path, typer.Option(help="CSV file to write.")],
    features: Annotated[
        str | None,
        typer.Option(help="FOLDER_OR_HUB_ID:LAYER of the codebook's encoder, if it has moved since `fit`."),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(help="CSV with columns id, label[, start, end] in seconds: report how well units agree with it."),
    ] = None,
    skip_bad: SkipBad = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")] = False,
    as_json: Json = False,
) -> None:
    """Write the units of sound files to a CSV, one row per file: units with run lengths, frame rate, duration.

    Given a CSV with columns of sound files, write the same CSV with units in their place, and a column `codebook`.
    """
    import numpy as np

    from xdomain.data.run_length import UNIT_COLUMNS

    from .codebook import Codebook
    from .encode import encode_files
    from .files import ids_of, rows_to
    from .frame_reader import ReadLog
    from .labels import Counts, Usage, count_labels, labels_told, read_labels, usage
    from .named_features import make_features

    _check_file(out, overwrite=overwrite)
    book = Codebook.load(codebook)
    paths, table = _named(wavs)
    stretches = read_labels(labels, ids_of(paths)) if labels else {}
    hears = make_features(features or book.features)
    notes = ReadLog(Progress(len(paths)))
    use, labelled = Usage(np.zeros(book.size, np.int64), 0, 0.0, 0), Counts()
    units: dict[Path, str] = {}
    with rows_to(out, UNIT_COLUMNS if table is None else tuple(dict.fromkeys((*table.columns, "codebook")))) as write:
        for one in encode_files(paths, book, features=hears, skip_bad=skip_bad, notes=notes):
            if table is None:
                write(one.row())
            else:
                units[Path(one.file)] = one.sequence
            use += usage(one.units, one.runs, size=book.size, seconds=one.duration)
            if labels:
                labelled += count_labels(one, stretches)
        for row in table.rows(units) if table else ():
            write(row | {"codebook": book.mark})
    for line in notes.lines():
        log.info(line)
    measures = {
        "files": use.files,
        "skipped": len(notes.skipped),
        "seconds of audio": round(use.seconds, 2),
        "frames": use.frames,
        "units, merged": use.merged,
        "units a second": round(use.units_a_second, 2),
        "frames a unit": round(use.frames_a_unit, 2),
        "perplexity": round(use.perplexity, 2),
        "share of units used": round(use.used, 4),
        **(labels_told(labelled) if labels else {}),
        "codebook": book.mark,
    }
    _show(measures, as_json=as_json, where=out)


@app.command(
    "import",
    epilog=examples(
        """
        # Centroids of another tool, and the layer whose states they are of
        xdomain units import centroids.npy --out hubert-units \\
          --features facebook/hubert-base-ls960:6

        # Replace an earlier codebook
        xdomain units import centroids.npy --out my-units --features mfcc \\
          --overwrite
        """
    ),
)
def import_command(
    centroids: Annotated[Path, typer.Argument(help="A .npy file of shape (units, width).")],
    *,
    features: FeaturesOption,
    out: CodebookOut,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing codebook.")] = False,
) -> None:
    """Make a codebook from centroids fitted elsewhere, such as by fairseq or s3prl, saved as a .npy array."""
    from .codebook import Codebook, check_place
    from .named_features import make_features

    check_place(out, overwrite=overwrite)
    book = Codebook.of_array(centroids, features=make_features(features))
    book.save(out, overwrite=overwrite)
    _show({"units": book.size, "features": book.features, "codebook": book.mark}, as_json=False, where=out)


@app.command(
    "speak",
    epilog=examples(
        """
        # Questions and passages of your own, in two voices
        xdomain units speak questions.csv --out spoken.csv --voices en,en-us

        # A task of text
        xdomain units speak speech/simulated-qa-text --out spoken.csv
        """
    ),
)
def speak_command(
    task: Annotated[
        str,
        typer.Argument(
            metavar="TASK_OR_FILE",
            help="A CSV with columns question, passage, start and end (characters of the answer), or a task of text.",
        ),
    ],
    *,
    out: Annotated[
        Path, typer.Option(help="CSV file to write; the wav files go into a folder beside it, named like it.")
    ],
    voices: Annotated[str, typer.Option(help="Voices of espeak-ng, used in turn: en,en-us,en-gb-scotland.")] = "en",
    words_per_minute: Annotated[int, typer.Option(min=80, max=450, help="Speaking rate.")] = 175,
    changes: Annotated[
        list[str] | None, typer.Option("--set", help="Change the task's recipe: key.sub=value. Repeatable.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing file and its folder of wav files.")
    ] = False,
) -> None:
    """Speak questions and passages of text with espeak-ng, and write at which seconds the answers are said."""
    from xdomain.core.plugins import find_recipe
    from xdomain.data.loading import load_table
    from xdomain.data.own_data import own_recipe
    from xdomain.data.sources import is_data

    from .tts import speak_questions

    _check_file(out, overwrite=overwrite)
    named = own_recipe(Path(task), "text", problem="span") if is_data(task) else task
    recipe = find_recipe(named, changes or ())
    if (recipe.problem, recipe.adapter.name) != ("span", "text"):
        raise RecipeError(
            f"{recipe.name} is of the problem {recipe.problem} in the domain {recipe.adapter.name}",
            expected="answers in text",
            fix="e.g. `xdomain units speak speech/simulated-qa-text`",
        )
    table = load_table(recipe)
    progress = Progress(len(table), "questions")
    speak_questions(table, out, voices=voices.split(","), words_per_minute=words_per_minute, progress=progress.tell)
    print(f"written: {out}")


class Progress:
    """Progress on stderr: one line that is renewed in a terminal, a line every few seconds in a pipe.

    Parameters
    ----------
    total
        How many there are to do.
    what
        Their name in the plural.
    """

    def __init__(self, total: int, what: str = "files") -> None:
        self.total, self.what = total, what
        self.live = sys.stderr.isatty()
        self.told = time.monotonic()
        # the time, and how many are done, at the first report: when libraries are loaded and the first sound is read
        self.begun: tuple[float, int] | None = None

    def __call__(self, notes: ReadLog) -> None:
        self.tell(notes.done, notes.seconds)

    def tell(self, done: int, seconds: float) -> None:
        """Report that `done` are done, which hold `seconds` of audio."""
        now, last = time.monotonic(), done == self.total
        self.begun = self.begun or (now, done)
        if now - self.told < (0.2 if self.live else EVERY) and not (last and self.live):
            return
        self.told = now
        taken, since = now - self.begun[0], done - self.begun[1]
        left = f", {duration(taken / since * (self.total - done))} left" if since and not last else ""
        line = f"{done:,} of {self.total:,} {self.what}, {duration(seconds)} of audio{left}"
        if self.live:
            print(f"\r{line}\x1b[K", end="\n" if last else "", file=sys.stderr, flush=True)
        else:
            log.info(line)


def _named(wavs: Sequence[str]) -> tuple[list[Path], SoundTable | None]:
    """The sound files that `wavs` names, and the table that names them if there is one."""
    from .files import find_audio, is_table, read_sound_table

    if len(wavs) == 1 and is_table(Path(wavs[0])):
        table = read_sound_table(Path(wavs[0]))
        return table.paths, table
    return find_audio(wavs), None


def _show(measures: dict[str, Any], *, as_json: bool, where: Path) -> None:
    from xdomain.core.printing import print_json, print_rows  # loads rich

    if as_json:
        print_json({**measures, "out": str(where)})
        return
    print_rows([{"measure": name, "value": value} for name, value in measures.items()])
    print(f"written: {where}")


def _check_file(path: Path, *, overwrite: bool) -> None:
    if path.is_dir():
        raise OutputError(f"{path} is a folder", expected="a CSV file to write", fix="another --out")
    if path.exists() and not overwrite:
        raise OutputError(f"{path} is there already", fix="--overwrite, or another --out")
