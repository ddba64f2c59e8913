"""Records scored by a masked language model: the sums by hand, the judgement, and what is refused."""

import numpy as np
import pytest
import torch
from command_line import told
from pyarrow.csv import read_csv

import xdomain
from xdomain.core.errors import DataError, RecipeError
from xdomain.core.recipe_sections import Columns
from xdomain.inference.anomaly import judge

SEQUENCES = ["ACGTAC", "GG", "TTTTTTTTTTTT"]
OPTIONS = {"domain": "dna", "mapping_seed": 3}


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("anomaly") / "records.csv"
    rows = [f"r{i},{one},{'odd' if i == 1 else 'usual'}" for i, one in enumerate(SEQUENCES)]
    path.write_text("id,sequence,kind\n" + "\n".join(rows) + "\n")
    return path


def by_hand(folder, text, passes):
    """The mean of -log p of each symbol, by plain transformers."""
    from transformers import AutoModelForMaskedLM

    from xdomain.inference.embedding.open_encoder import read_backbone

    read = read_backbone(folder, "dna", mapping_seed=3)
    rows = dict(zip(read.mapping.symbols, read.mapping.ids.tolist(), strict=True))
    model = AutoModelForMaskedLM.from_pretrained(folder).eval()
    ids = torch.tensor([[2, *(rows[letter] for letter in text), 3]])
    total = 0.0
    for first in range(min(passes, len(text))):
        masked = ids.clone()
        places = torch.arange(first, len(text), min(passes, len(text))) + 1
        masked[0, places] = 4
        with torch.no_grad():
            logs = model(masked).logits[0].log_softmax(-1)
        total -= logs[places, ids[0, places]].sum().item()
    return total / len(text)


@pytest.mark.parametrize("passes", [1, 4, None])
def test_scores_are_those_of_plain_transformers(tiny_bert, file, passes):
    table = xdomain.anomaly_scores(tiny_bert, file, passes=passes, **OPTIONS).table
    assert table.column_names == ["id", "symbols", "score"]
    assert table["symbols"].to_pylist() == [6, 2, 12]
    wanted = [by_hand(tiny_bert, one, passes or len(one)) for one in SEQUENCES]
    np.testing.assert_allclose(table["score"].to_numpy(), wanted, rtol=1e-5)


def test_a_sequence_longer_than_the_model_reads_is_cut(tiny_bert, tmp_path):
    rng = np.random.default_rng(0)
    long = "".join(rng.choice(list("ACGT"), 100))  # the model reads 62
    (tmp_path / "long.csv").write_text(f"id,sequence\na,{long}\nb,{long[:62]}\nc,{long[62:]}\n")
    scores = xdomain.anomaly_scores(tiny_bert, tmp_path / "long.csv", **OPTIONS).table["score"].to_numpy()
    assert scores[0] == pytest.approx((62 * scores[1] + 38 * scores[2]) / 100, rel=1e-5)


def test_with_labels_the_scores_are_judged(tiny_bert, file, caplog):
    caplog.set_level("INFO", "xdomain")
    found = xdomain.anomaly_scores(tiny_bert, file, columns=Columns(label="kind"), **OPTIONS)
    assert found.anomalous == "odd"
    assert found.table["label"].to_pylist() == ["usual", "odd", "usual"]
    scores = found.table["score"].to_numpy()
    assert found.metrics["roc_auc"].value == np.mean(scores[1] > scores[[0, 2]])
    assert "odd (1 of 3 records) against usual: roc_auc" in caplog.text


def test_the_judgement_is_that_of_scikit_learn():
    from sklearn.metrics import average_precision_score, roc_auc_score

    rng = np.random.default_rng(1)
    truth, scores = rng.random(200) < 0.2, rng.normal(size=200)
    scores[truth] += 1
    found = judge(truth, scores)
    assert found["roc_auc"].value == pytest.approx(roc_auc_score(truth, scores))
    assert found["average_precision"].value == pytest.approx(average_precision_score(truth, scores))
    assert found["roc_auc"].low < found["roc_auc"].value < found["roc_auc"].high


def test_the_command_writes_a_table(tiny_bert, file, tmp_path, capsys):
    arguments = ["anomaly", str(tiny_bert), str(file), "--domain", "dna", "--mapping-seed", "3", "--passes", "0",
                 "--column", "label=kind", "--anomalous", "usual", "--out", str(tmp_path / "scores.csv")]  # fmt: skip
    code, _, err = told(capsys, *arguments)
    assert code == 0
    table = read_csv(tmp_path / "scores.csv")
    assert table.column_names == ["id", "label", "symbols", "score"]
    assert table["id"].to_pylist() == ["r0", "r1", "r2"]
    assert "usual (2 of 3 records) against odd" in err


def test_what_cannot_be_judged_is_refused(tiny_bert, file, tmp_path):
    with pytest.raises(RecipeError, match="without labels"):
        xdomain.anomaly_scores(tiny_bert, file, anomalous="odd", **OPTIONS)
    with pytest.raises(RecipeError, match="did you mean: odd"):
        xdomain.anomaly_scores(tiny_bert, file, columns=Columns(label="kind"), anomalous="od", **OPTIONS)
    (tmp_path / "even.csv").write_text("sequence,kind\nACGT,a\nACGG,b\n")
    with pytest.raises(DataError, match="which are anomalous"):
        xdomain.anomaly_scores(tiny_bert, tmp_path / "even.csv", columns=Columns(label="kind"), **OPTIONS)
    (tmp_path / "three.csv").write_text("sequence,kind\nACGT,a\nACGG,b\nAGGG,c\n")
    with pytest.raises(DataError, match="3 labels: a, b, c"):
        xdomain.anomaly_scores(tiny_bert, tmp_path / "three.csv", columns=Columns(label="kind"), **OPTIONS)
