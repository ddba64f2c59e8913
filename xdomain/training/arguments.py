"""Arguments and trackers for `transformers.Trainer`, from a recipe's training options."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers import AutoConfig, TrainerCallback, TrainingArguments
from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK

from xdomain.core.errors import RecipeError, unknown
from xdomain.core.memory import Need
from xdomain.core.recipe import Recipe, Train
from xdomain.core.run_dir import TENSORBOARD
from xdomain.metrics.metrics import METRICS
from xdomain.model.backbone import max_positions
from xdomain.model.checkpoints import locate_backbone
from xdomain.training.device import Device, process_count
from xdomain.training.schedule import evaluate_every, steps_of

LOGS_A_RUN = 50


def training_arguments(
    recipe: Recipe, checkpoints: Path, records: int, *, seed: int, device: Device
) -> TrainingArguments:
    """Say to `Trainer` what a recipe says.

    Parameters
    ----------
    recipe
        Its options of training are settled, see `xdomain.training.schedule.settle`.
    checkpoints
        The folder to write them to.
    records
        Training records.
    seed
        Of dropout and batches, 0 or more.
    device
        Where to train, and in which number format.

    Raises
    ------
    RecipeError
        A batch cannot be shared evenly, see `batch_share`.
    """
    train = recipe.train
    steps = steps_of(train, records)
    if train.learning_rate is None or train.evaluations is None:
        raise ValueError("options of training are not settled: `xdomain.training.schedule.settle` comes first")
    every = evaluate_every(train, records)
    first = recipe.metrics[0]
    arguments = TrainingArguments(
        output_dir=str(checkpoints),
        per_device_train_batch_size=batch_share(train),
        gradient_accumulation_steps=train.gradient_accumulation_steps,
        per_device_eval_batch_size=scored_at_once(train),
        max_steps=steps,
        learning_rate=train.learning_rate,
        lr_scheduler_type=train.schedule,
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
        logging_nan_inf_filter=False,  # a loss that is no number stops the run instead of being left out
        logging_steps=max(1, steps // LOGS_A_RUN),
        seed=seed,
        report_to="none",  # trackers are callbacks of ours, made before anything was written
        run_name=f"{recipe.name} {checkpoints.parent.name}",
        disable_tqdm=True,
        remove_unused_columns=False,
        label_names=["labels"],
        dataloader_pin_memory=device.name == "cuda",
        restore_callback_states_from_checkpoint=train.patience is not None,
    )
    # One process uses one device: several share a batch under torchrun, and no batch is multiplied in silence.
    arguments._n_gpu = min(1, arguments.n_gpu)  # pyright: ignore[reportPrivateUsage]
    return arguments


def memory_need(recipe: Recipe) -> Need:
    """Say what a run takes memory for, and which options make it less."""
    train, baseline = recipe.train, recipe.run.baseline
    if baseline:
        return Need(f"the baseline {baseline}", "fewer records, such as --set split.limit.train=1000 --overwrite")
    config = AutoConfig.from_pretrained(locate_backbone(recipe.run.backbone), local_files_only=True)
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
    """The records that a process works off at once: a batch is the same however many processes and parts share it.

    Raises
    ------
    RecipeError
        It cannot be shared evenly.
    """
    world, parts, batch_size = process_count(), train.gradient_accumulation_steps, train.batch_size
    if batch_size % (world * parts):
        told = [f"{world} processes"] * (world > 1) + [f"{parts} parts"] * (parts > 1)
        raise RecipeError(f"a batch of {batch_size} cannot be shared by {' of '.join(told)}",
                          expected=f"train.batch_size divisible by {world * parts}")  # fmt: skip
    return batch_size // (world * parts)


def scored_at_once(train: Train) -> int:
    """The windows that are scored at once: with no gradients to keep, four times the records of a part of a batch."""
    return max(1, 4 * train.batch_size // train.gradient_accumulation_steps)


def make_trackers(names: Sequence[str], folder: Path) -> list[TrainerCallback]:
    """The callbacks of the trackers called `names`; TensorBoard's events go to ``folder/tensorboard``.

    Nothing is written before training begins.

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
