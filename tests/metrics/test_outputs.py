"""Metrics of written sequences against values worked by hand, and against sacrebleu and rapidfuzz themselves."""

import numpy as np
import pyarrow as pa
import pytest

from xdomain.core.errors import MissingError, RecipeError
from xdomain.core.plugins import make_adapter
from xdomain.core.sequences import object_array
from xdomain.data.outputs import Outputs
from xdomain.metrics import outputs as module
from xdomain.metrics.bootstrap import Rows, resample
from xdomain.metrics.learned import not_learned, of_constant_output
from xdomain.metrics.metrics import check_metrics, compute_metrics
from xdomain.metrics.outputs import (
    OUTPUT_METRICS,
    Output,
    as_scores,
    columns_of,
    constant_output,
    named_targets,
    output_columns,
    outputs_in,
    stored_outputs,
)

LABELS = ["the cat sat on the mat", "a dog", "we go home"]
WRITTEN = ["the cat sat on a mat", "a dog barks", "home we go"]


def of(texts, cut=str.split):
    return object_array([Output(text, tuple(cut(text))) for text in texts])


def needs(name):
    if package := OUTPUT_METRICS[name].package:
        pytest.importorskip(package)


def value(name, labels, written):
    return compute_metrics([name], labels, written, "sequence")[name]["value"]


@pytest.mark.parametrize(
    ("name", "expected"),
    # words: 5 of 6 right; 2 of 3, as one is too many; none of 3. Edits: 1 of 6, 1 of 3, 2 of 3.
    [("token_accuracy", 7 / 12), ("exact_match", 0.0), ("edit_similarity", (5 / 6 + 2 / 3 + 1 / 3) / 3)],
)
def test_values_worked_by_hand(name, expected):
    needs(name)
    assert value(name, of(LABELS), of(WRITTEN)) == pytest.approx(expected)
    assert value(name, of(LABELS), of(LABELS)) == 1
    assert value(name, of(LABELS), of(["", "", ""])) == 0


def test_bleu_is_that_of_the_corpus_and_chrf_the_mean_of_records():
    sacrebleu = pytest.importorskip("sacrebleu.metrics")
    assert value("bleu", of(LABELS), of(WRITTEN)) == pytest.approx(
        sacrebleu.BLEU().corpus_score(WRITTEN, [LABELS]).score
    )
    each = [sacrebleu.CHRF().sentence_score(a, [b]).score for a, b in zip(WRITTEN, LABELS, strict=True)]
    assert value("chrf", of(LABELS), of(WRITTEN)) == pytest.approx(np.mean(each))


@pytest.mark.parametrize("name", sorted(OUTPUT_METRICS))
def test_a_resample_has_the_value_of_its_records(name):
    needs(name)
    labels, written = of(LABELS * 4), of(WRITTEN * 2 + LABELS * 2)
    found = resample(name, Rows("sequence", labels, written, np.arange(12), 12), draws=20)
    chosen = np.random.Generator(np.random.PCG64(0)).integers(12, size=(20, 12))
    for draw, rows in zip(found.draws, chosen, strict=True):
        assert draw == pytest.approx(value(name, labels[rows], written[rows]))


def test_scores_hold_outputs_of_any_length():
    scores = as_scores([[3, 0], [], [7]], [-0.5, -1.0, -2.0])
    assert scores.tolist() == [[-0.5, 3, 0], [-1, -1, -1], [-2, 7, -1]]
    assert [one.tolist() for one in outputs_in(scores)] == [[3, 0], [], [7]]
    adapter = make_adapter("protein", {})
    columns = output_columns(Outputs(adapter, 0), scores)
    assert columns["prediction"].to_pylist() == ["EA", "", "I"]
    np.testing.assert_allclose(columns["score"].to_numpy(), np.exp(scores[:, 0]))
    table = pa.table(columns)
    assert stored_outputs(table, "prediction").tolist() == [("EA", ("E", "A")), ("", ()), ("I", ("I",))]
    assert columns_of("label", stored_outputs(table, "prediction"))["label_symbols"].to_pylist()[0] == ["E", "A"]


def test_the_constant_output_is_the_most_frequent_symbol_of_each_position():
    adapter = make_adapter("protein", {})
    targets = ["MAC", "MA", "MKC", "CAC", "MAC"]
    outputs = Outputs(adapter, 0, adapter.encode(targets))
    best = constant_output(outputs, np.arange(5))
    assert best.text == "MAC"
    assert constant_output(outputs, np.array([1, 1, 2])).text == "MA"  # two of three have ended
    found = of_constant_output(best, named_targets(outputs, np.arange(5)), ["token_accuracy", "exact_match"])
    assert found == {"token_accuracy": pytest.approx(12 / 15), "exact_match": pytest.approx(2 / 5)}


def test_one_and_the_same_output_is_no_sign_of_learning():
    labels = of(["MA", "MK", "CA"], tuple)
    told = not_learned(labels, of(["MA"] * 3, tuple), "sequence", "token_accuracy", constant=0.6)
    assert told == "answers all 3 test records with 'MA'"
    worse = not_learned(labels, of(["CA", "MA", "MK"], tuple), "sequence", "token_accuracy", constant=0.6)
    assert worse is not None and "the most frequent symbol at each position" in worse


def test_metrics_that_do_not_fit_or_lack_their_package_are_refused(monkeypatch):
    with pytest.raises(RecipeError, match="f1 does not judge sequence"):
        check_metrics(["f1"], "sequence")
    with pytest.raises(RecipeError, match="bleu does not judge span"):
        check_metrics(["bleu"], "span")
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    check_metrics(["token_accuracy", "exact_match"], "sequence")
    with pytest.raises(MissingError, match=r"edit_similarity needs the package rapidfuzz") as refused:
        check_metrics(["edit_similarity"], "sequence")
    assert "xdomain[sequence]" in str(refused.value)
