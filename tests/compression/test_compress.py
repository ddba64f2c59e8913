"""A run made smaller: what stays the same, what is saved, and what a user is told."""

import json
from typing import Any

import numpy as np
import pytest
import torch

import xdomain
from xdomain.analysis.loaded_run import open_runs
from xdomain.core.errors import BackboneError, DataError, OutputError, RecipeError
from xdomain.core.run_dir import MODEL, PREDICTIONS
from xdomain.inference.saved_model import load_saved

FAST = ("train.max_steps=12", "train.evaluations=2", "train.precision=fp32", "train.learning_rate=1e-3")


def loaded(folder) -> Any:
    return load_saved(folder)


def dna(n, seed=0):
    rng = np.random.default_rng(seed)
    return ["".join(rng.choice(list("ACGT"), length)) for length in rng.integers(8, 30, n)]


@pytest.fixture(scope="module")
def run(tiny_bert, tmp_path_factory):
    folder = tmp_path_factory.mktemp("compress")
    given = dna(120)
    rows = [f"s{i},{one},{'much' if one.count('A') * 4 > len(one) else 'little'}" for i, one in enumerate(given)]
    (folder / "mine.csv").write_text("\n".join(["id,sequence,label", *rows]))
    return xdomain.run(data=folder / "mine.csv", domain="dna", backbone=str(tiny_bert), overrides=FAST,
                       out=folder / "run").folder  # fmt: skip


@pytest.mark.usefixtures("drawn")
def test_a_cut_vocabulary_predicts_the_same_from_a_table_of_the_rows_in_use(run, tmp_path):
    result = xdomain.compress(run, how="vocabulary", out=tmp_path / "small")
    told = result.values["compression"]
    assert (tmp_path / "small" / PREDICTIONS).read_bytes() == (run / PREDICTIONS).read_bytes()
    config = json.loads((tmp_path / "small" / MODEL / "config.json").read_text())
    assert config["vocab_size"] == 10  # A C G T N, and [PAD] [UNK] [CLS] [SEP] [MASK]
    assert told["weights"]["before"]["all"] - told["weights"]["after"]["all"] == 32 * (396 - 10)
    assert told["metrics"]["accuracy"]["lost"] == {"value": 0, "low": 0, "high": 0}
    assert told["size"]["after"]["bytes"] == (tmp_path / "small" / MODEL / "model.safetensors").stat().st_size
    assert (tmp_path / "small" / "size.png").stat().st_size > 1000
    given = dna(9, seed=5)
    before, after = (xdomain.load(one).predict_proba(given) for one in (run, tmp_path / "small"))
    np.testing.assert_array_equal(before, after)


def test_a_cut_vocabulary_loads_in_plain_transformers(run, tmp_path):
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    xdomain.compress(run, how="vocabulary", out=tmp_path / "small")
    logits = []
    for folder in (run, tmp_path / "small"):
        model = AutoModelForSequenceClassification.from_pretrained(folder / MODEL).eval()
        tokenizer = AutoTokenizer.from_pretrained(folder / MODEL)
        batch = tokenizer(["ACGTNACG", "GGX"], return_tensors="pt", padding=True)
        assert batch["input_ids"].max() < model.config.vocab_size
        with torch.no_grad():
            logits.append(model(**batch).logits)
    assert torch.equal(*logits)


def told(capsys, *arguments):
    from command_line import told as command

    return command(capsys, "compress", *arguments)


def test_distil_keeps_half_of_the_layers_and_reads_like_any_run(capsys, run, tmp_path):
    out = tmp_path / "small"
    command = [run, "--how", "distil", "--out", out, "--temperature", 3, "--set", "train.max_steps=20"]
    code, printed, err = told(capsys, *command)
    assert code == 0, err
    assert "starting from layers 2 of 2" in err
    assert "ms a record, alone" in printed
    assert "Made smaller by `xdomain compress --how distil`: 0.14 MB to" in (out / MODEL / "README.md").read_text()
    result = xdomain.load_result(out)
    assert result.values["arm"]["label"] == "pretrained, distil"
    assert result.values["steps"] == 20
    assert result.values["compression"]["options"] == {"temperature": 3.0}
    assert loaded(out).model.config.num_hidden_layers == 1
    assert [point["label"] for point in result.values["compression"]["points"]] == ["the run", "distil"]
    metrics = xdomain.evaluate(out).metrics
    assert metrics["accuracy"].value == result.metric()  # from the model on disk
    assert xdomain.load(run, out).predict_proba(["ACGTACGT"]).shape == (1, 2)
    code, printed, err = told(capsys, *command)
    assert code == 2
    assert "holds a finished run" in err
    with pytest.raises(BackboneError, match="was made smaller from"):
        _ = open_runs([out])[0].start


