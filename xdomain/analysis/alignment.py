"""Two languages in one encoder: do lines that mean the same lie together, and is a language one direction?

Two text files of parallel lines are read by a checkpoint's own tokenizer. Half of the lines give each language's mean
vector, the other half is tested: (i) is a line's counterpart its nearest neighbour, as the vectors are and with each
language's mean taken off; (ii) where the states of one language are moved by the difference of the means, does the
masked-LM head answer in the other one. Sources: Liu et al. 2020, arXiv 2004.09205 and 2010.10041; a made-up second
language as in K et al. 2020, arXiv 1912.07840.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from xdomain.analysis.alignment_plots import Facts, conversion_finding, retrieval_finding
from xdomain.analysis.parallel_text import Coded, converted, encode, line_vectors
from xdomain.analysis.result import Finding, Options
from xdomain.core.errors import DataError
from xdomain.core.run_dir import MODEL, RECIPE
from xdomain.data.read_file import read_text
from xdomain.model.backbone import load_backbone, quiet_loading

FEWEST = 8  # pairs of lines: half of them are tested
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
        What the two languages are called: their files' stems.
    left_out
        Pairs of which one line is blank or had come before: its counterpart would not be the only right one.
    """

    a: tuple[str, ...]
    b: tuple[str, ...]
    names: tuple[str, str]
    left_out: int


@dataclass(frozen=True)
class Opened:
    """The checkpoint: an encoder, in a masked-LM model where the folder holds all of one."""

    name: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast
    speaks: bool


def align(checkpoint: Path, a: Path, b: Path, options: Options) -> list[Finding]:
    """Ask whether two languages are aligned in a checkpoint.

    Parameters
    ----------
    checkpoint
        A stock checkpoint folder; a run folder stands for its ``model``.
    a, b
        UTF-8 text: line i of `a` means line i of `b`.
    options
        `records`: the most pairs of lines that are used, drawn by `seed`.

    Raises
    ------
    BackboneError
        The checkpoint cannot be read.
    DataError
        The files are no parallel text, or too short.
    """
    pairs = read_pairs(a, b, most=options.records, seed=options.seed)
    opened = _opened(checkpoint)
    model, fitted = opened.model, len(pairs.a) // 2
    coded = (encode(opened.tokenizer, model.config, pairs.a), encode(opened.tokenizer, model.config, pairs.b))
    vectors = [line_vectors(model, side) for side in coded]
    found = converted(model, coded, fitted) if opened.speaks else None
    notes = [*_slips(pairs, coded), *([] if found else [MUTE if not opened.speaks else SHARED])]
    facts = Facts(opened.name, pairs.names, fitted, len(pairs.a) - fitted, " ".join(notes))
    findings = [retrieval_finding(retrieved(vectors, fitted), facts)]
    if found:
        findings.append(conversion_finding(found, facts))
    return findings


def read_pairs(a: Path, b: Path, *, most: int, seed: int = 0) -> Pairs:
    """At most `most` pairs of lines, in an order drawn by `seed`."""
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
    if len(order) < FEWEST:
        raise DataError(f"{a} and {b} share {len(order)} pairs of lines that differ from each other",
                        expected=f"{FEWEST} or more; some hundreds tell something")  # fmt: skip
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
    """Shares of found counterparts a layer, shape (layers,).

    Parameters
    ----------
    vectors
        Of the two languages, shape (layers, lines, d) each.
    fitted
        How many lines, the first ones, give the means; the others are tested.

    Returns
    -------
    dict
        By which language asks, 0 or 1, and whether each language's mean is taken off.
    """
    tested = [side[:, fitted:] for side in vectors]
    centred = [side[:, fitted:] - side[:, :fitted].mean(1, keepdims=True) for side in vectors]
    return {
        (way, taken_off): np.array([found_share(*both) for both in zip(sides[way], sides[1 - way], strict=True)])
        for taken_off, sides in ((False, tested), (True, centred))
        for way in (0, 1)
    }


def _opened(checkpoint: Path) -> Opened:
    from transformers import AutoModel, AutoModelForMaskedLM

    folder = checkpoint / MODEL if (checkpoint / RECIPE).is_file() else checkpoint
    backbone = load_backbone(str(folder))
    local = Path(backbone.path).is_dir()
    asked: dict[str, Any] = {"dtype": torch.float32, "local_files_only": local, "use_safetensors": True}
    with quiet_loading():
        model, info = AutoModelForMaskedLM.from_pretrained(backbone.path, output_loading_info=True, **asked)
        speaks = not info["missing_keys"] and not info["mismatched_keys"]
        if not speaks:
            model = AutoModel.from_pretrained(backbone.path, **asked)
    return Opened(checkpoint.resolve().name, model.eval(), backbone.tokenizer, speaks)


def _slips(pairs: Pairs, coded: tuple[Coded, Coded]) -> list[str]:
    """What was left out or not read as it stands."""
    told = [f"Pairs left out as blank or there before: {pairs.left_out:,}."] if pairs.left_out else []
    for name, side in zip(pairs.names, coded, strict=True):
        if side.unknown:
            told.append(f"Of {name}, {side.unknown:.1%} of the pieces are unknown to the tokenizer.")
        if side.truncated:
            told.append(f"Lines of {name} cut at the model's positions: {side.truncated:,}.")
    return told
