"""Pre-train a small encoder on a stream of one's own: a function that makes sequences up, or sequences at hand."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from xdomain.core.entry_points import entry_points
from xdomain.core.errors import DataError, RecipeError
from xdomain.core.plugins import make_adapter
from xdomain.core.sequences import Ids, Ragged, narrow, offsets_of
from xdomain.data.corpus import SPECIALS
from xdomain.pretraining.checkpoints import WorkFolder
from xdomain.pretraining.config import Pretraining
from xdomain.pretraining.made_up import SHORT, Run, refuse_tokenizer, run_generated
from xdomain.pretraining.own_vocabulary import symbol_tokenizer
from xdomain.pretraining.records import hold_out_records, joined
from xdomain.pretraining.start import shaped, started
from xdomain.pretraining.train import Plan, train_checkpoint

GROUP = "xdomain.streams"
"""The entry-point group of functions that make sequences up, by name."""
StreamFunction = Callable[[np.random.Generator, int, int], Any]
"""``stream(rng, length, symbols)``: a sequence of `length` integers from 0 to `symbols` - 1; a longer one is cut."""
PROBED = 4
"""Sequences of each length by which a resumed run knows its function again."""


@dataclass(frozen=True)
class Called:
    """Sequences that a function makes: number i of some length has a random generator of its own.

    Parameters
    ----------
    function
        See `StreamFunction`. It must draw from the generator that it gets, and from nothing else.
    symbols
        How many integers there are.
    seed
        0 or more.
    name
        For messages.
    """

    function: StreamFunction
    symbols: int
    seed: int
    name: str

    def sequences(self, first: int, count: int, *, length: int | None = None) -> Ragged:
        """See `xdomain.pretraining.streams.Generator.sequences` for `first` and `count`; `length` must be given.

        Raises
        ------
        DataError
            The function fails, or what it returns is no such sequence.
        """
        if length is None:
            raise ValueError("a stream of one's own has no usual length")
        made = [self._one(number, length) for number in range(first, first + count)]
        values = np.concatenate([np.empty(0, np.int64), *made])
        return Ragged(narrow(values), offsets_of(np.full(count, length)))

    def _one(self, number: int, length: int) -> NDArray[np.int64]:
        rng = np.random.Generator(np.random.PCG64([self.seed, length, number]))
        where = f"sequence {number:,} of the stream {self.name}"
        try:
            made = np.asarray(self.function(rng, length, self.symbols))
        except Exception as error:
            raise DataError(f"{where} failed ({type(error).__name__}: {error})", expected=EXPECTED) from error
        ids = checked(made, self.symbols, where)
        if len(ids) < length:
            raise DataError(f"{where} has {len(ids)} integers", expected=f"{length}, as was asked for", fix=EXPECTED)
        return ids[:length]


EXPECTED = "stream(rng, length, symbols) returns `length` whole numbers from 0 to symbols - 1"


def checked(ids: Ids, symbols: int, where: str) -> NDArray[np.int64]:
    """The `ids` as int64, if they are one sequence of whole numbers below `symbols`.

    Raises
    ------
    DataError
        They are not; the message begins with `where`.
    """
    if ids.ndim != 1 or ids.dtype.kind not in "iu":
        kind = f"{ids.dtype} of shape {ids.shape}"
        raise DataError(f"{where} is {kind}", expected="one sequence of whole numbers")
    if len(ids) and not (int(ids.min()) >= 0 and int(ids.max()) < symbols):
        worst = int(ids.min()) if ids.min() < 0 else int(ids.max())
        raise DataError(f"{where} has the integer {worst:,}", expected=f"integers from 0 to {symbols - 1:,}",
                        fix=f"symbols={worst + 1}" if worst > 0 else None)  # fmt: skip
    return ids.astype(np.int64)


def pretrain_stream(
    stream: str | StreamFunction | Iterable[Any],
    out: str | Path,
    *,
    symbols: int,
    options: Pretraining | None = None,
) -> Path:
    """Pre-train a BERT on sequences of integers of one's own and write it to `out` as a stock checkpoint with a card.

    The vocabulary has the special tokens, then the integers. The same call after an interruption goes on from the last
    saved state; with another stream it is refused.

    Parameters
    ----------
    stream
        A function ``stream(rng, length, symbols)`` that returns a sequence of `length` integers, drawn with the numpy
        generator `rng` alone: sequence i is then the same in any run of one seed, and none is seen twice. Or the name
        of such a function in the entry-point group ``xdomain.streams``. Or an iterable of sequences of integers, which
        is read once, up to ``options.tokens`` integers: its sequences are joined in random order with [SEP] between,
        and some are held out.
    out
        The folder to write; it must not hold a checkpoint yet.
    symbols
        How many integers there are, from 0 on.
    options
        Shape, objective, schedule and more; None: defaults with sequences of up to 128 positions. `vocabulary` is
        ignored, and `tokenizer` must be None.

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    UserError
        Options, stream or folder cannot be used, or training failed.
    """
    options, out = options or SHORT, Path(out)
    integers: Any = make_adapter("synthetic", {"kind": "uniform", "symbols": symbols})
    if isinstance(stream, str):
        return _of_function(named_stream(stream), stream, out, integers, options, "")
    if not callable(stream):
        return _of_iterable(stream, out, integers, options)
    name = f"{getattr(stream, '__module__', '')}.{getattr(stream, '__qualname__', type(stream).__qualname__)}"
    return _of_function(stream, name, out, integers, options, IN_PYTHON)


IN_PYTHON = "# with a stream given in Python, to xdomain.pretrain_stream\n"


def named_stream(name: str) -> StreamFunction:
    """The function that an installed package offers under `name` in the entry-point group ``xdomain.streams``.

    Raises
    ------
    RecipeError
        There is none, or it is no function.
    """
    entries = entry_points(GROUP)
    if name not in entries:
        raise RecipeError(f"no stream is called {name!r}", expected=f"one of {', '.join(sorted(entries)) or 'none'}",
                          fix=f'register it: [project.entry-points."{GROUP}"] in pyproject.toml')  # fmt: skip
    found = entries[name].load()
    if not callable(found):
        raise RecipeError(f"the stream {name} is a {type(found).__name__}", expected=EXPECTED)
    return cast(StreamFunction, found)


def _of_function(
    function: StreamFunction, name: str, out: Path, integers: Any, options: Pretraining, before: str
) -> Path:
    source = Called(function, integers.symbols, options.seed, name)
    probe = hashlib.sha256()
    for length in options.lengths:
        made = source.sequences(0, PROBED, length=length - options.special_tokens)
        probe.update(made.values.astype(np.uint32).tobytes())
    facts = {"stream": name, "symbols": integers.symbols, "seed": options.seed,
             "sequences": options.rows_before(options.steps), "first_sequences_sha256": probe.hexdigest()}  # fmt: skip
    command = options.command(["synthetic", name], str(out), {"symbols": integers.symbols}, SHORT)
    return run_generated(Run(out, options, facts, before + command), source, integers)


def _of_iterable(stream: Iterable[Any], out: Path, integers: Any, options: Pretraining) -> Path:
    refuse_tokenizer(options)
    work = WorkFolder(out)
    work.check()
    store = _gathered(stream, integers.symbols, options.tokens)
    digest = hashlib.sha256(store.values.astype(np.uint32).tobytes() + store.offsets.tobytes()).hexdigest()
    facts = {"stream": "sequences given in Python", "symbols": integers.symbols, "sequences": len(store),
             "sha256": digest}  # fmt: skip
    start = started(options)
    plan = shaped(options, start) if start else options
    shift = len(SPECIALS)
    tokenizer = symbol_tokenizer(integers)
    separator = tokenizer.get_vocab()[SPECIALS["sep_token"]]
    rows = joined(store, np.arange(integers.symbols) + shift, separator, options.seed)
    streams = hold_out_records(rows, max(plan.lengths), specials=plan.special_tokens, seed=plan.seed, facts=facts)
    data = {**facts, **({"start": start.sha256} if start else {})}
    with work.opened({"options": plan.options_that_decide(), "data": data}):
        command = options.command(["synthetic", "…"], str(out), {"symbols": integers.symbols}, SHORT)
        train_checkpoint(work, Plan(tokenizer, streams, digest, IN_PYTHON + command, plan, start))
    return out


def _gathered(stream: Iterable[Any], symbols: int, enough: int) -> Ragged:
    """The sequences of `stream`, up to `enough` integers."""
    read: list[NDArray[np.int64]] = []
    total = 0
    for number, one in enumerate(stream):
        ids = checked(np.asarray(one if len(one) else np.empty(0, np.int64)), symbols, f"sequence {number:,}")
        read += [ids] if len(ids) else []
        total += len(ids)
        if total >= enough:
            break
    if not read:
        raise DataError("the stream has no sequences", expected="at least one sequence of integers")
    return Ragged.from_lists(read)
