"""Features beside slow obvious twins, and long sounds in chunks beside one pass."""

import dataclasses
import shutil
from importlib.util import find_spec
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import (
    AutoModel,
    HubertConfig,
    HubertModel,
    Wav2Vec2Config,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2Model,
    WavLMConfig,
    WavLMModel,
)

from xdomain.adapters.speech.features import Features, frame_rate, stream
from xdomain.adapters.speech.mfcc import Mfcc
from xdomain.adapters.speech.named_features import make_features
from xdomain.core.errors import BackboneError, MissingError, RecipeError

PIPELINES = pytest.mark.skipif(
    find_spec("torchaudio") is None, reason="torchaudio's pipelines need the extra xdomain[torchaudio]"
)
KINDS: dict[str, tuple[Any, Any]] = {
    "hubert": (HubertConfig, HubertModel),
    "wav2vec2": (Wav2Vec2Config, Wav2Vec2Model),
    "wavlm": (WavLMConfig, WavLMModel),
}
TINY = {
    "hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 32,
    "conv_dim": [8] * 7, "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 2,
}  # fmt: skip


def noise(seconds, seed=0):
    return np.random.default_rng(seed).normal(0, 0.1, int(16000 * seconds)).astype(np.float32)


def checkpoint(folder, kind="hubert", *, normalize=True, seed=0, **options):
    config, model = KINDS[kind]
    torch.manual_seed(seed)
    model(config(**TINY | options)).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(do_normalize=normalize).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def hubert(tmp_path_factory):
    return checkpoint(tmp_path_factory.mktemp("hubert") / "tiny")


class Sums:
    """Whole numbers, so that a chunk and one pass must agree to the bit: each frame and its two neighbours."""

    name, digest, sample_rate, width, window, hop, context, chunk = "sums", "", 2, 1, 4, 2, 1, 6

    def __call__(self, samples):
        own = np.array([samples[i : i + 4].sum() for i in range(0, len(samples) - 3, 2)], np.float32)
        edged = np.pad(own, 1, mode="edge")
        return (edged[:-2] + edged[1:-1] + edged[2:])[:, None]


def pieces_of(samples, cuts):
    return np.split(samples, sorted(c for c in cuts if c <= len(samples)))


@given(st.integers(4, 90), st.lists(st.integers(0, 90), max_size=8))
def test_chunks_give_what_one_pass_gives(length, cuts):
    samples = np.random.default_rng(length).integers(0, 9, length).astype(np.float32)
    found = np.concatenate(list(stream(Sums(), pieces_of(samples, cuts))))
    assert np.array_equal(found, Sums()(samples))


def test_what_is_shorter_than_a_frame_gives_none():
    assert list(stream(Sums(), [np.ones(3, np.float32)])) == []
    assert list(stream(Sums(), [])) == []
    assert Mfcc()(noise(0.0249)).shape == (0, 39)


def test_mfcc_of_a_long_sound_in_chunks():
    samples = noise(4) * np.linspace(0, 3, 64000, dtype=np.float32)
    whole = Mfcc()(samples)
    short = dataclasses.replace(Mfcc(), chunk=50)
    for piece in (777, 16000, 64000):
        found = np.concatenate(list(stream(short, np.split(samples, range(piece, 64000, piece)))))
        np.testing.assert_allclose(found, whole, atol=1e-5)


