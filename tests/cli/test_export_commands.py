"""The commands embed, attention and export: every option does what it says, a mistake ends in exit code 2."""

import numpy as np
import pyarrow.parquet as pq
import pytest
from command_line import told

import xdomain
from xdomain.export import onnx


@pytest.fixture(scope="module")
def run(tiny_bert, tmp_path_factory):
    rng = np.random.default_rng(0)
    given = ["".join(rng.choice(list("ACGT"), n)) for n in rng.integers(5, 40, 60)]
    return xdomain.run(data=(given, ["a", "b"] * 30), domain="dna", backbone=str(tiny_bert),
                       overrides=("train.max_steps=1",), out=tmp_path_factory.mktemp("cli") / "run").folder  # fmt: skip


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "new.csv"
    path.write_text("name,read,other\none,ACGTAC,GATTACA\ntwo,TTTTGC,CCCCCCC\n")
    return path


COLUMNS = ["--column", "id=name", "--column", "sequence=read"]


def test_embed_a_file_by_a_run(capsys, run, table, tmp_path):
    out = tmp_path / "x.npy"
    code, _, err = told(capsys, "embed", run, table, "--out", out, "--layer", 1, "--pooling", "max", *COLUMNS)
    assert code == 0, err
    assert "2 records: vectors of width 32, layer 1 of 2, largest over symbols" in err
    assert (tmp_path / "x.ids.txt").read_text() == "one\ntwo\n"
    assert told(capsys, "embed", run, table, "--out", out, *COLUMNS)[0] == 2
    assert told(capsys, "embed", run, tmp_path / "no.csv", "--out", out, "--overwrite", *COLUMNS)[0] == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new.csv", "x.ids.txt", "x.npy"]
    expected = xdomain.load(run).embed(["ACGTAC", "TTTTGC"], layer=1, pooling="max")
    np.testing.assert_array_equal(np.load(out), expected)


def test_embed_a_file_by_a_backbone(capsys, tiny_bert, table, tmp_path):
    options = ["--domain", "dna", "--mapping", "shift", "--mapping-seed", "3", "--set", "adapter.options.tokens=kmer",
               "--set", "adapter.options.k=3"]  # fmt: skip
    command = ["embed", tiny_bert, table, "--out", tmp_path / "x.parquet", "--pooling", "none"]
    code, _, err = told(capsys, *command, *options, *COLUMNS)
    assert code == 0, err
    assert "not fine-tuned; mapping shift with mapping seed 3" in err
    found = pq.read_table(tmp_path / "x.parquet")
    options = {"domain": "dna", "mapping": "shift", "mapping_seed": 3}
    changes = ("adapter.options.tokens=kmer", "adapter.options.k=3")
    expected = xdomain.embed(str(tiny_bert), ["ACGTAC", "TTTTGC"], pooling="none", overrides=changes, **options)
    assert [len(row) for row in found["embedding"].to_pylist()] == [4, 4]  # 3-mers of 6 nt
    for row, one in zip(found["embedding"].to_pylist(), expected.vectors, strict=True):
        np.testing.assert_array_equal(np.array(row, np.float32), one)
    (tmp_path / "given.yaml").write_text("{A: we, C: you, G: he, T: she}")
    code, _, err = told(capsys, "embed", tiny_bert, table, "--out", tmp_path / "x.npy", "--domain", "dna", "--mapping",
                        f"given:{tmp_path / 'given.yaml'}", *COLUMNS)  # fmt: skip
    assert code == 0, err


def test_attention_of_a_file(capsys, run, tiny_bert, table, tmp_path):
    out = tmp_path / "x.npz"
    code, _, err = told(capsys, "attention", run, table, "--out", out, "--layer", "-1", *COLUMNS)
    assert code == 0, err
    with np.load(out) as file:
        assert file["attention/two"].shape == (1, 2, 8, 8)
        assert "".join(file["positions/two"]) == "[CLS]TTTTGC[SEP]"
    code, _, err = told(capsys, "attention", run, table, "--out", out, *COLUMNS)
    assert code == 2
    assert "x.npz exists already" in err
    options = [
        "--domain",
        "dna",
        "--mapping",
        "rare",
        "--mapping-seed",
        "3",
        "--set",
        "train.max_length=20",
        "--overwrite",
    ]
    code, _, err = told(capsys, "attention", tiny_bert, table, "--out", out, *options, *COLUMNS)
    assert code == 0, err
    with np.load(out) as file:
        assert file["attention/one"].shape == (2, 2, 8, 8)


def test_export_the_page_and_the_model(capsys, run, tmp_path, monkeypatch):
    code, page, err = told(capsys, "export", run, "--format", "dome")
    assert code == 0, err
    assert page.startswith("# DOME: ")
    for overwrite in ([], ["--overwrite"]):
        code, out, err = told(capsys, "export", run, "--format", "dome", "--out", tmp_path / "dome.md", *overwrite)
        assert (code, out) == (0, ""), err
        assert (tmp_path / "dome.md").read_text() == page
    code, _, err = told(capsys, "export", run, "--format", "dome", "--out", tmp_path / "dome.md")
    assert code == 2
    assert "is there already" in err
    code, card, err = told(capsys, "export", run, "--format", "card")
    assert code == 0, err
    assert card == xdomain.model_card(run)
    assert told(capsys, "export", run, "--format", "card", "--out", tmp_path / "card.md")[0] == 0
    assert (tmp_path / "card.md").read_text() == card
    code, _, err = told(capsys, "export", run, "--format", "card", "--out", tmp_path / "card.md")
    assert code == 2
    assert "card.md exists already" in err
    asked = []
    monkeypatch.setattr(onnx, "export_onnx", lambda *given, **options: asked.append((*given, options)))
    assert told(capsys, "export", run, "--format", "onnx", "--out", tmp_path / "onnx")[0] == 0
    assert asked == [(run, tmp_path / "onnx", {"overwrite": False})]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["embed", "RUN", "TABLE", "--out", "x.csv"], "ends in .csv"),
        (["embed", "RUN", "TABLE", "--out", "x.npy", "--pooling", "none"], "to fix it: --out x.parquet"),
        (["embed", "RUN", "TABLE", "--out", "x.npy", "--domain", "dna"], "domain for the run"),
        (["embed", "RUN", "TABLE", "TABLE", "--out", "x.npy"], "2 files of records"),
        (["predict", "RUN", "nosuch", "TABLE"], "error: nosuch does not exist\n  expected: a run folder, or"),
        (["predict", "RUN", "TABLE", "."], ". is a folder\n  expected: further runs before the file"),
        (["embed", "RUN", "nothing.csv", "--out", "x.npy"], "nothing.csv does not exist"),
        (["embed", "./nothing", "TABLE", "--out", "x.npy", "--domain", "dna"], "./nothing does not exist"),
        (["embed", "RUN", "TABLE", "--out", "x.npy", "--column", "read"], "ROLE=NAME"),
        (["attention", "RUN", "TABLE", "--out", "x.npy"], "to fix it: --out x.npz"),
        (["export", "RUN", "--format", "onnx"], "to fix it: --out my-model"),
        (["export", "nothing", "--format", "dome"], "nothing holds no finished run"),
    ],
)
def test_a_mistake_is_one_block(capsys, run, table, tmp_path, monkeypatch, arguments, expected):
    monkeypatch.chdir(tmp_path)
    code, _, err = told(capsys, *({"RUN": run, "TABLE": table}.get(one, one) for one in arguments))
    assert code == 2
    assert expected in err
    assert "Traceback" not in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new.csv"]
