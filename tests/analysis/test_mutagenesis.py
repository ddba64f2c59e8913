"""Every substitution, against the model that a stranger loads with transformers alone."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow.csv as pa_csv
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from xdomain.adapters.dna import DNA
from xdomain.adapters.protein import Protein
from xdomain.analysis.loaded_run import open_runs
from xdomain.analysis.motifs import share_of
from xdomain.analysis.mutagenesis import ANALYSIS, stretch, substituted
from xdomain.analysis.result import Options, write_finding
from xdomain.core.errors import RecipeError
from xdomain.core.recipe_sections import Landmark


def texts_of(adapter, text):
    sequence = substituted(adapter, adapter.encode([text])[0])
    pairs = sequence.pairs
    return pairs, [adapter.decode(mutant) for mutant in sequence.encoded(pairs)]


def slow_twin(text, letters):
    return [text[:i] + to + text[i + 1 :] for i in range(len(text)) for to in letters if to != text[i]]


def test_every_letter_is_replaced_by_every_other():
    pairs, texts = texts_of(DNA(), "ACN")
    assert texts == ["CCN", "GCN", "TCN", "AAN", "AGN", "ATN", "ACA", "ACC", "ACG", "ACT"]
    assert pairs[:4] == [(0, 1), (0, 2), (0, 3), (1, 0)]


@pytest.mark.parametrize(
    ("adapter", "text", "letters"),
    [(Protein(), "MKV*X", Protein().alphabet.symbols[:20]), (DNA(tokens="kmer", k=3), "ACGTTG", "ACGT")],
)
def test_mutants_are_as_if_read_from_their_text(adapter, text, letters):
    assert texts_of(adapter, text)[1] == slow_twin(text, letters)


def test_symbols_that_do_not_spell_their_text_are_refused():
    kmers = DNA(tokens="kmer", k=3)
    lossy: Any = SimpleNamespace(name="dna", alphabet=kmers.alphabet, encode=kmers.encode, decode=lambda ids: "AAA")
    with pytest.raises(RecipeError, match="do not spell"):
        substituted(lossy, kmers.encode(["ACGT"])[0])


def test_the_share_of_a_landmark_by_hand():
    mark = Landmark(name="box", at=1, symbols="TA", source="x")
    assert share_of(np.array([1.0, 4, 2, 1]), mark) == (0.75, 0.5)


def test_a_long_sequence_is_cut_to_where_changes_are_largest():
    effect = np.zeros(300)
    assert stretch(effect[:100]) == range(100)
    effect[[150, 249]] = 1
    assert stretch(effect) == range(150, 250)


@pytest.fixture(scope="module")
def found(looked_at, pictures, tmp_path_factory):
    (finding,) = ANALYSIS.find(open_runs(looked_at), Options(records=30))
    folder = tmp_path_factory.mktemp("found")
    with pictures():
        write_finding(finding, folder)
    return finding, folder


def test_all_substitutions_are_in_the_table(found):
    _, folder = found
    assert (folder / "mutagenesis.png").stat().st_size > 10_000
    table = pa_csv.read_csv(folder / "mutagenesis.csv")
    assert table.column_names == ["run", "record", "position", "from", "to", "before", "after", "change"]
    assert len(table) == 2 * 60 * 3
    assert table["position"].to_pylist()[:4] == [0, 0, 0, 1]
    after = table["before"].to_numpy() + table["change"].to_numpy()
    assert after == pytest.approx(table["after"].to_numpy())


def test_changes_are_those_of_the_saved_model(found, looked_at):
    rows = [row for row in found[0].table.to_pylist() if row["run"].startswith("scratch")]
    text = "".join(row["from"] for row in rows[::3])
    changed = [row for row in rows if row["position"] in (0, 31)]
    model = AutoModelForSequenceClassification.from_pretrained(looked_at[1] / "model").eval()
    tokenizer = AutoTokenizer.from_pretrained(looked_at[1] / "model")
    texts = [text, *(text[: r["position"]] + r["to"] + text[r["position"] + 1 :] for r in changed)]
    with torch.inference_mode():
        chances = model(**tokenizer(texts, return_tensors="pt")).logits.double().softmax(-1)
    answer = int(chances[0].argmax())
    odds = torch.log(chances[:, answer] / (1 - chances[:, answer]))
    assert [row["before"] for row in changed] == pytest.approx([float(odds[0])] * 6, abs=1e-5)
    assert [row["after"] for row in changed] == pytest.approx(odds[1:].tolist(), abs=1e-5)


def test_the_caption_says_which_record_and_what_the_landmark_holds(found):
    caption = found[0].caption
    assert found[0].table["record"][0].as_py() in caption
    assert "validation records of class EI" in caption
    assert "the donor (27–35) has" in caption
    assert "15% of positions" in caption


def test_a_record_can_be_named(looked_at):
    runs = open_runs(looked_at[:1])
    name = runs[0].examples.ids[int(runs[0].examples.indices("train")[0])]
    (finding,) = ANALYSIS.find(runs, Options(record=name))
    assert finding.table["record"][0].as_py() == name
    assert f"Record {name}, as asked, a training record, of class" in finding.caption
    with pytest.raises(RecipeError, match="has no record 'nobody'"):
        ANALYSIS.find(runs, Options(record="nobody"))


def test_values_change_in_their_own_unit(tiny_run):
    runs = open_runs([tiny_run("toy/protein-regression")])
    assert ANALYSIS.refuses(runs, Options()) is None
    (finding,) = ANALYSIS.find(runs, Options(records=10))
    rows = finding.table.to_pylist()
    length = max(row["position"] for row in rows) + 1
    assert len(rows) == 19 * length
    record = runs[0].examples.ids.index(rows[0]["record"])
    batch = runs[0].collate([record])
    told = runs[0].model(**{k: batch[k] for k in ("input_ids", "attention_mask", "token_type_ids")}).logits
    assert rows[0]["before"] == pytest.approx(float(told[0, 0]), abs=1e-5)
    assert "whose error is the median of 10 validation records" in finding.caption


def test_of_a_pair_the_first_is_changed(tiny_run):
    runs = open_runs([tiny_run("toy/dna-pair")])
    (finding,) = ANALYSIS.find(runs, Options(records=8))
    record = runs[0].examples.ids.index(finding.table["record"][0].as_py())
    assert len(finding.table) == 3 * len(runs[0].examples.symbols[record])
    assert "the first of its two sequences" in finding.caption


def test_tags_are_refused(tiny_run):
    assert "one answer a sequence" in str(ANALYSIS.refuses(open_runs([tiny_run("toy/dna-tagging")]), Options()))


def test_other_data_is_refused(looked_at, tiny_run):
    runs = open_runs([looked_at[0], tiny_run("toy/dna-pair")])
    assert "different tasks" in str(ANALYSIS.refuses(runs, Options()))