def test_the_default():
    mfcc = make_features("mfcc")
    assert isinstance(mfcc, Features)
    assert (mfcc.name, mfcc.sample_rate, frame_rate(mfcc), mfcc.width) == ("mfcc", 16000, 100.0, 39)
    assert mfcc.digest == Mfcc().digest
    assert len(mfcc.digest) == 64


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("hubert", {}),
        ("hubert", {"do_stable_layer_norm": True, "feat_extract_norm": "layer"}),
        ("wav2vec2", {}),
        ("wavlm", {}),
    ],
)
def test_a_layer_is_the_hidden_state_of_that_index(tmp_path, kind, options):
    folder = checkpoint(tmp_path / kind, kind, normalize=False, **options)
    samples = noise(0.3)
    with torch.inference_mode():
        states = AutoModel.from_pretrained(folder).eval()(torch.from_numpy(samples)[None], output_hidden_states=True)
    assert len(states.hidden_states) == 4
    for layer, state in enumerate(states.hidden_states):
        features = make_features(f"{folder}:{layer}", device="cpu")
        np.testing.assert_allclose(features(samples), state[0].numpy(), atol=1e-5)
        assert isinstance(features, Features)
        assert (features.sample_rate, frame_rate(features), features.width) == (16000, 50.0, 16)
        assert (features.window, features.hop) == (400, 320)


