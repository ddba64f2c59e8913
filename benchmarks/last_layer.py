"""A whole training step and scoring, with the last layer at the first position alone and with all of it.

    python benchmarks/last_layer.py [--shapes 4x256 6x384] [--positions 62] [--records 32] [--rounds 15]

First both ways train from the same weights without dropout, and every loss must be equal to 1e-6 of it, else no time is
printed. Then steps of both ways take turns, with the dropout of a run (0.1), so that whatever else the machine does
falls on both. A step is collating aside: forward, backward, clipping, AdamW. Printed are medians and their ratio.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
from transformers import BertConfig, BertForSequenceClassification

from xdomain.model.last_layer import last_layer_at_first_position
from xdomain.training.device import best_device, quick_attention

WAYS: dict[str, Callable[..., Any]] = {"all positions": nullcontext, "first alone": last_layer_at_first_position}
STEPS, SAME, ROWS = 6, 1e-6, 12  # rows: those of a sliced vocabulary


class Trained:
    """A model of `layers` x `width` with heads of 64, its optimizer and one way of computing the last layer."""

    def __init__(self, layers: int, width: int, dropout: float, way: str, positions: int) -> None:
        torch.manual_seed(0)
        labels: dict[str, Any] = {"num_labels": 3}
        config = BertConfig(
            vocab_size=ROWS, hidden_size=width, num_hidden_layers=layers, num_attention_heads=width // 64,
            intermediate_size=4 * width, max_position_embeddings=max(64, positions), hidden_dropout_prob=dropout,
            attention_probs_dropout_prob=0.0, **labels,
        )  # fmt: skip
        self.device, self.way, self.positions = best_device(), WAYS[way], positions
        self.model: Any = BertForSequenceClassification(config)
        self.model.to(self.device.name)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), 1e-4)

    def __call__(self, batch: dict[str, torch.Tensor], *, train: bool) -> tuple[float, float]:
        """Loss and seconds of a step, or of scoring where `train` is false."""
        self.model.train(train)
        started = time.perf_counter()
        grads = nullcontext() if train else torch.inference_mode()
        with quick_attention(self.model, self.device, self.positions), self.way(self.model), grads:
            with self.device.autocast():
                loss = self.model(**batch).loss
            if train:
                loss.backward()
                torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
                self.optimizer.step()
                self.optimizer.zero_grad()
            return loss.item(), time.perf_counter() - started


def drawn(records: int, positions: int, seed: int, device: str) -> dict[str, torch.Tensor]:
    """A batch of `records`, a quarter of which are shorter than `positions`."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(3, ROWS, (records, positions), generator=generator)
    mask = torch.ones_like(ids)
    mask[: records // 4, positions - 8 :] = 0
    labels = torch.randint(0, 3, (records,), generator=generator)
    return {"input_ids": ids.to(device), "attention_mask": mask.to(device), "labels": labels.to(device)}


def measure(layers: int, width: int, positions: int, records: int, rounds: int) -> None:
    """Print a line of results and one of times for each of training and scoring."""
    device = best_device().name
    courses: list[list[float]] = []
    for way in WAYS:
        model = Trained(layers, width, 0.0, way, positions)
        courses.append([model(drawn(records, positions, step, device), train=True)[0] for step in range(STEPS)])
    apart = max(abs(a - b) / abs(a) for a, b in zip(*courses, strict=True))
    print(f"{layers} x {width}: losses of {STEPS} steps are equal to {apart:.1e}")
    if apart > SAME and not best_device().bf16:
        raise SystemExit("the results differ, so times would mean nothing")
    models = {way: Trained(layers, width, 0.1, way, positions) for way in WAYS}
    batch = drawn(records, positions, 0, device)
    for train in (True, False):
        taken: dict[str, list[float]] = {way: [] for way in WAYS}
        for turn in range(rounds + 2):
            for way, model in models.items():
                seconds = model(copy.copy(batch), train=train)[1]
                if turn >= 2:  # the first are slower
                    taken[way].append(seconds)
        ms = {way: 1e3 * statistics.median(of_way) for way, of_way in taken.items()}
        told = ", ".join(f"{way} {value:.0f} ms" for way, value in ms.items())
        ratio = ms["all positions"] / ms["first alone"]
        print(f"  {'training step' if train else 'scoring'}: {told}; {ratio:.2f} times as fast", flush=True)


def main() -> None:
    """Measure every shape."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", nargs="*", default=["4x256", "6x384"], help="layers x width")
    parser.add_argument("--positions", type=int, default=62)
    parser.add_argument("--records", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=15)
    given = parser.parse_args()
    print(f"{best_device()}; torch {torch.__version__}, {torch.get_num_threads()} threads; "
          f"{given.records} records of {given.positions} positions")  # fmt: skip
    for shape in given.shapes:
        layers, width = map(int, shape.split("x"))
        measure(layers, width, given.positions, given.records, given.rounds)


if __name__ == "__main__":
    main()
