"""Integrated gradients against values worked by hand, and the information that positions hold."""

import sys
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from transformers import LongformerConfig, LongformerForSequenceClassification

from xdomain.analysis import integrated_gradients, saliency
from xdomain.analysis.integrated_gradients import Attributed, attribute, integrate
from xdomain.analysis.loaded_run import open_runs
from xdomain.analysis.motifs import information
from xdomain.analysis.result import Options, write_finding
from xdomain.analysis.saliency import ANALYSIS
from xdomain.core.errors import MissingError

DRAWN = torch.Generator().manual_seed(0)
WEIGHTS = torch.rand(2, 4, 3, generator=DRAWN)  # outputs, positions, width
MASK = {"attention_mask": torch.ones(5, 4, dtype=torch.long)}


def linear(*, inputs_embeds, attention_mask) -> Any:
    return SimpleNamespace(logits=torch.einsum("bsd,ksd->bk", inputs_embeds, WEIGHTS))


def square(*, inputs_embeds, attention_mask) -> Any:
    return SimpleNamespace(logits=torch.einsum("bsd,ksd->bk", inputs_embeds, WEIGHTS) ** 2)


LINEAR: Any = linear  # in place of models
SQUARE: Any = square


@pytest.fixture
def ends():
    return torch.rand(5, 4, 3, generator=DRAWN), torch.rand(5, 4, 3, generator=DRAWN)


def test_of_a_linear_model_each_input_has_its_weighted_difference(ends):
    inner, outer = ends
    target = torch.tensor([0, 1, 0, 1, 1])
    told, error, difference = integrate(LINEAR, MASK, inner, outer, target, 4)
    wanted = WEIGHTS[target] * (inner - outer)
    torch.testing.assert_close(told, wanted)
    torch.testing.assert_close(difference, wanted.sum((1, 2)))
    assert error.abs().max() < 1e-5


def test_of_a_square_by_hand(ends):
    """Along the path f = (a + α (b - a))², whose part of input i is w_i (x_i - x'_i) (a + b)."""
    inner, outer = ends
    target = torch.zeros(5, dtype=torch.long)
    told, error, _ = integrate(SQUARE, MASK, inner, outer, target, 4)
    a, b = (torch.einsum("bsd,sd->b", end, WEIGHTS[0]) for end in (outer, inner))
    torch.testing.assert_close(told, WEIGHTS[0] * (inner - outer) * (a + b)[:, None, None])
    assert error.abs().max() < 1e-4


def test_information_by_hand():
    letters = np.arange(4)
    fixed, even, half = np.zeros(4000, int), np.arange(4000) % 4, np.arange(4000) % 2
    bits = information(np.column_stack([fixed, even, half, fixed + 4]), letters)
    few = 3 / (2 * np.log(2) * 4000)
    assert bits == pytest.approx([2 - few, 0, 1 - few, 0])  # the last has none of the letters


def test_information_without_the_letters_that_are_not_ordinary():
    column = np.array([[0]] * 100 + [[4]] * 100)
    assert information(column, np.arange(4)) == pytest.approx([2 - 3 / (2 * np.log(2) * 100)])


@pytest.fixture(scope="module")
def opened(looked_at):
    return open_runs(looked_at)


def test_attributions_sum_to_the_difference_of_logits(opened):
    run = opened[0]
    records = run.examples.indices("valid")[:6]
    told = attribute(run, records)
    assert told.values.shape == (6, 60)
    assert told.relative_error < 0.05
    batch = run.collate(records.tolist())
    table = run.model.get_input_embeddings()
    rows = table(batch["input_ids"])
    nothing = rows.clone()
    nothing[:, 1:-1] = table.weight[torch.from_numpy(run.saved.mapping.ids[:4].astype(np.int64))].mean(0)
    ends = [run.model(inputs_embeds=end, attention_mask=batch["attention_mask"]).logits for end in (rows, nothing)]
    wanted = (ends[0] - ends[1]).gather(1, batch["labels"][:, None])[:, 0].numpy()
    assert told.differences == pytest.approx(wanted, abs=1e-5)
    assert told.values.sum(1) == pytest.approx(wanted + told.errors, abs=1e-5)


@pytest.mark.parametrize(("n", "expected"), [(8, [8, 8]), (9, [8, 8, 9])])
def test_few_records_are_attributed_once(opened, monkeypatch, n, expected):
    read = []

    def counted(run, records, steps):
        read.append(len(records))
        return Attributed("", np.ones((len(records), 1)), np.full(len(records), 1 / steps**2), np.ones(1), steps)

    monkeypatch.setattr(integrated_gradients, "_attribute", counted)
    monkeypatch.setattr(integrated_gradients, "CLOSE", 1 / 16**2)
    told = attribute(opened[0], np.arange(n))
    assert (len(told.values), told.steps) == (n, 16)
    assert read == expected


