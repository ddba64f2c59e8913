"""Masked-language-model pre-training of a small encoder, on sequences that grow longer."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import BertConfig, BertForMaskedLM, PreTrainedTokenizerFast

from xdomain.data.corpus import encode_documents, train_wordpieces
from xdomain.data.sequences import Ragged
from xdomain.errors import DataError, OutputError, RecipeError
from xdomain.training.device import Device, best_device

IGNORED = -100


@dataclass(frozen=True)
class Pretraining:
    """What decides a pre-training run.

    Parameters
    ----------
    tokenizer
        A folder with a tokenizer to use; None: learn `vocabulary` wordpieces from the corpus (the learning
        itself breaks ties at random, so two runs that must be equal share a tokenizer).
    lengths, shares
        Positions of each stage, growing, and the share of all tokens it gets. A classic BERT that starts
        with long sequences sits on a plateau for hours: short ones teach it first what a position is.
    tokens
        Tokens seen in all, specials included.
    batch_tokens
        Tokens a step.
    mask_rate
        Share of positions to predict, in (0, 1); of these 80 % become [MASK], 10 % another token.
    """

    tokenizer: str | None = None
    layers: int = 4
    width: int = 256
    heads: int = 4
    vocabulary: int = 8192
    lengths: tuple[int, ...] = (16, 32, 64, 128, 512)
    shares: tuple[float, ...] = (0.15, 0.25, 0.25, 0.2, 0.15)
    tokens: int = 24_000_000
    batch_tokens: int = 2048
    mask_rate: float = 0.3
    learning_rate: float = 1e-3
    warmup: float = 0.03
    weight_decay: float = 0.01
    seed: int = 0
    save_every: int = 1000

    def __post_init__(self) -> None:
        if len(self.lengths) != len(self.shares):
            raise RecipeError(f"{len(self.lengths)} lengths but {len(self.shares)} shares", expected="as many")
        if list(self.lengths) != sorted(set(self.lengths)) or min(self.lengths) < 4:
            raise RecipeError(f"lengths {self.lengths}", expected="growing numbers of positions, each ≥ 4")
        if not 0 < self.mask_rate < 1:
            raise RecipeError(f"mask rate {self.mask_rate}", expected="a share in (0, 1)")

    def stages(self) -> list[tuple[int, int]]:
        """(first step, positions) of every stage, and (last step, 0) at the end."""
        edges = np.cumsum((0.0, *self.shares)) / sum(self.shares)
        steps = [round(e * self.tokens / self.batch_tokens) for e in edges]
        return list(zip(steps, (*self.lengths, 0), strict=True))


def pretrain_text(
    files: Sequence[Path],
    out: Path,
    *,
    options: Pretraining | None = None,
    say: Callable[[str], None] = print,
) -> Path:
    """Pre-train a text BERT on plain text and write it to `out` as a stock checkpoint.

    Running it again after an interruption goes on from the last saved step. Returns `out`.
    """
    options = options or Pretraining()
    if (out / "model.safetensors").exists():
        raise OutputError(f"{out} already holds a checkpoint", mend="name another folder with --out")
    work = out / "unfinished"
    work.mkdir(parents=True, exist_ok=True)
    tokenizer, store = _corpus(files, work, options, say)
    train, held_out = _split(store)
    torch.manual_seed(options.seed)
    model = BertForMaskedLM(_config(options, tokenizer))
    summary = _train(model, tokenizer, train, held_out, work, options, best_device(), say)
    model.half().save_pretrained(out)
    tokenizer.save_pretrained(out)
    (out / "pretraining.json").write_text(json.dumps({**asdict(options), **summary}, indent=2) + "\n")
    for file in work.iterdir():
        file.unlink()
    work.rmdir()
    return out


def _config(options: Pretraining, tokenizer: PreTrainedTokenizerFast) -> BertConfig:
    return BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=options.width,
        num_hidden_layers=options.layers,
        num_attention_heads=options.heads,
        intermediate_size=4 * options.width,
        max_position_embeddings=max(options.lengths),
        pad_token_id=_row(tokenizer, "pad_token"),
    )


def _corpus(
    files: Sequence[Path], work: Path, options: Pretraining, say: Callable[[str], None]
) -> tuple[PreTrainedTokenizerFast, Ragged]:
    stored = work / "tokens.arrow"
    if stored.exists():
        return PreTrainedTokenizerFast.from_pretrained(work), Ragged.load(stored)
    if options.tokenizer:
        tokenizer = PreTrainedTokenizerFast.from_pretrained(options.tokenizer)
        if tokenizer.mask_token is None:
            raise DataError(f"the tokenizer in {options.tokenizer} has no [MASK]", expected="one made for masked LMs")
    else:
        say(f"learning {options.vocabulary} wordpieces")
        tokenizer = train_wordpieces(files, options.vocabulary)
    say("encoding the corpus")
    store = encode_documents(files, tokenizer)
    tokenizer.save_pretrained(work)
    store.save(stored)
    return tokenizer, Ragged.load(stored)


def _split(store: Ragged) -> tuple[Ragged, Ragged]:
    """All documents but the last, and those at the end that hold about 0.5 % of the tokens."""
    if len(store) < 2:
        raise DataError(
            "the corpus is a single document, so none can be held out",
            expected="at least two, separated by a form feed or in files of their own",
        )
    total = store.offsets[-1]
    first = min(int(np.searchsorted(store.offsets, total * 0.995)), len(store) - 1)
    return store.take(np.arange(first)), store.take(np.arange(first, len(store)))


def batch_at(
    store: Ragged,
    step: int,
    *,
    rows: int,
    length: int,
    options: Pretraining,
    tokenizer: PreTrainedTokenizerFast,
) -> tuple[Tensor, Tensor]:
    """The batch of a step, a function of seed and step alone.

    Returns
    -------
    tuple
        input_ids and labels, both int64 of shape (rows, length): ``[CLS] piece [SEP]``, a piece never
        crossing into another document; labels are -100 where nothing is to be predicted.
    """
    rng = np.random.Generator(np.random.PCG64([options.seed, step]))
    body = length - 2
    long_enough = np.flatnonzero(store.lengths >= body)
    if not len(long_enough):
        raise DataError(f"no document has {body} tokens", expected="longer documents, or shorter --lengths")
    room = (store.lengths[long_enough] - body + 1).cumsum()
    ticket = rng.integers(room[-1], size=rows)
    chosen = np.searchsorted(room, ticket, side="right")
    within = ticket - np.concatenate(([0], room))[chosen]
    starts = store.offsets[long_enough[chosen]] + within
    pieces = store.values[starts[:, None] + np.arange(body)].astype(np.int64)
    ids = np.full((rows, length), _row(tokenizer, "sep_token"), np.int64)
    ids[:, 0] = _row(tokenizer, "cls_token")
    ids[:, 1:-1] = pieces

    chosen_positions = rng.random((rows, body)) < options.mask_rate
    labels = np.full_like(ids, IGNORED)
    labels[:, 1:-1][chosen_positions] = pieces[chosen_positions]
    fate = rng.random((rows, body))
    inner = ids[:, 1:-1]
    inner[chosen_positions & (fate < 0.8)] = _row(tokenizer, "mask_token")
    swapped = chosen_positions & (fate >= 0.9)
    inner[swapped] = rng.integers(len(tokenizer.all_special_ids), len(tokenizer), int(swapped.sum()))
    return torch.from_numpy(ids), torch.from_numpy(labels)


def _row(tokenizer: PreTrainedTokenizerFast, role: str) -> int:
    return tokenizer.get_vocab()[getattr(tokenizer, role)]


def masked_lm_loss(model: BertForMaskedLM, ids: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Mean cross-entropy over the chosen positions, the head computed only there, and its accuracy."""
    hidden = cast(Any, model.bert)(ids).last_hidden_state
    chosen = labels != IGNORED
    logits = model.cls(hidden[chosen]).float()
    wanted = labels[chosen]
    return torch.nn.functional.cross_entropy(logits, wanted), (logits.argmax(-1) == wanted).float().mean()


