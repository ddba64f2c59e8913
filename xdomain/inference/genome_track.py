"""Predict along the contigs of a genome, in windows: a track, as bedGraph or BED."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xdomain.core.disk import writing
from xdomain.core.errors import DataError, RecipeError
from xdomain.core.overrides import Overrides
from xdomain.core.progress import log, reporter
from xdomain.core.run_dir import check_new_file, whole_or_nothing
from xdomain.data.formats.genome import Genome, open_genome
from xdomain.inference.predictor import load_predictor
from xdomain.inference.scorer import Scorer, check_letters, scorer_of
from xdomain.metrics.metrics import probabilities

BEDGRAPH, BED = (".bedgraph", ".bdg", ".bg"), (".bed",)
AT_ONCE = 1024
"""Windows that are read from the genome, and scored, at once."""
MAX_UNKNOWN = 0.5
"""Share of N above which a window is left out."""


@dataclass(frozen=True)
class Window:
    """A stretch of a contig, from `start` to `end`, from 0, the end left out, and its bases."""

    contig: str
    start: int
    end: int
    bases: str


Stretch = tuple[int, int, float]
"""Start, end (left out) and value."""


def predict_windows(
    run_dir: str | Path | Sequence[str | Path],
    genome: str | Path,
    out: str | Path,
    *,
    window: int,
    stride: int | None = None,
    of: str | None = None,
    reverse_complement: bool = False,
    overwrite: bool = False,
    overrides: Overrides = (),
) -> None:
    """Predict a window after the other along each contig of a genome, and write a track.

    Contigs are written in the order of their names, as ``sort -k1,1 -k2,2n`` and bedGraphToBigWig have it, and places
    count from 0 with the end left out. A window in which more than half are N is left out. Where the last window would
    not reach the end of its contig, one more ends there; a contig shorter than a window is one.

    Parameters
    ----------
    run_dir
        A run for classification or regression of single sequences; or several, whose answers are averaged.
    genome
        FASTA of contigs of any length; they are read from the disk as they are needed.
    out
        The file to write. ``.bedgraph`` (``.bdg``, ``.bg``): the probability of a class, or the value; since its
        intervals must not overlap, each has the mean over the windows that cover it. ``.bed``, for classes: a line a
        window, with the class that is predicted as its name, and 1000 times its probability as its score.
    window
        Letters of a window.
    stride
        Letters from one window to the next; None: `window`.
    of
        For bedGraph, the class; None: of two the positive one.
    reverse_complement
        Whether to average both strands.
    overwrite
        Whether to replace a file that is there.
    overrides
        Changes to how letters are read, such as ``adapter.options.unknown=count``; the symbols of the model stay.

    Raises
    ------
    RecipeError
        The run gives no such number, or an option is impossible.
    OutputError
        `out` cannot be written.
    DataError
        The genome cannot be read, or has a letter that the run cannot read.
    """
    out, step = Path(out), window if stride is None else stride
    check_new_file(out, (*BEDGRAPH, *BED), overwrite=overwrite)
    if min(window, step) < 1:
        raise RecipeError(f"windows of {window} letters, every {step}", expected="1 or more")
    folders = [run_dir] if isinstance(run_dir, (str, Path)) else run_dir
    predictor = load_predictor(*folders, reverse_complement=reverse_complement, overrides=overrides)
    check_letters(predictor.adapter, "windows")
    bed = out.suffix.lower() in BED
    if bed and of is not None:
        raise RecipeError(f"class {of!r} for BED, where each window has the class that is predicted",
                          fix=f"--out {out.with_suffix('.bedgraph')}")  # fmt: skip
    any_class = next(iter(predictor.classes), None) if bed else None
    scorer = scorer_of(predictor, Path(folders[0]), of=any_class or of)
    if bed and scorer.kind is None:
        raise RecipeError("BED of a run for regression", expected="bedGraph, which holds values",
                          fix=f"--out {out.with_suffix('.bedgraph')}")  # fmt: skip
    track = _Track(open_genome(Path(genome), "windows"), scorer, window, step)
    with writing(out), whole_or_nothing(out) as part, part.open("w", encoding="utf-8", newline="\n") as file:
        for line in track.bed() if bed else track.bedgraph():
            file.write(line)
    shown = "the predicted class" if bed else f"{scorer.shown_as}, mean over the windows that cover a stretch"
    log.info(f"{track.scored:,} windows of {window:,} letters, every {step:,}: {shown} -> {out}")
    if track.unknown:
        log.info(f"{track.unknown:,} windows are left out, as more than half of each is N")
    if track.short:
        log.info(f"{track.short:,} contigs are shorter than a window, and are taken whole")
    if step > window:
        log.warning(f"windows of {window:,} every {step:,} leave stretches between them without a prediction")


def windows_of(length: int, window: int, stride: int) -> Iterator[tuple[int, int]]:
    """Where the windows of a contig begin and end.

    Parameters
    ----------
    length
        Letters of the contig.
    window, stride
        Letters of a window, and from one to the next.
    """
    if length <= window:
        if length:
            yield 0, length
        return
    start = 0
    for start in range(0, length - window + 1, stride):
        yield start, start + window
    if start + window < length and stride <= window:
        yield length - window, length


def stretches(windows: Iterable[Stretch]) -> Iterator[Stretch]:
    """Cut windows that overlap into stretches that do not, each with the mean over the windows that cover it.

    Parameters
    ----------
    windows
        Of one contig, in the order of their starts and of their ends.
    """
    covering: deque[Stretch] = deque()
    place = 0

    def until(limit: float) -> Iterator[Stretch]:
        nonlocal place
        while covering and place < limit:
            end = int(min(covering[0][1], limit))
            if end > place:
                yield place, end, math.fsum(value for _, _, value in covering) / len(covering)
            place = end
            while covering and covering[0][1] <= place:
                covering.popleft()

    for one in windows:
        yield from until(one[0])
        place = one[0]
        covering.append(one)
    yield from until(math.inf)


class _Track:
    """The lines of a track, and counts of what was read for it."""

    def __init__(self, genome: Genome, scorer: Scorer, window: int, stride: int) -> None:
        self.genome, self.scorer, self.window, self.stride = genome, scorer, window, stride
        self.scored = self.unknown = self.short = 0

    def bedgraph(self) -> Iterator[str]:
        """Lines of contig, start, end and value."""
        shown = ((one, value) for some, scores in self._scores() for one, value in self._pairs(some, scores))
        for contig, own in groupby(shown, key=lambda pair: pair[0].contig):
            for start, end, value in stretches((one.start, one.end, value) for one, value in own):
                yield f"{contig}\t{start}\t{end}\t{value:.6g}\n"

    def _pairs(self, some: list[Window], scores: NDArray[np.float64]) -> Iterator[tuple[Window, float]]:
        return zip(some, self.scorer.shown(scores).tolist(), strict=True)

    def bed(self) -> Iterator[str]:
        """Lines of contig, start, end, class, score from 0 to 1000, and no strand."""
        names = ["_".join(name.split()) for name in self.scorer.predictor.classes]
        for some, scores in self._scores():
            chances = probabilities(scores)
            best = chances.argmax(-1)
            for one, kind, chance in zip(some, best.tolist(), chances.max(-1).tolist(), strict=True):
                yield f"{one.contig}\t{one.start}\t{one.end}\t{names[kind]}\t{round(1000 * chance)}\t.\n"

    def _scores(self) -> Iterator[tuple[list[Window], NDArray[np.float64]]]:
        total = sum(max(1, math.ceil((n - self.window) / self.stride) + 1) for n in self.genome.lengths.values() if n)
        reporter().started("predicting", total, 0, unit="windows")
        known = (one for one in self._windows() if not self._is_unknown(one))
        while some := list(islice(known, AT_ONCE)):
            ids = [f"{one.contig}:{one.start}-{one.end}" for one in some]
            scores = self.scorer.scores([one.bases for one in some], ids=ids, several=True, first=not self.scored)
            self.scored += len(some)
            reporter().advanced(min(total, self.scored + self.unknown))
            yield some, scores
        if not self.scored:
            raise DataError(f"{self.genome.path} holds no window that is not mostly N", expected="contigs of bases")

    def _windows(self) -> Iterator[Window]:
        for contig in sorted(self.genome.lengths):
            length = self.genome.lengths[contig]
            self.short += length < self.window
            places = windows_of(length, self.window, self.stride)
            while some := list(islice(places, AT_ONCE)):
                first = some[0][0]
                bases = self.genome.part(contig, first, some[-1][1])
                for start, end in some:
                    yield Window(contig, start, end, bases[start - first : end - first])

    def _is_unknown(self, one: Window) -> bool:
        unknown = one.bases.upper().count("N") > MAX_UNKNOWN * len(one.bases)
        unknown = unknown and self.scorer.predictor.adapter.alphabet.unit == "nt"
        self.unknown += unknown
        return unknown
