"""Learn a wordpiece vocabulary from plain text and store the text as token ids, for pre-training."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from xdomain.core.errors import DataError, RecipeError, UserError
from xdomain.core.paths import exists, expanded, is_folder
from xdomain.core.safe_loading import load
from xdomain.core.sequences import Ragged, narrow, offsets_of
from xdomain.data.formats.read_file import likely_encoding, recode
from xdomain.data.sources import file_sha256, is_path, neighbour

SPECIALS = {
    "pad_token": "[PAD]",
    "unk_token": "[UNK]",
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "mask_token": "[MASK]",
}
LETTERS = 200
"""The most letters that a learned vocabulary has; words with rarer ones become [UNK]."""
BATCH_LINES = 4096
STORE = "tokens 1"
"""Version of the stored tokens: change it whenever the same text gives other tokens."""


def describe_files(files: Sequence[Path]) -> list[dict[str, Any]]:
    """Name, size in bytes and sha256 of each of `files`, under ``name``, ``bytes`` and ``sha256``.

    Raises
    ------
    DataError
        `files` is empty, one cannot be read, or two hold the same bytes: held-out text would be trained on.
    """
    if not files:
        raise DataError("no file was named", expected="at least one plain text file")
    descriptions: list[dict[str, Any]] = []
    for file in files:
        try:
            digest = file_sha256(file)
            descriptions.append({"name": str(file), "bytes": file.stat().st_size, "sha256": digest})
        except OSError as error:
            raise _unreadable(file, error) from None
        twin = next((other["name"] for other in descriptions[:-1] if other["sha256"] == digest), None)
        if twin is not None:
            raise DataError(
                f"{twin} and {file} hold the same text",
                expected="every text once: a twin of what is held out would be trained on",
                fix="name one of them",
            )
    return descriptions


def _unreadable(file: Path, error: OSError) -> DataError:
    return DataError(
        f"{file} cannot be read ({error.strerror})",
        expected="a plain text file",
        nearest=None if exists(file) else neighbour(file),
    )


def documents(files: Sequence[Path]) -> Iterator[list[str]]:
    """Iterate over the documents of `files`, plain text in UTF-8. Each document is a list of paragraphs.

    A line is a paragraph; blank lines are skipped. A form feed or the end of a file ends a document.

    Raises
    ------
    DataError
        A file cannot be read or is not UTF-8.
    """
    for file in files:
        try:
            text = file.read_text("utf-8")
        except UnicodeDecodeError as error:
            encoding = likely_encoding(error.object)
            raise DataError(
                f"{file}: byte {error.start} is not UTF-8" + (f"; it looks like {encoding}" if encoding else ""),
                expected="plain text in UTF-8",
                fix=recode(file, encoding),
            ) from None
        except OSError as error:
            raise _unreadable(file, error) from None
        for document in text.split("\f"):
            paragraphs = [line for line in document.split("\n") if line.strip()]
            if paragraphs:
                yield paragraphs


def train_wordpieces(files: Sequence[Path], size: int) -> PreTrainedTokenizerFast:
    """Learn a lower-cased WordPiece tokenizer of `size` entries, special tokens included, from `files`.

    The same text always gives the same ids. The trainer of ``tokenizers`` gives single letters ids in the order of a
    hash table, which differs from process to process; so it is run twice, and gets those of the first time, sorted.

    Raises
    ------
    DataError
        The files hold no text, or too little for `size` entries.
    """
    if not any(True for _ in documents(files)):
        raise _no_text(files)
    specials = list(SPECIALS.values())
    letters = _frequent_letters(files)
    pieces = _trained(files, specials, 0, letters).get_vocab().keys()
    rows = _trained(files, [*specials, *sorted(pieces - {*specials})], size, letters).get_vocab()
    tokenizer = _bert_tokenizer(models.WordPiece(rows, unk_token="[UNK]"))
    tokenizer.add_special_tokens(specials)
    if tokenizer.get_vocab_size() < size:
        raise DataError(
            f"the corpus yields {tokenizer.get_vocab_size()} wordpieces, fewer than the {size} asked for",
            expected="a larger corpus, or a smaller vocabulary",
            fix=f"--vocabulary {tokenizer.get_vocab_size()}",
        )
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", rows["[SEP]"]), ("[CLS]", rows["[CLS]"]))
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        **SPECIALS,
    )


def _frequent_letters(files: Sequence[Path]) -> list[str]:
    """The `LETTERS` most frequent letters of the text."""
    written, counts = Counter[str](), Counter[str]()
    for document in documents(files):
        for paragraph in document:
            written.update(paragraph)
    normalizer = normalizers.BertNormalizer(lowercase=True)
    for letter, times in written.items():
        for normal in normalizer.normalize_str(letter):
            counts[normal] += times
    ranked = sorted((letter for letter in counts if not letter.isspace()), key=lambda one: (-counts[one], one))
    return ranked[:LETTERS]


def _trained(files: Sequence[Path], first: list[str], size: int, letters: list[str]) -> Tokenizer:
    """A tokenizer of `size` wordpieces, or of no more than the `letters` where that is smaller; `first` come first."""
    tokenizer = _bert_tokenizer(models.WordPiece(unk_token="[UNK]"))
    trainer = trainers.WordPieceTrainer(
        vocab_size=size, special_tokens=first, initial_alphabet=letters, limit_alphabet=len(letters),
        show_progress=False,
    )  # fmt: skip
    tokenizer.train_from_iterator((p for document in documents(files) for p in document), trainer)
    return tokenizer


def _bert_tokenizer(model: models.WordPiece) -> Tokenizer:
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    return tokenizer


def load_tokenizer(name: str) -> PreTrainedTokenizerFast:
    """Load a tokenizer for masked-language modelling.

    Parameters
    ----------
    name
        A folder, which is read without network access, or a hub id.

    Raises
    ------
    RecipeError
        The tokenizer does not exist, cannot be loaded, or lacks a token that masked-language modelling needs.
    """
    folder = expanded(name)
    local = is_folder(folder)
    if not local and (exists(folder) or is_path(name)):
        state = "is a file" if exists(folder) else "does not exist"
        near = str(folder.parent) if exists(folder) else neighbour(folder)
        raise RecipeError(f"the tokenizer {name} {state}", expected="a folder with tokenizer.json", nearest=near)
    kind = "PreTrainedTokenizerFast" if (folder / "tokenizer.json").is_file() else "AutoTokenizer"
    try:
        tokenizer = load(kind, folder if local else name)
    except UserError:
        raise
    except Exception as error:  # a damaged file can make the library raise anything
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        where = "holds no tokenizer that can be loaded" if local else "is no folder here and was not had from the hub"
        raise RecipeError(f"{name} {where} ({reason})", expected="a folder with tokenizer.json, or a hub id") from None
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise RecipeError(f"{name} is a slow tokenizer", expected="a folder with tokenizer.json")
    check_specials(tokenizer, name)
    return tokenizer


def check_specials(tokenizer: PreTrainedTokenizerFast, name: str) -> None:
    """Check that `tokenizer`, that of `name`, has the special tokens that masked-language modelling needs.

    Raises
    ------
    RecipeError
        It lacks some.
    """
    lacking = [text for role, text in SPECIALS.items() if role != "unk_token" and getattr(tokenizer, role) is None]
    if lacking:
        raise RecipeError(
            f"the tokenizer in {name} has no {', '.join(lacking)}", expected="one made for masked language models"
        )


def encode_documents(files: Sequence[Path], tokenizer: PreTrainedTokenizerFast) -> Ragged:
    """The token ids of `files`, one sequence per document.

    `tokenizer` adds no special tokens here, reads a "[SEP]" in the text as text, and does not truncate, whatever
    length its file says.

    Raises
    ------
    DataError
        A file cannot be read or is not UTF-8, or there is no text in any.
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


