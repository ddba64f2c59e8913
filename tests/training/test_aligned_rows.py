"""The arm ``aligned``: rows of symbols, trained first until states of sequences lie like those of text."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModel

import xdomain
from xdomain.core.errors import RecipeError
from xdomain.training.aligned_rows import mmd

QUICK = {"train.max_steps": 1, "train.align_steps": 12, "train.precision": "fp32",
         "split.limit": {"train": 40, "valid": 16, "test": 16}}  # fmt: skip
TASK = "toy/dna-classification"


def test_the_discrepancy_is_that_of_its_definition():
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(7, 3)), rng.normal(1, 2, size=(5, 3))
    both = np.concatenate([one, other])
    apart = ((both[:, None] - both[None]) ** 2).sum(-1)
    usual = np.sort(apart[~np.eye(12, dtype=bool)])[(12 * 11 - 1) // 2]  # torch takes the lower of two medians
    expected = 0.0
    for scale in (0.25, 0.5, 1, 2, 4):
        kernel = np.exp(-apart / (scale * usual))
        same = [kernel[i, j] for i in range(7) for j in range(7) if i != j]
        others = [kernel[i, j] for i in range(7, 12) for j in range(7, 12) if i != j]
        cross = [kernel[i, j] for i in range(7) for j in range(7, 12)]
        expected += (np.mean(same) + np.mean(others) - 2 * np.mean(cross)) / 5
    found = mmd(torch.tensor(one), torch.tensor(other))
    assert float(found) == pytest.approx(expected, rel=1e-9)
    alike = torch.randn(400, 4, generator=torch.Generator().manual_seed(0))
    assert abs(float(mmd(alike[:200], alike[200:]))) < 0.01 < float(mmd(alike[:200], alike[200:] + 1))


@pytest.fixture(scope="module")
def run(tiny_bert, tmp_path_factory):
    """A run whose only step has a rate of next to 0, so that it ends where it started."""
    folder = tmp_path_factory.mktemp("aligned") / "run"
    return xdomain.run(TASK, init="aligned", backbone=str(tiny_bert), out=folder,
                       overrides=QUICK | {"train.learning_rate": 1e-20})  # fmt: skip


def test_only_rows_of_symbols_are_changed(run, tiny_bert):
    start = AutoModel.from_pretrained(tiny_bert, dtype=torch.float32).state_dict()
    ended = load_file(run.folder / "model" / "model.safetensors")
    mapping = json.loads((run.folder / "mapping.json").read_text("utf-8"))
    rows = dict(zip(mapping["symbols"], mapping["ids"], strict=True))
    table = "embeddings.word_embeddings.weight"
    changed = ((ended[f"bert.{table}"] - start[table]).abs() > 1e-12).any(1).nonzero().flatten().tolist()
    assert changed == sorted(rows[symbol] for symbol in "ACGT")  # no record has an N
    for name in start:
        if name != table and not name.startswith("pooler") and f"bert.{name}" in ended:
            assert torch.allclose(ended[f"bert.{name}"], start[name], rtol=0, atol=1e-12), name


def test_states_lie_nearer_to_those_of_text(run):
    told = run.values["alignment"]
    assert told["steps"] == 12
    assert told["text_states"] > 500
    assert told["discrepancy"]["after"] < told["discrepancy"]["before"]
    assert run.values["arm"]["init"] == "aligned"


def test_it_comes_out_the_same_again(run, tiny_bert, tmp_path):
    again = xdomain.run(TASK, init="aligned", backbone=str(tiny_bert), out=tmp_path / "again",
                        overrides=QUICK | {"train.learning_rate": 1e-20, "train.slice_vocabulary": False})  # fmt: skip
    assert again.values["alignment"] == run.values["alignment"]
    one, other = (load_file(folder / "model" / "model.safetensors") for folder in (run.folder, again.folder))
    for name, tensor in one.items():
        torch.testing.assert_close(other[name], tensor, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("task", "changes", "message"),
    [
        ("toy/dna-translation", {}, "init aligned for a model that writes sequences"),
        (TASK, {"run.mapping": "learned"}, "both make the rows of the symbols"),
    ],
)
def test_what_has_no_rows_to_align_is_refused(tiny_bert, tmp_path, task, changes, message):
    with pytest.raises(RecipeError, match=message):
        xdomain.run(task, init="aligned", backbone=str(tiny_bert), out=tmp_path / "run", overrides=changes)
    assert not (tmp_path / "run").exists()


def test_pairs_and_long_records_are_aligned_as_well(tiny_bert, tmp_path):
    changes = QUICK | {"train.max_length": 24, "train.align_steps": 2}
    found = xdomain.run("toy/dna-pair", init="aligned", backbone=str(tiny_bert), out=tmp_path / "pairs",
                        overrides=QUICK | {"train.align_steps": 2})  # fmt: skip
    assert found.values["alignment"]["steps"] == 2
    cut = xdomain.run(TASK, init="aligned", backbone=str(tiny_bert), out=tmp_path / "cut", overrides=changes)
    assert cut.values["alignment"]["steps"] == 2
