"""In-silico mutagenesis: score every single substitution in a sequence, to see which symbols matter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
import pyarrow as pa
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from xdomain.analysis.loaded_run import OpenedRun, drawn
from xdomain.analysis.motifs import (
    LETTERS,
    class_of,
    landmarks_in,
    landmarks_of,
    not_comparable,
    of_class,
    one_letter_each,
    ordinary,
    share_of,
)
from xdomain.analysis.result import STYLE, Analysis, Finding, Options, empty_figure, record_named
from xdomain.core.choices import OF_COLUMNS, PER_SYMBOL
from xdomain.core.errors import RecipeError
from xdomain.core.recipe_sections import Landmark
from xdomain.core.sequences import Adapter, Ids, Ragged
from xdomain.data.dataset import Examples
from xdomain.metrics.log_odds import log_odds
from xdomain.metrics.metrics import probabilities
from xdomain.training.device import Device

READING = (
    "Each cell puts another symbol in the place of the one that is there: red raises the output, blue lowers it, white "
    "changes nothing. A dark column is a place that the answer depends on."
)
OF_CLASSES = " Log-odds, in nats, say how sure the model is of its answer: 0 is 50 %, 2.2 is 90 %, 4.6 is 99 %."
MAX_SYMBOLS = 32
LETTERED = 100  # positions: with more, their letters would be unreadable
MAX_COLUMNS = LETTERED
NAMED = 5  # positions named in the caption
AT_ONCE = 512  # mutants scored at once
CPU = Device("cpu", False, "what is compared is scored in float32")
FEW = 10  # letters: with more, rows and font are smaller


@dataclass(frozen=True)
class Substituted:
    """A sequence to substitute letters in.

    Parameters
    ----------
    adapter
        Turns text into symbols.
    symbols
        The sequence as symbols.
    letters
        The letters to substitute: A C G T, or the 20 residues; for other domains all symbols but the unknown one.
    text
        Shape (length,): the letters of the sequence, which need not be among `letters`.
    """

    adapter: Adapter
    symbols: Ids
    letters: tuple[str, ...]
    text: tuple[str, ...]

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """All substitutions as (position, index in `letters`), position by position."""
        return [(i, k) for i, was in enumerate(self.text) for k, to in enumerate(self.letters) if to != was]

    def encoded(self, pairs: Sequence[tuple[int, int]]) -> Ragged:
        """Return the mutants of some of `pairs` as symbols.

        One symbol is replaced; if a symbol is more than one letter, the changed text is encoded anew.
        """
        if not one_letter_each(self.adapter) and self.adapter.name in LETTERS:
            texts = ["".join((*self.text[:i], self.letters[k], *self.text[i + 1 :])) for i, k in pairs]
            return self.adapter.encode(texts)
        ids = np.array([self.adapter.alphabet.id(letter) for letter in self.letters])
        rows = np.tile(self.symbols, (len(pairs), 1))
        places, put = np.array(pairs).T
        rows[np.arange(len(pairs)), places] = ids[put]
        return Ragged.from_lists(list(rows))


@dataclass(frozen=True)
class Scored:
    """The scores that a run gives to the substitutions.

    Parameters
    ----------
    label
        The label of the run.
    before
        The score of the original sequence: the log-odds of the class that the run predicts for it, or the value.
    change
        Shape (length, letters): the score after a substitution minus `before`; NaN where the letter is the original
        one.
    answer
        The run's answer for the original sequence, in words.
    """

    label: str
    before: float
    change: NDArray[np.float64]
    answer: str

    @property
    def effect(self) -> NDArray[np.float64]:
        """Shape (length,): the mean absolute change over the substitutions at each position."""
        return np.nanmean(np.abs(self.change), axis=1)


def substituted(adapter: Adapter, symbols: Ids) -> Substituted:
    """Prepare a sequence, given as `symbols` of an `adapter`, for substitutions.

    Raises
    ------
    RecipeError
        The symbols do not spell a text that encodes to them again, so no letter of it can be replaced.
    """
    if one_letter_each(adapter) or adapter.name not in LETTERS:
        names = adapter.alphabet.symbols
        letters = tuple(names[i] for i in ordinary(adapter))
        return Substituted(adapter, symbols, letters, tuple(names[i] for i in symbols))
    text = adapter.decode(symbols)
    if not np.array_equal(adapter.encode([text])[0], symbols):
        raise RecipeError("the record's symbols do not spell its text, so no letter of it can be replaced",
                          expected="a record without N, or another one by its id")  # fmt: skip
    return Substituted(adapter, symbols, tuple(LETTERS[adapter.name]), tuple(text))


def _refuses(runs: Sequence[OpenedRun], _: Options) -> str | None:
    problem, adapter = runs[0].recipe.problem, runs[0].adapter
    if problem in (*PER_SYMBOL, *OF_COLUMNS, "span"):
        each = "several" if problem in OF_COLUMNS else "one a position"
        return f"it needs one answer a sequence, and {problem} gives {each}"
    if adapter.name not in LETTERS and len(ordinary(adapter)) > MAX_SYMBOLS:
        return f"{len(adapter.alphabet)} symbols of the {adapter.name} adapter are too many to try each everywhere"
    return not_comparable(runs)


def _find(runs: Sequence[OpenedRun], options: Options) -> list[Finding]:
    record, why = _choose(runs, options)
    sequence = substituted(runs[0].adapter, runs[0].examples.symbols[record])
    scored = [_score(run, record, substituted(run.adapter, run.examples.symbols[record])) for run in runs]
    marks = landmarks_in(runs[0], record)
    name = runs[0].examples.ids[record]
    shown = stretch(np.mean([one.effect for one in scored], axis=0))
    title = f"Which symbols does the answer for {name} depend on?"
    panels = {one.label: (one.answer, one.change) for one in scored}
    what = "change in log-odds of\nthe class it answers (nats)" if runs[0].examples.classes else "change in value"
    figure = draw_substitutions(panels, sequence.text, sequence.letters, marks, shown, what=what, title=title)
    reading = READING + (OF_CLASSES if runs[0].examples.classes else "")
    count = len(sequence.pairs)
    of_pair = " (the first of its two sequences)" if runs[0].examples.symbols_b is not None else ""
    cut = ""
    if len(shown) < len(sequence.text):
        cut = f" Drawn are positions {shown.start}–{shown.stop - 1} of {len(sequence.text)}, where changes are largest."
    caption = (
        f"Record {name}{of_pair}, {why}. All {count:,} single substitutions; a dot marks the symbol that is there."
        + cut
        + "".join(f" {one.label}: {_sentence(one, sequence, marks)}." for one in scored)
    )
    return [Finding("mutagenesis", title, reading, caption, _table(name, sequence, scored), figure)]


def _choose(runs: Sequence[OpenedRun], options: Options) -> tuple[int, str]:
    """Return the record to analyse, and say why it was chosen."""
    first = runs[0]
    if options.record is not None:
        record = record_named(first, options.record)
        label = class_of(first, record)
        return record, f"as asked, {_split_of(first, record)}" + (f", of class {label}" if label else "")
    label = next((mark.label for mark in landmarks_of(first) if mark.label in first.examples.classes), None)
    pool = of_class(first, "valid", label)
    pool = drawn(pool if len(pool) else first.examples.indices("valid"), options.records, options.seed)
    kind = f"validation records of class {label}" if label else "validation records"
    if not len(pool):
        raise RecipeError(f"{first.recipe.name} has no validation records", fix="name a record with --record ID")
    scores = [run.saved.scores(run.examples, pool, CPU) for run in runs]
    truth = first.examples.labels_of(pool)
    if first.recipe.problem == "regression":
        order = np.argsort(np.abs(scores[0] - truth), kind="stable")
        return int(pool[order[(len(pool) - 1) // 2]]), f"whose error is the median of {len(pool)} {kind}"
    right = np.all([one.argmax(-1) == truth for one in scores], axis=0)
    reason = f"of the {int(right.sum())} of {len(pool)} {kind} classified correctly{' by all' if len(runs) > 1 else ''}"
    if not right.any():
        right, reason = np.ones(len(pool), bool), f"of {len(pool)} {kind}, none classified correctly by all"
    kept = pool[right]
    sure = probabilities(scores[0][right]).max(-1)
    median = int(kept[np.argsort(sure, kind="stable")[(len(kept) - 1) // 2]])
    return median, f"{reason} the one of median confidence in {first.label}"


def _split_of(run: OpenedRun, record: int) -> str:
    return {"train": "a training record", "valid": "a validation record", "test": "a test record"}.get(
        str(run.examples.split[record]), "of no split"
    )


def _score(run: OpenedRun, record: int, sequence: Substituted) -> Scored:
    original = _scores(run, record, Ragged.from_lists([sequence.symbols]))
    classes = run.examples.classes
    kind = int(original[0].argmax()) if classes else None
    before = float(_level(original, kind)[0])
    change = np.full((len(sequence.text), len(sequence.letters)), np.nan)
    for pairs in _blocks(sequence.pairs):
        after = _level(_scores(run, record, sequence.encoded(pairs)), kind)
        places, put = np.array(pairs).T
        change[places, put] = after - before
    answer = f"{before:.3g}"
    if kind is not None:
        answer = f"{classes[kind]}, log-odds {before:.2f}"
    return Scored(run.label, before, change, answer)


def _blocks(pairs: list[tuple[int, int]]) -> Iterator[list[tuple[int, int]]]:
    return (pairs[first : first + AT_ONCE] for first in range(0, len(pairs), AT_ONCE))


def _scores(run: OpenedRun, record: int, symbols: Ragged) -> NDArray[Any]:
    """The scores of sequences that replace a record's own (the first one of a pair)."""
    count, second = len(symbols), run.examples.symbols_b
    other = second.take(np.full(count, record)) if second is not None else None
    names = tuple(map(str, range(count)))
    examples = Examples(run.recipe.problem, names, symbols, other, None, run.examples.classes, np.full(count, ""))
    return run.saved.scores(examples, np.arange(count), CPU)