def corpus_key(descriptions: Sequence[Mapping[str, Any]], tokenizer: PreTrainedTokenizerFast) -> str:
    """A digest of everything that determines the tokens.

    Parameters
    ----------
    descriptions
        Of the files, from `describe_files`; their order counts.
    tokenizer
        Its vocabulary and rules count.
    """
    parts = [STORE, *(file["sha256"] for file in descriptions), tokenizer.backend_tokenizer.to_str()]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def stored_documents(files: Sequence[Path], tokenizer: PreTrainedTokenizerFast, key: str, folder: Path) -> Ragged:
    """The documents of `encode_documents`, memory-mapped from ``folder/tokens-….arrow``; writes that file if missing.

    Parameters
    ----------
    files
        Plain text in UTF-8.
    tokenizer
        Encodes the text if the file is missing.
    key
        From `corpus_key`. It names the file, so that other text or another tokenizer never uses these tokens.
    folder
        The folder of the stored ids.
    """
    path = folder / f"tokens-{key[:16]}.arrow"
    if not path.exists():
        encode_documents(files, tokenizer).save(path)
    return Ragged.load(path)


def _no_text(files: Sequence[Path]) -> DataError:
    return DataError(f"no text in {', '.join(map(str, files))}", expected="at least one line that is not blank")
