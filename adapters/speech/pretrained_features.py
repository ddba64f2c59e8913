"""Hidden states of pre-trained speech encoders: checkpoints for `transformers`, and torchaudio's bundled pipelines."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from xdomain.core.errors import BackboneError, MissingError, unknown
from xdomain.core.paths import expanded
from xdomain.core.safe_loading import load
from xdomain.data.sources import is_path, neighbour

from .audio import Samples
from .features import Frames
from .optional_deps import library

CHUNK_SECONDS = 30.0
CONTEXT_SECONDS = 2.0
UNUSED = ("masked_spec_embed",)  # only used in training: a checkpoint without it is complete


@dataclass(frozen=True)
class SpeechEncoderLayer:
    """One layer of a speech encoder.

    A file of up to 30 s is computed in one pass, a longer one in chunks of 30 s that overlap by 4 s, of which each
    chunk throws 2 s away. Attention, and where the checkpoint has them the normalisation of the samples and group norm,
    then see the chunk and not the whole file. So the units of a long file do not depend on how it is read, but differ
    in places from those of one pass over the whole.

    Parameters
    ----------
    name
        ``FOLDER_OR_HUB_ID:LAYER`` or ``torchaudio:PIPELINE:LAYER``.
    digest
        The sha256 of the weights up to the layer and of whatever else the numbers depend on, but not of their location.
    sample_rate
        Samples a second of the input.
    width
        Numbers a frame.
    window, hop
        Receptive field and stride of the convolutions, in samples.
    forward
        Computes frames, shape (m, width), from samples, shape (n,).
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
        """The frames of 2 s."""
        return round(CONTEXT_SECONDS * self.sample_rate / self.hop)

    @property
    def chunk(self) -> int:
        """The frames of 30 s."""
        return round(CHUNK_SECONDS * self.sample_rate / self.hop)

    def __call__(self, samples: Samples) -> Frames:
        """Samples, shape (n,), to frames, shape (1 + (n - window) // hop, width), in one pass."""
        if len(samples) < self.window:
            return np.empty((0, self.width), np.float32)
        return self.forward(samples)


def load_checkpoint(source: str, layer: int, *, device: str | None = None) -> SpeechEncoderLayer:
    """Load one layer of HuBERT, wav2vec 2, WavLM or a similar encoder.

    Parameters
    ----------
    source
        A folder or a hub id, with ``config.json``, weights and ``preprocessor_config.json``, which gives the sample
        rate and whether samples are normalised to mean 0 and variance 1.
    layer
        Index into the hidden states: 0 is the input of the first block, n the output of the n-th block.
    device
        The torch device; None: a GPU where there is one.

    Raises
    ------
    BackboneError
        The checkpoint does not exist, cannot be loaded, is not a speech encoder, lacks weights, or has fewer layers.
    """
    torch = library("torch")
    config, extractor = _described(source)
    _check_layer(f"{source}", layer, int(config.num_hidden_layers), first=0)
    model = _loaded(source)
    # keep one block more than needed: what an encoder does only to its last state must not affect this layer
    model.encoder.layers = model.encoder.layers[: layer + 1]
    place = device or _device(torch)
    model = model.to(place).eval()

    def forward(samples: Samples) -> Frames:
        given = extractor(samples, sampling_rate=extractor.sampling_rate, return_tensors="pt").input_values
        with torch.inference_mode():
            states = model(given.to(place, torch.float32), output_hidden_states=True).hidden_states
        return states[layer][0].cpu().numpy()

    facts = {
        "kind": config.model_type,
        "layer": layer,
        "normalised": bool(extractor.do_normalize),
        "heads": config.num_attention_heads,
        "activation": config.hidden_act,
        "strides": list(config.conv_stride),
    }
    return SpeechEncoderLayer(
        name=f"{source}:{layer}",
        digest=_digest(facts, _used(model.state_dict(), layer)),
        sample_rate=int(extractor.sampling_rate),
        width=int(config.hidden_size),
        window=receptive_field(config.conv_kernel, config.conv_stride),
        hop=math.prod(config.conv_stride),
        forward=forward,
    )


def load_pipeline(pipeline: str, layer: int, *, device: str | None = None) -> SpeechEncoderLayer:
    """Load one layer of a pipeline that torchaudio bundles; its weights are downloaded on first use.

    Only this function needs torchaudio: the extra ``torchaudio`` installs it with the torch that fits.

    Parameters
    ----------
    pipeline
        Its name, such as ``HUBERT_BASE`` or ``WAV2VEC2_LARGE_LV60K``.
    layer
        Layer n, from 1, is the output of the n-th block.
    device
        The torch device; None: a GPU where there is one.

    Raises
    ------
    RecipeError
        There is no pipeline of this name.
    BackboneError
        The pipeline has fewer layers.
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
    return SpeechEncoderLayer(
        name=f"{name}:{layer}",
        digest=_digest({"kind": name, "layer": layer}, model.state_dict()),
        sample_rate=int(bundle.sample_rate),
        width=int(bundle._params["encoder_embed_dim"]),
        window=receptive_field(kernels, strides),
        hop=math.prod(strides),
        forward=forward,
    )


def receptive_field(kernels: Iterable[int], strides: Iterable[int]) -> int:
    """Number of samples that one output of stacked convolutions sees, given their `kernels` and `strides` in order."""
    seen, step = 1, 1
    for kernel, stride in zip(kernels, strides, strict=True):
        seen += (kernel - 1) * step
        step *= stride
    return seen


def _described(source: str) -> tuple[Any, Any]:
    """The configuration of a checkpoint, and its feature extractor."""
    folder = expanded(source)
    if not folder.is_dir() and is_path(source):
        raise BackboneError(f"{source} does not exist", expected="a folder with config.json", nearest=neighbour(folder))
    where = str(folder) if folder.is_dir() else source
    try:
        config = load("AutoConfig", where)
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
        return config, load("AutoFeatureExtractor", where)
    except (OSError, ValueError):
        raise BackboneError(
            f"{source} has no preprocessor_config.json, which says the sample rate and whether samples are normalised",
            fix="copy preprocessor_config.json from the original checkpoint into the folder of config.json",
        ) from None


def _loaded(source: str) -> Any:
    torch = library("torch")
    folder = expanded(source)
    try:
        where = folder if folder.is_dir() else source
        model, report = load("AutoModel", where, dtype=torch.float32, output_loading_info=True)
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
    """The tensors without those of the block that is loaded but not used."""
    extra = f"encoder.layers.{layer}."
    return {n: t for n, t in tensors.items() if not n.startswith(extra) and not n.endswith(UNUSED)}


def _digest(facts: Mapping[str, Any], tensors: Mapping[str, Any]) -> str:
    """The sha256 of facts and tensors, but not of the tensors' names, which change between versions of torch."""
    sums = sorted(
        hashlib.sha256(f"{tuple(t.shape)}".encode() + t.detach().cpu().contiguous().numpy().tobytes()).hexdigest()
        for t in tensors.values()
    )
    return hashlib.sha256(json.dumps([dict(facts), sums], sort_keys=True).encode()).hexdigest()


def _device(torch: Any) -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def _short(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0][:200]
