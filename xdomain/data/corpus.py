"""Plain text to a wordpiece vocabulary and a store of token ids, for pre-training."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from xdomain.core.errors import DataError, RecipeError
from xdomain.core.sequences import Ragged, narrow, offsets_of
from xdomain.data.sources import file_sha256, is_path, neighbour

SPECIALS = {
    "pad_token": "[PAD]",
    "unk_token": "[UNK]",
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "mask_token": "[MASK]",
}
BATCH_LINES = 4096
STORE = "tokens 1"
"""Changed whenever the same text would be stored as other tokens."""


def describe_files(files: Sequence[Path]) -> list[dict[str, Any]]:
    """Name, size in bytes and sha256 of every file.

    Raises
    ------
    DataError
        None is named, one cannot be read, or two hold the same bytes: what is held out would be trained on.
    """
    if not files:
        raise DataError("no file was named", expected="at least one plain text file")
    told: list[dict[str, Any]] = []
    for file in files:
        try:
            digest = file_sha256(file)
            told.append({"name": str(file), "bytes": file.stat().st_size, "sha256": digest})
        except OSError as error:
            raise _unreadable(file, error) from None
        twin = next((other["name"] for other in told[:-1] if other["sha256"] == digest), None)
        if twin is not None:
            raise DataError(
                f"{twin} and {file} hold the same text",
                expected="every text once: a twin of what is held out would be trained on",
                fix="name one of them",
            )
    return told


def _unreadable(file: Path, error: OSError) -> DataError:
    return DataError(
        f"{file} cannot be read ({error.strerror})",
        expected="a plain text file",
        nearest=None if file.exists() else neighbour(file),
    )


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
                fix=f"iconv -f latin1 -t utf-8 {file} > {file.stem}.utf8.txt",
            ) from None
        except OSError as error:
            raise _unreadable(file, error) from None
        for document in text.split("\f"):
            paragraphs = [line for line in document.split("\n") if line.strip()]
            if paragraphs:
                yield paragraphs


def train_wordpieces(files: Sequence[Path], size: int) -> PreTrainedTokenizerFast:
    """A lower-cased WordPiece tokenizer of `size` entries, learned from `files`."""
    if not any(True for _ in documents(files)):
        raise _no_text(files)
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
            fix=f"--vocabulary {tokenizer.get_vocab_size()}",
        )
    rows = tokenizer.get_vocab()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", rows["[SEP]"]), ("[CLS]", rows["[CLS]"]))
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        **SPECIALS,
    )


def load_tokenizer(name: str) -> PreTrainedTokenizerFast:
    """A tokenizer for masked-language modelling.

    Parameters
    ----------
    name
        A folder, read without a network, or a hub id.

    Raises
    ------
    RecipeError
        It does not exist, is none, or lacks a token that masked-language modelling needs.
    """
    folder = Path(name).expanduser()
    local = folder.is_dir()
    if not local and (folder.exists() or is_path(name)):
        state = "is a file" if folder.exists() else "does not exist"
        near = str(folder.parent) if folder.exists() else neighbour(folder)
        raise RecipeError(f"the tokenizer {name} {state}", expected="a folder with tokenizer.json", nearest=near)
    kind: Any = PreTrainedTokenizerFast if (folder / "tokenizer.json").is_file() else AutoTokenizer
    try:
        tokenizer = kind.from_pretrained(str(folder) if local else name, local_files_only=local)
    except Exception as error:  # the library raises whatever the damage leads to
        told = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        where = "holds no tokenizer that can be loaded" if local else "is no folder here and was not had from the hub"
        raise RecipeError(f"{name} {where} ({told})", expected="a folder with tokenizer.json, or a hub id") from None
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise RecipeError(f"{name} is a slow tokenizer", expected="a folder with tokenizer.json")
    lacking = [text for role, text in SPECIALS.items() if role != "unk_token" and getattr(tokenizer, role) is None]
    if lacking:
        raise RecipeError(
            f"the tokenizer in {name} has no {', '.join(lacking)}", expected="one made for masked language models"
        )
    return tokenizer


def encode_documents(files: Sequence[Path], tokenizer: PreTrainedTokenizerFast) -> Ragged:
    """One sequence of token ids a document.

    No special tokens are added, and a "[SEP]" that stands in the text is read as text. Nothing is cut,
    whatever length the tokenizer's file says.
    """
    backend = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    backend.no_truncation()
    backend.no_padding()
    backend.encode_special_tokens = True
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
    if not sum(lengths):
        raise _no_text(files)
    return Ragged(np.concatenate(parts), offsets_of(np.asarray(lengths)))


def corpus_key(told: Sequence[Mapping[str, Any]], tokenizer: PreTrainedTokenizerFast) -> str:
    """A digest of what decides the tokens: the bytes of the files in order (see `describe_files`), the tokenizer."""
    parts = [STORE, *(file["sha256"] for file in told), tokenizer.backend_tokenizer.to_str()]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def stored_documents(files: Sequence[Path], tokenizer: PreTrainedTokenizerFast, key: str, folder: Path) -> Ragged:
    """The documents of `encode_documents`, memory-mapped from ``folder/tokens-….arrow``, written there if need be.

    Parameters
    ----------
    files
        Plain text in UTF-8.
    tokenizer
        Its ids are stored.
    key
        Of `corpus_key`; it names the file, so that other text or another tokenizer never finds these tokens.
    folder
        Where the ids are, or are written to.
    """
    path = folder / f"tokens-{key[:16]}.arrow"
    if not path.exists():
        encode_documents(files, tokenizer).save(path)
    return Ragged.load(path)


def _no_text(files: Sequence[Path]) -> DataError:
    return DataError(f"no text in {', '.join(map(str, files))}", expected="at least one line that is not blank")
