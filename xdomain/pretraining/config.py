"""The options of a pre-training run, and the stages, steps and learning rates that follow from them."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, get_args

import numpy as np

from xdomain.core.choices import Decay, Grow, Objective, Positions, Precision
from xdomain.core.errors import RecipeError, unknown

CHOICES = {"objective": Objective, "positions": Positions, "grow": Grow, "decay": Decay, "precision": Precision}
SHORTEST = 8
"""Positions of the shortest sequence: two segments of two tokens, and three special tokens."""
INDIFFERENT = frozenset({"save_every", "licence", "start"})
"""Options that do not change the weights: a run may be resumed with other values. A checkpoint is known by its hash."""
OPTION = {"start": "from"}
"""Names on the command line of the fields that are called otherwise there."""


@dataclass(frozen=True)
class Stage:
    """Steps ``first`` to ``last`` (half-open), each of `rows` sequences of `length` positions."""

    first: int
    last: int
    length: int
    rows: int


@dataclass(frozen=True)
class Pretraining:
    """The options of a pre-training run.

    Parameters
    ----------
    start
        A folder, shipped name or hub id of a checkpoint to go on from; None: weights are drawn.
    tokenizer
        A folder or hub id of a tokenizer to use; None: learn `vocabulary` wordpieces from the corpus. Learning them
        breaks ties at random, so two runs that must be equal should share a tokenizer.
    layers, width, heads
        Shape of the encoder: its layers, hidden units (a multiple of `heads`) and attention heads.
    vocabulary
        Wordpieces to learn where no tokenizer is given.
    lengths, shares
        Of each stage: positions of its sequences, growing, special tokens included; and its share of all tokens, in any
        unit, by default equal ones where other lengths are named. A classic BERT that starts with long sequences sits
        on a plateau for hours: short ones first teach it what a position is.
    positions
        learned: a BERT, with a row for each position; rotary: a ModernBERT (Warner et al. 2024), which rotates queries
        and keys instead (Su et al. 2021).
    grow
        How the position rows that a stage adds begin: tile, as copies of the rows before them; fresh, as drawn.
    tokens
        Tokens seen in all, special tokens included.
    batch_tokens
        Tokens of a step: it has as many whole sequences as fit.
    objective
        mlm; mlm+nsp adds next-sentence prediction (Devlin et al. 2019, §3.1), mlm+sop sentence-order prediction
        (Lan et al. 2020, §3.1).
    mask_rate
        Share of positions to predict, in (0, 1); of these 80 % become [MASK], 10 % another token.
    learning_rate
        The highest rate, after warm-up.
    warmup
        Share of the steps over which the rate rises from 0, in [0, 1).
    decay
        How the rate falls to 0 afterwards: linear or cosine.
    weight_decay
        Of AdamW, 0 or more; biases and norms are left out.
    seed
        Of weights, batches and masks, 0 or more.
    precision
        auto: bfloat16 where the device computes in it; bf16; fp32.
    save_every
        Steps between two saved states, from which an interrupted run goes on.
    licence
        Written into the model card: an SPDX name as the hub knows it.
    """

    start: str | None = None
    tokenizer: str | None = None
    layers: int = 4
    width: int = 256
    heads: int = 4
    vocabulary: int = 8192
    lengths: tuple[int, ...] = (16, 32, 64, 128, 256, 512)
    shares: tuple[float, ...] = (0.15, 0.2, 0.25, 0.2, 0.1, 0.1)
    positions: Positions = "learned"
    grow: Grow = "tile"
    tokens: int = 24_000_000
    batch_tokens: int = 2048
    objective: Objective = "mlm"
    mask_rate: float = 0.3
    learning_rate: float = 1e-3
    warmup: float = 0.03
    decay: Decay = "linear"
    weight_decay: float = 0.01
    seed: int = 0
    precision: Precision = "auto"
    save_every: int = 1000
    licence: str | None = None

    def __post_init__(self) -> None:
        if len(self.lengths) != len(self.shares) and self.shares == type(self).shares:
            object.__setattr__(self, "shares", (1.0,) * len(self.lengths))
        if faults := list(self._faults()):
            if len(faults) == 1:
                raise faults[0]
            raise RecipeError("\n".join(f"- {fault}" for fault in faults))

    def _faults(self) -> Iterator[RecipeError]:
        """Everything that is wrong, so that one message can name it all."""
        for name, kind in CHOICES.items():
            if getattr(self, name) not in get_args(kind):
                yield RecipeError(str(unknown(name, getattr(self, name), get_args(kind))))
        if self.positions == "rotary" and self.objective != "mlm":
            yield RecipeError(
                f"rotary positions with the objective {self.objective}",
                expected="mlm: a ModernBERT knows no second segment",
                fix="--objective mlm, or --positions learned",
            )
        for name in ("layers", "width", "heads", "vocabulary", "tokens", "batch_tokens", "save_every"):
            if getattr(self, name) < 1:
                yield RecipeError(f"{name} {getattr(self, name)}", expected="1 or more")
        if self.heads > 0 and self.width % self.heads:
            fitting = [n for n in range(1, self.width + 1) if self.width % n == 0]
            best = min(fitting, key=lambda n: abs(n - self.heads)) if fitting else 1
            yield RecipeError(
                f"width {self.width} cannot be shared out among {self.heads} heads",
                expected="a width that is a multiple of the heads",
                fix=f"--heads {best}",
            )
        if not 0 < self.mask_rate < 1:
            yield RecipeError(f"mask rate {self.mask_rate}", expected="a share in (0, 1)")
        if not 0 <= self.warmup < 1:
            yield RecipeError(f"warmup {self.warmup}", expected="a share in [0, 1)")
        if not (self.learning_rate > 0 and math.isfinite(self.learning_rate)):
            yield RecipeError(f"learning rate {self.learning_rate}", expected="a number above 0")
        if self.weight_decay < 0:
            yield RecipeError(f"weight decay {self.weight_decay}", expected="0 or more")
        if not 0 <= self.seed < 2**63:
            yield RecipeError(f"seed {self.seed}", expected="0 or more, and less than 2 to the 63rd")
        schedule = list(self._schedule_faults())
        yield from schedule
        if not schedule and self.tokens > 0:
            yield from self._empty_stages()

    def _schedule_faults(self) -> Iterator[RecipeError]:
        if len(self.lengths) != len(self.shares):
            yield RecipeError(
                f"{len(self.lengths)} lengths but {len(self.shares)} shares",
                expected="as many shares as lengths",
                fix=f"--shares {','.join(['1'] * len(self.lengths))}" if self.lengths else None,
            )
        if not self.lengths or list(self.lengths) != sorted(set(self.lengths)) or min(self.lengths) < SHORTEST:
            yield RecipeError(
                f"lengths {','.join(map(str, self.lengths))}",
                expected=f"growing numbers of positions, each {SHORTEST} or more",
            )
        elif self.batch_tokens < max(self.lengths) * self.fewest_rows:
            yield RecipeError(
                f"batches of {self.batch_tokens} tokens for sequences of {max(self.lengths)} positions",
                expected="room for one sequence in a batch"
                if self.fewest_rows == 1
                else f"room for two sequences in a batch: {self.objective} takes second segments from other sequences",
                fix=f"--batch-tokens {self.fewest_rows * max(self.lengths)}, or shorter --lengths",
            )
        if not all(share > 0 and math.isfinite(share) for share in self.shares):
            yield RecipeError(f"shares {','.join(map(str, self.shares))}", expected="numbers above 0")

    def _empty_stages(self) -> Iterator[RecipeError]:
        """Stages without a step, which would leave their positions untrained."""
        empty = [stage.length for stage in self.stages if stage.first == stage.last]
        if empty:
            least = min(self.shares) / sum(self.shares)
            yield RecipeError(
                f"{self.tokens} tokens leave no step for {', '.join(map(str, empty))} positions",
                expected=f"more tokens than {self.batch_tokens} a step and stage",
                fix=f"--tokens {math.ceil(self.batch_tokens / least)}, or fewer --lengths",
            )

    @property
    def fewest_rows(self) -> int:
        """The least number of sequences in a batch: mlm+nsp takes a second segment from another one."""
        return 2 if self.objective == "mlm+nsp" else 1

    @property
    def special_tokens(self) -> int:
        """How many each sequence has: [CLS] and [SEP], and a second [SEP] where there are two segments."""
        return 2 if self.objective == "mlm" else 3

    @cached_property
    def stages(self) -> tuple[Stage, ...]:
        """The stages in order, which together make up the steps from 0 to `steps`."""
        edges = np.cumsum((0.0, *self.shares)) / sum(self.shares) * self.tokens / self.batch_tokens
        steps = [round(edge) for edge in edges.tolist()]
        return tuple(
            Stage(first, last, length, self.batch_tokens // length)
            for first, last, length in zip(steps, steps[1:], self.lengths, strict=False)
        )

    @property
    def steps(self) -> int:
        """How many steps the run has."""
        return self.stages[-1].last

    def stage_at(self, step: int) -> Stage:
        """The stage that `step`, in [0, `steps`), belongs to."""
        return next(stage for stage in self.stages if step < stage.last)

    def rows_before(self, step: int) -> int:
        """How many sequences the steps before `step` have."""
        return sum(max(0, min(step, s.last) - s.first) * s.rows for s in self.stages)

    def tokens_before(self, step: int) -> int:
        """How many tokens the steps before `step` have, special tokens included."""
        return sum(max(0, min(step, s.last) - s.first) * s.rows * s.length for s in self.stages)

    def rate_at(self, step: int) -> float:
        """The learning rate of `step`, in [0, `steps`): a linear rise, then a fall that reaches 0 after the last."""
        rise = round(self.warmup * self.steps)
        if step < rise:
            return self.learning_rate * (step + 1) / rise
        progress = (step - rise) / max(1, self.steps - rise)
        left = 1 - progress if self.decay == "linear" else (1 + math.cos(math.pi * progress)) / 2
        return self.learning_rate * left

    def as_dict(self) -> dict[str, Any]:
        """All options, as JSON."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in _values(self).items()}

    def options_that_decide(self) -> dict[str, Any]:
        """The options that decide the weights, as JSON."""
        return {name: value for name, value in self.as_dict().items() if name not in INDIFFERENT}

    def command(
        self,
        what: Sequence[str],
        out: str,
        more: Mapping[str, Any] | None = None,
        usual: Pretraining | None = None,
    ) -> str:
        """The command line of this run.

        Parameters
        ----------
        what
            The words after ``xdomain pretrain``.
        out
            The folder of ``--out``.
        more
            Further options, by name; "" for a flag, which has no value; a list for an option that is given repeatedly.
        usual
            The command's defaults, which are left out, as `vocabulary` then is; None: the defaults of this class.
        """
        ordinary = _values(usual or Pretraining())
        hidden = () if usual is None else ("vocabulary",)
        own = {name: v for name, v in _values(self).items() if v != ordinary[name] and name not in hidden}
        words = ["xdomain", "pretrain", *what, "--out", out]
        for name, value in {**(more or {}), **own}.items():
            for one in value if isinstance(value, list) else [value]:
                words += ["--" + OPTION.get(name, name).replace("_", "-"), *([_word(one)] if one != "" else [])]
        return shlex.join(words)


def _values(options: Pretraining) -> dict[str, Any]:
    return {field.name: getattr(options, field.name) for field in fields(options)}


def _word(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
