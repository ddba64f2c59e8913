"""One fine-tuning: `transformers.Trainer` over pooled windows, the best checkpoint chosen on validation."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import Dataset, Sampler
from transformers import EarlyStoppingCallback, Trainer, TrainerCallback, set_seed
from transformers.trainer_callback import PrinterCallback

from xdomain.core.errors import TrainingError
from xdomain.core.progress import log, reporter
from xdomain.core.recipe import Recipe
from xdomain.core.run_dir import CHECKPOINTS
from xdomain.core.sequences import Ids
from xdomain.core.train_options import Train
from xdomain.data.class_weights import balancing_weights, draw_chances
from xdomain.data.collate import Collator, Indices, LengthGrouped
from xdomain.data.dataset import Examples
from xdomain.data.known_labels import IGNORED
from xdomain.data.windows import training_windows
from xdomain.metrics.metrics import compute_metrics
from xdomain.metrics.scoring import metric_inputs
from xdomain.model.sequence_model import width_of, word_tables
from xdomain.training.arguments import training_arguments
from xdomain.training.defaults import default_rate
from xdomain.training.device import Device, of_first
from xdomain.training.losses import count_labels, summed_loss
from xdomain.training.predict import forward, predict_scores

Augment = Callable[[Ids, float], Ids]
"""Changes a sequence, as a number drawn uniformly from [0, 1) decides."""
Objective = Callable[[nn.Module, dict[str, Tensor], Tensor | None], Tensor]
"""The loss of a model on a batch of a `Collator`, summed over its labels, of which each class may have a weight; see
`xdomain.training.losses.summed_loss`."""


@dataclass(frozen=True)
class FitResult:
    """What a fine-tuning did.

    Parameters
    ----------
    history
        Rows {step, epoch, loss} and {step, epoch, valid: {metric: value}}, in order of step.
    train_loss
        Mean training loss over the last epoch; NaN where none was logged.
    best_step
        Where validation was best: the model is left as it was at that step.
    tokens_per_second
        Symbols and special tokens trained on, padding not counted, in each of the `seconds`; NaN for a resumed run.
    seconds
        Spent on training and evaluations, since the last resumption.
    """

    history: list[dict[str, Any]]
    train_loss: float
    best_step: int
    steps: int
    tokens_per_second: float
    seconds: float


@dataclass(frozen=True)
class TargetScaler:
    """Targets of regression, multioutput and profiles as they are trained: (value - mean) / std of the training labels.

    Parameters
    ----------
    mean, std
        Numbers; for multioutput arrays of shape (k,).
    """

    mean: Any
    std: Any

    @classmethod
    def of(cls, examples: Examples) -> TargetScaler:
        """The mean and standard deviation of the training labels of `examples`; 1 in place of a deviation of 0.

        Labels that are unknown (NaN) do not count.
        """
        train = examples.labels_of(examples.indices("train")).astype(np.float64)
        mean, std = np.nanmean(train, axis=0), np.nanstd(train, axis=0)
        return cls(mean, np.where(std > 0, std, 1.0))

    def apply(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """Turn native `values` into the standardised ones that are trained on, float32; NaN becomes `IGNORED`."""
        return np.nan_to_num((values - self.mean) / self.std, nan=IGNORED).astype(np.float32)

    def undo(self, values: NDArray[Any]) -> NDArray[Any]:
        """Turn standardised `values`, as the model predicts them, into native ones."""
        return values * self.std + self.mean

    def inverse(self) -> TargetScaler:
        """The scale that undoes this one: folded into a model that predicts native values, that predicts standardised
        ones.
        """
        return TargetScaler(-self.mean / self.std, 1 / self.std)

    @torch.no_grad()
    def fold_into(self, model: nn.Module) -> None:
        """Make `model` predict native values, in place: the scale moves into its last linear layer."""
        mean, std = (torch.from_numpy(np.atleast_1d(np.asarray(one, np.float32))) for one in (self.mean, self.std))
        last = [m for m in model.modules() if isinstance(m, nn.Linear) and m.out_features == len(std)][-1]
        last.weight.mul_(std[:, None].to(last.weight))
        last.bias.mul_(std.to(last.bias)).add_(mean.to(last.bias))


class _WindowTrainer(Trainer):
    """`Trainer` whose batches hold several windows a record and whose order depends on seed and epoch alone."""

    def __init__(self, *, examples: Examples, collate: Collator, recipe: Recipe, scale: TargetScaler | None,
                 augment: Augment | None, objective: Objective | None, device: Device,
                 **options: Any) -> None:  # fmt: skip
        self._examples, self._collate, self._recipe = examples, collate, recipe
        self._scale, self._augment, self._device = scale, augment, device
        self._weights, self._objective = self._class_weights(), objective
        self.newest_loss: Tensor | None = None
        super().__init__(**options)
        self.model_accepts_loss_kwargs = True  # makes `Trainer` count labels, and not average over parts of a batch
        self.data_collator = replace(collate, change=self._change(), choose=self._choose())

    def _class_weights(self) -> Tensor | None:
        if self._recipe.class_balance != "weights":
            return None
        labels = self._examples.labels_of(self._examples.indices("train"))
        weights = balancing_weights(labels, self._recipe.problem, len(self._examples.classes))
        return torch.from_numpy(weights).to(self._device.name)

    def _epoch(self) -> int:
        return int(self.state.epoch or 0)

    def _change(self) -> Callable[[int, Ids], Ids] | None:
        augment = self._augment
        if augment is None:
            return None
        drawn: dict[int, NDArray[np.float64]] = {}

        def changed(record: int, symbols: Ids) -> Ids:
            epoch = self._epoch()
            if epoch not in drawn:
                drawn.clear()
                rng = np.random.Generator(np.random.PCG64([self.args.seed, epoch, 1]))
                drawn[epoch] = rng.random(len(self._examples))
            return augment(symbols, float(drawn[epoch][record]))

        return changed

    def _choose(self) -> Callable[[int], list[int]] | None:
        labels, windows = self._collate.targets, self._collate.windows
        if self._recipe.problem != "span" or labels is None:
            return None

        def chosen(record: int) -> list[int]:
            rng = np.random.Generator(np.random.PCG64([self.args.seed, self._epoch(), record, 2]))
            return training_windows(windows, record, labels[record], rng)

        return chosen

    def _get_train_sampler(self, train_dataset: Dataset[int] | None = None) -> Sampler[int]:
        records = self._examples.indices("train")
        batch = self._recipe.train.batch_size
        shared = self.args.world_size > 1
        chances = None
        if self._recipe.class_balance == "batches":
            chances = draw_chances(self._examples.labels_of(records), len(self._examples.classes))
        return LengthGrouped(
            self._collate.grouping()[records], batch, self.args.seed, self._epoch, fill=shared, chances=chances
        )

    def get_decay_parameter_names(self, model: nn.Module) -> list[str]:
        """Leave the word rows of `model` out of weight decay: rows that never occur must stay as they are."""
        words = {id(p) for table in word_tables(model) for p in table.parameters()}
        named = dict(model.named_parameters(remove_duplicate=False))  # tied to the table of rows, a head has two names
        return [name for name in super().get_decay_parameter_names(model) if id(named[name]) not in words]

    def compute_loss(self, model: nn.Module, inputs: dict[str, Any], return_outputs: bool = False,
                     num_items_in_batch: Tensor | int | None = None) -> Any:  # fmt: skip
        """Sum the loss over the labels of a part of a batch, and divide it by the labels of the whole batch.

        Parameters
        ----------
        model, inputs, return_outputs
            As in `Trainer.compute_loss`; `inputs` is a batch of a `xdomain.data.collate.Collator`.
        num_items_in_batch
            Labels of the whole batch, in all parts and processes, as `Trainer` counts them; None: of `inputs` alone.

        Returns
        -------
        Tensor
            Scalar. The parts of a process are added up, but processes are averaged, both their gradients, by DDP, and
            their losses, by `Trainer`. The loss is therefore multiplied by the number of processes, so that in the end
            loss and gradient are those of the whole batch.
        """
        counted = count_labels(inputs) if num_items_in_batch is None else torch.as_tensor(num_items_in_batch)
        if self._objective:
            total = self._objective(model, inputs, self._weights)
        else:
            total = summed_loss(self._recipe.problem, forward(model, inputs, apart=True), inputs, self._weights)
        return total / counted.clamp(min=1) * self.accelerator.num_processes

    def _run_epoch(self, *args: Any, **options: Any) -> None:
        """Do nothing if the state that a run goes on from is that of its end: `Trainer` would take a step more."""
        stops: Any = [one for one in self.callback_handler.callbacks if isinstance(one, EarlyStoppingCallback)]
        impatient = any(one.early_stopping_patience_counter >= one.early_stopping_patience for one in stops)
        if impatient or self.state.global_step >= self.state.max_steps:
            self.control.should_training_stop = True
        else:
            super()._run_epoch(*args, **options)

    def training_step(self, *args: Any, **options: Any) -> Tensor:
        """Do as `Trainer` does, and keep the loss of the batch so far, on the device, to show it."""
        loss = super().training_step(*args, **options)
        self.newest_loss = loss if self.newest_loss is None else self.newest_loss + loss
        if self._device.name == "cpu":  # on a GPU reading each loss would make it wait: see `log`
            self._check_finite(loss.item(), self.state.global_step + 1)
        return loss

    def log(self, logs: dict[str, float], *args: Any, **options: Any) -> None:
        """Do as `Trainer` does, but first check that the mean loss in `logs`, where it is there, is finite."""
        self._check_finite(logs.get("loss", 0.0), self.state.global_step)
        super().log(logs, *args, **options)

    def _check_finite(self, number: float, step: int) -> None:
        """Stop if training has diverged, as the model would be useless from then on."""
        if not math.isfinite(number):
            model: Any = self.model
            width = width_of(model.config)
            raise _diverged(step, self.args.max_steps, self._recipe.train, width, bf16=self._device.bf16)

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Compute the metrics on all of validation, by the same code that scores the finished model.

        Each process scores all records, and all use the metrics of the first: so they agree on the best step and on
        stopping early. A metric that is undefined counts as the worst value.
        """
        records = self._examples.indices("valid")
        model: Any = self.model
        scores = predict_scores(
            model, self._collate, records, device=self._device, batch_size=self.args.eval_batch_size,
            longest=self._recipe.train.max_answer,
        )  # fmt: skip
        scores = self._scale.undo(scores) if self._scale else scores
        if not of_first(bool(np.isfinite(scores).any())):
            self._check_finite(math.nan, self.state.global_step)
        computed = compute_metrics(
            self._recipe.metrics, *metric_inputs(self._examples, records, scores), self._recipe.problem
        )
        metrics: dict[str, float] = {}
        for name, entry in computed.items():
            worst = -math.inf if entry["higher_is_better"] else math.inf
            metrics[f"eval_{name}"] = entry["value"] if math.isfinite(entry["value"]) else worst
        metrics = of_first(metrics)
        self.log(dict(metrics))
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics


