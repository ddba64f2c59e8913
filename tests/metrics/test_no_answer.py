"""Questions without an answer: SQuAD 2.0's evaluation, transformers' null score, and a run, each by a slow twin."""

import json
import math
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import xdomain
from xdomain.core.errors import DataError
from xdomain.core.plugins import readers
from xdomain.inference.evaluation import evaluate
from xdomain.inference.prediction_file import predict
from xdomain.inspection import check
from xdomain.metrics.bootstrap import Rows, resample
from xdomain.metrics.metrics import compute_metrics
from xdomain.metrics.no_answer import by_answer, choose_none, given_spans
from xdomain.metrics.spans import none_scores

NAMES = ["FF1", "AOS", "exact_match"]
NONE = (math.nan, math.nan)


def padded(golds):
    width = max(1, *map(len, golds))
    return np.array([[*gold, *[NONE] * (width - len(gold))] for gold in golds], float)


def slow(gold, found):
    """FF1, AOS and exact match of one question, as SQuAD 2.0 has it for one without an answer."""
    if not gold or found is None:
        return [float(not gold and found is None)] * 3
    each = []
    for a, b in gold:
        both = max(0, min(found[1], b) - max(found[0], a))
        f1 = 2 * both / (found[1] - found[0] + b - a)
        each.append((f1, both / (max(found[1], b) - min(found[0], a)) if both else 0, float((a, b) == tuple(found))))
    return [max(values) for values in zip(*each, strict=True)]


span = st.tuples(st.integers(0, 20), st.integers(1, 8)).map(lambda s: (float(s[0]), float(s[0] + s[1])))
question = st.tuples(st.lists(span, max_size=3), st.none() | span)
asked = st.tuples(st.lists(span, max_size=2), span, st.integers(-6, 6))


@given(st.lists(question, min_size=1, max_size=8))
def test_metrics_are_those_of_squad_2(questions):
    golds, found = zip(*questions, strict=True)
    references, spans = padded(golds), np.array([one or NONE for one in found])
    wanted = np.array([slow(gold, one) for gold, one in questions])
    rows = compute_metrics(NAMES, references, spans, "span")
    assert [rows[name]["value"] for name in NAMES] == pytest.approx(wanted.mean(0).tolist())
    kinds = by_answer(NAMES, references, spans)
    none = np.array([not gold for gold in golds])
    assert bool(kinds) == none.any()
    for name, of in (("has_answer", ~none), ("no_answer", none)) if kinds else ():
        assert kinds[name]["n"] == of.sum()
        values = [kinds[name][metric] for metric in NAMES]
        assert values == pytest.approx(wanted[of].mean(0).tolist() if of.any() else [math.nan] * 3, nan_ok=True)
    unit = np.arange(len(golds))
    drawn = resample("FF1", Rows("span", references, spans, unit, len(golds)), draws=20)
    assert drawn.value == pytest.approx(wanted[:, 0].mean())
    assert np.isfinite(drawn.draws).all()


def best_by_squad(golds, found, chances):
    """The best sum of FF1 that SQuAD 2.0's script finds by a threshold: from none answered, one more at a time."""
    reached = best = sum(not gold for gold in golds)
    order = np.argsort(chances, kind="stable")
    for place, row in enumerate(order):
        reached += slow(golds[row], found[row])[0] if golds[row] else -1
        same = place + 1 < len(order) and chances[order[place + 1]] == chances[row]
        best = best if same else max(best, reached)
    return best


def of_odds(odds):
    """Scores (n, 4) of answers with these log-odds of none."""
    return np.column_stack([np.zeros(len(odds)), np.ones(len(odds)), np.zeros(len(odds)), odds])


@given(st.lists(asked, min_size=1, max_size=10))
def test_the_threshold_is_as_good_as_the_best_that_squads_script_finds(questions):
    golds, found, odds = zip(*questions, strict=True)
    scores = of_odds(np.array(odds, float))
    cut = choose_none(padded(golds), np.array(found), scores)
    given_now = [None if a < 0 else one for (a, _), one in zip(given_spans(scores, cut), found, strict=True)]
    reached = sum(slow(gold, one)[0] for gold, one in zip(golds, given_now, strict=True))
    if any(golds) and not all(golds):
        assert reached == pytest.approx(best_by_squad(golds, found, np.array(odds)))
    else:
        assert cut == 0.5


def test_thresholds_by_hand():
    golds, found = [[(0.0, 1.0)], [(0.0, 1.0)], [], []], np.array([(0.0, 1.0)] * 4)

    def chosen(*odds: float, how: Any = "validation") -> float:
        return choose_none(padded(golds), found, of_odds(np.array(odds, float)), how)[0]

    assert chosen(-3, -1, 2, 4) == pytest.approx(1 / (1 + math.exp(-0.5)))  # half-way from -1 to 2
    assert chosen(-3, -1, 2, 4, how="half") == 0.5
    assert chosen(5, 5, 5, 5) in (0, 1)  # all or none
    assert chosen(4, 2, -1, -3) in (0, 1)  # the wrong way round: no cut is better than all or none
    assert chosen(40, 50, 60, 70) == 1  # where probabilities round to 1
    assert choose_none(padded([[], []]), found[:2], of_odds(np.zeros(2))) == 0.5