def test_distil_into_another_backbone_of_another_width(capsys, run, tmp_path, make_tiny_bert):
    wide = tmp_path / "wide"
    make_tiny_bert(wide, width=48)
    out = tmp_path / "small"
    code, printed, err = told(capsys, run, "--how", "distil", "--out", out, "--backbone", wide, "--json", "--overwrite")
    assert code == 0, err
    assert set(json.loads(printed)["options"]) == {"backbone"}
    assert xdomain.load_result(out).values["backbone"]["name"] == str(wide)
    saved = loaded(out)
    assert saved.model.config.hidden_size == 48
    assert not [name for name, _ in saved.model.named_parameters() if "projection" in name]


def test_pruned_weights_stay_zero_through_recovery(capsys, run, tmp_path):
    code, printed, err = told(capsys, run, "--how", "prune", "--out", tmp_path / "small", "--share", "0.8", "--json")
    assert code == 0, err
    section = json.loads(printed)
    assert section["size"]["before"]["bytes"] == pytest.approx(section["size"]["after"]["bytes"], rel=0.01)
    assert section["size"]["after"]["deflated"] < section["size"]["before"]["deflated"]
    linear = [m.weight for m in loaded(tmp_path / "small").model.base_model.modules() if hasattr(m, "in_features")]
    zeros = sum(int((one == 0).sum()) for one in linear) / sum(one.numel() for one in linear)
    assert zeros == pytest.approx(0.8, abs=0.001)


def test_units_leave_a_stock_model_of_fewer(capsys, run, tmp_path):
    code, _, err = told(capsys, run, "--how", "units", "--out", tmp_path / "small", "--share", "0.25")
    assert code == 0, err
    assert "48 of 64 feed-forward units are left in each of 2 blocks" in err
    assert loaded(tmp_path / "small").model.config.intermediate_size == 48


def test_one_compression_after_another_is_told_as_a_chain(run, tmp_path):
    xdomain.compress(run, how="vocabulary", out=tmp_path / "one")
    points = xdomain.compress(tmp_path / "one", how="units", out=tmp_path / "two").values["compression"]["points"]
    assert [point["label"] for point in points] == ["the run", "vocabulary", "units"]
    assert points[0]["bytes"] > points[1]["bytes"] > points[2]["bytes"]


MISTAKES = [
    (["--how", "heads"], "transformers 5 removed prune_heads"),
    (["--how", "factorise"], "no stock architecture"),
    (["--how", "distill"], "did you mean: distil"),
    (["--how", "vocabulary", "--share", "0.5"], "share with prune or units alone"),
    (["--how", "vocabulary", "--set", "train.epochs=2"], "nothing is trained"),
    (["--how", "prune", "--layers", "1"], "layers with distil alone"),
    (["--how", "distil", "--layers", "2"], "2 layers of a run that has 2"),
    (["--how", "distil", "--layers", "1", "--backbone", "english-4x256"], "layers and backbone"),
    (["--how", "distil", "--temperature", "0"], "a number above 0"),
    (["--how", "prune", "--share", "1"], "between 0 and 1"),
    (["--how", "units", "--share", "nan"], "between 0 and 1"),
    (["--how", "prune", "--set", "split.test=0.2"], "split cannot be another than that of the run"),
    (["--how", "prune", "--set", "train.epohcs=2"], "did you mean: train.epochs"),
]


