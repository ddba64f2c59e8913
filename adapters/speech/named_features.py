"""The features that exist, by the names that users give them."""

from __future__ import annotations

from xdomain.core.errors import RecipeError

from .features import Features
from .mfcc import Mfcc
from .pretrained_features import load_checkpoint, load_pipeline

KNOWN = "mfcc, FOLDER_OR_HUB_ID:LAYER (HuBERT, wav2vec 2, WavLM), or torchaudio:PIPELINE:LAYER (extra torchaudio)"


def make_features(name: str, *, device: str | None = None) -> Features:
    """Make features by name.

    Parameters
    ----------
    name
        ``mfcc``; ``FOLDER_OR_HUB_ID:LAYER``, a checkpoint that `transformers` loads and the index into its hidden
        states (0: what enters the first block); ``torchaudio:PIPELINE:LAYER``, such as ``torchaudio:HUBERT_BASE:6``,
        which needs the extra ``torchaudio``.
    device
        The torch device of a network; None: a GPU where there is one.

    Raises
    ------
    RecipeError
        The name has none of these forms, or torchaudio has no such pipeline.
    BackboneError
        The checkpoint cannot be loaded, is not a speech encoder, or has no such layer.
    MissingError
        torchaudio is not installed, or the weights cannot be downloaded.
    """
    if name == "mfcc":
        return Mfcc()
    source, _, layer = name.rpartition(":")
    if not source or not layer.isdecimal():
        near = (
            "mfcc"
            if "mfcc" in name.lower()
            else f"{name}:6"
            if ("/" in name or name.startswith("torchaudio"))
            else None
        )
        raise RecipeError(f"unknown features {name!r}", expected=KNOWN, nearest=near)
    if source.startswith("torchaudio:"):
        return load_pipeline(source.removeprefix("torchaudio:"), int(layer), device=device)
    return load_checkpoint(source, int(layer), device=device)