def fit(
    model: nn.Module,
    examples: Examples,
    collate: Collator,
    recipe: Recipe,
    *,
    seed: int,
    device: Device,
    folder: Path,
    resume: bool = False,
    scale: TargetScaler | None = None,
    augment: Augment | None = None,
    objective: Objective | None = None,
    trackers: Sequence[TrainerCallback] = (),
) -> FitResult:
    """Fine-tune a model in place and leave it at its best step on validation.

    Parameters
    ----------
    model
        As `xdomain.model.tuning.freeze_for` returned it.
    examples
        All encoded records: train is learned from, valid chooses the step.
    collate
        Makes batches of them, with standardised targets for regression.
    recipe
        With settled options of training, see `xdomain.training.defaults.settle`.
    seed
        Of dropout and of the order of records, 0 or more.
    device
        Where to train, and in which number format.
    folder
        The run folder: checkpoints lie in its ``checkpoints`` until training has ended.
    resume
        Whether to go on from the last checkpoint there, if there is one, with the same outcome as an undisturbed run.
    scale
        Only for regression: of the targets, to compute metrics in native units.
    augment
        Changes each training sequence anew in every epoch; None: sequences stay as they are.
    objective
        The loss to train by; None: that of the recipe's problem.
    trackers
        Further callbacks.

    Raises
    ------
    TrainingError
        The loss is not finite any more.
    """
    checkpoints = folder / CHECKPOINTS
    train = recipe.train
    records = examples.indices("train")
    arguments = training_arguments(recipe, checkpoints, len(records), seed=seed, device=device)
    progress = _Progress(recipe.metrics[0])
    callbacks: list[TrainerCallback] = [progress, *trackers]
    if train.patience:
        callbacks.append(EarlyStoppingCallback(early_stopping_patience=train.patience))
    set_seed(seed)  # `Trainer` seeds too, but dropout must not depend on what was drawn while building
    trainer = _WindowTrainer(
        examples=examples, collate=collate, recipe=recipe, scale=scale, augment=augment,
        objective=objective, device=device, model=model,
        args=arguments, train_dataset=Indices(records), eval_dataset=Indices(examples.indices("valid")),
        data_collator=collate, callbacks=callbacks,
    )  # fmt: skip
    trainer.remove_callback(PrinterCallback)
    progress.watched = trainer
    last = last_whole(checkpoints) if resume else None
    if last:
        log.info(f"going on from step {last.name.rsplit('-', 1)[1]}")
    started = time.monotonic()
    outcome = trainer.train(resume_from_checkpoint=str(last) if last else None)
    seconds = time.monotonic() - started
    history = _history(trainer.state.log_history)
    final_epoch = max((row["epoch"] for row in history), default=0.0)
    losses = [row["loss"] for row in history if "loss" in row and row["epoch"] > final_epoch - 1]
    special = len(collate.layout.start) + len(collate.layout.end)
    tokens = float((collate.costs()[records] + special).mean()) * outcome.global_step * train.batch_size
    trainer.accelerator.wait_for_everyone()  # every process reads the best checkpoint
    if trainer.is_world_process_zero():
        shutil.rmtree(checkpoints, ignore_errors=True)
    return FitResult(
        history=history,
        train_loss=float(np.mean(losses)) if losses else float("nan"),
        best_step=trainer.state.best_global_step or outcome.global_step,
        steps=outcome.global_step,
        tokens_per_second=tokens / seconds if not last else float("nan"),
        seconds=seconds,
    )


