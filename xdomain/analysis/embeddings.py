"""Does one symbol stand for different things in different contexts? Its contextual embeddings, compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any

import matplotlib as mpl
import numpy as np
import pyarrow as pa
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from xdomain.analysis.contexts import Contexts, Group, Place, choose, label, read_sequences, sequence_number
from xdomain.analysis.layers import held, same_symbols, symbol_vectors
from xdomain.analysis.loaded_run import OpenedRun
from xdomain.analysis.result import STYLE, Analysis, Finding, Options, empty_figure
from xdomain.training.figure_style import BLUE, GREY, ORANGE

Matrix = NDArray[np.float64]
OCCURRENCES_DRAWN = {2: 5, 3: 4}  # occurrences drawn of each group, by the number of groups
COLOURS = {2: (BLUE, ORANGE), 3: (BLUE, GREY, ORANGE)}
TITLE = "Does one symbol stand for different things in different contexts?"
READING = (
    "Each row and column is one place where the symbol stands; the colour says how alike the model's vectors there "
    "are: cosine 1 the same, 0 unrelated. Where places of one kind are more alike than places of different kinds, the "
    "model tells the contexts apart."
)


@dataclass(frozen=True)
class Seen:
    """The cosines of all m occurrences in one state of a run.

    Parameters
    ----------
    run
        The label of the run.
    state
        start or tuned.
    layers
        The embeddings (0), a middle layer and the last one.
    cosines
        Shape (layers, m, m).
    """

    run: str
    state: str
    layers: tuple[int, ...]
    cosines: Matrix


def cosines(vectors: Matrix) -> Matrix:
    """Shape (m, m), in [-1, 1]: the cosines of the rows of `vectors`, shape (m, d); NaN where a row is 0."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        rows = vectors / lengths
    return (rows @ rows.T).clip(-1, 1)


def mean_cosine(matrix: Matrix, a: slice, b: slice) -> float:
    """The mean cosine of pairs with one occurrence in group `a` and one in group `b`.

    If both are the same group, an occurrence is not paired with itself. `matrix` holds the cosines of all
    occurrences, shape (m, m).
    """
    block = matrix[a, b]
    if a != b:
        return float(block.mean())
    return float(block[np.triu_indices(len(block), 1)].mean())


def find(runs: Sequence[OpenedRun], options: Options) -> list[Finding]:
    """Compare one symbol's embeddings in several contexts, in the embeddings, a middle layer and the last layer.

    Each of `runs` is read at its start and at its end, on the same records; `options` choose the symbol and its place.

    Raises
    ------
    RecipeError
        The symbol does not exist, or does not occur often enough in the records.
    """
    records = runs[0].some("valid", options.records, seed=options.seed)
    contexts = choose(runs, records, options)
    sequences = read_sequences(runs, records)
    symbols = runs[0].adapter.alphabet.symbols
    places = [place for group in contexts.groups for place in group.places]
    labels = [label(symbols, sequences[record], at) for record, at in places]
    shown = _shown(contexts.groups, labels)
    seen = [
        Seen(run.label, state, *_read(run, model, records, places))
        for run in runs
        for state, model in (("start", run.start), ("tuned", run.model))
    ]
    names = [f"{runs[0].examples.ids[record]}:{at}" for record, at in places]
    return [
        Finding(
            "embeddings",
            TITLE,
            READING,
            _caption(contexts, seen, len(records), len(shown)),
            _table(contexts.groups, seen, shown, names, labels),
            _draw(contexts, seen, shown, [labels[i] for i in shown]),
        )
    ]