def _train(
    model: BertForMaskedLM,
    tokenizer: PreTrainedTokenizerFast,
    train: Ragged,
    held_out: Ragged,
    work: Path,
    options: Pretraining,
    device: Device,
    say: Callable[[str], None],
) -> dict[str, Any]:
    say(f"training on {device}")
    model.to(device.name).train()  # pyright: ignore[reportArgumentType]
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0  # a model this small underfits; the config keeps dropout for fine-tuning
    optimizer = torch.optim.AdamW(
        model.parameters(),
        lr=options.learning_rate,
        betas=(0.9, 0.98),
        weight_decay=options.weight_decay,
        fused=True,
    )
    stages = options.stages()
    last = stages[-1][0]
    first = _restore(model, optimizer, work)
    started, losses = time.monotonic(), []
    for step in range(first, last):
        length = next(n for start, n in reversed(stages) if n and step >= start)
        ids, labels = batch_at(
            train,
            step,
            rows=options.batch_tokens // length,
            length=length,
            options=options,
            tokenizer=tokenizer,
        )
        for group in optimizer.param_groups:
            group["lr"] = options.learning_rate * _schedule(step / last, options.warmup)
        with device.autocast():
            loss, _ = masked_lm_loss(model, ids.to(device.name), labels.to(device.name))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.detach())
        if (step + 1) % 100 == 0:
            pace = (time.monotonic() - started) / (step + 1 - first)
            mean = torch.stack(losses[-100:]).mean().item()
            say(
                f"step {step + 1}/{last}  {length} positions  loss {mean:.3f}  "
                f"{options.batch_tokens / pace:,.0f} tokens/s  {pace * (last - step - 1) / 60:.0f} min left"
            )
        if (step + 1) % options.save_every == 0 and step + 1 < last:
            _save(model, optimizer, work, step + 1)
            loss_now, _ = evaluate(model, tokenizer, held_out, length, options, device)
            say(f"validation loss {loss_now:.3f} at {length} positions, 15 % masked")
    result: dict[str, Any] = {"steps": last, "tokens_seen": last * options.batch_tokens, "validation": {}}
    for length in options.lengths:
        loss_now, accuracy = evaluate(model, tokenizer, held_out, length, options, device)
        result["validation"][str(length)] = {
            "loss": round(loss_now, 4),
            "masked_accuracy": round(accuracy, 4),
        }
        say(f"validation at {length} positions: loss {loss_now:.3f}, masked accuracy {accuracy:.3f}")
    return result


