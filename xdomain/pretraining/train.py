"""One run of pre-training: from streams and a tokenizer to a finished checkpoint folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedTokenizerFast

from xdomain.core.memory import Need, enough_memory
from xdomain.core.progress import log
from xdomain.core.run_dir import HISTORY_PLOT, MAPPING, write_history, write_json
from xdomain.core.safe_loading import load
from xdomain.model.backbone import Backbone, quiet_loading
from xdomain.model.families import max_positions
from xdomain.model.token_mapping import TokenMapping
from xdomain.model.vocabulary import Vocabulary
from xdomain.pretraining.checkpoints import SUMMARY, WorkFolder
from xdomain.pretraining.config import Pretraining
from xdomain.pretraining.engine import Engine, Score
from xdomain.pretraining.model import Model, inputs, new_model
from xdomain.pretraining.model_card import write_pretraining_card
from xdomain.pretraining.objective import Batches, Masking
from xdomain.pretraining.start import started_model
from xdomain.pretraining.streams import Stream
from xdomain.training.device import Device, best_device
from xdomain.training.plots import plot_pretraining
from xdomain.training.provenance import PeakMemory, provenance

VALIDATION_SEED, VALIDATION_RATE = 2**31, 0.15
"""Validation is always masked at the rate of BERT's training, so that losses of runs can be compared."""


@dataclass(frozen=True, eq=False)
class Plan:
    """What one run trains on and writes.

    Parameters
    ----------
    tokenizer
        Is saved beside the checkpoint.
    streams
        The pieces to train on, and those that are held out, both as the tokenizer's rows.
    key
        Digest of the tokens of both: a saved state is not used for others.
    command
        The command line of this run, for the card.
    options
        Shape, objective and schedule.
    start
        The checkpoint to go on from; `options` have its shape. None: weights are drawn.
    mapping
        The row of each symbol of a domain; None: the tokens are the vocabulary's own pieces.
    adapter
        Name and options of the domain's adapter, with a mapping.
    """

    tokenizer: PreTrainedTokenizerFast
    streams: tuple[Stream, Stream]
    key: str
    command: str
    options: Pretraining
    start: Backbone | None = None
    mapping: TokenMapping | None = None
    adapter: Mapping[str, Any] | None = None


def train_checkpoint(work: WorkFolder, plan: Plan) -> None:
    """Train on the first stream of `plan`, validate on the second, and write the checkpoint.

    Parameters
    ----------
    work
        The folder of the run, opened by `WorkFolder.opened`.
    plan
        Data, vocabulary and options.

    Raises
    ------
    OutOfMemoryError
        A step needs more memory than there is.
    """
    with enough_memory(lambda: _need(plan.options)):
        _pretrain(work, plan)


def _need(options: Pretraining) -> Need:
    """What a step takes memory for, and which options make it take less."""
    longest = max(options.lengths)
    fewest = options.fewest_rows * longest
    less = [f"shorter --lengths (the longest is {longest})"]
    if options.batch_tokens > fewest:
        less.insert(0, f"--batch-tokens {max(options.batch_tokens // 2, fewest)}")
    return Need(
        f"steps of {options.batch_tokens} tokens (--batch-tokens), sequences of up to {longest} positions (--lengths)",
        f"{', or '.join(less)}; in another folder with --out",
    )


def _pretrain(work: WorkFolder, plan: Plan) -> None:
    options, tokenizer = plan.options, plan.tokenizer
    memory, device = PeakMemory(), best_device(options.precision)
    torch.manual_seed(options.seed)
    model = started_model(options, plan.start, tokenizer) if plan.start else new_model(options, tokenizer)
    vocabulary = Vocabulary.of(tokenizer)
    ordinary = vocabulary.ordinary if plan.mapping is None else np.sort(plan.mapping.ids).astype(np.int64)
    cls, sep, mask = (vocabulary.rows[str(t)] for t in (tokenizer.cls_token, tokenizer.sep_token, tokenizer.mask_token))
    train, valid = (
        Batches(stream, Masking(rate, mask, ordinary), options.objective, cls, sep, seed)
        for stream, seed, rate in zip(
            plan.streams,
            (options.seed, options.seed + VALIDATION_SEED),
            (options.mask_rate, VALIDATION_RATE),
            strict=True,
        )
    )
    trained = max_positions(plan.start.config) if plan.start else 0
    engine = Engine(model, train, valid, options, device, work, plan.key, trained)
    history = engine.run()
    scores: dict[str, Score] = {}
    for length in options.lengths:
        scores[str(length)] = engine.score(length)
        log.info(f"validation at {length} positions: {scores[str(length)]}")
    summary = {
        **options.as_dict(),
        "command": plan.command,
        "family": model.config.model_type,
        "start_sha256": plan.start and plan.start.sha256,
        "steps": options.steps,
        "tokens_seen": options.tokens_before(options.steps),
        "parameters": sum(p.numel() for p in model.parameters()),
        "validation": {length: score.as_dict() for length, score in scores.items()},
        "data": {"train": dict(plan.streams[0].facts), "validation": dict(plan.streams[1].facts)},
        "vocabulary": len(vocabulary.pieces),
        "vocabulary_sha256": vocabulary.sha256,
        "mapping": _identity(plan.mapping),
        "adapter": plan.adapter,
        **provenance(device, memory),
    }
    _publish(work, model, plan, summary, history, device)


def _identity(mapping: TokenMapping | None) -> dict[str, Any] | None:
    return mapping and {"strategy": mapping.strategy, "seed": mapping.seed, "sha256": mapping.sha256}


def _publish(
    work: WorkFolder,
    model: Model,
    plan: Plan,
    summary: dict[str, Any],
    history: list[dict[str, Any]],
    device: Device,
) -> None:
    """Write everything to the work folder, then move it in place: an interruption leaves no partial checkpoint."""
    made = work.path / "made"
    with work.guarded(), quiet_loading():
        model.to("cpu").half().save_pretrained(made)  # pyright: ignore[reportArgumentType]
        load("AutoConfig", made, dtype="float32").save_pretrained(made)  # the format to load fp16 weights in
        plan.tokenizer.model_input_names = inputs(model)
        plan.tokenizer.save_pretrained(made)
        if plan.mapping is not None:
            plan.mapping.save(made / MAPPING)
        write_json(made / SUMMARY, summary)
        write_history(made, history)
        plot_pretraining(history, path=made / HISTORY_PLOT, title=f"{summary['tokens_seen']:,} tokens on {device.name}")
        write_pretraining_card(made, summary)
    work.publish(made)
