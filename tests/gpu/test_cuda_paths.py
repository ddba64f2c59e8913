"""Every path that computes on a GPU: it is taken, it learns, and a CPU repeats what it predicts.

Run with ``pytest -m gpu``.
"""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

import xdomain
from xdomain.pretraining.api import Pretraining, pretrain_text
from xdomain.training.device import best_device

pytestmark = pytest.mark.gpu
SMALL = ("train.max_steps=6", "split.limit.train=60", "split.limit.valid=20", "split.limit.test=30",
         "train.batch_size=16", "train.learning_rate=1e-3", "train.evaluations=2")  # fmt: skip
PROBLEMS = ("toy/dna-classification", "toy/dna-regression", "toy/dna-tagging", "toy/dna-span")

SHARED = """
import os, sys
import torch.distributed
import xdomain
os.environ["LOCAL_RANK"] = "0"  # the same device for both
torch.distributed.init_process_group("gloo")
out, backbone, *changes = sys.argv[1:]
xdomain.run("toy/dna-classification", overrides=changes, backbone=backbone, out=out)
torch.distributed.destroy_process_group()
"""


def run(task, backbone, out, *extra, **options):
    return xdomain.run(task, overrides=(*SMALL, *extra), backbone=str(backbone), out=out, **options)


def predictions(folder, column):
    """Shape (values,): a column of numbers of the test records."""
    values = pq.read_table(folder / "predictions.parquet", filters=[("split", "==", "test")])[column].to_pylist()
    return np.hstack([np.asarray(value, float) for value in values])


def test_the_device_is_found(device):
    assert best_device().name == device


@pytest.mark.parametrize("task", PROBLEMS)
def test_a_run_is_repeated_by_another_device(task, device, tiny_bert, tmp_path, monkeypatch):
    done = run(task, tiny_bert, tmp_path / "run", "train.precision=fp32")
    assert done.values["device"].startswith(device)
    assert np.isfinite(done.values["train_loss"])
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    again = xdomain.evaluate(done.folder)
    for name, metric in again.metrics.items():
        assert metric.value == pytest.approx(done.metric(name), abs=1e-3, nan_ok=True), name


@pytest.mark.parametrize("task", PROBLEMS)
def test_bfloat16_learns_what_float32_does(task, device, tiny_bert, tmp_path):
    runs = [run(task, tiny_bert, tmp_path / p, f"train.precision={p}") for p in ("bf16", "fp32")]
    assert [done.values["dtype"] for done in runs] == ["bfloat16", "float32"]
    assert runs[0].values["train_loss"] == pytest.approx(runs[1].values["train_loss"], rel=0.1)


@pytest.mark.parametrize("options", [{"tune": "head"}, {"tune": "mix"}, {"tune": "bottleneck"}, {"mapping": "search:2"},
                                     {"mapping": "learned"}, {"init": "shuffled"}, {"baseline": "cnn"}])  # fmt: skip
def test_every_kind_of_arm_runs(options, device, tiny_bert, tmp_path):
    done = run("toy/dna-classification", tiny_bert, tmp_path / "run", **options)
    assert 0 <= done.metric() <= 1


def test_an_interrupted_run_goes_on(device, tiny_bert, tmp_path, listen, said):
    whole = run("toy/dna-classification", tiny_bert, tmp_path / "whole", "train.precision=fp32")

    def stop(line):
        if line.startswith("step 6/"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), listen(stop):
        run("toy/dna-classification", tiny_bert, tmp_path / "cut", "train.precision=fp32")
    again = run("toy/dna-classification", tiny_bert, tmp_path / "cut", "train.precision=fp32", resume=True)
    assert any(line.startswith("going on from step") for line in said)
    assert again.values["steps"] == whole.values["steps"]
    one, two = (predictions(r.folder, "score") for r in (whole, again))
    np.testing.assert_allclose(one, two, atol=0 if device == "cpu" else 1e-3)


def test_two_processes_on_one_device_share_a_batch(device, tiny_bert, tmp_path, torchrun):
    """By gloo, since NCCL refuses two processes on one GPU."""
    whole = ("train.precision=fp32", "train.hidden_dropout=0")
    alone = run("toy/dna-classification", tiny_bert, tmp_path / "one", *whole)
    (tmp_path / "shared.py").write_text(SHARED)
    torchrun(tmp_path / "shared.py", tmp_path / "two", tiny_bert, *SMALL, *whole)
    shared = json.loads((tmp_path / "two" / "result.json").read_text())
    assert shared["device"].startswith(device)
    assert shared["steps"] == alone.values["steps"]
    assert shared["train_loss"] == pytest.approx(alone.values["train_loss"], rel=1e-3)
    one, two = (predictions(folder, "score") for folder in (alone.folder, tmp_path / "two"))
    np.testing.assert_allclose(one, two, atol=1e-5 if device == "cpu" else 1e-3)


def test_arms_are_compared(device, tiny_bert, tmp_path):
    found = xdomain.compare("toy/dna-classification", ["pretrained", "scratch", "kmer"], seeds=2, overrides=SMALL,
                            backbone=str(tiny_bert), out=tmp_path)  # fmt: skip
    assert [row.arm for row in found.rows] == ["pretrained", "scratch", "kmer"]


def test_peak_memory_is_that_of_the_device(device, tiny_bert, tmp_path):
    done = run("toy/dna-classification", tiny_bert, tmp_path / "run")
    assert done.values["peak_memory_bytes"] > 1_000_000


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_pretraining_lowers_its_loss(precision, device, tmp_path):
    rng = np.random.default_rng(0)
    words = ["the", "cat", "dog", "sat", "ran", "on", "mat", "road"]
    (tmp_path / "books.txt").write_text("\n\f".join(" ".join(rng.choice(words, 60)) for _ in range(300)))
    options = Pretraining(layers=2, width=32, heads=2, vocabulary=36, lengths=(8, 16), shares=(0.5, 0.5),
                          tokens=30_000, batch_tokens=256, save_every=50, precision=precision)  # fmt: skip
    out = pretrain_text([tmp_path / "books.txt"], tmp_path / "bert", options=options)
    told = json.loads((out / "pretraining.json").read_text())
    assert told["device"].startswith(device)
    assert told["validation"]["8"]["loss"] < np.log(36)


def test_speech_is_encoded_alike(device, tmp_path):
    pytest.importorskip("soundfile")
    from transformers import HubertConfig, HubertModel, Wav2Vec2FeatureExtractor

    from xdomain.adapters.speech.named_features import make_features

    config = HubertConfig(hidden_size=16, num_hidden_layers=3, num_attention_heads=2, intermediate_size=32,
                          conv_dim=[8] * 7, num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=2)  # fmt: skip
    torch.manual_seed(0)
    HubertModel(config).save_pretrained(tmp_path / "hubert")
    Wav2Vec2FeatureExtractor().save_pretrained(tmp_path / "hubert")
    sound = np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)
    here, there = (make_features(f"{tmp_path / 'hubert'}:2", device=d)(sound) for d in (device, "cpu"))
    np.testing.assert_allclose(here, there, atol=1e-3)
