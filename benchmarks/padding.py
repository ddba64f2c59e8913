"""How much of a batch is padding, and what reading short windows apart from long ones saves of a training step.

    python benchmarks/padding.py TASK [TASK …]

The batches are those of a run's first epoch, made by its own collator: with records in any order, grouped by length as
training takes them, and grouped with short windows read apart. Then training steps of the shipped BERT with and without
the latter alternate on one thread, after their logits were shown equal without dropout; seconds are CPU time.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xdomain.core.plugins import find_recipe
from xdomain.data.collate import LengthGrouped
from xdomain.model.backbone import load_backbone
from xdomain.model.last_layer import last_layer_at_first_position
from xdomain.training.less_padding import parts_by_length
from xdomain.training.predict import forward
from xdomain.training.preparation import adapter_of, prepare
from xdomain.training.train_encoder import Built, build_learner, plan_encoder

RECORDS, STEPS, ROUNDS, CLOSE = 2000, 12, 2, 1e-4


def padding(masks: Sequence[Tensor], *, apart: bool = False) -> float:
    """The share of positions that are padding in batches with these attention masks."""
    held = total = 0
    for mask in masks:
        lengths = mask.sum(1).tolist()
        held += sum(lengths)
        parts = parts_by_length(lengths) if apart else [range(len(lengths))]
        total += sum(len(part) * max(lengths[row] for row in part) for part in parts)
    return 1 - held / total


def seconds(built: Built, batches: Sequence[dict[str, Tensor]], *, apart: bool) -> float:
    """CPU seconds of a training step on each batch, without the optimizer's part."""
    started = time.process_time()
    for batch in batches:
        forward(built.learner, batch, apart=apart).square().mean().backward()
        built.learner.zero_grad()
    return time.process_time() - started


def ratio(built: Built, batches: Sequence[dict[str, Tensor]]) -> str:
    """How many times as fast training is with short windows read apart."""
    with last_layer_at_first_position(built.model):
        built.learner.eval()
        with torch.no_grad():
            for batch in batches[:3]:
                whole, apart = (forward(built.learner, batch, apart=apart) for apart in (False, True))
                owned = batch.get("owned", torch.tensor(True))
                difference = float(((whole - apart).abs() * (owned[..., None] if owned.ndim else 1)).max())
                if difference > CLOSE:
                    return f"logits differ by {difference:.1g}"
        built.learner.train()
        seconds(built, batches[:2], apart=True)
        rounds = [[seconds(built, batches, apart=apart) for apart in (False, True)] for _ in range(ROUNDS)]
    whole, apart = np.median(rounds, axis=0)
    return f"{whole / apart:.2f}"


def batches_of(built: Built, order: NDArray[np.int64], size: int, most: int) -> list[dict[str, Tensor]]:
    """At most so many batches, evenly from the epoch."""
    starts = list(range(0, len(order) - size + 1, size))
    chosen = starts[:: max(1, len(starts) // most)][:most]
    return [built.collate(order[first : first + size].tolist()) for first in chosen]


def main() -> None:
    """Print a row for each task."""
    torch.set_num_threads(1)
    print(f"{'task':<28} {'symbols':>15} {'batch':>6} {'any order':>10} {'grouped':>8} {'apart':>6} {'faster':>7}")
    for name in sys.argv[1:]:
        recipe = find_recipe(name)
        limited = recipe.split.model_copy(update={"limit": {"train": RECORDS, "valid": 20, "test": 20}})
        recipe = recipe.model_copy(update={"split": limited})
        backbone, adapter = load_backbone(recipe.run.backbone), adapter_of(recipe)
        examples, _ = prepare(recipe, adapter)
        built = build_learner(
            recipe, backbone, examples, plan_encoder(recipe, backbone, adapter, examples, folder=Path())
        )
        records, size = examples.indices("train"), recipe.train.batch_size
        drawn = np.random.Generator(np.random.PCG64(0)).permutation(records)
        grouped = records[list(LengthGrouped(built.collate.grouping()[records], size, 0, lambda: 0))]
        masks = [
            [batch["attention_mask"] for batch in batches_of(built, order, size, 50)] for order in (drawn, grouped)
        ]
        low, median, high = np.percentile(built.collate.lengths()[records], (0, 50, 100)).astype(int)
        shares = (padding(masks[0]), padding(masks[1]), padding(masks[1], apart=True))
        shown = [f"{share:.1%}" for share in shares]
        faster = ratio(built, batches_of(built, grouped, size, STEPS))
        print(f"{name:<28} {f'{low}–{median}–{high}':>15} {size:>6} {shown[0]:>10} {shown[1]:>8} {shown[2]:>6} "
              f"{faster:>7}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
