"""Two languages in one encoder: do lines that mean the same lie together, and is a language one direction?

The checkpoint's own tokenizer reads two text files of parallel lines. Half of the lines give each language's mean
vector; the other half is tested. (i) Is a line's counterpart its nearest neighbour, with and without subtracting each
language's mean? (ii) Does the masked-LM head answer in the other language if the states of one language are moved by
the difference of the means? Sources: Liu et al. 2020, arXiv 2004.09205 and 2010.10041; a made-up second language as in
K et al. 2020, arXiv 1912.07840.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pyarrow as pa
import torch
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import NDArray
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from xdomain.analysis.parallel_text import ALPHAS, Coded, Converted, converted, encode, line_vectors
from xdomain.analysis.result import STYLE, Finding, Options, empty_figure
from xdomain.core.errors import DataError
from xdomain.core.run_dir import MODEL, RECIPE
from xdomain.core.safe_loading import load
from xdomain.data.formats.read_file import read_text
from xdomain.model.backbone import load_backbone, quiet_loading
from xdomain.training.figure_style import BLUE, GREY, ORANGE

READING_RETRIEVAL = (
    "High curves mean that the model's vectors of a line and of its counterpart are close, layer by layer, although "
    "nobody told it which lines belong together. With the means taken off, what sets one language apart from the other "
    "as a whole no longer counts."
)
READING_CONVERSION = (
    "If the languages differ by one direction alone, moving the vectors along it makes the model answer in the other "
    "language: the curves of the first fall and those of the second rise as α grows. The panel on the right shows "
    "whether it answers with words of this line's counterpart, more often than of another's (dotted)."
)
MIN_PAIRS = 8  # pairs of lines, half of which are tested
MUTE = "Without a masked-LM head in the checkpoint, tokens cannot be converted."
SHARED = "The layers of this model share their weights or have no embeddings of their own: tokens are not converted."


@dataclass(frozen=True)
class Pairs:
    """Parallel lines.

    Parameters
    ----------
    a, b
        Line i of one means line i of the other.
    names
        The names of the two languages: the stems of their files.
    left_out
        The number of pairs left out because a line is blank or a repetition. A repeated line would have more than one
        right counterpart.
    """

    a: tuple[str, ...]
    b: tuple[str, ...]
    names: tuple[str, str]
    left_out: int


@dataclass(frozen=True)
class Opened:
    """A checkpoint.

    Parameters
    ----------
    name
        The name of its folder.
    model
        A masked language model if the folder holds all weights of one, else the bare encoder.
    tokenizer
        The checkpoint's own.
    speaks
        Whether `model` has its masked-LM head.
    """

    name: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    speaks: bool


def align(checkpoint: Path, a: Path, b: Path, options: Options) -> list[Finding]:
    """Ask whether two languages are aligned in a checkpoint.

    Parameters
    ----------
    checkpoint
        A stock checkpoint folder, or a run folder, of which ``model`` is read.
    a, b
        UTF-8 text files: line i of `a` means line i of `b`.
    options
        `records` is the largest number of pairs of lines to use, drawn by `seed`; the others are not used.

    Raises
    ------
    BackboneError
        The checkpoint cannot be read.
    DataError
        The files are not parallel text, or too short.
    """
    pairs = read_pairs(a, b, most=options.records, seed=options.seed)
    opened = _opened(checkpoint)
    model, fitted = opened.model, len(pairs.a) // 2
    coded = (encode(opened.tokenizer, model.config, pairs.a), encode(opened.tokenizer, model.config, pairs.b))
    vectors = [line_vectors(model, side) for side in coded]
    conversions = converted(model, coded, fitted) if opened.speaks else None
    notes = [*_slips(pairs, coded), *([] if conversions else [MUTE if not opened.speaks else SHARED])]
    facts = Facts(opened.name, pairs.names, fitted, len(pairs.a) - fitted, " ".join(notes))
    findings = [retrieval_finding(retrieved(vectors, fitted), facts)]
    if conversions:
        findings.append(conversion_finding(conversions, facts))
    return findings


def read_pairs(a: Path, b: Path, *, most: int, seed: int = 0) -> Pairs:
    """Read at most `most` pairs of lines from the UTF-8 text files `a` and `b`, in a random order drawn by `seed`.

    Raises
    ------
    DataError
        A file cannot be read, the files have different numbers of lines, or too few pairs remain.
    """
    texts = [read_text(path).decode().replace("\r\n", "\n").removesuffix("\n").split("\n") for path in (a, b)]
    if len(texts[0]) != len(texts[1]):
        raise DataError(f"{a} has {len(texts[0]):,} lines, {b} has {len(texts[1]):,}",
                        expected="line i of one to mean line i of the other")  # fmt: skip
    seen: tuple[set[str], set[str]] = (set(), set())
    kept: list[tuple[str, str]] = []
    for pair in zip(*([line.strip() for line in text] for text in texts), strict=True):
        fresh = all(line and line not in before for line, before in zip(pair, seen, strict=True))
        for line, before in zip(pair, seen, strict=True):
            before.add(line)
        if fresh:
            kept.append((pair[0], pair[1]))
    order = np.random.Generator(np.random.PCG64(seed)).permutation(len(kept))[:most]
    if len(order) < MIN_PAIRS:
        raise DataError(f"{a} and {b} share {len(order)} pairs of lines that differ from each other",
                        expected=f"{MIN_PAIRS} or more; some hundreds tell something")  # fmt: skip
    names = (a.stem, b.stem) if a.stem != b.stem else ("A", "B")
    chosen = [kept[i] for i in order]
    return Pairs(tuple(p[0] for p in chosen), tuple(p[1] for p in chosen), names, len(texts[0]) - len(kept))


def found_share(asked: NDArray[Any], answers: NDArray[Any]) -> float:
    """The share of rows of `asked` whose nearest row of `answers`, by cosine, is the one of the same number.

    Parameters
    ----------
    asked, answers
        Shape (n, d).
    """
    unit = [rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12) for rows in (asked, answers)]
    return float(((unit[0] @ unit[1].T).argmax(1) == np.arange(len(asked))).mean())


def retrieved(vectors: Sequence[NDArray[Any]], fitted: int) -> dict[tuple[int, bool], NDArray[np.float64]]:
    """Compute the share of counterparts that are the nearest neighbour, per layer.

    Parameters
    ----------
    vectors
        The line vectors of the two languages, shape (layers, lines, d) each.
    fitted
        The number of lines, from the first on, that give the means; the others are tested.

    Returns
    -------
    dict
        Shares of shape (layers,). The keys are the language whose lines are looked up in the other, 0 or 1, and
        whether each language's mean is subtracted.
    """
    tested = [side[:, fitted:] for side in vectors]
    centred = [side[:, fitted:] - side[:, :fitted].mean(1, keepdims=True) for side in vectors]
    return {
        (way, taken_off): np.array([found_share(*both) for both in zip(sides[way], sides[1 - way], strict=True)])
        for taken_off, sides in ((False, tested), (True, centred))
        for way in (0, 1)
    }


def _opened(checkpoint: Path) -> Opened:
    folder = checkpoint / MODEL if (checkpoint / RECIPE).is_file() else checkpoint
    backbone = load_backbone(str(folder))
    asked: dict[str, Any] = {"dtype": torch.float32, "use_safetensors": True}
    with quiet_loading():
        model, info = load("AutoModelForMaskedLM", backbone.path, output_loading_info=True, **asked)
        speaks = not info["missing_keys"] and not info["mismatched_keys"]
        if not speaks:
            model = load("AutoModel", backbone.path, **asked)
    return Opened(checkpoint.resolve().name, model.eval(), backbone.tokenizer, speaks)


def _slips(pairs: Pairs, coded: tuple[Coded, Coded]) -> list[str]:
    """Notes on lines that were left out or cut, and on unknown pieces."""
    notes = [f"Pairs left out as blank or there before: {pairs.left_out:,}."] if pairs.left_out else []
    for name, side in zip(pairs.names, coded, strict=True):
        if side.unknown:
            notes.append(f"Of {name}, {side.unknown:.1%} of the pieces are unknown to the tokenizer.")
        if side.truncated:
            notes.append(f"Lines of {name} cut at the model's positions: {side.truncated:,}.")
    return notes


@dataclass(frozen=True)
class Facts:
    """The facts that the captions of both pictures state.

    Parameters
    ----------
    model, names
        The names of the checkpoint and of the two languages.
    fitted, tested
        The numbers of pairs of lines that give the means, and that are tested.
    notes
        Sentences on what was left out.
    """

    model: str
    names: tuple[str, str]
    fitted: int
    tested: int
    notes: str


def retrieval_finding(shares: Mapping[tuple[int, bool], NDArray[np.float64]], facts: Facts) -> Finding:
    """Draw how often a line's counterpart is its nearest neighbour, layer by layer.

    `shares` are as `retrieved` returns them; `facts` go into the caption.
    """
    title = "Do lines that mean the same lie together?"
    first, second = facts.names
    ways, chance = (f"{first} → {second}", f"{second} → {first}"), 1 / facts.tested
    layers = np.arange(len(shares[0, False]))
    with mpl.rc_context(STYLE):
        figure = empty_figure(3.8)
        axes = figure.subplots()
        for (way, taken_off), values in shares.items():
            axes.plot(layers, values, color=(BLUE, ORANGE)[way], linestyle="-" if taken_off else "--",
                      marker="os"[way], markersize=5, clip_on=False,
                      label=f"{ways[way]}, {'means taken off' if taken_off else 'as they are'}")  # fmt: skip
        axes.axhline(chance, color=GREY, linestyle=":", label=f"chance, {chance:.1%}")
        axes.set_xlabel("layer (0: the embeddings)")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_ylabel("lines whose counterpart is nearest")
        _percent(axes)
        axes.set_title(title)
        axes.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1, 0.5))
    best = "; ".join(
        f"{name}: {_best(shares[way, False])} as they are, {_best(shares[way, True])} with the means taken off"
        for way, name in enumerate(ways)
    )
    caption = (
        f"{facts.model}: share of {facts.tested:,} lines whose counterpart is the nearest of as many, by cosine of "
        f"mean hidden states; each language's mean vector is that of {facts.fitted:,} other lines. "
        f"At best {best}; by chance {chance:.1%}. {facts.notes}"
    ).strip()
    rows = [
        (ways[way], taken_off, int(layer), float(values[layer]), chance)
        for (way, taken_off), values in shares.items()
        for layer in layers
    ]
    return Finding(
        "alignment-retrieval",
        title,
        READING_RETRIEVAL,
        caption,
        _table(rows, "way", "means_taken_off", "layer", "share", "chance"),
        figure,
    )


def conversion_finding(conversions: Sequence[Converted], facts: Facts) -> Finding:
    """Draw in which language the head answers after the states are moved.

    `conversions` are those of each layer, as `converted` returns them; `facts` go into the caption.
    """
    first, second = facts.names
    title = f"Is a language one direction: does {first}, moved by the means' difference, come out as {second}?"
    with mpl.rc_context(STYLE):
        figure = empty_figure(3.8)
        panels = figure.subplots(1, 3, sharey=True)
        titles = (f"pieces of {first}", f"pieces of {second}", "of these, in the line's counterpart")
        colours = mpl.colormaps["viridis"](np.linspace(0, 0.85, len(conversions)))
        for layer, colour in zip(conversions, colours, strict=True):
            for axes, values in zip(panels, (layer.first, layer.second, layer.twin), strict=True):
                axes.plot(ALPHAS, values, color=colour, marker="o", markersize=4, clip_on=False,
                          label=f"layer {layer.layer}")  # fmt: skip
            panels[2].plot(ALPHAS, layer.stranger, color=colour, linestyle=":", linewidth=1.2)
        panels[2].plot([], [], color=GREY, linestyle=":", label="the same, in\nanother line's")
        for axes, name in zip(panels, titles, strict=True):
            axes.set_title(name)
            axes.set_xlabel("α (times the difference)")
            _percent(axes)
        panels[0].set_ylabel("share of answers")
        panels[2].legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1, 0.5))
        figure.suptitle(title, x=0.01, ha="left", fontsize=10.5)
    whole = [ALPHAS.index(alpha) for alpha in (0, 1, 2, 3)]
    parts = "; ".join(
        f"layer {layer.layer}: {', '.join(f'{layer.second[place]:.1%}' for place in whole)}" for layer in conversions
    )
    best = max(conversions, key=lambda layer: float(layer.twin.max()))
    place = int(best.twin.argmax())
    caption = (
        f"{facts.model} reads {first}, nothing masked; behind one layer (0: the embeddings) α times (mean of {second} "
        f"less mean of {first}) is added to every state, and the masked-LM head answers at {best.positions:,} "
        f"positions that hold a piece of {first} alone. "
        f"Answers that are pieces of {second} alone, at α = 0, 1, 2, 3: {parts}. "
        f"Answers that stand in the counterpart of the very line: at most {best.twin[place]:.1%} (layer {best.layer}, "
        f"α = {ALPHAS[place]:g}), against {best.stranger[place]:.1%} in another line's. "
        "A piece is of one language alone if it occurs in that file's lines only; the rest are shared or in neither."
    )
    rows = [
        (layer.layer, alpha, *(float(v[i]) for v in (layer.first, layer.second, layer.twin, layer.stranger)))
        for layer in conversions
        for i, alpha in enumerate(ALPHAS)
    ]
    table = _table(
        rows, "layer", "alpha", "share_first", "share_second", "share_in_counterpart", "share_in_another_line"
    )
    return Finding("alignment-conversion", title, READING_CONVERSION, caption, table, figure)


def _table(rows: Sequence[Sequence[Any]], *names: str) -> pa.Table:
    return pa.table({name: [row[i] for row in rows] for i, name in enumerate(names)})


def _best(shares: NDArray[np.float64]) -> str:
    return f"{shares.max():.1%} (layer {int(shares.argmax())})"


def _percent(axes: Any) -> None:
    axes.set_ylim(0, 1)
    axes.yaxis.set_major_formatter(PercentFormatter(1))
