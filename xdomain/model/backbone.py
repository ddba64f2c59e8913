"""The language model that a run starts from: shipped with xdomain, a folder, or a hub id."""

from __future__ import annotations

import contextlib
import hashlib
import logging
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedConfig, PreTrainedTokenizerBase
from transformers.utils import logging as transformers_logging

from xdomain.core.errors import BackboneError, nearest
from xdomain.core.safe_loading import load
from xdomain.model.checkpoints import bundled_backbones, locate_backbone
from xdomain.model.families import TESTED, architecture_of, check_family
from xdomain.model.vocabulary import Vocabulary

CLOSE = 1e-4
"""How far states may differ, relative to the largest, between a sequence alone and the same one padded."""


@dataclass(frozen=True)
class Backbone:
    """A checkpoint of an encoder or a decoder that has been read.

    Parameters
    ----------
    name
        As the user wrote it.
    path
        What `transformers` loads it from: a folder or a hub id.
    tokenizer
        With a padding token; a decoder that has none is padded with its end of text, which `config` then names too.
    tensors
        The base model's weights that the checkpoint really holds, by their names in the base model; float32.
    missing
        Names of base-model tensors that the checkpoint lacks, such as the pooler of a masked-LM checkpoint.
    sha256
        Of the weights files where `path` is a folder, of the tensors where it is a hub id.
    """

    name: str
    path: str
    config: PreTrainedConfig
    tokenizer: PreTrainedTokenizerBase
    tensors: dict[str, Tensor]
    missing: tuple[str, ...]
    sha256: str


def load_backbone(name: str | None = None) -> Backbone:
    """Read a checkpoint.

    Parameters
    ----------
    name
        A folder, a shipped checkpoint's name, or a hub id; None: the checkpoint shipped with xdomain.

    Raises
    ------
    BackboneError
        `name` leads to no checkpoint that can be loaded; the message says what it is and what works.
    """
    path = locate_backbone(name)
    return _load(name or Path(path).name, path, local=Path(path).is_dir())


def _check_tensors(name: str, missing: tuple[str, ...], spare: list[str]) -> None:
    """Refuse missing tensors, which would silently be drawn at random; a pooler may be missing, as in masked LMs."""
    lost = [key for key in missing if "pooler" not in key]
    if lost:
        raise BackboneError(
            f"{name}: config.json asks for {len(lost)} tensors that the weights do not hold, such as {lost[0]}",
            expected="config.json and model.safetensors of one model"
            + (f"; these weights hold {', '.join(spare[:3])} …" if spare else ""),
        )


def _load(name: str, path: str, *, local: bool) -> Backbone:
    try:
        with quiet_loading():
            config = load("AutoConfig", path)
            check_family(name, config)
            model, info = load(
                "AutoModel", path, config=config, use_safetensors=True, dtype=torch.float32, output_loading_info=True
            )
            tokenizer = load("AutoTokenizer", path)
    except BackboneError:
        raise
    except Exception as error:
        raise _explained(name, path, error, local=local) from None
    _settle_padding(name, config, tokenizer)
    missing = tuple(sorted(info["missing_keys"]))
    tensors = {key: value.detach() for key, value in model.named_parameters() if key not in missing}
    _check_tensors(name, missing, sorted(info["unexpected_keys"]))
    _check_rows(name, tokenizer, model.get_input_embeddings().weight.shape[0])
    if config.model_type not in TESTED:
        _check_padding(name, model)
    return Backbone(name, path, config, tokenizer, tensors, missing, _digest(path, tensors, local=local))


def _settle_padding(name: str, config: Any, tokenizer: PreTrainedTokenizerBase) -> None:
    """Give a decoder without a padding token that of its end, and let `config` and `tokenizer` agree on it.

    The heads of decoders read the last token that is no padding, which they find by its row in `config`.
    """
    if architecture_of(config) == "decoder":
        ids, rows = tokenizer.get_vocab(), int(config.vocab_size)
        tokens = (tokenizer.pad_token, tokenizer.eos_token, tokenizer.unk_token)
        tokenizer.pad_token = next((str(token) for token in tokens if token and ids[str(token)] < rows), None)
        config.pad_token_id = tokenizer.pad_token_id
    if tokenizer.pad_token_id is None:
        raise BackboneError(f"the tokenizer of {name} has no padding token", expected="a pad_token")


