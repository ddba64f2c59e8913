"""The best span, as a slow twin finds it; its metrics, by hand; a task from start to finish."""

import json
import math

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import xdomain
from xdomain.core.errors import RecipeError
from xdomain.inference.prediction_file import predict
from xdomain.metrics.metrics import compute_metrics
from xdomain.metrics.spans import best_spans

NAMES = ["FF1", "AOS", "exact_match"]
time = st.integers(0, 400).map(lambda n: n / 20)
span = st.tuples(time, st.integers(1, 200).map(lambda n: n / 20)).map(lambda s: (s[0], s[0] + s[1]))


def value(references, found):
    scores = compute_metrics(NAMES, np.array(references, float), np.array(found, float), "span")
    return [scores[name]["value"] for name in NAMES]


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.integers(1, 12))
def test_the_best_span_is_that_of_a_slow_twin(seed, longest):
    torch.manual_seed(seed)
    logits = torch.randn(3, 14, 2)
    owned = torch.zeros(3, 14, dtype=torch.bool)
    owned[0, 4:14] = owned[1, 2:7] = owned[2, 6:7] = True
    totals, spans = best_spans(logits, owned, longest)
    for row in range(3):
        places = owned[row].nonzero()[:, 0].tolist()
        chances = torch.log_softmax(logits[row, [0, *places]], dim=0)[1:].tolist()
        best = max(
            (chances[i][0] + chances[j][1], -i, -j)
            for i in range(len(places))
            for j in range(i, min(len(places), i + longest))
        )
        assert math.isclose(best[0], totals[row].item(), rel_tol=1e-5)
        assert spans[row].tolist() == [-best[1], 1 - best[2]]


def test_metrics_by_hand():
    # gold 1–2 s, predicted 1.5–2.5 s: precision and recall 1/2, FF1 1/2; 0.5 s of 1.5 s overlap
    assert value([[(1, 2)]], [(1.5, 2.5)]) == pytest.approx([0.5, 1 / 3, 0])
    assert value([[(1, 2)]], [(1, 2)]) == [1, 1, 1]
    assert value([[(1, 2)]], [(2, 3)]) == [0, 0, 0]
    # a second inside three: precision 1, recall 1/3
    assert value([[(1, 4)]], [(2, 3)]) == pytest.approx([0.5, 1 / 3, 0])
    # the last reference counts as the first does; questions are averaged
    assert value([[(8, 9), (1, 2)], [(1, 2), (np.nan, np.nan)]], [(1, 2), (5, 6)]) == [0.5, 0.5, 0.5]


@given(st.lists(span, min_size=1, max_size=4), span)
def test_ff1_follows_from_aos(references, found):
    ff1, aos, _ = value([references], [found])
    assert ff1 == pytest.approx(2 * aos / (1 + aos))

    def slow(reference):
        both = max(0, min(found[1], reference[1]) - max(found[0], reference[0]))
        precision, recall = both / (found[1] - found[0]), both / (reference[1] - reference[0])
        return 2 * precision * recall / (precision + recall) if both else 0

    assert ff1 == pytest.approx(max(map(slow, references)))


@pytest.fixture(scope="module")
def answered(tiny_bert, tmp_path_factory):
    return xdomain.run(
        "toy/speech-span",
        overrides=["reader_options.records=120", "train.max_steps=4", "train.window_overlap=4", "train.max_length=24"],
        backbone=str(tiny_bert),
        out=tmp_path_factory.mktemp("span") / "run",
    )


def test_a_run_tells_the_oracle_and_a_random_span_beside_every_score(answered):
    told = answered.values
    assert set(told["metrics"]["test"]) == set(NAMES)
    assert told["oracle"]["test"] == pytest.approx(dict.fromkeys(NAMES, 1))  # words end where their units end
    assert 0 < told["random_span"]["test"]["FF1"] < 0.4
    assert told["counts"]["windows"] > 120  # passages of 24 units do not fit beside their questions
    assert {"answers_in_no_window", "windows_with_part_of_an_answer"} <= set(told["counts"])
    table = pq.read_table(answered.folder / "predictions.parquet")
    assert table.column_names == ["id", "split", "label", "start", "end", "answer", "score"]
    test = [row for row in table.to_pylist() if row["split"] == "test"]
    again = value([[(row["label"][0]["start"], row["label"][0]["end"])] for row in test],
                  [(row["start"], row["end"]) for row in test])  # fmt: skip
    assert again[0] == pytest.approx(answered.metric("FF1"))
    assert all(0 < row["score"] <= 1 and row["start"] < row["end"] for row in test)