def _level(scores: NDArray[Any], kind: int | None) -> NDArray[np.float64]:
    """Shape (n,): the log-odds of class `kind` against all others, in nats; the values if `kind` is None."""
    return scores.astype(np.float64) if kind is None else log_odds(scores, kind)


def stretch(effect: NDArray[np.float64]) -> range:
    """The positions to draw: all, or the `MAX_COLUMNS` in a row with the largest sum of `effect`, shape (length,)."""
    if len(effect) <= MAX_COLUMNS:
        return range(len(effect))
    sums = np.convolve(effect, np.ones(MAX_COLUMNS), "valid")
    first = int(sums.argmax())
    return range(first, first + MAX_COLUMNS)


def _sentence(one: Scored, sequence: Substituted, marks: Sequence[Landmark]) -> str:
    effect = one.effect
    top = np.argsort(-effect, kind="stable")[:NAMED]
    named = ", ".join(f"{i} {sequence.text[i]} ({effect[i]:.2g})" for i in top)
    parts = [f"answers {one.answer}; largest mean |change| at {named}"]
    for mark in marks:
        held, share = share_of(effect, mark)
        last = mark.at + len(mark.symbols) - 1
        parts.append(f"the {mark.name} ({mark.at}–{last}) has {held:.0%} of all change on {share:.0%} of positions")
    return "; ".join(parts)