def last_whole(checkpoints: Path) -> Path | None:
    """The latest complete checkpoint in the folder `checkpoints`, or None: `Trainer` writes its state file last."""
    whole = [place.parent for place in checkpoints.glob("checkpoint-*/trainer_state.json")]
    return max(whole, key=lambda place: int(place.name.rsplit("-", 1)[1]), default=None)


def _diverged(step: int, steps: int, train: Train, width: int, *, bf16: bool) -> TrainingError:
    rate = train.learning_rate or math.nan
    smaller = min(rate / 10, default_rate(width))
    narrow = ", or --set train.precision=fp32" if bf16 else ""
    return TrainingError(
        f"training diverged: the loss is not finite at step {step:,} of {steps:,}, with a learning rate of {rate:g}",
        expected="a finite loss at every step",
        fix=f"a smaller rate, such as --set train.learning_rate={smaller:g} --overwrite{narrow}",
    )


class _Progress(TrainerCallback):
    """Report every step, and log a line at each evaluation: where the run stands and how long it will take."""

    watched: _WindowTrainer

    def __init__(self, metric: str) -> None:
        self.metric = metric
        self.started, self.first, self.loss = time.monotonic(), 0, float("nan")

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.started, self.first = time.monotonic(), state.global_step
        reporter().started("training", state.max_steps, state.global_step)

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.watched.newest_loss = None

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        reporter().advanced(state.global_step, self.watched.newest_loss)

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        reporter().finished()

    def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, float] | None = None, **_: Any) -> None:
        self.loss = (logs or {}).get("loss", self.loss)

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: Mapping[str, float] | None = None,
                    **_: Any) -> None:  # fmt: skip
        pace = (time.monotonic() - self.started) / max(1, state.global_step - self.first)
        left = pace * (state.max_steps - state.global_step)
        value = (metrics or {}).get(f"eval_{self.metric}", float("nan"))
        if state.is_world_process_zero:
            shown = f"{value:.4f}" if math.isfinite(value) else "undefined"
            log.info(
                f"step {state.global_step}/{state.max_steps}  train loss {self.loss:.4f}  "
                f"valid {self.metric} {shown}  {left / 60:.1f} min left"
            )


def _history(log: list[dict[str, Any]]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for entry in log:
        place = {"step": entry["step"], "epoch": round(entry.get("epoch", 0.0), 4)}
        if "loss" in entry:
            rows.append({**place, "loss": entry["loss"], "learning_rate": entry.get("learning_rate")})
        valid = {key[5:]: value for key, value in entry.items() if key.startswith("eval_")}
        if valid:
            rows.append({**place, "valid": {k: v if math.isfinite(v) else None for k, v in valid.items()}})
    return rows