def test_the_saved_model_is_stock_and_answers_alike(answered, tmp_path):
    from transformers import AutoModelForQuestionAnswering, AutoTokenizer

    folder = answered.folder / "model"
    model, tokenizer = (c.from_pretrained(folder) for c in (AutoModelForQuestionAnswering, AutoTokenizer))
    (tmp_path / "new.csv").write_text("id,question,passage\nnew,3 4,31:2 3 4:5 17 80 9\n")
    (row,) = predict(answered.folder, tmp_path / "new.csv").to_pylist()
    batch = tokenizer("3 4", "31 3 4 17 80 9", return_tensors="pt")
    with torch.no_grad():
        logits = model(**batch)
    kept = [0, *range(4, 10)]
    start, end = (torch.log_softmax(x[0, kept], 0)[1:] for x in (logits.start_logits, logits.end_logits))
    best = max((float(start[i] + end[j]), i, j) for i in range(6) for j in range(i, 6))
    ends = np.cumsum([2, 1, 5, 1, 1, 1]) / 50
    assert row["end"] == ends[best[2]]
    assert row["start"] == (ends[best[1] - 1] if best[1] else 0)
    assert row["answer"] == " ".join(["31", "3", "4", "17", "80", "9"][best[1] : best[2] + 1])
    assert row["score"] == pytest.approx(math.exp(best[0]), rel=1e-4)


def test_ones_own_questions_need_no_recipe(tiny_bert, tmp_path, said):
    from xdomain.data.own_data import own_recipe

    lines = [f"q{i % 7},{'x ' * (i % 5)}here it is,{2 * (i % 5)},{2 * (i % 5) + 4}" for i in range(60)]
    (tmp_path / "qa.csv").write_text("question,context,answer_start,answer_end\n" + "\n".join(lines) + "\n")
    recipe = own_recipe(tmp_path / "qa.csv", "text")
    assert recipe.problem == "span"
    assert recipe.metrics == NAMES
    assert any("problem: span" in line for line in said)
    changes = ["train.max_steps=2", "train.window_overlap=0", "run.mapping=identity"]
    told = xdomain.run(recipe, overrides=changes, backbone=str(tiny_bert), out=tmp_path / "run")
    assert told.values["oracle"]["test"]["exact_match"] == 1
    assert json.loads((tmp_path / "run" / "result.json").read_text())["classes"] == []


def test_no_baseline_answers_questions(tiny_bert):
    with pytest.raises(RecipeError, match="finds no spans"):
        xdomain.run("toy/dna-span", baseline="kmer")


@pytest.fixture
def tiny_longformer(tiny_bert, tmp_path):
    """Framed as RoBERTa does, <s> a </s></s> b </s>, with room for a whole passage."""
    from tokenizers import processors
    from transformers import AutoTokenizer, LongformerConfig, LongformerForMaskedLM

    tokenizer = AutoTokenizer.from_pretrained(tiny_bert)
    start, end = (("[CLS]", tokenizer.cls_token_id), ("[SEP]", tokenizer.sep_token_id))
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] [SEP] $B [SEP]", special_tokens=[start, end]
    )
    tokenizer.model_input_names = ["input_ids", "attention_mask"]
    torch.manual_seed(0)
    config = LongformerConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48,
        attention_window=8, max_position_embeddings=202, pad_token_id=0, sep_token_id=end[1],
    )  # fmt: skip
    LongformerForMaskedLM(config).save_pretrained(tmp_path / "longformer")
    tokenizer.save_pretrained(tmp_path / "longformer")
    return tmp_path / "longformer"


def test_a_long_context_takes_the_whole_passage(tiny_longformer, tmp_path):
    changes = ["reader_options.records=40", "train.max_steps=2", "train.batch_size=4"]
    told = xdomain.run("toy/dna-span", overrides=changes, backbone=str(tiny_longformer), out=tmp_path / "run")
    assert told.values["counts"]["windows"] == 40
    assert told.values["backbone"]["type"] == "longformer"
    rows = pq.read_table(told.folder / "predictions.parquet").to_pylist()
    assert all(row["end"] - row["start"] <= 10 for row in rows)