@pytest.mark.parametrize(("options", "said"), MISTAKES, ids=[" ".join(o) for o, _ in MISTAKES])
def test_a_mistake_ends_in_one_message_and_writes_nothing(capsys, run, tmp_path, options, said):
    code, printed, err = told(capsys, run, "--out", tmp_path / "small", *options)
    assert code == 2
    assert said in err
    assert "Traceback" not in err
    assert printed == ""
    assert not (tmp_path / "small").exists()


def test_what_cannot_be_made_smaller_is_refused_with_the_reason(run, tmp_path):
    with pytest.raises(OutputError, match="is the run itself"):
        xdomain.compress(run, how="vocabulary", out=run, overwrite=True)
    with pytest.raises(BackboneError, match="holds no trained model"):
        xdomain.compress(tmp_path, how="vocabulary", out=tmp_path / "small")
    kmer = xdomain.run(data=run.parent / "mine.csv", domain="dna", baseline="kmer", out=tmp_path / "kmer").folder
    with pytest.raises(RecipeError, match="kmer baseline"):
        xdomain.compress(kmer, how="distil", out=tmp_path / "small")
    assert not (tmp_path / "small").exists()


def test_data_that_has_changed_since_the_run_is_refused(tiny_bert, tmp_path):
    rows = [f"s{i},{one},{'ab'[i % 2]}" for i, one in enumerate(dna(60))]
    table = tmp_path / "mine.csv"
    table.write_text("\n".join(["id,sequence,label", *rows]))
    run = xdomain.run(data=table, domain="dna", backbone=str(tiny_bert), overrides=("train.max_steps=1",),
                      out=tmp_path / "run").folder  # fmt: skip
    table.write_text("\n".join(["id,sequence,label", *rows[5:]]))
    with pytest.raises(DataError, match="no longer those of"):
        xdomain.compress(run, how="vocabulary", out=tmp_path / "small")


def test_quantised_weights_are_an_export_of_a_quarter_of_the_bytes(capsys, run, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    out = tmp_path / "int8"
    out.mkdir()
    (out / "model.onnx").touch()
    code, _, err = told(capsys, run, "--how", "quantise", "--out", out)
    assert (code, "holds an export" in err) == (2, True)
    code, printed, err = told(capsys, run, "--how", "quantise", "--out", out, "--json", "--overwrite")
    assert code == 0, err
    section = json.loads(printed)
    assert section["size"]["after"]["bytes"] == (out / "model.onnx").stat().st_size
    assert section["size"]["after"]["bytes"] < 0.6 * section["size"]["before"]["bytes"]  # this one is mostly graph
    assert set(section["milliseconds"]) == {"before", "after", "float32_in_onnxruntime"}
    names = ["README.md", "compression.json", "config.json", "model.onnx", "predictions.parquet", "size.png",
             "size.svg"]  # fmt: skip
    assert sorted(path.name for path in out.iterdir()) == [*names, "tokenizer.json"]
    assert "8-bit integers" in (out / "README.md").read_text()
    session = onnxruntime.InferenceSession(str(out / "model.onnx"))
    from transformers import AutoTokenizer

    given = AutoTokenizer.from_pretrained(run / MODEL)(["ACGTACGTAC"], return_tensors="np")
    logits = session.run(None, {one.name: given[one.name] for one in session.get_inputs()})[0]
    chances = xdomain.load(run).predict_proba(["ACGTACGTAC"])
    np.testing.assert_allclose(np.exp(logits) / np.exp(logits).sum(), chances, atol=0.05)


def test_a_full_disk_is_told_and_the_run_stays(capsys, run, tmp_path, monkeypatch):
    import errno

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    out, before = tmp_path / "small", {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    with monkeypatch.context() as patch:
        patch.setattr("xdomain.compression.recovery.save_model", full)
        code, _, err = told(capsys, run, "--how", "vocabulary", "--out", out)
    assert code == 2
    assert "small cannot be written (No space left on device)" in err
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*") if path in before} == before
    code, _, err = told(capsys, run, "--how", "vocabulary", "--out", out)
    assert (code, "holds an interrupted run" in err) == (2, True)
    assert told(capsys, run, "--how", "vocabulary", "--out", out, "--overwrite")[0] == 0
