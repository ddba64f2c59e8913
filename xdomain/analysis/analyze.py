"""Run the analyses of finished runs, and write their pictures, tables and captions into a folder."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from xdomain.analysis import attention, embeddings, landscape, mutagenesis, probes, saliency, similarity
from xdomain.analysis.alignment import align
from xdomain.analysis.loaded_run import open_runs
from xdomain.analysis.result import Analysis, Finding, Options, write_finding
from xdomain.core.disk import writing
from xdomain.core.errors import RecipeError, UserError, unknown
from xdomain.core.progress import log
from xdomain.core.run_dir import ANALYSIS

ANALYSES: tuple[Analysis, ...] = (
    embeddings.ANALYSIS,
    probes.ANALYSIS,
    similarity.ANALYSIS,
    landscape.ANALYSIS,
    mutagenesis.ANALYSIS,
    attention.ANALYSIS,
    saliency.ANALYSIS,
)
NAMES = tuple(analysis.name for analysis in ANALYSES)
INDEX = "README.md"
HEADING = "# Looking inside"


def analyze(
    *runs: str | Path,
    only: Sequence[str] | None = None,
    options: Options | None = None,
    out: str | Path | None = None,
) -> list[Finding]:
    """Analyse finished runs, and write a picture, a table and a caption for each question.

    Parameters
    ----------
    runs
        Run folders. To be compared, they must have one task and the same records.
    only
        Some of `NAMES`. None: all analyses that suit these runs; the others are logged with the reason.
    options
        What to look at, how many records to read, and the seed; None: the defaults.
    out
        The folder to write to; None: ``analysis`` in the first run's folder.

    Returns
    -------
    list of Finding
        In the order of `ANALYSES`.

    Raises
    ------
    UserError
        A folder holds no finished run of an encoder; an analysis named in `only` does not suit these runs, or none
        does; or an option has no effect on the chosen analyses.
    """
    options = options or Options()
    if not runs:
        raise RecipeError("no run to look into", expected="the folder of a finished run")
    chosen = _chosen(only)
    _check_used(options, {name for analysis in chosen for name in analysis.uses})
    folder = Path(out) if out else Path(runs[0]) / ANALYSIS
    opened = open_runs([Path(run) for run in runs])
    findings: list[Finding] = []
    for analysis in chosen:
        why = analysis.refuses(opened, options)
        if why and only:
            raise RecipeError(f"{analysis.name}: {why}", expected=f"runs of which can be asked: {analysis.about}")
        results: list[Finding] = []
        if not why:
            try:
                results = analysis.find(opened, options)
            except UserError as error:
                if only or _asked_for(analysis, options):
                    raise
                why = error.what
        if why:
            log.info(f"without {analysis.name}: {why}")
            continue
        _write(results, folder)
        findings += results
    if not findings:
        raise RecipeError("nothing can be asked of these runs", expected=f"runs that suit one of {', '.join(NAMES)}")
    _write_index(findings, folder)
    return findings


def analyze_parallel(
    checkpoint: str | Path,
    a: str | Path,
    b: str | Path,
    *,
    options: Options | None = None,
    out: str | Path | None = None,
) -> list[Finding]:
    """Analyse whether a checkpoint puts two languages into one space.

    Parameters
    ----------
    checkpoint
        A run folder, a checkpoint folder, or the hub id of a checkpoint.
    a, b
        UTF-8 text files: line i of `a` means line i of `b`.
    options
        `records` is the largest number of pairs of lines to use, drawn by `seed`; None: the defaults.
    out
        The folder to write to; None: ``analysis`` in the checkpoint's folder, or in the working directory for a hub
        id.

    Raises
    ------
    UserError
        The checkpoint cannot be loaded, the files are not parallel text, or an option has no effect here.
    """
    options = options or Options()
    _check_used(options, {"records", "seed"})
    folder = Path(out) if out else (Path(checkpoint) if Path(checkpoint).is_dir() else Path()) / ANALYSIS
    findings = align(Path(checkpoint), Path(a), Path(b), options)
    _write(findings, folder)
    _write_index(findings, folder)
    return findings


def _chosen(only: Sequence[str] | None) -> list[Analysis]:
    if only is not None and not only:
        raise RecipeError("no analysis is named", expected=f"some of {', '.join(NAMES)}")
    for name in only or ():
        if name not in NAMES:
            raise unknown("analysis", name, NAMES)
    return [analysis for analysis in ANALYSES if only is None or analysis.name in only]


def _asked_for(analysis: Analysis, options: Options) -> bool:
    """Whether an option is set that says what this analysis should look at (a symbol, a motif, a record)."""
    return any(getattr(options, name) is not None for name in analysis.uses if getattr(Options(), name) is None)


def _check_used(options: Options, used: Collection[str]) -> None:
    """Refuse an option that has no effect on the chosen analyses."""
    for name, default in vars(Options()).items():
        if getattr(options, name) != default and name not in used:
            fit = ", ".join(analysis.name for analysis in ANALYSES if name in analysis.uses)
            raise RecipeError(f"--{name} changes nothing here", expected=f"it goes with {fit}")


def _write(findings: Sequence[Finding], folder: Path) -> None:
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for finding in findings:
            write_finding(finding, folder)
            log.info(f"{finding.title}\n  {finding.caption}\n  -> {folder / finding.name}.png, .csv")


def _write_index(findings: Sequence[Finding], folder: Path) -> None:
    """Write a page of all pictures with their captions: of `findings`, and of earlier ones that are still there."""
    parts = {name: part for name, part in _earlier(folder) if (folder / f"{name}.png").is_file()}
    parts |= {
        f.name: f"## {f.title}\n\n![{f.title}]({f.name}.png)\n\n{f.reading}\n\n{f.caption} [{f.name}.csv]({f.name}.csv)"
        for f in findings
    }
    (folder / INDEX).write_text("\n\n".join([HEADING, *parts.values()]) + "\n", "utf-8")


def _earlier(folder: Path) -> Iterator[tuple[str, str]]:
    """The names of the findings on the page in `folder`, if there is one, and their parts of it."""
    page = (folder / INDEX).read_text("utf-8") if (folder / INDEX).is_file() else ""
    heading, *parts = page.strip().split("\n\n## ")
    for part in parts if heading == HEADING else ():
        if named := re.search(r"^!\[.*\]\((.+)\.png\)$", part, re.MULTILINE):
            yield named[1], f"## {part}"
