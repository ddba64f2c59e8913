"""Short windows read apart from long ones: less padding, and the same model as in one pass."""

import itertools

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from torch import nn

import xdomain
from xdomain.core.run_dir import read_history
from xdomain.training import less_padding
from xdomain.training.less_padding import by_length, joined, part_of, parts_by_length


def positions(lengths, parts):
    """What is computed: each part is as wide as its longest row."""
    return sum(len(part) * max(lengths[row] for row in part) for part in parts)


def best_of_two(lengths):
    """The fewest positions of one or two parts, by trying every cut."""
    order = sorted(lengths, reverse=True)
    cuts = [i * order[0] + (len(order) - i) * order[i] for i in range(1, len(order))]
    return min([len(order) * order[0], *cuts])


@pytest.fixture
def eager(monkeypatch):
    """Even a few positions are worth a part: the batches here are small."""
    monkeypatch.setattr(less_padding, "FEWEST", 1)


def test_parts_hold_each_row_once_and_save_what_they_must(eager):
    rng = np.random.Generator(np.random.PCG64(0))
    for rows, most in itertools.product((1, 2, 5, 30), (1, 9, 512)):
        lengths = rng.integers(1, most + 1, rows).tolist()
        parts = parts_by_length(lengths)
        assert sorted(row for part in parts for row in part) == list(range(rows))
        assert 1 <= len(parts) <= less_padding.MOST
        whole = rows * max(lengths)
        assert positions(lengths, parts) <= whole - (len(parts) - 1) * less_padding.LEAST * whole + 1e-9
        if len(parts) == 2:
            assert positions(lengths, parts) == best_of_two(lengths)


@pytest.mark.parametrize(
    ("lengths", "parts"),
    [
        ([7, 7, 7], [[0, 1, 2]]),
        ([100, 99, 97, 98], [[0, 1, 3, 2]]),  # nothing to gain
        ([16, 2, 16, 2], [[0, 2, 1, 3]]),  # too few positions to be worth a call
        ([512, 20, 512, 22], [[0, 2], [3, 1]]),
        ([10, 1500, 750, 1510, 740], [[3, 1], [2, 4], [0]]),
    ],
)
def test_rows_of_about_one_length_stay_together(lengths, parts):
    assert parts_by_length(lengths) == parts


def test_padding_before_the_tokens_and_other_inputs_are_read_in_one_pass(eager):
    ids, mask = torch.ones(2, 9, dtype=torch.long), torch.tensor([[1] * 9, [1] + [0] * 8])
    model = nn.Linear(1, 1)
    assert by_length(model, {"input_ids": ids, "attention_mask": mask}) == [[0], [1]]
    assert by_length(model, {"input_ids": ids, "attention_mask": mask.flip(1)}) == [[0, 1]]
    assert by_length(model, {"input_ids": ids, "attention_mask": mask, "decoder_input_ids": ids}) == [[0, 1]]


def test_logits_come_back_in_order(eager):
    ids = torch.arange(12).reshape(3, 4)
    mask = torch.tensor([[1, 0, 0, 0], [1, 1, 1, 1], [1, 1, 0, 0]])
    parts = parts_by_length(mask.sum(1).tolist())
    assert parts == [[1], [2], [0]]
    read = [part_of({"input_ids": ids, "attention_mask": mask}, rows)["input_ids"] for rows in parts]
    assert joined([one[:, :1].float() for one in read], parts, 4).flatten().tolist() == [0, 4, 8]
    each = joined([one[:, :, None].float() for one in read], parts, 4)
    assert each[:, :, 0].tolist() == [[0, 0, 0, 0], [4, 5, 6, 7], [8, 9, 0, 0]]


@pytest.mark.parametrize(
    ("task", "width"), [("toy/dna-classification", 18), ("toy/protein-tagging", 18), ("toy/speech-span", 24)]
)
def test_a_run_learns_and_predicts_the_same(task, width, tiny_bert, tmp_path, eager, monkeypatch):
    read = []

    def counted(lengths):
        read.append(len(parts_by_length(lengths)))
        return parts_by_length(lengths)

    def run(name):
        changes = [
            f"train.max_length={width}", "train.window_overlap=2", "train.max_windows=50", "train.max_steps=6",
            "train.precision=fp32", "train.hidden_dropout=0", "split.limit.train=60", "split.limit.valid=20",
            "split.limit.test=20",
        ]  # fmt: skip
        return xdomain.run(task, backbone=str(tiny_bert), overrides=changes, out=tmp_path / name)

    monkeypatch.setattr(less_padding, "parts_by_length", counted)
    apart = run("apart")
    assert max(read) > 1
    monkeypatch.setattr(less_padding, "parts_by_length", lambda lengths: [list(range(len(lengths)))])
    whole = run("whole")
    losses = [[row["loss"] for row in read_history(one.folder) if row.get("loss")] for one in (apart, whole)]
    assert len(losses[0]) > 1
    np.testing.assert_allclose(*losses, rtol=1e-5)
    one, other = (pq.read_table(run.folder / "predictions.parquet") for run in (apart, whole))
    for name in one.column_names:
        if one[name].type in ("float", "double"):
            np.testing.assert_allclose(one[name].to_numpy(), other[name].to_numpy(), atol=1e-5)
        elif not pa.types.is_list(one[name].type):
            assert one[name].to_pylist() == other[name].to_pylist()
