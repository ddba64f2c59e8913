"""One run of pre-training on sequences that a generator makes up as they are needed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from xdomain.core.errors import RecipeError
from xdomain.data.corpus import SPECIALS
from xdomain.pretraining.checkpoints import WorkFolder
from xdomain.pretraining.config import Pretraining
from xdomain.pretraining.engine import VALIDATION_TOKENS
from xdomain.pretraining.own_vocabulary import HasAlphabet, symbol_tokenizer
from xdomain.pretraining.start import shaped, started
from xdomain.pretraining.streams import Generated, Generator
from xdomain.pretraining.train import Plan, train_checkpoint

FAR = 2**40
"""Number of the first made-up sequence of validation: training never gets that far."""
SHORT = Pretraining(lengths=(16, 32, 64, 128), shares=(0.15, 0.25, 0.3, 0.3))
"""Defaults for made-up sequences: no published work has them longer than 128."""


@dataclass(frozen=True)
class Run:
    """What a run on made-up sequences is told.

    Parameters
    ----------
    out
        The folder to write; it must not hold a checkpoint yet.
    options
        Shape, objective and schedule; `vocabulary` is ignored, and `tokenizer` must be None.
    facts
        What the sequences depend on, as JSON: a run goes on with the same alone.
    command
        The command line of this run, for the card.
    """

    out: Path
    options: Pretraining
    facts: Mapping[str, Any]
    command: str


def run_generated(run: Run, source: Generator, integers: HasAlphabet) -> Path:
    """Train on the sequences of a generator, and write the checkpoint.

    The vocabulary has the special tokens, then the integers. No sequence is seen twice, and training sees none of
    validation.

    Parameters
    ----------
    run
        Folder and options.
    source
        Makes the sequences.
    integers
        Names the symbols that they consist of, and makes a tokenizer.

    Returns
    -------
    Path
        ``run.out``.

    Raises
    ------
    UserError
        Options, generator or folder cannot be used, which is said before training begins; or training failed.
    """
    refuse_tokenizer(run.options)
    work = WorkFolder(run.out)
    work.check()
    facts, shift = dict(run.facts), len(SPECIALS)
    start, options = started(run.options), replace(run.options, vocabulary=len(integers.alphabet) + shift)
    options = shaped(options, start) if start else options
    longest = max(options.lengths) - options.special_tokens
    train = Generated(source, longest, options.rows_before, shift, 0, facts)
    valid = Generated(source, longest, lambda step: step * VALIDATION_TOKENS, shift, FAR, {**facts, "first": FAR})
    for length in options.lengths:
        train.batch(0, 1, length - options.special_tokens)
    data = {**facts, **({"start": start.sha256} if start else {})}
    with work.opened({"options": options.options_that_decide(), "data": data}):
        tokenizer = symbol_tokenizer(integers)
        key = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
        train_checkpoint(work, Plan(tokenizer, (train, valid), key, run.command, options, start))
    return run.out


def refuse_tokenizer(options: Pretraining) -> None:
    """Refuse `options` with a tokenizer.

    Raises
    ------
    RecipeError
        They have one.
    """
    if options.tokenizer:
        raise RecipeError("made-up sequences with a tokenizer", expected="none: the integers are the vocabulary")