def test_means_are_in_the_table(opened, tmp_path):
    (finding,) = ANALYSIS.find(opened, Options(records=12))
    write_finding(finding, tmp_path)
    rows = finding.table.to_pylist()
    classes = {row["class"] for row in rows}
    assert len(rows) == 2 * len(classes) * 60
    assert sum(row["n"] for row in rows if row["position"] == 0 and row["run"] == opened[0].label) == 12
    assert all(abs(row["mean_attribution"]) <= row["mean_absolute_attribution"] + 1e-9 for row in rows)
    donor = [row["bits"] for row in rows if row["class"] == "EI" and row["run"] == opened[0].label]
    assert donor[30] > 1.8  # the G of GT
    assert max(donor[:20]) < 0.6
    assert "the donor of EI has" in finding.caption
    assert "1703.01365" in finding.caption


def test_one_record_can_be_asked_for(opened):
    name = opened[0].examples.ids[int(opened[0].examples.indices("valid")[0])]
    (finding,) = ANALYSIS.find(opened, Options(record=name))
    assert len(finding.table) == 2 * 60
    assert finding.table.column_names == ["run", "record", "position", "symbol", "attribution"]


def test_unequal_lengths_have_no_mean(tiny_run):
    runs = open_runs([tiny_run("toy/protein-classification")])
    lengths = set(runs[0].examples.symbols.lengths.tolist())
    assert len(lengths) > 1
    assert "--record" in str(ANALYSIS.refuses(runs, Options()))
    assert ANALYSIS.refuses(runs, Options(record="x")) is None
    (finding,) = ANALYSIS.find(runs, Options(record=runs[0].examples.ids[0]))
    assert len(finding.table) == runs[0].examples.symbols.lengths[0]


def test_values_have_no_classes(tiny_run):
    runs = open_runs([tiny_run("toy/dna-regression")])
    assert ANALYSIS.refuses(runs, Options()) is None
    (finding,) = ANALYSIS.find(runs, Options(records=5))
    assert {row["class"] for row in finding.table.to_pylist()} == {"all"}


def test_pairs_are_refused(tiny_run):
    assert "one sequence and one answer" in str(ANALYSIS.refuses(open_runs([tiny_run("toy/dna-pair")]), Options()))


def test_a_missing_captum_is_named(opened, ends, monkeypatch):
    monkeypatch.setattr(saliency, "find_spec", lambda name: None)
    assert "pip install 'xdomain[analysis]'" in str(ANALYSIS.refuses(opened, Options()))
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    with pytest.raises(MissingError, match="pip install"):
        integrate(LINEAR, MASK, ends[0], ends[1], torch.zeros(5, dtype=torch.long), 4)


def cut(run, positions):
    """The same run, as if it had been trained with fewer positions in a window."""
    train = run.recipe.train.model_copy(update={"max_length": positions, "max_windows": 9})
    return replace(run, recipe=run.recipe.model_copy(update={"train": train}))


def test_what_is_not_read_is_said(opened):
    short = cut(opened[0], 42)
    assert "windows of different lengths" in str(ANALYSIS.refuses([opened[0], short], Options()))
    assert ANALYSIS.refuses([short], Options()) is None
    (finding,) = ANALYSIS.find([short], Options(records=4))
    assert "only the first window is read" in finding.caption
    assert max(finding.table["position"].to_pylist()) == 39
    (whole,) = ANALYSIS.find(opened[:1], Options(records=4))
    assert "window" not in whole.caption


def test_longformer_is_read_by_its_rows(opened):
    torch.manual_seed(0)
    run, table = opened[0], opened[0].model.get_input_embeddings().weight
    config = LongformerConfig(vocab_size=len(table), hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
                              intermediate_size=16, attention_window=4, max_position_embeddings=70,
                              pad_token_id=0, sep_token_id=3)  # fmt: skip
    config.num_labels = 3
    model = LongformerForSequenceClassification(config).eval().requires_grad_(False)
    layout = replace(run.saved.layout, second_type=None)
    long = replace(run, saved=replace(run.saved, model=model, layout=layout))
    (record,) = run.examples.indices("valid")[:1]
    told = attribute(long, np.array([record]))
    batch, kind = long.collate([int(record)]), int(run.examples.labels[record])
    rows = model.longformer.embeddings.word_embeddings.weight[
        torch.from_numpy(run.saved.mapping.ids[:4].astype(np.int64))
    ].mean(0)
    whole = model(batch["input_ids"], batch["attention_mask"]).logits[0, kind]
    nothing = model.get_input_embeddings()(batch["input_ids"])
    nothing[:, 1:-1] = rows
    first = torch.zeros_like(batch["attention_mask"]).index_fill(1, torch.tensor([0]), 1)
    empty = model(inputs_embeds=nothing, attention_mask=batch["attention_mask"], global_attention_mask=first)
    assert told.differences[0] == pytest.approx(float(whole - empty.logits[0, kind]), abs=1e-6)
    assert told.relative_error < 0.05