def evaluate(
    model: BertForMaskedLM,
    tokenizer: PreTrainedTokenizerFast,
    held_out: Ragged,
    length: int,
    options: Pretraining,
    device: Device,
) -> tuple[float, float]:
    """Mean masked-LM loss and accuracy over 32 fixed batches of held-out text, 15 % masked."""
    fixed = Pretraining(mask_rate=0.15, seed=2**31 + options.seed)
    rows = max(1, 4096 // length)
    sums = np.zeros(2)
    with torch.no_grad(), device.autocast():
        for step in range(32):
            ids, labels = batch_at(held_out, step, rows=rows, length=length, options=fixed, tokenizer=tokenizer)
            sums += [x.item() for x in masked_lm_loss(model, ids.to(device.name), labels.to(device.name))]
    loss, accuracy = (sums / 32).tolist()
    return loss, accuracy


def _schedule(progress: float, warmup: float) -> float:
    """Linear rise over the first `warmup` of the run, then a half cosine to 2 % of the peak."""
    if progress < warmup:
        return (progress + 1e-6) / warmup
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * (progress - warmup) / (1 - warmup)))


def _save(model: BertForMaskedLM, optimizer: torch.optim.Optimizer, work: Path, step: int) -> None:
    named = dict(model.named_parameters())
    tensors = {f"model.{k}": v.contiguous() for k, v in model.state_dict().items() if k in named}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": value for name, value in state.items()}
    part = work / "state.part"
    save_file(tensors, part, metadata={"step": str(step)})
    part.replace(work / f"state-{step}.safetensors")
    for older in work.glob("state-*.safetensors"):
        if older.name != f"state-{step}.safetensors":
            older.unlink()


def _restore(model: BertForMaskedLM, optimizer: torch.optim.Optimizer, work: Path) -> int:
    saved = sorted(work.glob("state-*.safetensors"), key=lambda p: int(p.stem.split("-")[1]))
    if not saved:
        return 0
    tensors = load_file(saved[-1])
    model.load_state_dict({k[6:]: v for k, v in tensors.items() if k.startswith("model.")}, strict=False)
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith("optimizer."):
            _, index, name = key.split(".")
            state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    return int(saved[-1].stem.split("-")[1])
