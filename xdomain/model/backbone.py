"""The encoder that a run starts from: shipped with xdomain, a folder, or a hub id."""

from __future__ import annotations

import contextlib
import hashlib
import logging
from collections.abc import Generator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoConfig, AutoModel, AutoTokenizer, PreTrainedConfig, PreTrainedTokenizerFast
from transformers.utils import logging as transformers_logging

from xdomain.data.sources import is_path, neighbour
from xdomain.errors import BackboneError, nearest

FAMILIES = ("albert", "bert", "distilbert", "electra", "longformer", "modernbert", "roberta")
TOKENIZERS = ("tokenizer.json", "vocab.txt", "vocab.json", "spiece.model", "sentencepiece.bpe.model")
FROM_PAD = ("roberta", "longformer", "xlm-roberta", "camembert")
"""Families that number their positions from the padding's id plus one."""


@dataclass(frozen=True)
class Backbone:
    """A checkpoint, read.

    Parameters
    ----------
    name
        As the user wrote it.
    path
        What `transformers` loads it from: a folder or a hub id.
    tensors
        The base model's tensors that the checkpoint really holds, float32, by their names in the base model.
    missing
        Names of base-model tensors that it does not hold, such as the pooler of a masked-LM checkpoint.
    sha256
        Of the weights file, or of the tensors where it came from a hub.
    """

    name: str
    path: str
    config: PreTrainedConfig
    tokenizer: PreTrainedTokenizerFast
    tensors: dict[str, Tensor]
    missing: tuple[str, ...]
    sha256: str


def bundled_backbones() -> list[Path]:
    """The checkpoints that are shipped with xdomain."""
    folder = Path(str(resources.files("xdomain.model"))) / "bundled"
    return sorted(p for p in folder.iterdir() if (p / "config.json").is_file()) if folder.is_dir() else []


def shipped_folder(name: str) -> str:
    """The folder of a shipped checkpoint, or `name` itself where it is none's."""
    return next((str(path) for path in bundled_backbones() if path.name == name), name)


def locate_backbone(name: str | None = None) -> str:
    """What `transformers` loads a backbone from: a folder that is there, or a hub id; nothing is read yet.

    `name` is as for `load_backbone`, and so are the errors of a name that cannot be right.
    """
    if name is None:
        shipped = bundled_backbones()
        if not shipped:
            raise BackboneError("no checkpoint is shipped with this installation", mend="--backbone DIR")
        name = shipped[0].name
    folder = Path(shipped_folder(name)).expanduser()
    if folder.is_file():
        raise BackboneError(f"{name} is a file", expected="a folder with config.json", nearest=str(folder.parent))
    if folder.is_dir() and name:
        _check_folder(folder)
        return str(folder)
    if is_path(name):
        raise BackboneError(f"{name} is not there", expected="a folder with config.json", nearest=neighbour(folder))
    return name


def load_backbone(name: str | None = None) -> Backbone:
    """Read a checkpoint.

    Parameters
    ----------
    name
        A folder, a shipped checkpoint's name, or a hub id; None: the checkpoint shipped with xdomain.

    Raises
    ------
    BackboneError
        What is there is no encoder checkpoint that can be loaded; the message says what it is and what works.
    """
    path = locate_backbone(name)
    return _load(name or Path(path).name, path, local=Path(path).is_dir())


def _check_folder(folder: Path) -> None:
    holds = sorted(p.name for p in folder.iterdir())
    if "config.json" not in holds:
        told = ", ".join(holds[:5]) + (" …" if len(holds) > 5 else "") or "nothing"
        inner = [p.name for p in folder.iterdir() if (p / "config.json").is_file()]
        raise BackboneError(
            f"{folder} is no checkpoint: it holds {told}",
            expected="config.json, model.safetensors and a tokenizer",
            nearest=str(folder / inner[0]) if inner else None,
        )
    if not any(h.endswith(".safetensors") for h in holds):
        if any(h.endswith((".bin", ".pt", ".ckpt", ".h5", ".msgpack")) for h in holds):
            raise BackboneError(
                f"{folder} holds its weights as a pickle, which can run code when it is read",
                expected="model.safetensors",
                mend="load it once where you trust it and save_pretrained(…) it: that writes safetensors",
            )
        raise BackboneError(f"{folder} holds no weights", expected="model.safetensors beside config.json")
    if not set(holds) & set(TOKENIZERS):
        raise BackboneError(f"{folder} holds no tokenizer", expected="tokenizer.json beside config.json")