def test_the_score_of_none_is_that_of_the_start_token_among_those_that_can_answer():
    torch.manual_seed(0)
    logits, owned = torch.randn(2, 9, 2), torch.zeros(2, 9, dtype=torch.bool)
    owned[0, 3:8] = owned[1, 4:6] = True
    for row, places in enumerate(([0, *range(3, 8)], [0, 4, 5])):
        chances = torch.log_softmax(logits[row, places], 0)
        assert none_scores(logits, owned)[row].item() == pytest.approx(chances[0].sum().item(), rel=1e-5)


WINDOW, OVERLAP, LONGEST = 24, 4, 10


@pytest.fixture(scope="module")
def learned(tiny_bert, tmp_path_factory):
    options = ["reader_options.records=160", "reader_options.unanswerable=0.2", "train.max_steps=30",
               f"train.max_length={WINDOW}", f"train.window_overlap={OVERLAP}", "train.learning_rate=3e-3",
               f"train.max_answer={LONGEST}"]  # fmt: skip
    out = tmp_path_factory.mktemp("none") / "run"
    return xdomain.run("toy/text-span", overrides=options, backbone=str(tiny_bert), out=out)


def questions_of(run):
    table = readers()["toy_text_span"]({}, records=160, unanswerable=0.2).to_pylist()
    rows = {row["id"]: row for row in table}
    return [(rows[row["id"]], row) for row in pq.read_table(run.folder / "predictions.parquet").to_pylist()]


def twin_of(folder):
    """Transformers' way with SQuAD 2.0 (`postprocess_qa_predictions`): windows of a stock model, a null score."""
    from transformers import AutoModelForQuestionAnswering, AutoTokenizer

    model = AutoModelForQuestionAnswering.from_pretrained(folder / "model").eval()
    tokenizer = AutoTokenizer.from_pretrained(folder / "model")

    def best_and_null(question, context):
        features = tokenizer(question, context, truncation="only_second", max_length=WINDOW, stride=OVERLAP,
                             return_overflowing_tokens=True, return_offsets_mapping=True)  # fmt: skip
        candidates, nulls = [], []
        for i in range(len(features["input_ids"])):
            inputs = {name: torch.tensor([features[name][i]]) for name in ("input_ids", "attention_mask",
                                                                           "token_type_ids")}  # fmt: skip
            with torch.no_grad():
                output = model(**inputs)
            inside = [at for at, side in enumerate(features.sequence_ids(i)) if side == 1]
            start, end = (torch.log_softmax(logits[0, [0, *inside]], 0).tolist()
                          for logits in (output.start_logits, output.end_logits))  # fmt: skip
            nulls.append(start[0] + end[0])
            offsets = features["offset_mapping"][i]
            for a in range(len(inside)):
                for b in range(a, min(len(inside), a + LONGEST)):
                    place = (offsets[inside[a]][0], offsets[inside[b]][1])
                    candidates.append((start[a + 1] + end[b + 1], place))
        return max(candidates), min(nulls), len(nulls)

    return best_and_null


def test_a_run_has_the_metrics_of_a_twin_in_plain_transformers(learned):
    best_and_null, values = twin_of(learned.folder), learned.values
    threshold = json.loads((learned.folder / "thresholds.json").read_text())["no answer"]
    assert values["thresholds"] == {"no answer": threshold}
    told = {split: [] for split in ("valid", "test")}
    windows = 0
    for question, row in questions_of(learned):
        (score, place), null, several = best_and_null(question["sequence"], question["sequence_b"])
        windows = max(windows, several)
        chance = 1 / (1 + math.exp(score - null))
        assert row["p(no answer)"] == pytest.approx(chance, rel=1e-3)
        found = None if chance > threshold else place
        assert (row["start"], row["end"]) == (found or (None, None))
        assert row["score"] == pytest.approx(math.exp(score if found else null), rel=1e-3)
        assert bool(row["answer"]) == (found is not None)
        gold = [(one["start"], one["end"]) for one in question["answers"]]
        assert [(one["start"], one["end"]) for one in row["label"]] == gold
        told[row["split"]].append((gold, place, found, chance))
    assert windows > 1
    assert 0 < sum(found is None for rows in told.values() for _, _, found, _ in rows) < sum(map(len, told.values()))
    for split, rows in told.items():
        wanted = np.array([slow(gold, found) for gold, _, found, _ in rows])
        none = np.array([not gold for gold, *_ in rows])
        assert 0 < none.sum() < len(rows)
        assert [values["metrics"][split][name]["value"] for name in NAMES] == pytest.approx(wanted.mean(0).tolist())
        for name, of in (("has_answer", ~none), ("no_answer", none)):
            kind = values[name][split]
            assert [kind[metric] for metric in NAMES] == pytest.approx(wanted[of].mean(0).tolist())
            assert kind["n"] == of.sum()
    golds, places, _, chances = zip(*told["valid"], strict=True)
    reached = values["metrics"]["valid"]["FF1"]["value"] * len(golds)
    assert reached == pytest.approx(best_by_squad(golds, places, np.array(chances)), abs=1e-6)


