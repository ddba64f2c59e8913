"""Tokens a second of a pre-training step, beside the same step with the head at every position.

    python benchmarks/pretrain.py [--lengths 16,512] [--seconds 4] [--rounds 3] [--rows 8192] [--batch-tokens 2048]

Before anything is timed, both are shown to have the same loss on the same batch in float32. Both then run in the same
process, with the device's own number format, in turn, on the same batches; the best round is told.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from transformers import BertConfig, BertForMaskedLM

from xdomain.pretraining.objective import Batch, Batches, Masking, outcome
from xdomain.pretraining.streams import Documents
from xdomain.training.device import Device, best_device, quick_attention

FIRST = 5
Loss = Callable[[BertForMaskedLM, Batch], torch.Tensor]


def full_head(model: BertForMaskedLM, batch: Batch) -> torch.Tensor:
    """What `BertForMaskedLM` does when it is given labels and an attention mask, as a collator gives them."""
    labels = torch.full_like(batch.ids, -100)
    labels.view(-1)[batch.places] = batch.wanted
    return model(input_ids=batch.ids, attention_mask=torch.ones_like(batch.ids), labels=labels).loss


def chosen_only(model: BertForMaskedLM, batch: Batch) -> torch.Tensor:
    """The loss that pre-training descends."""
    return outcome(model, batch).loss


@dataclass(frozen=True)
class Bench:
    """A model, its optimiser and its batches of one shape."""

    model: BertForMaskedLM
    optimizer: torch.optim.Optimizer
    batches: Batches
    device: Device
    rows: int
    length: int

    def batch(self, number: int) -> Batch:
        """A batch on the device."""
        return self.batches.at(number, rows=self.rows, length=self.length).to(self.device.name)

    def step(self, loss_of: Loss, number: int) -> None:
        """A whole step of training."""
        ours = loss_of is chosen_only  # the other attends as the library does by itself
        attention = quick_attention(self.model, self.device, self.length) if ours else nullcontext()
        with attention, self.device.autocast():
            loss = loss_of(self.model, self.batch(number))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def pace(self, loss_of: Loss, seconds: float) -> float:
        """Tokens a second."""
        started, steps = time.perf_counter(), 0
        while time.perf_counter() - started < seconds or not steps:
            self.step(loss_of, steps)
            steps += 1
        if self.device.name == "cuda":
            torch.cuda.synchronize()
        return steps * self.rows * self.length / (time.perf_counter() - started)

    def losses(self) -> list[float]:
        """Of both ways, in float32, on one batch."""
        with torch.no_grad():
            return [loss_of(self.model, self.batch(0)).item() for loss_of in (full_head, chosen_only)]


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lengths", default="16,32,64,128,256,512")
    parser.add_argument("--seconds", type=float, default=4, help="a round, at least")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=8192, help="of the vocabulary")
    parser.add_argument("--batch-tokens", type=int, default=2048)
    parser.add_argument("--mask-rate", type=float, default=0.15)
    given = parser.parse_args()
    device = best_device()
    tokens = np.random.default_rng(0).integers(FIRST, given.rows, 2**20).astype(np.uint16)
    stream = Documents(tokens, np.array([0]), np.array([len(tokens)]))
    batches = Batches(stream, Masking(given.mask_rate, 4, np.arange(FIRST, given.rows)), "mlm", 2, 3, 0)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=given.rows, hidden_size=256, num_hidden_layers=4, num_attention_heads=4, intermediate_size=1024,
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    model = BertForMaskedLM(config).to(device.name)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    print(f"{device}, {torch.get_num_threads()} threads, {given.mask_rate:.0%} chosen, {given.batch_tokens} a step")
    print("positions  full-head loss  chosen-only loss  full-head tokens/s  chosen-only tokens/s  ratio")
    for length in map(int, given.lengths.split(",")):
        bench = Bench(model, optimizer, batches, device, given.batch_tokens // length, length)
        losses = bench.losses()
        if abs(losses[0] - losses[1]) > 1e-4:
            raise SystemExit(f"unequal losses at {length} positions: {losses}")
        best = [0.0, 0.0]
        for _ in range(given.rounds):
            for place, loss_of in enumerate((full_head, chosen_only)):
                bench.step(loss_of, 0)
                best[place] = max(best[place], bench.pace(loss_of, given.seconds))
        told = f"{length:9}  {losses[0]:14.5f}  {losses[1]:16.5f}  {best[0]:18,.0f}  {best[1]:20,.0f}"
        print(f"{told}  {best[1] / best[0]:5.2f}", flush=True)


if __name__ == "__main__":
    main()
