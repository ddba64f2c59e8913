"""Attention to motifs: which heads look at them, and did they before fine-tuning?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
import pyarrow as pa
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor
from transformers import PreTrainedModel

from xdomain.analysis.layers import held, held_by_all, in_several_windows
from xdomain.analysis.loaded_run import BATCH, OpenedRun, drawn
from xdomain.analysis.motifs import Places, landmarks_of_records, not_comparable, of_class, parse_motif, positions_of
from xdomain.analysis.result import STYLE, Analysis, Finding, Options, empty_figure
from xdomain.core.errors import RecipeError
from xdomain.core.recipe_sections import Landmark
from xdomain.training.predict import inputs_of

AT_ONCE = 2**26  # attention weights in memory: 256 MiB
BEFORE, AFTER, OTHERS = "at the start", "fine-tuned", "fine-tuned, other classes"
READING = (
    "Each square is one attention head; rows and columns are layers and heads. Its colour says how much more the head "
    "looks at the motif than if it looked everywhere alike: +1 is twice as much, −1 half."
)
WRITTEN = 12  # layers or heads: with more, their numbers would be unreadable
LEAST_REACH = 3  # of the colours, in log2: an eighth; lower values are clipped to it, unless the highest reach further


@dataclass(frozen=True)
class Asked:
    """The positions whose attention is measured.

    Parameters
    ----------
    name
        The name of the finding.
    motif
        The motif, in words.
    inside
        For each record, the positions in its sequence that belong to the motif.
    where
        The records, in words.
    elsewhere
        The same positions in records of other classes, which lack the motif there. They show whether a head looks at
        the place and not at the motif. Empty if the motif was searched for at every position.
    """

    name: str
    motif: str
    inside: dict[int, Places]
    where: str
    elsewhere: dict[int, Places]


@dataclass(frozen=True)
class Lift:
    """The attention that one model pays to a motif.

    Parameters
    ----------
    label
        The label of the run.
    state
        At the start or fine-tuned, in words.
    attention
        Shape (layers, heads): the share of its attention that a symbol pays to the motif, mean over records.
    expected
        The share that even attention to all positions would pay.
    """

    label: str
    state: str
    attention: NDArray[np.float64]
    expected: float

    @property
    def log2(self) -> NDArray[np.float64]:
        """Shape (layers, heads): log2 of attention over even attention; 0 for even, 1 for twice as much."""
        return np.log2(np.maximum(self.attention, np.finfo(np.float32).tiny) / self.expected)


def paid(weights: Tensor, asking: Tensor, asked: Tensor) -> Tensor:
    """Compute the share of their attention that some positions pay to others.

    Parameters
    ----------
    weights
        Shape (b, heads, s, s): the attention of each position (third axis) to all positions, summing to 1.
    asking, asked
        Shape (b, s), bool: the positions that attend, at least one in every record, and those attended to.

    Returns
    -------
    Tensor
        Shape (b, heads): the mean over the asking positions of the sum over the asked ones.
    """
    to_asked = torch.einsum("bhqk,bk->bhq", weights, asked.to(weights.dtype))
    return torch.einsum("bhq,bq->bh", to_asked, asking.to(weights.dtype)) / asking.sum(1, keepdim=True)


def _refuses(runs: Sequence[OpenedRun], options: Options) -> str | None:
    problem = runs[0].recipe.problem
    if problem == "span":
        return "a passage stands in several windows behind its question; it reads single sequences, or the first of two"
    odd = next((run for run in runs if run.model.config.model_type == "longformer"), None)
    if odd is not None:
        return f"{odd.label} is a Longformer, whose attention is not from every position to every other"
    if not landmarks_of_records(runs[0]) and not options.motif:
        return f"{runs[0].recipe.name} has no landmarks: name a motif with --motif"
    return not_comparable(runs)


def _find(runs: Sequence[OpenedRun], options: Options) -> list[Finding]:
    return [_finding(runs, asked) for asked in _asked(runs, options)]


def _asked(runs: Sequence[OpenedRun], options: Options) -> list[Asked]:
    run = runs[0]
    valid = run.examples.indices("valid")
    reach = held_by_all(runs, valid)[:, 0]
    if options.motif is not None:
        return [_everywhere(run, valid, reach, options.motif, options)]
    marks = landmarks_of_records(run)
    if not marks:
        raise RecipeError(f"{run.recipe.name} has no landmarks to look for", fix="name a motif with --motif")
    return [_at_landmark(run, valid, reach, mark, options) for mark in marks]


def _everywhere(run: OpenedRun, valid: Places, reach: Places, text: str, options: Options) -> Asked:
    motif = parse_motif(text, run.adapter)
    read = {int(r): run.examples.symbols[r][:end] for r, end in zip(valid, reach, strict=True)}
    matches = {record: np.flatnonzero(motif.covered(symbols)) for record, symbols in read.items()}
    having = np.array([r for r, places in matches.items() if len(places)], np.int64)
    if not len(having):
        raise RecipeError(f"motif {text!r} is in none of the {len(valid)} validation records of {run.recipe.name}")
    records = drawn(having, options.records, options.seed)
    where = f"{len(records)} of the {len(having)} validation records that have it, of {len(valid)}"
    return Asked("attention", text, {int(r): matches[int(r)] for r in records}, where, {})


def _at_landmark(run: OpenedRun, valid: Places, reach: Places, mark: Landmark, options: Options) -> Asked:
    places = positions_of(mark)
    long = valid[reach > places[-1]]
    pool = np.intersect1d(long, of_class(run, "valid", mark.label))
    if not len(pool):
        raise RecipeError(f"no validation record of {run.recipe.name} has the {mark.name}", fix="--motif SYMBOLS")
    records = drawn(pool, options.records, options.seed)
    others = drawn(np.setdiff1d(long, pool), options.records, options.seed)
    kind = f" of class {mark.label}" if mark.label else ""
    where = f"{len(records)} validation records{kind}"
    name = f"attention-{mark.name.replace(' ', '-')}"
    return Asked(name, f"{mark.name}, {mark.symbols} at {places[0]}–{places[-1]}",
                 {int(r): places for r in records}, where, {int(r): places for r in others})  # fmt: skip


def _finding(runs: Sequence[OpenedRun], asked: Asked) -> Finding:
    lifts = [
        lift_of(run, model, state, asked.inside)
        for run in runs
        for state, model in ((BEFORE, run.start), (AFTER, run.model))
    ]
    controls = [lift_of(run, run.model, OTHERS, asked.elsewhere) for run in runs] if asked.elsewhere else []
    title = f"Which heads look at the motif ({asked.motif})?"
    figure = draw_heads([(f"{lift.label}, {lift.state}", lift.log2) for lift in lifts], title)
    cut = in_several_windows(runs, np.array(list(asked.inside)))
    several = " Of each only the first window is read." if cut else ""
    caption = (
        f"Motif {asked.motif}, in {asked.where}. Mean share of its attention that a symbol pays to the motif, against "
        f"what it would pay if it looked at all positions alike ({lifts[0].expected:.1%}); 0: the same, 1: twice as "
        f"much.{several} "
        + " ".join(_sentence(before, after) for before, after in zip(lifts[::2], lifts[1::2], strict=True))
        + _control_sentence(lifts[1::2], controls, len(asked.elsewhere))
        + " Attention is not importance: a head may look at what the answer does not depend on (Jain & Wallace 2019, "
        "arXiv 1902.10186)."
    )
    table = _rows(lifts, len(asked.inside)) + _rows(controls, len(asked.elsewhere))
    return Finding(asked.name, title, READING, caption, pa.Table.from_pylist(table), figure)


def lift_of(run: OpenedRun, model: PreTrainedModel, state: str, inside: dict[int, Places]) -> Lift:
    """Measure how much attention a model pays to some positions of some records.

    Parameters
    ----------
    run
        The run whose records are read.
    model
        ``run.model`` or ``run.start``.
    state
        Which of the two it is, in words.
    inside
        For each record, the positions to measure: places in its sequence that lie in its first window.
    """
    sums: list[NDArray[np.float64]] = []
    even: list[NDArray[np.float64]] = []
    for batch, asking, seen in _batches(run, inside, model.config):
        shares, expected = _pays(model, batch, asking, seen)
        sums.append(shares.numpy().astype(np.float64))
        even.append(expected.numpy().astype(np.float64))
    return Lift(run.label, state, np.concatenate(sums, axis=1).mean(1), float(np.concatenate(even).mean()))


@torch.inference_mode()
def _pays(model: PreTrainedModel, batch: dict[str, Tensor], asking: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
    """Return what `paid` does for every layer, shape (layers, b, heads), and what even attention would pay, (b,)."""
    outputs = model.base_model(**inputs_of(batch), output_attentions=True)
    layers = torch.stack([paid(weights.float(), asking, seen) for weights in outputs.attentions])
    return layers, seen.sum(1) / batch["attention_mask"].sum(1)


def _batches(
    run: OpenedRun, inside: dict[int, Places], config: Any
) -> Iterator[tuple[dict[str, Tensor], Tensor, Tensor]]:
    """Yield batches of first windows, with the positions that attend and those attended to, bool (b, s) each."""
    records = list(inside)
    reach = held(run, np.array(records))[:, 0].tolist()
    longest = int(run.collate.lengths()[records].max()) + 8
    longest = min(longest, int(config.max_position_embeddings))
    each = config.num_hidden_layers * config.num_attention_heads * longest**2
    size = max(1, min(BATCH, AT_ONCE // each))
    for first in range(0, len(records), size):
        chosen = records[first : first + size]
        batch = run.collate_first(chosen)
        asking, seen = (torch.zeros(batch["input_ids"].shape, dtype=torch.bool) for _ in range(2))
        for row, record in enumerate(chosen):
            asking[row, run.before : run.before + reach[first + row]] = True
            seen[row, run.before + inside[record]] = True
        yield batch, asking, seen


def _strongest(lift: Lift) -> tuple[int, int]:
    layer, head = np.unravel_index(int(lift.log2.argmax()), lift.log2.shape)
    return int(layer), int(head)


def _sentence(before: Lift, after: Lift) -> str:
    layer, head = _strongest(after)
    now, then = after.attention[layer, head], before.attention[layer, head]
    return (
        f"{after.label}: strongest is layer {layer + 1} head {head + 1} with {now:.1%} of its attention, "
        f"{now / after.expected:.1f} times even attention ({then / before.expected:.1f} times at the start); "
        f"{int((after.log2 >= 1).sum())} of {after.log2.size} heads pay at least twice even attention "
        f"({int((before.log2 >= 1).sum())} at the start)."
    )


def _control_sentence(lifts: Sequence[Lift], controls: Sequence[Lift], records: int) -> str:
    """A sentence on the attention of the strongest heads to the same positions in records without the motif."""
    if not controls:
        return ""
    pays = ", ".join(
        f"{control.attention[_strongest(lift)]:.1%} ({lift.label})"
        for lift, control in zip(lifts, controls, strict=True)
    )
    return f" To the same positions of {records} records of other classes the strongest heads pay {pays}."


def _rows(lifts: Sequence[Lift], records: int) -> list[dict[str, Any]]:
    return [
        {
            "run": lift.label,
            "state": lift.state,
            "layer": layer + 1,
            "head": head + 1,
            "attention": float(lift.attention[layer, head]),
            "expected": lift.expected,
            "log2_lift": float(lift.log2[layer, head]),
            "records": records,
        }
        for lift in lifts
        for layer, head in np.ndindex(lift.attention.shape)
    ]


ANALYSIS = Analysis(
    "attention",
    "Which heads look at a motif, before and after fine-tuning?",
    ("motif", "records", "seed"),
    _refuses,
    _find,
)


def draw_heads(panels: Sequence[tuple[str, NDArray[np.float64]]], title: str) -> Figure:
    """Draw two panels per run, before and after fine-tuning, on one colour scale.

    Parameters
    ----------
    panels
        The name and the log2 lift, shape (layers, heads), of each panel; the two of a run follow each other.
    title
        The title of the picture.
    """
    layers = max(len(log2) for _, log2 in panels)
    low = min(float(log2.min()) for _, log2 in panels)
    high = max(float(log2.max()) for _, log2 in panels)
    most = max(high, min(-low, LEAST_REACH)) or 1
    with mpl.rc_context(STYLE):
        figure = empty_figure(0.8 + len(panels) // 2 * (0.8 + 0.34 * min(layers, WRITTEN)))
        grid: Any = figure.subplots(len(panels) // 2, 2, squeeze=False)
        image: Any = None
        for axes, (name, log2) in zip(grid.flat, panels, strict=True):
            image = axes.imshow(log2, cmap="RdBu_r", vmin=-most, vmax=most, aspect="auto", interpolation="nearest")
            axes.set_title(name)
            axes.set_ylabel("layer")
            _count(axes, log2.shape)
            if max(log2.shape) <= WRITTEN:
                _write(axes, log2, most)
        for axes in grid[-1]:
            axes.set_xlabel("head")
        figure.colorbar(image, ax=grid, label="log2 of attention over even attention", pad=0.01,
                        extend="min" if -low > most else "neither")  # fmt: skip
        figure.suptitle(title, x=0.01, ha="left", fontsize=10.5)
    return figure


def _count(axes: Axes, shape: tuple[int, ...]) -> None:
    """Label layers and heads, counted from 1."""
    layers, heads = (range(0, size, -(-size // WRITTEN)) for size in shape)
    axes.set_yticks(layers, [str(i + 1) for i in layers])
    axes.set_xticks(heads, [str(i + 1) for i in heads])


def _write(axes: Axes, log2: NDArray[np.float64], most: float) -> None:
    for layer, head in np.ndindex(log2.shape):
        value = float(log2[layer, head])
        text = f"{round(value, 1) + 0:+.1f}"  # adding 0 turns -0.0 into 0.0
        axes.text(head, layer, text, ha="center", va="center", fontsize=9 if log2.shape[1] < 9 else 7,
                  color="white" if abs(value) > 0.6 * most else "black")  # fmt: skip
