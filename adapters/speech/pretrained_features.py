"""Hidden states of pre-trained speech encoders: checkpoints for `transformers`, and torchaudio's bundled pipelines."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from xdomain.core.errors import BackboneError, MissingError, unknown
from xdomain.data.sources import is_path, neighbour

from .audio import Samples
from .features import Frames
from .optional_deps import library

CHUNK_SECONDS = 30.0
CONTEXT_SECONDS = 2.0
UNUSED = ("masked_spec_embed",)  # of training: a checkpoint without it is whole


@dataclass(frozen=True)
class HiddenStates:
    """One layer of a speech encoder.

    A file of up to 30 s goes through in one pass. A longer one goes through in chunks of 30 s that overlap by 4 s, of
    which each side throws 2 s away. Attention, and where the checkpoint has them normalisation of the samples and
    group norm, then see the chunk and not the file: the units of a long file are those of its chunks, always the same
    however the file is read, and differ in places from those of one pass over the whole.

    Parameters
    ----------
    name
        ``FOLDER_OR_HUB_ID:LAYER`` or ``torchaudio:PIPELINE:LAYER``.
    digest
        The sha256 of the weights up to the layer and of what else the numbers depend on; not of where they lie.
    window, hop
        Samples: receptive field and stride of the convolutions.
    forward
        Samples to frames.
    """

    name: str
    digest: str
    sample_rate: int
    width: int
    window: int
    hop: int
    forward: Callable[[Samples], Frames]

    @property
    def context(self) -> int:
        """2 s."""
        return round(CONTEXT_SECONDS * self.sample_rate / self.hop)

    @property
    def chunk(self) -> int:
        """30 s."""
        return round(CHUNK_SECONDS * self.sample_rate / self.hop)

    def __call__(self, samples: Samples) -> Frames:
        """Samples, shape (n,), to frames, shape (1 + (n - window) // hop, width), in one pass."""
        if len(samples) < self.window:
            return np.empty((0, self.width), np.float32)
        return self.forward(samples)


def load_checkpoint(source: str, layer: int, *, device: str | None = None) -> HiddenStates:
    """One layer of HuBERT, wav2vec 2, WavLM or a like encoder.

    Parameters
    ----------
    source
        A folder or a hub id, with ``config.json``, weights and ``preprocessor_config.json``, which says the sample
        rate and whether the samples are brought to mean 0 and variance 1.
    layer
        Index into the hidden states: 0 is what enters the first block, n what the n-th block gives.
    device
        None: a GPU where there is one.

    Raises
    ------
    BackboneError
        It does not exist, cannot be loaded, is no speech encoder, lacks weights, or has fewer layers.
    """
    torch = library("torch")
    config, extractor = _described(source)
    _check_layer(f"{source}", layer, int(config.num_hidden_layers), first=0)
    model = _loaded(source)
    # one block more than is needed: whatever is done to the last state is not done to this one
    model.encoder.layers = model.encoder.layers[: layer + 1]
    place = device or _device(torch)
    model = model.to(place).eval()

    def forward(samples: Samples) -> Frames:
        given = extractor(samples, sampling_rate=extractor.sampling_rate, return_tensors="pt").input_values
        with torch.inference_mode():
            states = model(given.to(place, torch.float32), output_hidden_states=True).hidden_states
        return states[layer][0].cpu().numpy()

    told = {
        "kind": config.model_type,
        "layer": layer,
        "normalised": bool(extractor.do_normalize),
        "heads": config.num_attention_heads,
        "activation": config.hidden_act,
        "strides": list(config.conv_stride),
    }
    return HiddenStates(
        name=f"{source}:{layer}",
        digest=_digest(told, _used(model.state_dict(), layer)),
        sample_rate=int(extractor.sampling_rate),
        width=int(config.hidden_size),
        window=receptive_field(config.conv_kernel, config.conv_stride),
        hop=math.prod(config.conv_stride),
        forward=forward,
    )


def load_pipeline(pipeline: str, layer: int, *, device: str | None = None) -> HiddenStates:
    """One layer of a pipeline that torchaudio bundles, downloaded when it is first used.

    The only code here that needs torchaudio: the extra ``torchaudio`` installs it with the torch that fits.

    Parameters
    ----------
    pipeline
        Its name, such as ``HUBERT_BASE`` or ``WAV2VEC2_LARGE_LV60K``.
    layer
        From 1: what the n-th block gives.
    device
        A device of torch; None: a GPU if there is one, else the CPU.

    Raises
    ------
    RecipeError
        There is no pipeline of this name.
    BackboneError
        It has fewer layers.
    MissingError
        torchaudio is not installed or cannot be imported, or the weights cannot be downloaded.
    """
    torch, pipelines = library("torch"), library("torchaudio.pipelines")
    known = [n for n in dir(pipelines) if isinstance(getattr(pipelines, n), pipelines.Wav2Vec2Bundle)]
    if pipeline not in known:
        raise unknown("torchaudio pipeline", pipeline, known)
    bundle = getattr(pipelines, pipeline)
    name = f"torchaudio:{pipeline}"
    _check_layer(name, layer, int(bundle._params["encoder_num_layers"]), first=1)
    try:
        model = bundle.get_model()
    except (OSError, RuntimeError) as error:
        raise MissingError(
            f"the weights of {name} could not be downloaded ({error})",
            expected="a network connection, or the file in torch.hub's folder from an earlier download",
            fix="go online once, or use --features mfcc, which needs no weights",
        ) from None
    place = device or _device(torch)
    model = model.to(place).eval()

    def forward(samples: Samples) -> Frames:
        given = torch.from_numpy(np.ascontiguousarray(samples, np.float32))[None].to(place)
        with torch.inference_mode():
            states, _ = model.extract_features(given, num_layers=layer)
        return states[-1][0].cpu().numpy()

    shape = [(kernel, stride) for _, kernel, stride in bundle._params["extractor_conv_layer_config"]]
    kernels, strides = zip(*shape, strict=True)
    return HiddenStates(
        name=f"{name}:{layer}",
        digest=_digest({"kind": name, "layer": layer}, model.state_dict()),
        sample_rate=int(bundle.sample_rate),
        width=int(bundle._params["encoder_embed_dim"]),
        window=receptive_field(kernels, strides),
        hop=math.prod(strides),
        forward=forward,
    )


def receptive_field(kernels: Iterable[int], strides: Iterable[int]) -> int:
    """Samples that one output of stacked convolutions sees."""
    seen, step = 1, 1
    for kernel, stride in zip(kernels, strides, strict=True):
        seen += (kernel - 1) * step
        step *= stride
    return seen


def _described(source: str) -> tuple[Any, Any]:
    """The configuration of a checkpoint, and what prepares its samples."""
    transformers = library("transformers")
    folder = Path(source).expanduser()
    if not folder.is_dir() and is_path(source):
        raise BackboneError(f"{source} does not exist", expected="a folder with config.json", nearest=neighbour(folder))
    where = str(folder) if folder.is_dir() else source
    try:
        config = transformers.AutoConfig.from_pretrained(where)
    except (OSError, ValueError) as error:
        raise BackboneError(
            f"{source} cannot be loaded ({_short(error)})",
            expected="a folder or hub id with config.json",
            fix="give a folder, go online once, or use --features mfcc, which needs no weights",
        ) from None
    wanted = ("conv_stride", "conv_kernel", "num_hidden_layers", "hidden_size")
    if not all(hasattr(config, key) for key in wanted):
        raise BackboneError(
            f"{source} is a {config.model_type} model, not a speech encoder",
            expected="HuBERT, wav2vec 2, WavLM or a like encoder",
        )
    try:
        return config, transformers.AutoFeatureExtractor.from_pretrained(where)
    except (OSError, ValueError):
        raise BackboneError(
            f"{source} has no preprocessor_config.json, which says the sample rate and whether samples are normalised",
            fix="copy preprocessor_config.json from the original checkpoint into the folder of config.json",
        ) from None


def _loaded(source: str) -> Any:
    torch, transformers = library("torch"), library("transformers")
    folder = Path(source).expanduser()
    try:
        model, report = transformers.AutoModel.from_pretrained(
            str(folder) if folder.is_dir() else source, dtype=torch.float32, output_loading_info=True
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise BackboneError(f"the weights of {source} cannot be loaded ({_short(error)})") from None
    missing = sorted(key for key in report["missing_keys"] if not key.endswith(UNUSED))
    if missing:
        raise BackboneError(
            f"{source} lacks {len(missing)} of the encoder's tensors: {', '.join(missing[:3])}",
            expected="a complete checkpoint",
        )
    return model


def _check_layer(name: str, layer: int, layers: int, *, first: int) -> None:
    if not first <= layer <= layers:
        raise BackboneError(f"{name} has no layer {layer}", expected=f"{first} to {layers}")


def _used(tensors: Mapping[str, Any], layer: int) -> dict[str, Any]:
    """Without the block that is loaded but not used."""
    extra = f"encoder.layers.{layer}."
    return {n: t for n, t in tensors.items() if not n.startswith(extra) and not n.endswith(UNUSED)}


def _digest(told: Mapping[str, Any], tensors: Mapping[str, Any]) -> str:
    """The sha256 over facts and tensors; not over the tensors' names, which change between versions of torch."""
    sums = sorted(
        hashlib.sha256(f"{tuple(t.shape)}".encode() + t.detach().cpu().contiguous().numpy().tobytes()).hexdigest()
        for t in tensors.values()
    )
    return hashlib.sha256(json.dumps([dict(told), sums], sort_keys=True).encode()).hexdigest()


def _device(torch: Any) -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def _short(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0][:200]
