"""Arguments and trackers for `transformers.Trainer`, from a recipe's training options."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainingArguments
from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK

from xdomain.core.errors import RecipeError, unknown
from xdomain.core.memory import Need
from xdomain.core.recipe import Recipe
from xdomain.core.run_dir import TENSORBOARD
from xdomain.core.safe_loading import load
from xdomain.core.train_options import Train
from xdomain.metrics.metrics import METRICS
from xdomain.model.checkpoints import locate_backbone
from xdomain.model.families import max_positions
from xdomain.training.defaults import evaluate_every, steps_of
from xdomain.training.device import Device, process_count

SCHEDULES = {"constant": "constant_with_warmup"}
"""What transformers calls a schedule that it calls otherwise: its own `constant` has no warm-up."""
LOGS_A_RUN = 50


def training_arguments(
    recipe: Recipe, checkpoints: Path, records: int, *, seed: int, device: Device
) -> TrainingArguments:
    """Translate a recipe into the arguments of `transformers.Trainer`.

    Parameters
    ----------
    recipe
        With settled options of training: `xdomain.training.defaults.settle` filled in what the user left open.
    checkpoints
        The folder to write checkpoints to, below the run folder.
    records
        How many training records there are.
    seed
        Of dropout and of the order of records, 0 or more.
    device
        Where to train, and in which number format.

    Raises
    ------
    RecipeError
        Processes and parts cannot share a batch evenly, see `batch_share`.
    """
    train = recipe.train
    steps = steps_of(train, records)
    if train.learning_rate is None or train.evaluations is None:
        raise ValueError("options of training are not settled: `xdomain.training.defaults.settle` comes first")
    every = evaluate_every(train, records)
    first = recipe.metrics[0]
    arguments = TrainingArguments(
        output_dir=str(checkpoints),
        per_device_train_batch_size=batch_share(train),
        gradient_accumulation_steps=train.gradient_accumulation_steps,
        per_device_eval_batch_size=scored_at_once(train),
        max_steps=steps,
        learning_rate=train.learning_rate,
        lr_scheduler_type=SCHEDULES.get(train.schedule, train.schedule),
        warmup_steps=round(train.warmup * steps),
        weight_decay=train.weight_decay,
        bf16=device.bf16,
        use_cpu=device.name == "cpu",
        eval_strategy="steps",
        eval_steps=every,
        save_strategy="steps",
        save_steps=every,
        save_total_limit=1,
        load_best_model_at_end=True,
        metric_for_best_model=f"eval_{first}",
        greater_is_better=METRICS[first].higher_is_better,
        logging_strategy="steps",
        logging_nan_inf_filter=False,  # a loss that is not finite stops the run instead of being left out
        logging_steps=max(1, steps // LOGS_A_RUN),
        seed=seed,
        report_to="none",  # `make_trackers` adds the trackers as callbacks, before anything is written
        run_name=f"{recipe.name} {checkpoints.parent.name}",
        disable_tqdm=True,
        remove_unused_columns=False,
        label_names=["labels"],
        dataloader_pin_memory=device.name == "cuda",
        restore_callback_states_from_checkpoint=train.patience is not None,
    )
    # One device for each process: under torchrun they share a batch, and no batch is silently multiplied.
    arguments._n_gpu = min(1, arguments.n_gpu)  # pyright: ignore[reportPrivateUsage]
    return arguments


def memory_need(recipe: Recipe) -> Need:
    """Say what a run of `recipe` takes memory for, and which options make it take less."""
    train, baseline = recipe.train, recipe.run.baseline
    if baseline:
        return Need(f"the baseline {baseline}", "fewer records, such as --set split.limit.train=1000 --overwrite")
    config = load("AutoConfig", locate_backbone(recipe.run.backbone), local_files_only=True)
    length = min(max_positions(config), train.max_length or max_positions(config))
    parts = train.gradient_accumulation_steps
    share = max(1, train.batch_size // (process_count() * parts))
    less = [f"--set train.max_length={max(16, length // 2)} (shorter windows)"]
    if factor := next((n for n in range(2, share + 1) if share % n == 0), None):
        less.insert(0, f"--set train.gradient_accumulation_steps={parts * factor} (the same batch, in smaller parts)")
        less.append(f"--set train.batch_size={train.batch_size // factor} (smaller batches, which train otherwise)")
    return Need(
        f"batches of {train.batch_size} records (train.batch_size), {share} of them at once "
        f"(train.gradient_accumulation_steps={parts}), in windows of up to {length} positions (train.max_length)",
        f"{', or '.join(less)}; with --overwrite",
    )


def batch_share(train: Train) -> int:
    """How many records of a batch a process works off at once, under the options `train`.

    A batch has ``train.batch_size`` records, however many processes, and parts of
    ``train.gradient_accumulation_steps``, share it.

    Raises
    ------
    RecipeError
        They cannot share it evenly.
    """
    world, parts, batch_size = process_count(), train.gradient_accumulation_steps, train.batch_size
    if batch_size % (world * parts):
        shares = [f"{world} processes"] * (world > 1) + [f"{parts} parts"] * (parts > 1)
        raise RecipeError(f"a batch of {batch_size} cannot be shared by {' of '.join(shares)}",
                          expected=f"train.batch_size divisible by {world * parts}")  # fmt: skip
    return batch_size // (world * parts)


def scored_at_once(train: Train) -> int:
    """How many windows are scored at once under `train`: four for each record of a part, as no gradients are kept."""
    return max(1, 4 * train.batch_size // train.gradient_accumulation_steps)


def make_trackers(names: Sequence[str], folder: Path) -> list[TrainerCallback]:
    """Make the callbacks of the trackers called `names`, such as ``wandb``; nothing is written before training begins.

    TensorBoard's events go to ``tensorboard`` in the run's `folder`.

    Raises
    ------
    RecipeError
        An unknown tracker, or one whose package is not installed.
    """
    trackers: list[TrainerCallback] = []
    for name in names:
        if name not in INTEGRATION_TO_CALLBACK:
            raise unknown("tracker", name, INTEGRATION_TO_CALLBACK)
        try:
            tracker: Any = INTEGRATION_TO_CALLBACK[name]()
        except (RuntimeError, ImportError) as error:
            raise RecipeError(
                f"the tracker {name} cannot be used: {str(error).splitlines()[0]}",
                expected="a tracker whose package is installed",
                fix=f"pip install {name.replace('_', '-')}, or leave it out of train.report_to",
            ) from None
        if name == "tensorboard":
            tracker.logging_dir = str(folder / TENSORBOARD)
        trackers.append(tracker)
    return trackers