def _table(name: str, sequence: Substituted, scored: Sequence[Scored]) -> pa.Table:
    rows = [
        {
            "run": one.label,
            "record": name,
            "position": i,
            "from": sequence.text[i],
            "to": sequence.letters[k],
            "before": one.before,
            "after": one.before + one.change[i, k],
            "change": one.change[i, k],
        }
        for one in scored
        for i, k in sequence.pairs
    ]
    return pa.Table.from_pylist(rows)


ANALYSIS = Analysis(
    "mutagenesis",
    "Which symbols does the answer for one sequence depend on? (every single substitution)",
    ("record", "records", "seed"),
    _refuses,
    _find,
)


def draw_substitutions(
    panels: Mapping[str, tuple[str, NDArray[np.float64]]],
    text: Sequence[str],
    letters: Sequence[str],
    marks: Sequence[Landmark],
    shown: range,
    *,
    what: str,
    title: str,
) -> Figure:
    """Draw one panel per run, with a row per letter and a column per position, on one colour scale.

    Parameters
    ----------
    panels
        For each run, its answer and the changes, shape (length, letters), NaN where the letter is the original one.
    text
        The symbols of the sequence, one per position.
    letters
        The substituted letters, one per row.
    marks
        Landmarks to mark above the columns.
    shown
        The positions to draw.
    what
        The quantity that changes, with its unit, for the colour bar.
    title
        The title of the picture.
    """
    many = len(letters)
    tall = 0.85 + (0.26 if many <= FEW else 0.15) * many
    part = slice(shown.start, shown.stop)
    most = max(float(np.nanmax(np.abs(change[part]))) for _, change in panels.values()) or 1
    edges = (shown.start - 0.5, shown.stop - 0.5, many - 0.5, -0.5)
    there = [(i, letters.index(text[i])) for i in shown if text[i] in letters]
    with mpl.rc_context(STYLE):
        figure = empty_figure(0.95 + tall * len(panels))
        rows = figure.subplots(len(panels), 1, squeeze=False)[:, 0]
        image: Any = None
        for axes, (label, (answer, change)) in zip(rows, panels.items(), strict=True):
            image = axes.imshow(change[part].T, cmap="RdBu_r", vmin=-most, vmax=most, aspect="auto", extent=edges,
                                interpolation="nearest")  # fmt: skip
            if there:
                axes.plot(*zip(*there, strict=True), ".", color="black", markersize=3)
            axes.set_title(f"{label}: {answer}", pad=19 if marks else 6)
            axes.set_yticks(range(many), letters, fontsize=9 if many <= FEW else 6.5)
            axes.set_ylabel("put in its place")
            letters_along(axes, text, shown)
            for mark in marks:
                _bracket(axes, mark, shown)
        rows[-1].set_xlabel("sequence, and position from 0")
        figure.colorbar(image, ax=list(rows), label=what, shrink=0.9 if len(panels) == 1 else 0.6, pad=0.01)
        figure.suptitle(title, x=0.01, ha="left", fontsize=10.5)
    return figure