def _check_tensors(name: str, missing: tuple[str, ...], spare: list[str]) -> None:
    """A pooler may be missing, as in masked-LM checkpoints; anything else would be drawn at random in silence."""
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
            config = AutoConfig.from_pretrained(path, local_files_only=local)
            _check_family(name, config)
            model, info = AutoModel.from_pretrained(
                path, config=config, use_safetensors=True, dtype=torch.float32, local_files_only=local,
                output_loading_info=True,
            )  # fmt: skip
            tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=local)
    except BackboneError:
        raise
    except Exception as error:
        raise _explained(name, path, error, local=local) from None
    if not tokenizer.is_fast:
        raise BackboneError(f"{name} has a tokenizer that only Python reads", expected="tokenizer.json")
    if tokenizer.pad_token_id is None:
        raise BackboneError(f"the tokenizer of {name} has no padding token", expected="a pad_token")
    missing = tuple(sorted(_plain(key) for key in info["missing_keys"]))
    tensors = {key: value.detach() for key, value in model.state_dict().items() if key not in missing}
    _check_tensors(name, missing, sorted(_plain(key) for key in info["unexpected_keys"]))
    return Backbone(name, path, config, tokenizer, tensors, missing, _digest(path, tensors, local=local))


def _check_family(name: str, config: PreTrainedConfig) -> None:
    if config.model_type not in FAMILIES:
        raise BackboneError(
            f"{name} is a {config.model_type} model",
            expected=f"an encoder: {', '.join(FAMILIES)}",
            nearest=nearest(config.model_type, FAMILIES),
        )


def _plain(key: Any) -> str:
    return str(key)


def _explained(name: str, path: str, error: Exception, *, local: bool) -> BackboneError:
    told = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
    kind = type(error).__name__
    if not local:
        return BackboneError(
            f"{name} is no folder here and could not be had from the hub ({told})",
            expected="a folder, a hub id and a network, or no --backbone at all: a checkpoint is shipped",
            nearest=nearest(name, [p.name for p in bundled_backbones()]),
        )
    if "safetensor" in kind.lower() or "header" in told.lower() or "incomplete" in told.lower():
        sizes = ", ".join(f"{p.name} {p.stat().st_size:,} bytes" for p in Path(path).glob("*.safetensors"))
        return BackboneError(
            f"the weights in {path} are damaged or cut short ({told})",
            expected=f"a whole safetensors file; here: {sizes}",
            mend="copy or download the checkpoint again",
        )
    return BackboneError(
        f"{path} cannot be loaded ({kind}: {told})", expected=f"an encoder checkpoint: {', '.join(FAMILIES)}"
    )


def _digest(path: str, tensors: dict[str, Tensor], *, local: bool) -> str:
    whole = hashlib.sha256()
    if local:
        for file in sorted(Path(path).glob("*.safetensors")):
            whole.update(file.read_bytes())
    else:
        for key in sorted(tensors):
            whole.update(key.encode() + tensors[key].contiguous().numpy().tobytes())
    return whole.hexdigest()


def max_positions(config: Any) -> int:
    """Positions a window may take, special tokens included."""
    positions = int(config.max_position_embeddings)
    return positions - (config.pad_token_id + 1) if config.model_type in FROM_PAD else positions


@contextlib.contextmanager
def quiet_loading() -> Generator[None]:
    """Without the library's load reports and bars: what matters is told by us."""
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