def _check_rows(name: str, tokenizer: PreTrainedTokenizerBase, rows: int) -> None:
    """Refuse a tokenizer with pieces of text that the table of `rows` rows has none for."""
    if max(tokenizer.get_vocab().values(), default=0) < rows:
        return  # as almost always; to tell pieces of text apart takes a while
    pieces = Vocabulary.of(tokenizer)
    if (highest := int(pieces.ordinary.max(initial=0))) >= rows:
        raise BackboneError(
            f"the tokenizer of {name} has pieces up to row {highest:,}, and the model {rows:,} rows",
            expected="a row for each piece",
            fix="model.resize_token_embeddings(len(tokenizer)), and save both again",
        )


@torch.inference_mode()
def _check_padding(name: str, model: Any) -> None:
    """Refuse a family whose states of a sequence change when it is padded, as then a batch would change its answers.

    Families of `TESTED` are known not to.
    """
    pad = int(model.config.pad_token_id or 0)
    one = torch.tensor([[row for row in range(8) if row != pad]])
    padded = torch.nn.functional.pad(one, (0, 5), value=pad)
    mask = torch.tensor([[1] * one.shape[1] + [0] * 5])
    try:
        alone = model.eval()(one, attention_mask=torch.ones_like(one)).last_hidden_state
        beside = model(padded, attention_mask=mask).last_hidden_state[:, : one.shape[1]]
    except Exception as error:  # a family may ask for anything
        raise BackboneError(
            f"{name}, a {model.config.model_type}, does not read ids and a mask alone ({error})",
            expected=f"a family that does, such as {', '.join(TESTED)}",
        ) from None
    if not torch.allclose(alone, beside, rtol=0, atol=CLOSE * float(alone.abs().max())):
        raise BackboneError(
            f"{name}, a {model.config.model_type}, answers otherwise when a sequence is padded",
            expected=f"a family that leaves padding out, such as {', '.join(TESTED)}",
        )


def _explained(name: str, path: str, error: Exception, *, local: bool) -> BackboneError:
    message = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
    kind = type(error).__name__
    if not local:
        return _of_the_hub(name, message, error)
    if "safetensor" in kind.lower() or "header" in message.lower() or "incomplete" in message.lower():
        sizes = ", ".join(f"{p.name} {p.stat().st_size:,} bytes" for p in Path(path).glob("*.safetensors"))
        return BackboneError(
            f"the weights in {path} are damaged or cut short ({message})",
            expected=f"a whole safetensors file; here: {sizes}",
            fix="copy or download the checkpoint again",
        )
    return BackboneError(
        f"{path} cannot be loaded ({kind}: {message})",
        expected=f"a checkpoint of {', '.join(TESTED)} or families like them",
    )


def _of_the_hub(name: str, message: str, error: BaseException | None) -> BackboneError:
    """What the hub said, by the first answer or broken connection that led to `error`."""
    expected = "a folder, a hub id and a network, or no --backbone at all: a checkpoint is shipped"
    near = nearest(name, [p.name for p in bundled_backbones()])
    while error is not None:
        code = getattr(getattr(error, "response", None), "status_code", None)
        if code in (401, 403):
            return BackboneError(
                f"{name} is no folder here, and the hub does not give it to you (error {code})",
                expected="a model that is there and public, or that your account may read", nearest=near,
                fix="check the name, ask for access on its page, then `hf auth login` or HF_TOKEN=…",
            )  # fmt: skip
        if code == 404:
            return BackboneError(
                f"{name} is no folder here, and the hub has no such model", expected=expected, nearest=near
            )
        if code is not None:
            return BackboneError(f"the hub failed to give {name} (error {code})", fix="try again later")
        if type(error).__name__ in ("RemoteProtocolError", "ReadError", "ReadTimeout", "ChunkedEncodingError"):
            return BackboneError(f"the download of {name} broke off ({str(error)[:200]})", fix="try again: it goes on")
        error = error.__cause__ or error.__context__
    what = f"{name} is no folder here and could not be had from the hub ({message})"
    return BackboneError(what, expected=expected, nearest=near)


def _digest(path: str, tensors: dict[str, Tensor], *, local: bool) -> str:
    whole = hashlib.sha256()
    if local:
        for file in sorted(Path(path).glob("*.safetensors")):
            whole.update(file.read_bytes())
    else:
        for key in sorted(tensors):
            whole.update(key.encode() + tensors[key].contiguous().numpy().tobytes())
    return whole.hexdigest()


@contextlib.contextmanager
def quiet_loading() -> Generator[None]:
    """A context without the load reports and progress bars of `transformers`; xdomain reports what matters itself."""
    level = transformers_logging.get_verbosity()
    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity(logging.ERROR)
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(level)
        if bars:
            transformers_logging.enable_progress_bar()