def letters_along(axes: Axes, text: Sequence[str], shown: range) -> None:
    """Write the symbols of `text` at the positions `shown` below `axes`, and every tenth position below them."""
    tens = [i for i in shown if i % 10 == 0]
    axes.set_xticks(tens, [str(i) for i in tens], fontsize=9)
    axes.tick_params(axis="x", length=0, pad=13)
    for i in shown:
        axes.annotate(text[i], (i, 0), xycoords=axes.get_xaxis_transform(), xytext=(0, -11), ha="center",
                      textcoords="offset points", va="baseline", fontsize=8 if len(shown) <= 75 else 6,
                      annotation_clip=False)  # fmt: skip


def _bracket(axes: Axes, mark: Landmark, shown: range) -> None:
    """Draw a line above the columns of a landmark, with its name and consensus."""
    first, last = max(mark.at, shown.start) - 0.45, min(mark.at + len(mark.symbols), shown.stop) - 0.55
    if last < first:
        return
    across = axes.get_xaxis_transform()
    axes.plot([first, last], [1.03, 1.03], color="black", linewidth=2, transform=across, clip_on=False)
    axes.annotate(f"{mark.name} {mark.symbols}", ((first + last) / 2, 1.03), xycoords=across, xytext=(0, 3),
                  textcoords="offset points", ha="center", va="bottom", fontsize=9, annotation_clip=False)  # fmt: skip
