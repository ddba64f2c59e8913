"""Whole pre-training beside `transformers.Trainer` with `DataCollatorForLanguageModeling`: loss curves, and the pace.

    python benchmarks/pretrain_trainer.py FILES… [--length 128] [--steps 400] [--batch-tokens 2048] [--rows 8192]

Both begin with the same weights, see the same pieces of the same text in the same order, choose 15 % of the positions,
and descend with the same AdamW, schedule, clipping and number format, without dropout, one after the other in this
process, and are judged at the end on the same held-out batches. The Trainer's pieces lie ready in memory with their
masks of special tokens; ours are cut from the memory-mapped store as always.

Ours is run twice: with the very masks that the collator draws, where the losses must be the same but for rounding, and
as it is, with masks of its own, which is timed. On its plateau a model goes its own way by chance: runs whose masks
differ part there.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch.optim.lr_scheduler import LambdaLR
from transformers import (
    BertConfig,
    BertForMaskedLM,
    DataCollatorForLanguageModeling,
    PrinterCallback,
    Trainer,
    TrainingArguments,
)

from xdomain.data.corpus import corpus_key, describe_files, stored_documents, train_wordpieces
from xdomain.pretraining.checkpoints import WorkFolder
from xdomain.pretraining.config import Pretraining
from xdomain.pretraining.engine import CLIP, Engine
from xdomain.pretraining.objective import Batch, Batches, Masking
from xdomain.pretraining.streams import hold_out
from xdomain.training.device import best_device

BINS = 8
FIRST = 5
"""Rows of special tokens: our tokenizers have them first."""


@dataclass(frozen=True)
class Course:
    """What one way of training came to."""

    losses: list[float]
    seconds: float
    loss: float
    accuracy: float


class Pieces(torch.utils.data.Dataset[dict[str, Any]]):
    """All that will be seen, in order, as a tokenizer with its mask of special tokens would give it."""

    def __init__(self, batches: Batches, options: Pretraining) -> None:
        stage = options.stages[0]
        shape = (options.steps * stage.rows, stage.length)
        self.ids = torch.full(shape, batches.sep)
        self.ids[:, 0] = batches.cls
        for step in range(options.steps):
            tokens = batches.stream.batch(step, stage.rows, stage.length - 2).tokens
            self.ids[step * stage.rows : (step + 1) * stage.rows, 1:-1] = torch.from_numpy(tokens)
        self.special = torch.zeros(stage.length, dtype=torch.long)
        self.special[[0, -1]] = 1

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, place: int) -> dict[str, Any]:
        return {"input_ids": self.ids[place], "special_tokens_mask": self.special}


class SameMasks:
    """Our batches, with the masks that the collator draws for the Trainer."""

    def __init__(self, pieces: Pieces, collator: DataCollatorForLanguageModeling) -> None:
        self.pieces, self.collator = pieces, collator

    def at(self, step: int, *, rows: int, length: int) -> Batch:
        """Batch number `step`, which must be asked for in order; see `Batches`."""
        made = self.collator([self.pieces[place] for place in range(step * rows, (step + 1) * rows)])
        labels = made["labels"].flatten()
        places = (labels != -100).nonzero()[:, 0]
        return Batch(made["input_ids"], None, places, labels[places], None)


class InOrder(Trainer):
    """The Trainer, with the pieces in the order in which ours come."""

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        return torch.utils.data.SequentialSampler(train_dataset or cast(Pieces, self.train_dataset))


def theirs(engine: Engine, pieces: Pieces, collator: Any, folder: Path, every: int) -> Course:
    """The Trainer's way, judged by our engine's own score."""
    options, model = engine.options, engine.model
    arguments = TrainingArguments(
        output_dir=str(folder), max_steps=options.steps, per_device_train_batch_size=options.stages[0].rows,
        learning_rate=options.learning_rate, max_grad_norm=CLIP, logging_steps=every, save_strategy="no",
        report_to="none", disable_tqdm=True, bf16=engine.device.bf16,
        use_cpu=engine.device.name == "cpu", seed=options.seed,
    )  # fmt: skip
    schedule = LambdaLR(engine.optimizer, lambda step: options.rate_at(step) / options.learning_rate)
    trainer = InOrder(
        model=model, args=arguments, train_dataset=pieces, data_collator=collator,
        optimizers=(engine.optimizer, schedule),
    )  # fmt: skip
    trainer.remove_callback(PrinterCallback)
    started = time.perf_counter()
    trainer.train()
    seconds = time.perf_counter() - started
    model.eval()
    score = engine.score(options.lengths[0])
    return Course(_losses(trainer.state.log_history), seconds, score.loss, score.masked_accuracy)


def ours(engine: Engine) -> Course:
    """Our way."""
    started = time.perf_counter()
    history = engine.run()
    seconds = time.perf_counter() - started
    score = engine.score(engine.options.lengths[0])
    return Course(_losses(history), seconds, score.loss, score.masked_accuracy)


def _losses(history: list[dict[str, Any]]) -> list[float]:
    return [row["loss"] for row in history if "loss" in row]


def main() -> None:
    """Print both curves and both paces."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--length", type=int, default=128)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--batch-tokens", type=int, default=2048)
    parser.add_argument("--rows", type=int, default=8192, help="of the vocabulary")
    parser.add_argument("--precision", default="auto", choices=("auto", "bf16", "fp32"))
    given = parser.parse_args()
    options = Pretraining(
        lengths=(given.length,), shares=(1.0,), tokens=given.steps * given.batch_tokens, mask_rate=0.15,
        batch_tokens=given.batch_tokens, vocabulary=given.rows, precision=given.precision, save_every=2**40,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tokenizer = train_wordpieces(given.files, given.rows)
        key = corpus_key(describe_files(given.files), tokenizer)
        store = stored_documents(given.files, tokenizer, key, folder)
        streams = hold_out(store, given.length, specials=2, seed=0, facts={})[:2]
        cls, sep, mask = (tokenizer.get_vocab()[name] for name in ("[CLS]", "[SEP]", "[MASK]"))
        masking = Masking(options.mask_rate, mask, np.arange(FIRST, given.rows))
        train, valid = (Batches(stream, masking, "mlm", cls, sep, place) for place, stream in enumerate(streams))

        def collator() -> DataCollatorForLanguageModeling:
            return DataCollatorForLanguageModeling(tokenizer, mlm_probability=options.mask_rate, seed=0)

        def engine(way: str, batches: Any = train) -> Engine:
            torch.manual_seed(0)
            config = BertConfig(
                vocab_size=given.rows, hidden_size=options.width, num_hidden_layers=options.layers,
                num_attention_heads=options.heads, intermediate_size=4 * options.width,
                max_position_embeddings=given.length,
            )  # fmt: skip
            work, device = WorkFolder(folder / way), best_device(given.precision)
            work.path.mkdir(parents=True)
            return Engine(BertForMaskedLM(config), batches, valid, options, device, work, key, lambda _: None)

        print(f"{best_device(given.precision)}, {torch.get_num_threads()} threads, {options.steps} steps of "
              f"{options.stages[0].rows} x {given.length}, {given.rows:,} rows", flush=True)  # fmt: skip
        pieces, every = Pieces(train, options), max(1, min(100, options.steps // 20))
        other = theirs(engine("theirs"), pieces, collator(), folder / "trainer", every)
        same = ours(engine("same", SameMasks(pieces, collator())))
        own = ours(engine("ours"))
    courses = (other, same, own)
    print("mean training loss    Trainer     ours, same masks     ours")
    edges = np.linspace(0, options.steps, BINS + 1).round().astype(int)
    curves = [[np.mean(part) for part in np.array_split(course.losses, BINS)] for course in courses]
    for first, last, *losses in zip(edges, edges[1:], *curves, strict=False):
        print(f"steps {first:5}-{last:<5}      {losses[0]:8.4f}     {losses[1]:8.4f}         {losses[2]:8.4f}")
    print(f"held-out loss          {other.loss:8.4f}     {same.loss:8.4f}         {own.loss:8.4f}")
    print(f"held-out accuracy      {other.accuracy:8.4f}     {same.accuracy:8.4f}         {own.accuracy:8.4f}")
    paces = [options.tokens_before(options.steps) / course.seconds for course in courses]
    print(f"tokens a second        {paces[0]:8,.0f}     {paces[1]:8,.0f}         {paces[2]:8,.0f}")
    print(f"ratio                                             {paces[2] / paces[0]:8.2f}")


if __name__ == "__main__":
    main()
