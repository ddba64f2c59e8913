"""Pre-train a small encoder on text or on made-up sequences, from short ones to long ones."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerFast

from xdomain.core.entry_points import entry_points
from xdomain.core.errors import RecipeError
from xdomain.core.plugins import make_adapter
from xdomain.core.progress import log, reporter
from xdomain.data.corpus import (
    corpus_key,
    describe_files,
    load_tokenizer,
    stored_documents,
    train_wordpieces,
)
from xdomain.pretraining.checkpoints import WorkFolder
from xdomain.pretraining.config import Pretraining
from xdomain.pretraining.made_up import SHORT, Run, refuse_tokenizer, run_generated
from xdomain.pretraining.own_stream import GROUP, pretrain_stream
from xdomain.pretraining.start import shaped, started
from xdomain.pretraining.streams import hold_out
from xdomain.pretraining.train import Plan, train_checkpoint

__all__ = ["SHORT", "Pretraining", "pretrain_synthetic", "pretrain_text"]


def pretrain_text(files: Sequence[str | Path], out: str | Path, *, options: Pretraining | None = None) -> Path:
    """Pre-train a BERT on plain text and write it to `out` as a stock checkpoint with a card.

    The same call after an interruption goes on from the last saved state, to the same weights on a CPU.

    Parameters
    ----------
    files
        Plain text in UTF-8; a line is a paragraph, a form feed or the end of a file ends a document.
    out
        The folder to write; it must not hold a checkpoint yet.
    options
        Shape, objective, schedule and more; None: the defaults of `Pretraining`.

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    UserError
        Options, text, tokenizer or folder cannot be used, which is said before training begins; or training failed.
    """
    options = options or Pretraining()
    files, out = [Path(file) for file in files], Path(out)
    work = WorkFolder(out)
    work.check()
    given = load_tokenizer(options.tokenizer) if options.tokenizer else None
    described = describe_files(files)
    start, asked = started(options), options
    options = shaped(options, start) if start else options
    data = {
        "files": [file["sha256"] for file in described],
        "tokenizer": _digest(given) if given else "learned",
        **({"start": start.sha256} if start else {}),
    }
    with work.opened({"options": options.options_that_decide(), "data": data}):
        tokenizer = given or _learned(files, options, work)
        reporter().phase("encoding")
        log.info(f"encoding {len(files)} file{'s' if len(files) > 1 else ''}")
        key = corpus_key(described, tokenizer)
        with work.guarded():
            store = stored_documents(files, tokenizer, key, work.path)
        facts = {"files": [{**file, "name": Path(file["name"]).name} for file in described]}
        train, valid, part = hold_out(
            store, max(options.lengths), specials=options.special_tokens, seed=options.seed, facts=facts
        )
        log.info(f"{train.tokens:,} tokens in {len(train.starts):,} documents; held out: {part}")
        for length in options.lengths:
            if (reached := train.reached(length - options.special_tokens)) < 0.9:
                log.info(f"documents long enough for {length} positions hold {reached:.0%} of the tokens")
        command = asked.command(["text", *map(str, files)], str(out))
        train_checkpoint(work, Plan(tokenizer, (train, valid), key, command, options, start))
    return out


def _learned(files: Sequence[Path], options: Pretraining, work: WorkFolder) -> PreTrainedTokenizerFast:
    """The tokenizer of an earlier start of this run, or a new one."""
    folder = work.path / "tokenizer"
    if not folder.exists():
        reporter().phase("learning wordpieces")
        log.info(f"learning {options.vocabulary:,} wordpieces")
        part = folder.with_suffix(".part")
        with work.guarded():
            train_wordpieces(files, options.vocabulary).save_pretrained(part)
            part.replace(folder)
    return load_tokenizer(str(folder))


def _digest(tokenizer: PreTrainedTokenizerFast) -> str:
    return hashlib.sha256(tokenizer.backend_tokenizer.to_str().encode()).hexdigest()


def pretrain_synthetic(
    kind: str,
    out: str | Path,
    *,
    options: Pretraining | None = None,
    symbols: int = 29_995,
    law: str = "uniform",
    counts: str | Path | None = None,
    distinct: bool | None = None,
) -> Path:
    """Pre-train a BERT on made-up sequences of integers and write it to `out` as a stock checkpoint with a card.

    The vocabulary has the special tokens, then the integers. No sequence is seen twice, and training sees none of
    validation.

    Parameters
    ----------
    kind
        A kind of the adapter ``synthetic``; or the name of a stream of one's own, from the entry-point group
        ``xdomain.streams``: see `xdomain.pretraining.own_stream.pretrain_stream`.
    symbols, law, counts, distinct
        Options of the adapter ``synthetic``, which makes the sequences up; None: its default. Its seed is that of
        `options`.
    out
        The folder to write; it must not hold a checkpoint yet.
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
        Options, generator or folder cannot be used, which is said before training begins; or training failed.
    """
    options, out, counts = options or SHORT, Path(out), Path(counts) if counts is not None else None
    refuse_tokenizer(options)
    if kind in entry_points(GROUP):
        if (law, counts, distinct) != ("uniform", None, None):
            raise RecipeError(f"--law, --counts or --distinct with the stream {kind}",
                              expected="none of them: the stream draws as it likes")  # fmt: skip
        return pretrain_stream(kind, out, symbols=symbols, options=options)
    made_up: dict[str, Any] = {"kind": kind, "symbols": symbols, "law": law}
    made_up |= {"distinct": distinct} if distinct is not None else {}
    longest = max(options.lengths) - options.special_tokens
    given: dict[str, Any] = {**made_up, "seed": options.seed, "total": options.rows_before(options.steps)}
    given["lengths"] = (longest, longest)  # the shorter ones of earlier stages are asked for when they are needed
    facts = {**made_up, "seed": options.seed, "sequences": given["total"]}
    if counts is not None:
        given["counts"], (facts["counts"],) = str(counts), (file["sha256"] for file in describe_files([counts]))
    source: Any = make_adapter("synthetic", given)
    command = options.command(["synthetic", kind], str(out), _typed(symbols, law, counts, distinct), SHORT)
    return run_generated(Run(out, options, facts, command), source, source)


def _typed(symbols: int, law: str, counts: Path | None, distinct: bool | None) -> dict[str, Any]:
    typed: dict[str, Any] = {"symbols": symbols, "law": law}
    typed |= {"counts": counts} if counts is not None else {}
    return typed | ({"distinct" if distinct else "no-distinct": ""} if distinct is not None else {})
