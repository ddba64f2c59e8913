"""The loop of pre-training: batches, steps, states, progress, validation."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from xdomain.core.errors import RecipeError
from xdomain.core.formatting import duration
from xdomain.core.progress import log, reporter
from xdomain.pretraining.checkpoints import WorkFolder
from xdomain.pretraining.config import Pretraining, Stage
from xdomain.pretraining.model import Model, tile_positions
from xdomain.pretraining.objective import Batches, outcome
from xdomain.training.device import Device, quick_attention

VALIDATION_TOKENS = 4096
FEW, MANY = 8, 32
"""Batches of a validation on the way, and of the last."""
CLIP = 1.0


@dataclass(frozen=True)
class Score:
    """Of held-out pieces: masked-LM loss, masked accuracy, and accuracy of the order where there is one."""

    loss: float
    masked_accuracy: float
    order_accuracy: float | None = None

    def told(self) -> dict[str, float]:
        """As JSON."""
        told = {"loss": round(self.loss, 4), "masked_accuracy": round(self.masked_accuracy, 4)}
        return told if self.order_accuracy is None else {**told, "order_accuracy": round(self.order_accuracy, 4)}

    def __str__(self) -> str:
        told = f"loss {self.loss:.3f}, masked accuracy {self.masked_accuracy:.3f}"
        return told if self.order_accuracy is None else f"{told}, order accuracy {self.order_accuracy:.3f}"


@dataclass(frozen=True)
class Engine:
    """What trains: a model, its batches, and where it is saved.

    Parameters
    ----------
    train, valid
        Batches to learn from and to judge by; the second are masked at 15 %.
    key
        Digest of the tokens: a state belongs to it.
    """

    model: Model
    train: Batches
    valid: Batches
    options: Pretraining
    device: Device
    work: WorkFolder
    key: str
    optimizer: torch.optim.AdamW = field(init=False)

    def __post_init__(self) -> None:
        self.model.to(self.device.name)  # pyright: ignore[reportArgumentType]
        for module in self.model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0  # a model this small underfits; the config keeps dropout for fine-tuning
        object.__setattr__(self, "optimizer", _optimizer(self.model, self.options))

    def run(self) -> list[dict[str, Any]]:
        """Train to the end from the last state, and return the history.

        Raises
        ------
        RecipeError
            The loss is no number any more.
        OutputError
            A state cannot be written or read.
        """
        options = self.options
        first = self.work.restore(self.model, self.optimizer, self.key)
        history = self.work.history(first)
        self.work.keep_history(history)
        log.info(f"training on {self.device}" + (f", from step {first}" if first else ""))
        every = max(1, min(100, options.steps // 20))
        losses: list[Tensor] = []
        clock, behind = time.monotonic(), first
        reporter().started("training", options.steps, first)
        for step in range(first, options.steps):
            stage = options.stage_at(step)
            if options.grow == "tile" and 0 < step == stage.first:
                tile_positions(self.model, options.stage_at(step - 1).length, stage.length)
            losses.append(self.step(step, stage))
            done, tokens = step + 1, options.tokens_before(step + 1)
            reporter().advanced(done, losses[-1])
            saves = done % options.save_every == 0 and done < options.steps
            if done % every == 0 or saves or done == options.steps:
                mean = torch.stack(losses).mean().item()
                if not math.isfinite(mean):
                    raise RecipeError(
                        f"the loss is {mean} after {done} steps",
                        expected="a number",
                        fix="a lower --learning-rate, in another folder",
                    )
                now = time.monotonic()
                pace = (tokens - options.tokens_before(behind)) / max(now - clock, 1e-9)
                row = {"step": done, "tokens": tokens, "length": stage.length, "loss": mean}
                history.append({**row, "learning_rate": options.rate_at(step), "tokens_per_second": round(pace)})
                self.work.add_history(history[-1])
                left = (options.tokens_before(options.steps) - tokens) / pace
                log.info(
                    f"step {done:,}/{options.steps:,}  {stage.length} positions  loss {mean:.3f}  "
                    f"{pace:,.0f} tokens/s  {duration(left)} left"
                )
                losses, clock, behind = [], now, done
            if saves:
                score = self.score(stage.length, FEW)
                history.append({"step": done, "tokens": tokens, "length": stage.length, "valid": score.told()})
                self.work.add_history(history[-1])
                self.work.save(self.model, self.optimizer, done, self.key)
                log.info(f"validation at {stage.length} positions: {score}")
                clock = time.monotonic()
        reporter().finished()
        return history

    def step(self, step: int, stage: Stage) -> Tensor:
        """One step down; the loss before it, on the device."""
        batch = self.train.at(step, rows=stage.rows, length=stage.length).to(self.device.name)
        for group in self.optimizer.param_groups:
            group["lr"] = self.options.rate_at(step)
        with quick_attention(self.model, self.device, stage.length), self.device.autocast():
            loss = outcome(self.model, batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), CLIP)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return loss.detach()

    def score(self, length: int, batches: int = MANY) -> Score:
        """The mean over fixed batches of held-out pieces."""
        rows = max(self.options.fewest_rows, VALIDATION_TOKENS // length)
        sums = [0.0, 0.0, 0.0]
        with torch.no_grad(), quick_attention(self.model, self.device, length), self.device.autocast():
            for step in range(batches):
                batch = self.valid.at(step, rows=rows, length=length).to(self.device.name)
                found = outcome(self.model, batch)
                masked, order = found.accuracies(batch)
                sums = [a + b for a, b in zip(sums, (found.masked_loss.item(), masked, order or 0.0), strict=True)]
        loss, accuracy, order = (total / batches for total in sums)
        return Score(loss, accuracy, None if self.options.objective == "mlm" else order)


def _optimizer(model: Model, options: Pretraining) -> torch.optim.AdamW:
    """AdamW; biases and norms do not decay (Devlin et al. 2019's code)."""
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": options.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=options.learning_rate, betas=(0.9, 0.98), fused=True)