def test_what_needs_no_reading_and_what_could_be_reached(learned):
    values = learned.values
    share = np.mean([not question["answers"] for question, row in questions_of(learned) if row["split"] == "test"])
    assert values["majority"]["test"] == pytest.approx(dict.fromkeys(NAMES, share))
    assert values["oracle"]["test"] == pytest.approx(dict.fromkeys(NAMES, 1))
    assert 0.05 < values["random_span"]["test"]["FF1"] < 0.3  # none as often as in train, and right as often
    assert values["counts"]["questions_without_an_answer"] == sum(
        not row["answers"] for row in readers()["toy_text_span"]({}, records=160, unanswerable=0.2).to_pylist()
    )


def test_predict_evaluate_and_load_give_no_answer_by_the_threshold_of_the_run(learned, tmp_path):
    test = [(question, row) for question, row in questions_of(learned) if row["split"] == "test"]
    lines = ["id,question,context,start,end"]
    for question, _ in test:
        bounds = [f"{question['answers'][0][end]:g}" if question["answers"] else "" for end in ("start", "end")]
        lines.append(",".join([question["id"], question["sequence"], question["sequence_b"], *bounds]))
    (tmp_path / "test.csv").write_text("\n".join(lines) + "\n")
    again = evaluate(learned.folder, tmp_path / "test.csv")
    assert again.metrics["FF1"].value == pytest.approx(learned.metric("FF1"))
    kinds = {name: learned.values[name]["test"] for name in ("has_answer", "no_answer")}
    assert again.as_dict()["no_answer"] == pytest.approx(kinds["no_answer"])
    assert again.by_answer["has_answer"] == pytest.approx(kinds["has_answer"])
    found = predict(learned.folder, tmp_path / "test.csv").to_pylist()
    assert [(row["start"], row["end"]) for row in found] == [(row["start"], row["end"]) for _, row in test]
    model = xdomain.load(learned.folder)
    pairs = [(question["sequence"], question["sequence_b"]) for question, _ in test]
    assert list(model.predict(pairs)) == [(row["start"], row["end"]) for row in found]


def test_questions_that_all_have_an_answer_leave_no_trace(tiny_bert, tmp_path):
    options = ["reader_options.records=60", "train.max_steps=2"]
    told = xdomain.run("toy/text-span", overrides=options, backbone=str(tiny_bert), out=tmp_path / "run")
    assert not {"majority", "has_answer", "no_answer", "thresholds"} & set(told.values)
    assert "questions_without_an_answer" not in told.values["counts"]
    assert not (told.folder / "thresholds.json").exists()
    table = pq.read_table(told.folder / "predictions.parquet")
    assert table.column_names == ["id", "split", "label", "start", "end", "answer", "score"]


def test_ones_own_questions_some_without_an_answer(tiny_bert, tmp_path, said):
    rows = [f"q{i % 7},{'x ' * (i % 5)}here it is,{2 * (i % 5)},{2 * (i % 5) + 4}" for i in range(60)]
    rows += [f"r{i},so it is {i},," for i in range(20)]
    (tmp_path / "qa.csv").write_text("question,context,answer_start,answer_end\n" + "\n".join(rows) + "\n")
    told = xdomain.run(
        data=tmp_path / "qa.csv", domain="text", backbone=str(tiny_bert), out=tmp_path / "run",
        overrides=["train.max_steps=2", "train.window_overlap=0", "run.mapping=identity"],
    )  # fmt: skip
    assert any(line.startswith("20 of 80 questions have no answer: ") for line in said)
    assert told.values["oracle"]["test"]["exact_match"] == 1
    counted = check(told.folder / "recipe.yaml")["target"]
    assert sum(counted[split]["without an answer"] for split in counted) == 20


def test_a_table_without_any_answer_is_refused(tiny_bert, tmp_path):
    rows = "".join(f"r{i},so it is {i},-1,-1\n" for i in range(20))
    (tmp_path / "qa.csv").write_text("question,context,answer_start,answer_end\n" + rows)
    with pytest.raises(DataError, match="no training question has an answer"):
        xdomain.run(data=tmp_path / "qa.csv", domain="text", backbone=str(tiny_bert), out=tmp_path / "run")
