"""Find the checkpoint of an encoder: shipped with xdomain, a folder, or a hub id. Does not load torch."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

from xdomain.core.errors import BackboneError
from xdomain.core.paths import expanded, is_file, is_folder
from xdomain.data.sources import is_path, neighbour

PRETRAINING = "pretraining.json"
"""In a checkpoint that xdomain pre-trained: on what, and how."""
TOKENIZERS = ("tokenizer.json", "vocab.txt", "vocab.json", "spiece.model", "sentencepiece.bpe.model")


def bundled_backbones() -> list[Path]:
    """The folders of the checkpoints that are shipped with xdomain, sorted by name."""
    folder = Path(str(resources.files("xdomain.model"))) / "bundled"
    return sorted(p for p in folder.iterdir() if (p / "config.json").is_file()) if folder.is_dir() else []


def shipped_folder(name: str) -> str:
    """The folder of the shipped checkpoint called `name`, or `name` itself where there is no such checkpoint."""
    return next((str(path) for path in bundled_backbones() if path.name == name), name)


def locate_backbone(name: str | None = None) -> str:
    """Say what `transformers` should load a backbone from: an existing folder or a hub id. No weights are read.

    Parameters
    ----------
    name
        As for `xdomain.model.backbone.load_backbone`: a folder, a shipped checkpoint's name, or a hub id; None: the
        checkpoint shipped with xdomain.

    Raises
    ------
    BackboneError
        `name` is a path where no checkpoint lies, or a folder that lacks a part of one.
    """
    if name is None:
        shipped = bundled_backbones()
        if not shipped:
            raise BackboneError("no checkpoint is shipped with this installation", fix="--backbone DIR")
        name = shipped[0].name
    folder = expanded(shipped_folder(name))
    if is_file(folder):
        raise BackboneError(f"{name} is a file", expected="a folder with config.json", nearest=str(folder.parent))
    if is_folder(folder) and name:
        _check_folder(folder)
        return str(folder)
    if is_path(name) or ("/" in name and is_folder(folder.parent)):
        raise BackboneError(f"{name} does not exist", expected="a folder with config.json", nearest=neighbour(folder))
    return name


def domain_of(path: str) -> str | None:
    """The domain of the sequences that xdomain pre-trained the checkpoint at `path` on; None for text or if unknown.

    Integers that a program made are ``synthetic``.
    """
    file = Path(path) / PRETRAINING
    try:
        told = json.loads(file.read_text("utf-8")) if file.is_file() else {}
        if {"stream", "kind"} & set(told.get("data", {}).get("train", {})):
            return "synthetic"
        adapter = told.get("adapter")
        return adapter["name"] if adapter and adapter["name"] != "text" else None
    except (ValueError, AttributeError, KeyError, TypeError):
        return None


def _check_folder(folder: Path) -> None:
    holds = sorted(p.name for p in folder.iterdir())
    if "config.json" not in holds:
        contents = ", ".join(holds[:5]) + (" …" if len(holds) > 5 else "") or "nothing"
        inner = [p.name for p in folder.iterdir() if (p / "config.json").is_file()]
        raise BackboneError(
            f"{folder} is no checkpoint: it holds {contents}",
            expected="config.json, model.safetensors and a tokenizer",
            nearest=str(folder / inner[0]) if inner else None,
        )
    if not any(h.endswith(".safetensors") for h in holds):
        if any(h.endswith((".bin", ".pt", ".ckpt", ".h5", ".msgpack")) for h in holds):
            raise BackboneError(
                f"{folder} holds its weights as a pickle, which can run code when it is read",
                expected="model.safetensors",
                fix="load it once where you trust it and save_pretrained(…) it: that writes safetensors",
            )
        raise BackboneError(f"{folder} holds no weights", expected="model.safetensors beside config.json")
    if not set(holds) & set(TOKENIZERS):
        raise BackboneError(f"{folder} holds no tokenizer", expected="tokenizer.json or vocab.txt beside config.json")
