"""Plain text to a wordpiece vocabulary and a store of token ids, for pre-training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from xdomain.data.sequences import Ragged, narrow, offsets_of
from xdomain.errors import DataError

SPECIALS = {
    "pad_token": "[PAD]",
    "unk_token": "[UNK]",
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "mask_token": "[MASK]",
}
BATCH_LINES = 4096


def documents(files: Sequence[Path]) -> Iterator[list[str]]:
    """The documents of text files, each a list of paragraphs.

    A line is a paragraph; a form feed, or the end of a file, ends a document.
    """
    for file in files:
        try:
            text = file.read_text("utf-8")
        except UnicodeDecodeError as error:
            raise DataError(
                f"{file}: byte {error.start} is not UTF-8",
                expected="plain text in UTF-8",
                mend=f"iconv -f latin1 -t utf-8 {file} > {file.stem}.utf8.txt",
            ) from None
        except OSError as error:
            raise DataError(f"{file} cannot be read ({error.strerror})", expected="a plain text file") from None
        for document in text.split("\f"):
            paragraphs = [line for line in document.split("\n") if line.strip()]
            if paragraphs:
                yield paragraphs


def train_wordpieces(files: Sequence[Path], size: int) -> PreTrainedTokenizerFast:
    """A lower-cased WordPiece tokenizer of `size` entries, learned from `files`."""
    if not any(True for _ in documents(files)):
        raise DataError(f"no text in {', '.join(map(str, files))}", expected="at least one line that is not blank")
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(
        vocab_size=size,
        special_tokens=list(SPECIALS.values()),
        limit_alphabet=200,
        show_progress=False,
    )
    tokenizer.train_from_iterator((p for document in documents(files) for p in document), trainer)
    if tokenizer.get_vocab_size() < size:
        raise DataError(
            f"the corpus yields {tokenizer.get_vocab_size()} wordpieces, fewer than the {size} asked for",
            expected="a larger corpus, or a smaller vocabulary",
            mend=f"--vocabulary {tokenizer.get_vocab_size()}",
        )
    rows = tokenizer.get_vocab()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", rows["[SEP]"]), ("[CLS]", rows["[CLS]"]))
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        **SPECIALS,
    )


def encode_documents(files: Sequence[Path], tokenizer: PreTrainedTokenizerFast) -> Ragged:
    """One sequence of token ids a document, special tokens left out."""
    backend = tokenizer.backend_tokenizer
    parts: list[np.ndarray] = []
    lengths: list[int] = []
    for document in documents(files):
        total = 0
        for start in range(0, len(document), BATCH_LINES):
            encoded = backend.encode_batch_fast(document[start : start + BATCH_LINES], add_special_tokens=False)
            ids = np.concatenate([np.asarray(e.ids, np.uint32) for e in encoded])
            parts.append(narrow(ids) if len(tokenizer) <= 2**16 else ids)
            total += len(ids)
        lengths.append(total)
    return Ragged(np.concatenate(parts), offsets_of(np.asarray(lengths)))