def _read(
    run: OpenedRun, model: Any, records: NDArray[np.int64], places: Sequence[Place]
) -> tuple[tuple[int, ...], Matrix]:
    """Return three layers, and the cosines in each after subtracting the mean vector of all symbols."""
    reach = held(run, records)
    aside = reach[:, 0] if sequence_number(run) else np.zeros(len(records), np.int64)
    wanted: dict[int, list[int]] = {}
    for number, (record, _) in enumerate(places):
        wanted.setdefault(record, []).append(number)
    total, count = np.zeros(0), 0
    occurrences: dict[int, Matrix] = {}
    layers: tuple[int, ...] = ()
    for record, before, vectors in zip(records.tolist(), aside, symbol_vectors(run, model, records, reach),
                                       strict=True):  # fmt: skip
        last = len(vectors) - 1
        layers = tuple(dict.fromkeys((0, (last + 1) // 2, last)))
        some = vectors[list(layers)].astype(np.float64)
        total, count = some.sum(1) + (total if count else 0), count + some.shape[1]
        occurrences |= {number: some[:, before + places[number][1]] for number in wanted.get(record, ())}
    mean = total / count
    vectors = np.stack([occurrences[number] - mean for number in range(len(places))], axis=1)
    return layers, np.stack([cosines(layer) for layer in vectors])


def _slices(groups: Sequence[Group]) -> list[slice]:
    ends = np.cumsum([len(group.places) for group in groups]).tolist()
    return [slice(end - len(group.places), end) for end, group in zip(ends, groups, strict=True)]


def _shown(groups: Sequence[Group], labels: Sequence[str]) -> list[int]:
    """The numbers of the occurrences to draw: the first few of each group, with different neighbours if possible."""
    shown: list[int] = []
    for part in _slices(groups):
        numbers = list(range(part.start, part.stop))
        first = [i for i in numbers if labels[i] not in labels[part.start : i]]
        again = [i for i in numbers if i not in first]
        shown += sorted((first + again)[: OCCURRENCES_DRAWN[len(groups)]])
    return shown


def _caption(contexts: Contexts, seen: Sequence[Seen], records: int, shown: int) -> str:
    groups, parts = contexts.groups, _slices(contexts.groups)
    sizes = ", ".join(f"{len(group.places)} {group.name}" for group in groups)
    sentences = [
        f"Chosen: {contexts.chosen}. Cosine of its contextual embeddings, less the mean vector of all symbols of the "
        f"{records:,} valid records that were read (all vectors of a layer lean one way, which would make any two look "
        f"alike); {shown} occurrences are drawn. Means in the last layer over all that were found ({sizes})"
    ]
    for run in dict.fromkeys(s.run for s in seen):
        start, tuned = (next(s for s in seen if s.run == run and s.state == state) for state in ("start", "tuned"))
        means = [
            f"{f'within {groups[a].name}' if a == b else f'{groups[a].name} against {groups[b].name}'} "
            f"{mean_cosine(tuned.cosines[-1], parts[a], parts[b]):.2f} "
            f"({mean_cosine(start.cosines[-1], parts[a], parts[b]):.2f})"
            for a, b in (*((i, i) for i in range(len(groups))), *combinations(range(len(groups)), 2))
        ]
        sentences.append(f"{run}, tuned (at the start): {'; '.join(means)}")
    if len({at for _, at in groups[0].places}) == 1:
        sentences.append(
            "At one place the embeddings (layer 0) of the symbol are one and the same vector, as symbol and position "
            "are: only the layers above can tell the contexts apart"
        )
    return ". ".join(sentences) + "."


def _table(
    groups: Sequence[Group], seen: Sequence[Seen], shown: Sequence[int], names: Sequence[str], labels: Sequence[str]
) -> pa.Table:
    kinds = [group.name for group in groups for _ in group.places]
    rows = [
        {
            "run": s.run, "state": s.state, "layer": layer, "a": names[i], "b": names[j], "context a": labels[i],
            "context b": labels[j], "group a": kinds[i], "group b": kinds[j], "cosine": float(matrix[i, j]),
        }
        for s in seen
        for layer, matrix in zip(s.layers, s.cosines, strict=True)
        for i, j in combinations(shown, 2)
    ]  # fmt: skip
    return pa.Table.from_pylist(rows)


def _draw(contexts: Contexts, seen: Sequence[Seen], shown: Sequence[int], labels: Sequence[str]) -> Figure:
    count = len(contexts.groups)
    owner = [next(g for g, part in enumerate(_slices(contexts.groups)) if part.start <= i < part.stop) for i in shown]
    colours = [COLOURS[count][g] for g in owner]
    columns = max(len(s.layers) for s in seen)
    wide = 2.4 * columns
    with mpl.rc_context(STYLE):
        figure = empty_figure(1.5 + 2.45 * len(seen), width=2.2 + wide)
        grid = figure.subplots(len(seen), columns, squeeze=False)
        image: Any = None
        for (row, s), column in product(enumerate(seen), range(columns)):
            axes = grid[row, column]
            if column >= len(s.layers):
                axes.set_visible(False)
                continue
            layer = s.layers[column]
            image = axes.imshow(s.cosines[column][np.ix_(shown, shown)], cmap="RdBu_r", vmin=-1, vmax=1)
            _name(axes, labels if row == len(seen) - 1 else None, labels if column == 0 else None, colours)
            edges = [i - 0.5 for i in range(1, len(owner)) if owner[i] != owner[i - 1]]
            for edge in edges:
                axes.axhline(edge, color="black", linewidth=0.8)
                axes.axvline(edge, color="black", linewidth=0.8)
            what = "embeddings" if layer == 0 else f"layer {layer}"
            axes.set_title(f"{s.run}, {s.state}\n{what}" if column == 0 else what)
        figure.colorbar(image, ax=grid.ravel().tolist(), label="cosine (mean vector taken away)", shrink=0.5,
                        aspect=30)  # fmt: skip
        figure.suptitle(f"Does {contexts.symbol} stand for different things in different contexts?", x=0.01, ha="left",
                        fontsize=12)  # fmt: skip
        handles = [
            Line2D([], [], marker="s", linestyle="", color=colour, label=f"{contexts.symbol} {group.name}")
            for colour, group in zip(COLOURS[count], contexts.groups, strict=True)
        ]
        figure.legend(handles=handles, loc="outside lower left", ncols=count, frameon=False, fontsize=9)
    return figure


def _name(axes: Axes, below: Sequence[str] | None, left: Sequence[str] | None, colours: Sequence[str]) -> None:
    """Label rows and columns by the symbol and its neighbours, in the colour of its group."""
    for names, axis, turned in ((below, axes.xaxis, 90), (left, axes.yaxis, 0)):
        if names is None:
            axis.set_ticks([])
            continue
        axis.set_ticks(range(len(names)), labels=list(names), fontsize=7.5, family="monospace", rotation=turned)
        for text, colour in zip(axis.get_ticklabels(), colours, strict=True):
            text.set_color(colour)


ANALYSIS = Analysis("embeddings", TITLE, ("records", "symbol", "at", "seed"), lambda runs, _: same_symbols(runs), find)