@pytest.mark.parametrize("length", [400, 719, 720, 5000])
def test_as_many_frames_as_windows(hubert, length):
    features = make_features(f"{hubert}:1", device="cpu")
    assert features(noise(1)[:length]).shape == (1 + (length - 400) // 320, 16)
    assert features(noise(1)[:399]).shape == (0, 16)


def test_samples_are_normalised_where_the_checkpoint_says_so(tmp_path, hubert):
    told, untold = f"{hubert}:2", f"{checkpoint(tmp_path / 'raw', normalize=False, feat_extract_norm='layer')}:2"
    samples = noise(0.2)
    assert np.allclose(make_features(told)(samples), make_features(told)(3 * samples + 0.1), atol=1e-3)
    assert not np.allclose(make_features(untold)(samples), make_features(untold)(3 * samples + 0.1), atol=1e-3)


def test_a_digest_tells_weights_and_layer_and_not_the_place(tmp_path, hubert):
    digest = make_features(f"{hubert}:2").digest
    shutil.copytree(hubert, tmp_path / "copy")
    assert make_features(f"{tmp_path / 'copy'}:2").digest == digest
    assert make_features(f"{hubert}:1").digest != digest
    assert make_features(f"{checkpoint(tmp_path / 'other', seed=1)}:2").digest != digest
    assert make_features(f"{checkpoint(tmp_path / 'raw', normalize=False)}:2").digest != digest


def test_a_long_sound_goes_through_in_chunks_wherever_it_is_read(hubert):
    features = make_features(f"{hubert}:2", device="cpu")
    assert (features.chunk, features.context) == (1500, 100)
    long, size = noise(33), features.window + (features.chunk - 1) * features.hop
    found = [np.concatenate(list(stream(features, np.split(long, cuts)))) for cuts in ([], [7, 16000, 400_000])]
    assert np.array_equal(found[0], found[1])
    assert len(found[0]) == 1 + (len(long) - 400) // 320
    assert np.array_equal(found[0][:1400], features(long[:size])[:1400])
    assert np.array_equal(found[0][1400:], features(long[1300 * 320 :])[100:])


@pytest.mark.parametrize(
    ("name", "error", "what"),
    [
        ("mfc", RecipeError, "unknown features 'mfc'"),
        ("MFCC", RecipeError, "unknown features 'MFCC'"),
        ("facebook/hubert-base-ls960", RecipeError, "unknown features 'facebook/hubert-base-ls960'"),
        ("./nowhere:3", BackboneError, "./nowhere does not exist"),
        ("nobody/nothing:3", BackboneError, "nobody/nothing cannot be loaded"),
        pytest.param(
            "torchaudio:HUBERT_BSE:6", RecipeError, "unknown torchaudio pipeline 'HUBERT_BSE'", marks=PIPELINES
        ),
        pytest.param(
            "torchaudio:HUBERT_BASE:0", BackboneError, "torchaudio:HUBERT_BASE has no layer 0", marks=PIPELINES
        ),
        pytest.param(
            "torchaudio:HUBERT_BASE:13", BackboneError, "torchaudio:HUBERT_BASE has no layer 13", marks=PIPELINES
        ),
    ],
)
def test_features_that_there_are_not(name, error, what):
    with pytest.raises(error) as caught:
        make_features(name)
    assert caught.value.what.startswith(what)
    assert caught.value.expected


def test_checkpoints_that_cannot_be_used(tmp_path, hubert, tiny_bert):
    def fault(folder, layer=1):
        with pytest.raises(BackboneError) as caught:
            make_features(f"{folder}:{layer}")
        return caught.value

    found = fault(hubert, 4)
    assert (found.what, found.expected) == (f"{hubert} has no layer 4", "0 to 3")
    assert fault(tiny_bert).what == f"{tiny_bert} is a bert model, not a speech encoder"
    assert fault(hubert.parent / "tny").nearest == "tiny"
    shutil.copytree(hubert, tmp_path / "bare")
    (tmp_path / "bare" / "preprocessor_config.json").unlink()
    assert "has no preprocessor_config.json" in fault(tmp_path / "bare").what
    shutil.copytree(hubert, tmp_path / "empty")
    (tmp_path / "empty" / "model.safetensors").unlink()
    assert "cannot be loaded" in fault(tmp_path / "empty").what


@pytest.fixture
def pipeline(monkeypatch, tmp_path):
    """A tiny pipeline with the weights of a tiny HuBERT, which is returned."""
    import torchaudio
    from torchaudio.models.wav2vec2.utils import import_huggingface_model

    model = HubertModel.from_pretrained(checkpoint(tmp_path / "same")).eval()
    params = {
        "extractor_mode": "group_norm",
        "extractor_conv_layer_config": [
            (8, k, s) for k, s in zip(model.config.conv_kernel, model.config.conv_stride, strict=True)
        ],
        "extractor_conv_bias": False, "encoder_embed_dim": 16, "encoder_projection_dropout": 0.0,
        "encoder_pos_conv_kernel": 16, "encoder_pos_conv_groups": 2, "encoder_num_layers": 3, "encoder_num_heads": 2,
        "encoder_attention_dropout": 0.0, "encoder_ff_interm_features": 32, "encoder_ff_interm_dropout": 0.0,
        "encoder_dropout": 0.0, "encoder_layer_norm_first": False, "encoder_layer_drop": 0.0, "aux_num_out": None,
    }  # fmt: skip
    bundle = torchaudio.pipelines.Wav2Vec2Bundle("tiny.pth", params, 16000, False, "Wav2Vec2")
    weights = import_huggingface_model(model).state_dict()
    monkeypatch.setattr(bundle, "_get_state_dict", lambda _: weights)
    monkeypatch.setattr(torchaudio.pipelines, "TINY", bundle, raising=False)
    return model, bundle


@PIPELINES
@pytest.mark.filterwarnings("ignore::UserWarning")  # torchaudio's notes on its own deprecations
def test_a_pipeline_of_torchaudio_counts_layers_alike(pipeline):
    model, _ = pipeline
    samples = noise(0.3)
    with torch.inference_mode():
        states = model(torch.from_numpy(samples)[None], output_hidden_states=True).hidden_states
    for layer in (1, 3):
        features = make_features(f"torchaudio:TINY:{layer}", device="cpu")
        np.testing.assert_allclose(features(samples), states[layer][0].numpy(), atol=1e-5)
    assert (features.name, features.width, frame_rate(features)) == ("torchaudio:TINY:3", 16, 50.0)
    assert (features.window, features.hop) == (400, 320)


@PIPELINES
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_pipeline_without_a_network(pipeline, monkeypatch):
    def fail(_):
        raise URLError("no route")

    monkeypatch.setattr(pipeline[1], "_get_state_dict", fail)
    with pytest.raises(MissingError, match="weights of torchaudio:TINY could not be downloaded"):
        make_features("torchaudio:TINY:1")
