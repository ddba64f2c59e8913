"""The training loop of pre-training: batches, steps, saved states, progress, validation."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from xdomain.core.errors import TrainingError
from xdomain.core.formatting import duration
from xdomain.core.progress import log, reporter
from xdomain.pretraining.checkpoints import WorkFolder
from xdomain.pretraining.config import Pretraining, Stage
from xdomain.pretraining.model import Model, tile_positions
from xdomain.pretraining.objective import Batches, outcome
from xdomain.training.device import Device, quick_attention

VALIDATION_TOKENS = 4096
FEW, MANY = 8, 32
"""Batches of a validation during training, and of the last one."""
CLIP = 1.0
FIRST_STEPS = 10
"""After so many steps it is estimated how long all take."""


@dataclass(frozen=True)
class Score:
    """Scores on held-out pieces.

    Parameters
    ----------
    loss
        Of masked-LM, in nats; without that of the order of segments.
    masked_accuracy
        Share of masked positions that were predicted right.
    order_accuracy
        Share of right answers about the order of segments; None where the objective is mlm.
    """

    loss: float
    masked_accuracy: float
    order_accuracy: float | None = None

    def as_dict(self) -> dict[str, float]:
        """As JSON, to four decimals."""
        values = {"loss": round(self.loss, 4), "masked_accuracy": round(self.masked_accuracy, 4)}
        return values if self.order_accuracy is None else {**values, "order_accuracy": round(self.order_accuracy, 4)}

    def __str__(self) -> str:
        text = f"loss {self.loss:.3f}, masked accuracy {self.masked_accuracy:.3f}"
        return text if self.order_accuracy is None else f"{text}, order accuracy {self.order_accuracy:.3f}"


@dataclass(frozen=True)
class Engine:
    """Trains a model on its batches and saves the state of training.

    Parameters
    ----------
    model
        Is moved to `device`, and trained without dropout.
    train, valid
        Batches to learn from and to validate on; the latter are masked at a rate of 15 %.
    options
        Steps, learning rates, and how often to save.
    device
        Where to train, and in which number format.
    work
        Where states and history are written; it is open.
    key
        Digest of the tokens: a saved state is not used for others.
    positions
        How many positions of `model` were trained before, in the checkpoint that it goes on from.
    """

    model: Model
    train: Batches
    valid: Batches
    options: Pretraining
    device: Device
    work: WorkFolder
    key: str
    positions: int = 0
    optimizer: torch.optim.AdamW = field(init=False)

    def __post_init__(self) -> None:
        self.model.to(self.device.name)  # pyright: ignore[reportArgumentType]
        for module in self.model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0  # a model this small underfits; the config keeps dropout for fine-tuning
        object.__setattr__(self, "optimizer", _optimizer(self.model, self.options))

    def run(self) -> list[dict[str, Any]]:
        """Train to the end from the last saved state, and return the rows of the history.

        Raises
        ------
        TrainingError
            The loss is not finite any more.
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
            if options.grow == "tile" and 0 < step == stage.first and stage.length > self.positions:
                tile_positions(self.model, max(options.stage_at(step - 1).length, self.positions), stage.length)
            losses.append(self.step(step, stage))
            done, tokens = step + 1, options.tokens_before(step + 1)
            reporter().advanced(done, losses[-1])
            if done - first == FIRST_STEPS < min(every, options.steps - first):
                losses[-1].item()  # waits for the device
                seen = tokens - options.tokens_before(first)
                rest = (options.tokens_before(options.steps) - tokens) * (time.monotonic() - clock) / seen
                log.info(f"about {duration(rest)} for {options.tokens:,} tokens; --tokens for fewer")
            saves = done % options.save_every == 0 and done < options.steps
            if done % every == 0 or saves or done == options.steps:
                mean = torch.stack(losses).mean().item()
                if not math.isfinite(mean):
                    raise TrainingError(
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
                history.append({"step": done, "tokens": tokens, "length": stage.length, "valid": score.as_dict()})
                self.work.add_history(history[-1])
                self.work.save(self.model, self.optimizer, done, self.key)
                log.info(f"validation at {stage.length} positions: {score}")
                clock = time.monotonic()
        reporter().finished()
        return history

    def step(self, step: int, stage: Stage) -> Tensor:
        """Take one training step.

        Parameters
        ----------
        step
            Its number, which decides the batch and the learning rate.
        stage
            The one that it belongs to.

        Returns
        -------
        Tensor
            The loss of the batch before the step: a scalar on the device.
        """
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
        """Compute the mean scores on held-out pieces.

        Parameters
        ----------
        length
            Positions of a piece, special tokens included.
        batches
            How many batches of about `VALIDATION_TOKENS` tokens to score, every time the same ones.
        """
        rows = max(self.options.fewest_rows, VALIDATION_TOKENS // length)
        sums = [0.0, 0.0, 0.0]
        with torch.no_grad(), quick_attention(self.model, self.device, length), self.device.autocast():
            for step in range(batches):
                batch = self.valid.at(step, rows=rows, length=length).to(self.device.name)
                result = outcome(self.model, batch)
                masked, order = result.accuracies(batch)
                sums = [a + b for a, b in zip(sums, (result.masked_loss.item(), masked, order or 0.0), strict=True)]
        loss, accuracy, order = (total / batches for total in sums)
        return Score(loss, accuracy, None if self.options.objective == "mlm" else order)


def _optimizer(model: Model, options: Pretraining) -> torch.optim.AdamW:
    """AdamW without weight decay on biases and norms, as in the code of Devlin et al. 2019."""
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": options.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=options.learning_rate, betas=(0.9, 0.98), fused=True)
