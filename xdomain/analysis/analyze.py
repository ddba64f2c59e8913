"""Looking inside: the analyses that there are, and the folder that they fill."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from xdomain.analysis import attention, embeddings, landscape, mutagenesis, probes, saliency, similarity
from xdomain.analysis.alignment import align
from xdomain.analysis.loaded_run import open_runs
from xdomain.analysis.result import Analysis, Finding, Options, write_finding
from xdomain.core.errors import OutputError, RecipeError, UserError, unknown
from xdomain.core.progress import log

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
FOLDER = "analysis"
INDEX = "README.md"


def analyze(
    *runs: str | Path,
    only: Sequence[str] | None = None,
    options: Options | None = None,
    out: str | Path | None = None,
) -> list[Finding]:
    """Look into finished runs, and write a picture, a table and a sentence a question.

    Parameters
    ----------
    runs
        Run folders; all of one task and the same records, where they are to be compared.
    only
        Some of `NAMES`; by default all that can be asked of these runs, and it is said which cannot.
    options
        How many records and draws are taken, and of which seed; None: the defaults.
    out
        The folder to write; by default ``analysis`` in the first run's folder.

    Raises
    ------
    UserError
        A folder holds no finished run of an encoder; or what was named in `only`, or anything at all, cannot be asked
        of these runs.
    """
    options = options or Options()
    if not runs:
        raise RecipeError("no run to look into", expected="the folder of a finished run")
    chosen = _chosen(only)
    _check_used(options, {name for analysis in chosen for name in analysis.uses})
    folder = Path(out) if out else Path(runs[0]) / FOLDER
    opened = open_runs([Path(run) for run in runs])
    findings: list[Finding] = []
    for analysis in chosen:
        why = analysis.refuses(opened, options)
        if why and only:
            raise RecipeError(f"{analysis.name}: {why}", expected=f"runs of which can be asked: {analysis.about}")
        found: list[Finding] = []
        if not why:
            try:
                found = analysis.find(opened, options)
            except UserError as error:
                if only or _asked_for(analysis, options):
                    raise
                why = error.what
        if why:
            log.info(f"without {analysis.name}: {why}")
            continue
        _write(found, folder)
        findings += found
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
    """Ask whether a checkpoint, or a run's, puts two languages into one space; line i of `a` means line i of `b`.

    `out` is by default ``analysis`` in the checkpoint's folder; for a checkpoint that is named, not a folder, here.

    Raises
    ------
    UserError
        The checkpoint cannot be loaded, or the files are no parallel text.
    """
    options = options or Options()
    _check_used(options, {"records", "seed"})
    folder = Path(out) if out else (Path(checkpoint) if Path(checkpoint).is_dir() else Path()) / FOLDER
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
    """Whether an option names what this analysis, and not most of them, is to look at."""
    return any(getattr(options, name) is not None for name in analysis.uses if getattr(Options(), name) is None)


def _check_used(options: Options, used: Collection[str]) -> None:
    """An option that nothing of what is asked heeds is a slip."""
    for name, default in vars(Options()).items():
        if getattr(options, name) != default and name not in used:
            fit = ", ".join(analysis.name for analysis in ANALYSES if name in analysis.uses)
            raise RecipeError(f"--{name} changes nothing here", expected=f"it goes with {fit}")


def _write(findings: Sequence[Finding], folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for finding in findings:
            write_finding(finding, folder)
            log.info(f"{finding.title}\n  {finding.caption}\n  -> {folder / finding.name}.png, .csv")
    except OSError as error:
        raise OutputError(f"{folder} cannot be written ({error.strerror})", fix="another --out") from None


def _write_index(findings: Sequence[Finding], folder: Path) -> None:
    """All pictures with their captions on one page; what an earlier look left stays beside it."""
    parts = [
        f"## {f.title}\n\n![{f.title}]({f.name}.png)\n\n{f.caption} [{f.name}.csv]({f.name}.csv)" for f in findings
    ]
    (folder / INDEX).write_text("\n\n".join(["# Looking inside", *parts]) + "\n", "utf-8")
