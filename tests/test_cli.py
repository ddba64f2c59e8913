"""The command line: every option arrives, every promise is kept, a mistake ends in exit code 2 and one block."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from xdomain.cli import main

FAST = ["--set", "train.max_steps=2", "--set", "split.limit.train=40", "--set", "split.limit.valid=20",
        "--set", "split.limit.test=20"]  # fmt: skip


def xdomain(capsys, *arguments):
    """Exit code, stdout, stderr of a command."""
    try:
        main([str(a) for a in arguments])
        code = 0
    except SystemExit as stop:
        code = stop.code or 0
    told = capsys.readouterr()
    return code, told.out, told.err


@pytest.fixture
def dna_csv(tmp_path):
    rng = np.random.default_rng(0)
    lines = ["id,dna,kind"]
    for i in range(120):
        kind = "AT rich" if i % 2 else "GC rich"
        p = [0.4, 0.1, 0.1, 0.4] if i % 2 else [0.1, 0.4, 0.4, 0.1]
        lines.append(f"s{i},{''.join(rng.choice(list('ACGT'), 30, p=p))},{kind}")
    path = tmp_path / "mine.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_ones_own_csv_needs_no_recipe(capsys, dna_csv, tiny_bert, tmp_path):
    code, out, err = xdomain(capsys, "run", "--data", dna_csv, "--domain", "dna", "--backbone", tiny_bert,
                             "--out", tmp_path / "run", "--set", "train.epochs=2")  # fmt: skip
    assert code == 0, err
    assert "accuracy" in out
    assert "--column label=" in err  # what was guessed, and how to overrule it
    code, out, err = xdomain(capsys, "predict", tmp_path / "run", dna_csv)
    assert code == 0, err
    lines = out.splitlines()
    assert len(lines) == 121
    assert lines[0].startswith('"id","prediction","score"')
    assert lines[1].split(",")[0] == '"s0"'


def test_a_fasta_can_be_predicted(capsys, dna_csv, tiny_bert, tmp_path):
    xdomain(
        capsys, "run", "--data", dna_csv, "--domain", "dna", "--backbone", tiny_bert, "--out", tmp_path / "run", *FAST
    )
    fasta = tmp_path / "new.fa"
    fasta.write_text(">one some words\nACGTNNACGT\n>two\nacguacgu\n")
    code, _, err = xdomain(capsys, "predict", tmp_path / "run", fasta, "--out", tmp_path / "p.parquet")
    assert code == 0, err
    import pyarrow.parquet as pq

    assert pq.read_table(tmp_path / "p.parquet").column("id").to_pylist() == ["one", "two"]


OPTIONS = [
    (["--init", "reembed"], "init", "reembed"),
    (["--tune", "head"], "tune", "head"),
    (["--transfer", "positions,words"], "transfer", ["positions", "words"]),
    (["--mapping", "rare"], "mapping", "rare"),
    (["--mapping-seed", "5"], "mapping_seed", 5),
    (["--seed", "9"], "seed", 9),
    (["--baseline", "kmer"], "baseline", "kmer"),
]


@pytest.mark.parametrize(("option", "field", "value"), OPTIONS)
def test_every_option_of_run_arrives_in_the_recipe(capsys, option, field, value, tiny_bert, tmp_path):
    out = tmp_path / "run"
    code, _, err = xdomain(
        capsys, "run", "toy/dna-classification", "--backbone", tiny_bert, "--out", out, *option, *FAST
    )
    assert code == 0, err
    told = yaml.safe_load((out / "recipe.yaml").read_text())
    assert told["run"][field] == value
    assert told["run"]["backbone"] == str(tiny_bert)
    assert told["train"]["max_steps"] == 2
    assert (out / "result.json").exists()


def test_run_prints_json_when_asked(capsys, tiny_bert, tmp_path):
    code, out, _ = xdomain(capsys, "run", "toy/dna-classification", "--backbone", tiny_bert, "--out", tmp_path / "r",
                           "--json", *FAST)  # fmt: skip
    assert code == 0
    assert json.loads(out) == json.loads((tmp_path / "r" / "result.json").read_text())


def test_compare_prints_arms_with_intervals_and_draws_them(capsys, tiny_bert, tmp_path):
    code, out, err = xdomain(capsys, "compare", "toy/dna-classification", "--backbone", tiny_bert, "--out", tmp_path,
                             "--arms", "pretrained,scratch,kmer", *FAST)  # fmt: skip
    assert code == 0, err
    rows = [line.split("\t") for line in out.splitlines()[:4]]
    assert [row[0] for row in rows] == ["arm", "pretrained", "scratch", "kmer"]
    assert all("[" in row[1] for row in rows[1:])
    assert (tmp_path / "comparison.png").stat().st_size > 5000
    told = json.loads((tmp_path / "comparison.json").read_text())
    assert told["rows"][1]["difference_to_first"]["low"] <= told["rows"][1]["difference_to_first"]["high"]


@pytest.mark.parametrize("what", ["tasks", "adapters", "backbones"])
def test_ls(capsys, what):
    code, out, _ = xdomain(capsys, "ls", what)
    assert code == 0
    assert len(out.splitlines()) > 1
    assert len(json.loads(xdomain(capsys, "ls", what, "--json")[1])) == len(out.splitlines()) - 1


def test_show_prints_a_recipe_that_can_be_run(capsys, tmp_path):
    code, out, _ = xdomain(capsys, "show", "dna/splice", "--set", "train.epochs=3")
    assert code == 0
    path = tmp_path / "mine.yaml"
    path.write_text(out)
    assert yaml.safe_load(out)["train"]["epochs"] == 3
    assert xdomain(capsys, "show", path)[1] == out


def test_check_tells_counts_and_leakage(capsys, dna_csv):
    lines = dna_csv.read_text().splitlines()
    dna_csv.write_text("\n".join([*lines, f"copy,{lines[1].split(',')[1]},GC rich"]) + "\n")
    code, out, err = xdomain(capsys, "check", dna_csv, "--domain", "dna", "--json")
    assert code == 0, err
    told = json.loads(out)
    assert sum(told["records"].values()) == 121
    assert told["lengths"]["longest"] == 30


def test_doctor_names_what_is_there(capsys):
    code, out, _ = xdomain(capsys, "doctor", "--json")
    rows = {row["thing"]: row for row in json.loads(out)}
    assert code == 0
    assert rows["torch"]["state"] == "ok"
    assert "bfloat16" in rows["device"]["told"]


def test_pretrain_text_from_the_command_line(capsys, tmp_path):
    text = "\f".join(" ".join(f"w{a}{b}" for a in "abcdefghij" for b in "klmnopqrst") for _ in range(3))
    (tmp_path / "t.txt").write_text(text)
    command = ["pretrain", "text", tmp_path / "t.txt", "--out", tmp_path / "bert", "--tokens", "2048", "--layers", "1"]
    command += ["--width", "32", "--heads", "2", "--lengths", "8", "--shares", "1", "--batch-tokens", "128"]
    code, out, err = xdomain(capsys, *command, "--vocabulary", "30")
    assert code == 2
    assert "100" in err
    code, out, err = xdomain(capsys, *command, "--vocabulary", "100")
    assert code == 0, err
    assert Path(out.strip()) == tmp_path / "bert"
    assert (tmp_path / "bert" / "model.safetensors").exists()


BAD = [
    (["run", "dna/splise"], "did you mean: dna/splice"),
    (["run", "toy/dna-classification", "--init", "pretraned"], "did you mean: pretrained"),
    (["run", "toy/dna-classification", "--tune", "loar"], "did you mean: lora"),
    (["run", "toy/dna-classification", "--mapping", "ranom"], "random"),
    (["run", "toy/dna-classification", "--set", "train.epohcs=3"], "did you mean: train.epochs"),
    (["run", "toy/dna-classification", "--set", "train.epochs=many"], "train.epochs"),
    (["run", "toy/dna-classification", "--set", "metrics=[acuracy]"], "did you mean: accuracy"),
    (["run", "toy/dna-classification", "--set", "metrics=[mse]"], "mse does not judge classification"),
    (["run", "toy/dna-classification", "--set", "adapter.options.tokns=kmer"], "did you mean: tokens"),
    (["run", "toy/dna-classification", "--backbone", "some-lab/no-such-bert"], "could not be had from the hub"),
    (["run", "toy/dna-classification", "--backbone", "./no/such/folder"], "is not there"),
    (["run"], "name a task or give --data FILE"),
    (["run", "--data", "nowhere.csv", "--domain", "dna"], "nowhere.csv is not there"),
    (["run", "toy/dna-classification", "--domain", "dna"], "go with --data"),
    (["show", "toy/dna-clasification"], "did you mean: toy/dna-classification"),
    (["predict", ".", "x.csv"], "holds no trained model"),
    (["compare", "toy/dna-classification", "--arms", "scratch,scratch"], "each arm once"),
]


@pytest.mark.parametrize(("command", "told"), BAD, ids=[" ".join(c)[-48:] for c, _ in BAD])
def test_a_mistake_ends_in_exit_code_2_and_one_block(capsys, command, told, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = xdomain(capsys, *command)
    assert code == 2
    assert told in err
    assert "Traceback" not in err
    assert out == ""
    assert not list(tmp_path.rglob("result.json"))


def test_a_damaged_checkpoint_is_named(capsys, tiny_bert, tmp_path):
    import shutil

    cut = tmp_path / "cut"
    shutil.copytree(tiny_bert, cut)
    whole = (cut / "model.safetensors").read_bytes()
    (cut / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    code, _, err = xdomain(capsys, "run", "toy/dna-classification", "--backbone", cut, "--out", tmp_path / "r")
    assert code == 2
    assert "model.safetensors" in err
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "notes.txt").write_text("")
    code, _, err = xdomain(capsys, "run", "toy/dna-classification", "--backbone", empty, "--out", tmp_path / "r")
    assert code == 2
    assert "notes.txt" in err
    assert "config.json" in err


def test_a_letter_outside_the_alphabet_is_named_or_counted(capsys, dna_csv, tiny_bert, tmp_path):
    text = dna_csv.read_text().splitlines()
    name, sequence, kind = text[3].split(",")
    text[3] = f"{name},{sequence[:4]}?{sequence[5:]},{kind}"
    dna_csv.write_text("\n".join(text) + "\n")
    command = ["run", "--data", dna_csv, "--domain", "dna", "--backbone", tiny_bert, "--set", "train.max_steps=2"]
    code, _, err = xdomain(capsys, *command, "--out", tmp_path / "a")
    assert code == 2
    assert f"record '{name}': '?' at position 5" in err
    assert "adapter.options.unknown=count" in err
    code, _, err = xdomain(capsys, *command, "--out", tmp_path / "b", "--set", "adapter.options.unknown=count")
    assert code == 0, err
    assert json.loads((tmp_path / "b" / "result.json").read_text())["counts"]["unknown"] == 1


def test_the_command_itself_is_installed():
    done = subprocess.run([str(Path(sys.executable).with_name("xdomain")), "--help"], capture_output=True, text=True)
    assert done.returncode == 0
    for command in ("run", "compare", "ls", "show", "check", "predict", "doctor", "pretrain"):
        assert command in done.stdout
