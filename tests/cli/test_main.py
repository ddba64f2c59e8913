"""The command line: every option arrives, every promise is kept, a mistake ends in exit code 2 and one block."""

import contextlib
import io
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import typer
import yaml
from command_line import told as xdomain
from extras import needs_genome

from xdomain.cli.main import app, main
from xdomain.cli.new import new_app
from xdomain.cli.pretrain import pretrain_app
from xdomain.pretraining.api import SHORT, Pretraining

FAST = ["--set", "train.max_steps=2", "--set", "split.limit={train: 40, valid: 20, test: 20}"]


def write_dna(path):
    rng = np.random.default_rng(0)
    lines = ["id,dna,kind"]
    for i in range(120):
        kind = "AT rich" if i % 2 else "GC rich"
        p = [0.4, 0.1, 0.1, 0.4] if i % 2 else [0.1, 0.4, 0.4, 0.1]
        lines.append(f"s{i},{''.join(rng.choice(list('ACGT'), 30, p=p))},{kind}")
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def dna_csv(tmp_path):
    return write_dna(tmp_path / "mine.csv")


@pytest.fixture(scope="module")
def trained(tiny_bert, tmp_path_factory):
    """The run folder of a command on one's own CSV, and what it said."""
    folder = tmp_path_factory.mktemp("trained")
    out, err = io.StringIO(), io.StringIO()
    command = ["run", "--data", str(write_dna(folder / "mine.csv")), "--domain", "dna", "--backbone", str(tiny_bert),
               "--out", str(folder / "run"), *FAST]  # fmt: skip
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), contextlib.suppress(SystemExit):
        main(command)
    return folder / "run", out.getvalue(), err.getvalue()


def test_commands_to_go_on_with_can_be_pasted(capsys, dna_csv, tmp_path):
    folder = tmp_path / "my first run"
    code, out, err = xdomain(capsys, "run", "--data", dna_csv, "--domain", "dna", "--baseline", "kmer", "--out", folder)
    assert code == 0, err
    line = next(line for line in out.splitlines() if line.strip().startswith("xdomain predict"))
    assert shlex.split(line.partition("#")[0]) == ["xdomain", "predict", str(folder), "FILE"]


def test_ones_own_csv_needs_no_recipe(capsys, dna_csv, trained):
    folder, out, err = trained
    assert "accuracy" in out, err
    assert "--column label=" in err  # what was guessed, and how to overrule it
    code, out, err = xdomain(capsys, "predict", folder, dna_csv)
    assert code == 0, err
    lines = out.splitlines()
    assert len(lines) == 121
    assert lines[0].startswith('"id","prediction","score"')
    assert lines[1].split(",")[0] == '"s0"'


def test_a_fasta_can_be_predicted(capsys, trained, tmp_path):
    folder, *_ = trained
    fasta = tmp_path / "new.fa"
    fasta.write_text(">one some words\nACGTNNACGT\n>two\nacguacgu\n")
    code, _, err = xdomain(capsys, "predict", folder, fasta, "--out", tmp_path / "p.parquet")
    assert code == 0, err
    import pyarrow.parquet as pq

    assert pq.read_table(tmp_path / "p.parquet").column("id").to_pylist() == ["one", "two"]
    more = ("--reverse-complement", "--unlike", "--overwrite", "--out", tmp_path / "p.parquet")
    code, _, err = xdomain(capsys, "predict", folder, fasta, *more)
    assert code == 0, err
    assert "unlike" in pq.read_table(tmp_path / "p.parquet").column_names


OPTIONS = [
    (
        ["--init", "reembed", "--tune", "head", "--transfer", "positions,words", "--mapping", "rare",
         "--mapping-seed", "5", "--seed", "9"],
        {"init": "reembed", "tune": "head", "transfer": ["positions", "words"], "mapping": "rare", "mapping_seed": 5,
         "seed": 9},
    ),
    (["--baseline", "kmer"], {"baseline": "kmer"}),
    (["--mapping", "given:lecture.yaml"], {"mapping_table": {"A": "we", "T": "you", "C": "he", "G": "she"}}),
]  # fmt: skip


@pytest.mark.parametrize(("options", "wanted"), OPTIONS)
def test_every_option_of_run_arrives_in_the_recipe(capsys, options, wanted, tiny_bert, tmp_path, monkeypatch):
    out = tmp_path / "run"
    monkeypatch.chdir(tmp_path)
    Path("lecture.yaml").write_text("{A: we, T: you, C: he, G: she}")
    code, _, err = xdomain(
        capsys, "run", "toy/dna-classification", "--backbone", tiny_bert, "--out", out, *options, *FAST
    )
    assert code == 0, err
    told = yaml.safe_load((out / "recipe.yaml").read_text())
    assert {field: told["run"][field] for field in wanted} == wanted
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
                             "--arms", "pretrained,scratch,kmer", "--seeds", 2, *FAST)  # fmt: skip
    assert code == 0, err
    rows = [line.split("\t") for line in out.splitlines()[:4]]
    assert [row[0] for row in rows] == ["arm", "pretrained", "scratch", "kmer"]
    assert all("[" in row[1] for row in rows[1:])
    assert (tmp_path / "comparison.png").is_file()
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
    assert told["duplicates"] == {"sequences": 1, "records": 2}
    assert {"leakage", "pair_members", "contradictions", "shortcuts"} <= set(told)


def test_check_prints_findings_and_says_what_is_wrong(capsys, tmp_path):
    rng = np.random.default_rng(0)
    rows = [("".join(rng.choice(list("ACGT"), 20)), "ab"[i % 2]) for i in range(40)]
    rows += [(rows[0][0], "b"), (rows[3][0], "a")]
    (tmp_path / "x.csv").write_text("\n".join(["sequence,label", *map(",".join, rows)]))
    code, out, err = xdomain(capsys, "check", tmp_path / "x.csv", "--domain", "protein")
    assert code == 0, err
    lines = out.splitlines()
    start = lines.index("contradictions (the same sequence with different targets):")
    assert lines[start + 1 :][:6] == [
        "  sequences: 2", "  records: 4", lines[start + 3], "  reachable:",
        "    accuracy: 0.9524", "  examples: 1 and 41, 4 and 42",
    ]  # fmt: skip
    assert "duplicates (the same sequence several times with the same target): none" in lines
    assert "2 sequences have more than one label (4 records; first: 1 ≠ 41, 4 ≠ 42)" in err
    assert "42 of 42 sequences have no letters but A, C, G, T, U and N: these look like nucleotides" in err


def test_data_comes_in_parts(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("XDOMAIN_DATA", str(tmp_path / "home"))
    rows = "".join(f"{'ACGT'[i % 4]}ACGTT{'ACGT'[i // 4]},{i % 2}\n" for i in range(16))
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.csv").write_text("sequence,label\n" + rows + ("AACCG,\n" if name == "a" else ""))
    parts = [
        f"{option}={tmp_path / name}.csv" for option, name in (("--train", "a"), ("--valid", "b"), ("--test", "c"))
    ]
    code, _, err = xdomain(capsys, "check", *parts, "--domain", "dna")
    assert (code, "--drop-incomplete" in err) == (2, True)
    code, out, err = xdomain(capsys, "check", *parts, "--domain", "dna", "--drop-incomplete", "--json")
    assert code == 0
    assert json.loads(out)["records"] == {"train": 16, "valid": 16, "test": 16}
    assert "1 of 17 rows left out" in err
    twice = ["--data", str(tmp_path / "a.csv")] * 2
    assert "--data 2 times" in xdomain(capsys, "check", *twice, "--domain", "dna")[2]
    both = ["--data", str(tmp_path / "a.csv"), *parts]
    assert "--data and --train" in xdomain(capsys, "check", *both, "--domain", "dna")[2]


@needs_genome
def test_labels_and_genomes_lie_apart(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("XDOMAIN_DATA", str(tmp_path / "home"))
    names = [f"s{i}" for i in range(20)]
    fasta, labels = tmp_path / "s.fasta", tmp_path / "labels.csv"
    fasta.write_text("".join(f">{name}\nACGT{'ACGT'[i % 4]}{'ACGT'[i // 5]}\n" for i, name in enumerate(names)))
    labels.write_text("id,kind\n" + "".join(f"{name},{i % 2}\n" for i, name in enumerate(names)))
    code, out, _ = xdomain(capsys, "check", str(fasta), "--domain", "dna", "--labels", str(labels), "--json")
    assert (code, json.loads(out)["records"]["train"]) == (0, 16)
    bed = tmp_path / "a.bed"
    bed.write_text("".join(f"{name}\t0\t{4 + i % 3}\tk{i % 2}\n" for i, name in enumerate(names)))
    given = ["--domain", "dna", "--genome", str(fasta), "--column", "label=name", "--json"]
    code, out, _ = xdomain(capsys, "check", str(bed), *given)
    assert json.loads(out)["lengths"] == {"unit": "nt", "shortest": 4, "median": 5, "longest": 6}


def test_doctor_names_what_is_there(capsys):
    code, out, _ = xdomain(capsys, "doctor", "--json")
    rows = {row["thing"]: row for row in json.loads(out)}
    assert code == 0
    assert rows["torch"]["state"] == "ok"
    assert "bfloat16" in rows["device"]["detail"]


@pytest.mark.usefixtures("validated_briefly")
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

    again = ["pretrain", "text", tmp_path / "t.txt", "--out", tmp_path / "again", "--tokenizer", tmp_path / "bert"]
    again += ["--tokens", "2048", "--layers", "1", "--width", "32", "--heads", "2", "--lengths", "8", "--shares", "1"]
    rest = ["--learning-rate", "1e-4", "--mask-rate", "0.15", "--seed", "3", "--objective", "mlm+sop",
            "--warmup", "0.1", "--decay", "cosine", "--weight-decay", "0.1", "--precision", "fp32", "--save-every", "7",
            "--grow", "fresh", "--positions", "learned", "--licence", "cc0-1.0"]  # fmt: skip
    code, out, err = xdomain(capsys, *again, *rest)
    assert code == 0, err
    told = json.loads((tmp_path / "again" / "pretraining.json").read_text())
    arrived = {option: told[option.removeprefix("--").replace("-", "_")] for option in rest[::2]}
    assert [type(value)(text) for value, text in zip(arrived.values(), rest[1::2], strict=True)] == [*arrived.values()]
    pieces = [Path(tmp_path / folder / "tokenizer.json").read_text() for folder in ("bert", "again")]
    assert pieces[0] == pieces[1]


@pytest.mark.usefixtures("validated_briefly")
def test_pretrain_sequences_from_the_command_line(capsys, tmp_path):
    records = [f"{'ACGT' * 4}{i:08b}".replace("0", "A").replace("1", "C") for i in range(200)]
    (tmp_path / "d.csv").write_text("n,dna\n" + "".join(f"r{i},{record}\n" for i, record in enumerate(records)))
    command = ["pretrain", "sequences", tmp_path / "d.csv", "--domain", "dna", "--tokens", "4096", "--layers", "1",
               "--width", "16", "--heads", "2", "--batch-tokens", "512", "--column", "sequence=dna"]  # fmt: skip
    code, out, err = xdomain(capsys, *command, "--out", tmp_path / "bert")
    assert code == 0, err
    assert Path(out.strip()) == tmp_path / "bert"
    told = json.loads((tmp_path / "bert" / "pretraining.json").read_text())
    assert told["lengths"] == [16, 32]
    assert "--column sequence=dna" in told["command"]
    code, out, err = xdomain(capsys, *command, "--out", tmp_path / "long", "--lengths", "16,64", "--shares", "1,1",
                             "--set", "adapter.options.tokens=kmer", "--set", "adapter.options.k=2")  # fmt: skip
    assert code == 0, err
    told = json.loads((tmp_path / "long" / "pretraining.json").read_text())
    assert (told["lengths"], told["vocabulary"]) == ([16, 64], 5 + 17)
    again = [*command[:4], "dna", "--tokens", "4096", "--from", tmp_path / "bert", "--mapping", "identity",
                 "--batch-tokens", "512", "--out"]  # fmt: skip
    code, out, err = xdomain(capsys, *again, tmp_path / "more", "--layers", "4")
    assert code == 2
    assert "--layers 4, but the checkpoint to go on from has layers 1" in err
    code, out, err = xdomain(capsys, *again, tmp_path / "more", "--layers", "1", "--mapping-seed", "2")
    assert code == 0, err
    told = json.loads((tmp_path / "more" / "pretraining.json").read_text())
    assert told["mapping"]["seed"] == 2
    assert f"--from {shlex.quote(str(tmp_path / 'bert'))} " in told["command"] + " "


@pytest.mark.parametrize("name", ["text", "sequences", "synthetic"])
def test_pretrain_has_the_defaults_that_it_has_in_python(name):
    usual = vars(SHORT if name == "synthetic" else Pretraining())
    command = typer.main.get_group(pretrain_app).commands[name]
    typed = {p.name: p.default for p in command.params if p.name in usual}
    assert len(typed) == (22 if name == "text" else 20)
    for option, default in typed.items():
        value = usual[option]
        assert default == (",".join(map(str, value)) if isinstance(value, tuple) else value), option


@pytest.mark.usefixtures("validated_briefly")
def test_pretrain_synthetic_from_the_command_line(capsys, tmp_path):
    (tmp_path / "c.txt").write_text("\n".join(str(count) for count in range(1, 51)))
    code, out, err = xdomain(capsys, "pretrain", "synthetic", "flat:8", "--out", tmp_path / "bert", "--symbols", "50",
                             "--law", "table", "--counts", tmp_path / "c.txt", "--distinct", "--seed", "4", "--tokens",
                             "4096", "--layers", "1", "--width", "16", "--heads", "2", "--lengths", "8,16", "--shares",
                             "1,2", "--batch-tokens", "128", "--positions", "rotary")  # fmt: skip
    assert code == 0, err
    assert Path(out.strip()) == tmp_path / "bert"
    told = json.loads((tmp_path / "bert" / "pretraining.json").read_text())
    assert (told["lengths"], told["seed"], told["positions"]) == ([8, 16], 4, "rotary")
    made = told["data"]["train"]
    assert (made["kind"], made["symbols"], made["law"], made["distinct"]) == ("flat:8", 50, "table", True)


def test_what_is_told_of_ones_own_file_is_obeyed(capsys, dna_csv, tiny_bert, tmp_path):
    text = dna_csv.read_text().replace("AT rich", "1").replace("GC rich", "2").replace("id,dna,kind", "name,dna,kind")
    dna_csv.write_text(text)
    told = ["--domain", "dna", "--problem", "regression", "--column", "label=kind", "--column", "id=name"]
    code, _, err = xdomain(
        capsys, "run", "--data", dna_csv, *told, "--backbone", tiny_bert, "--out", tmp_path / "r", *FAST
    )
    assert code == 0, err
    recipe = yaml.safe_load((tmp_path / "r" / "recipe.yaml").read_text())
    assert recipe["problem"] == "regression"
    assert (recipe["columns"]["label"], recipe["columns"]["id"]) == ("kind", "name")
    code, out, err = xdomain(capsys, "check", dna_csv, *told, "--set", "split.limit.train=10", "--json")
    assert code == 0, err
    assert json.loads(out)["problem"] == "regression"
    assert json.loads(out)["records"]["train"] == 10


def test_a_file_to_predict_may_lack_columns_and_call_them_otherwise(capsys, trained, tmp_path):
    folder, *_ = trained
    (tmp_path / "new.csv").write_text("strand,reading,note\nACGTTGCA,GGGGAAAA,x\nGGGTTTAA,CCCCAAAA,y\n")
    named = ["--column", "sequence=reading", "--column", "id=note"]
    code, out, err = xdomain(capsys, "predict", folder, tmp_path / "new.csv", *named, "--json")
    assert code == 0, err
    assert [row["id"] for row in json.loads(out)] == ["x", "y"]
    (tmp_path / "plain.csv").write_text("sequence\nGGGGAAAA\nCCCCAAAA\n")
    code, again, err = xdomain(capsys, "predict", folder, tmp_path / "plain.csv", "--json", "--out", tmp_path / "p.csv")
    assert code == 0, err
    assert [row["score"] for row in json.loads(again)] == [row["score"] for row in json.loads(out)]
    assert (tmp_path / "p.csv").read_text().startswith('"id","prediction","score"')


def test_sequences_are_predicted_as_they_are_typed(capsys, trained, tmp_path):
    folder, *_ = trained
    typed = ["GGGGAAAAGG", "cccc aaaa"]
    code, out, err = xdomain(
        capsys, "predict", folder, *(part for one in typed for part in ("--sequence", one)), "--json"
    )
    assert code == 0, err
    (tmp_path / "same.csv").write_text("id,sequence\n" + "".join(f"{i},{one}\n" for i, one in enumerate(typed, 1)))
    assert json.loads(out) == json.loads(xdomain(capsys, "predict", folder, tmp_path / "same.csv", "--json")[1])
    code, _, err = xdomain(capsys, "predict", folder, "GGGG")
    assert (code, "if it is a sequence itself: --sequence GGGG" in err) == (2, True)
    for neither in ([], [tmp_path / "same.csv", "--sequence", "ACGT"]):
        code, _, err = xdomain(capsys, "predict", folder, *neither)
        assert (code, "files, or sequences that you type" in err) == (2, True)
    code, _, err = xdomain(capsys, "predict", folder, "--sequence", "ACGT!")
    assert (code, "record '1'" in err or "'!'" in err) == (2, True)


def test_compare_takes_the_options_of_its_runs(capsys, dna_csv, tiny_bert, tmp_path):
    command = ["compare", "--data", dna_csv, "--domain", "dna", "--column", "label=kind", "--problem", "classification",
               "--arms", "reembed,kmer", "--backbone", tiny_bert, "--mapping-seed", 3, "--seed", 4,
               "--mapping", "frequent", "--tune", "norms", "--transfer", "words,positions",
               "--seeds", 1, "--out", tmp_path / "c", "--json", *FAST]  # fmt: skip
    code, out, err = xdomain(capsys, *command)
    assert code == 0, err
    assert [row["arm"] for row in json.loads(out)["rows"]] == ["reembed[words,positions]+norms", "kmer"]
    run = yaml.safe_load((tmp_path / "c" / "reembed[words,positions]+norms-m0-s4" / "recipe.yaml").read_text())["run"]
    assert (run["mapping"], run["tune"], run["transfer"]) == ("frequent", "norms", ["words", "positions"])
    assert (run["init"], run["mapping_seed"], run["seed"], run["backbone"]) == (
        "reembed",
        0,
        4,
        str(tiny_bert),
    )  # `frequent` draws nothing
    assert xdomain(capsys, *command)[0] == 2
    assert xdomain(capsys, *command, "--resume")[1] == out
    assert xdomain(capsys, *command, "--overwrite")[0] == 0


def test_minutes_choose_the_steps_of_a_run_and_of_a_comparison(capsys, dna_csv, tiny_bert, tmp_path):
    data = ["--data", dna_csv, "--domain", "dna", "--column", "label=kind", "--problem", "classification",
            "--backbone", tiny_bert, "--set", "train.precision=fp32", "--set", "train.max_steps=12"]  # fmt: skip
    code, out, err = xdomain(capsys, "run", *data, "--minutes", 0.5, "--out", tmp_path / "r")
    assert code == 0, err
    assert "steps in 0.5 min" in out + err
    assert yaml.safe_load((tmp_path / "r" / "recipe.yaml").read_text())["train"]["max_steps"] > 0
    code, out, err = xdomain(capsys, "compare", *data, "--arms", "pretrained,scratch", "--seeds", 2, "--minutes", 2,
                             "--out", tmp_path / "c")  # fmt: skip
    assert code == 0, err
    assert "2 min: 2 seeds of each arm, 12 steps a run" in err
    assert "steps are few" not in err  # as so many were asked for
    recipes = [yaml.safe_load(path.read_text())["train"] for path in (tmp_path / "c").glob("*/recipe.yaml")]
    assert len(recipes) == 4
    assert len({recipe["max_steps"] for recipe in recipes}) == 1  # the same for every arm and seed


def test_a_study_from_forecast_to_report(capsys, in_process, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "helps.yaml").write_text("""\
question: Does counting suffice?
tasks: [toy/dna-classification]
arms: [kmer, cnn]
seeds: 2
set: {split.limit: {train: 40, valid: 20, test: 20}}
""")
    command = ["study", "helps.yaml", "--out", "kept", "--workers", 2, "--engine", "local"]
    code, out, err = xdomain(capsys, *command, "--plan", "--json")
    assert code == 0, err
    assert [(row["arm"], row["cells"]) for row in json.loads(out)["cells"]] == [("kmer", 1), ("cnn", 2)]
    code, out, err = xdomain(capsys, *command, "--plan", "--difference", ".3")
    assert "3 cells, 3 to run" in out
    assert re.search(r"cnn − kmer\t2\t20\t0\.\d+\t\d+\tassumptions", out)
    assert "3 cells" in xdomain(capsys, *command, "--dry-run")[1]  # what it was called
    assert xdomain(capsys, *command, "--difference", ".3")[0] == 2  # without --plan
    assert not (tmp_path / "kept").exists()

    code, out, err = xdomain(capsys, *command, "--json")
    assert code == 0, err
    assert in_process == [2]
    assert "[3/3] " in err
    found = json.loads(out)
    assert [(group["arm"], group["done"]) for group in found["groups"]] == [("kmer", 1), ("cnn", 2)]
    assert found["differences"][0]["reference"] == "kmer"
    assert (tmp_path / "kept/helps/report.html").stat().st_size > 1000

    (tmp_path / "kept/helps/report.md").unlink()
    assert json.loads(xdomain(capsys, "report", "kept", "--json")[1]) == [found]
    assert (tmp_path / "kept/helps/report.md").exists()
    assert "report: kept/helps/report.html" in xdomain(capsys, "report", "kept/helps")[1]
    code, out, err = xdomain(capsys, *command, "--retry-failed")
    assert "all 3 cells are finished already" in err
    (tmp_path / "kept").rename("studies")
    assert xdomain(capsys, "ls", "studies")[1].splitlines()[1].split("\t")[:4] == ["helps", "1", "2", "3/3"]


def test_no_cluster_at_an_address(capsys, tmp_path):
    pytest.importorskip("ray")
    (tmp_path / "s.yaml").write_text("tasks: toy/dna-classification\narms: [kmer]\n")
    command = ["study", tmp_path / "s.yaml", "--out", tmp_path / "store", "--engine", "ray"]
    code, _, err = xdomain(capsys, *command, "--address", "nonsense")
    assert code == 2
    assert "error: no Ray cluster at nonsense" in err


def test_no_option_is_left_untried():
    """Every option of every command is given in a test, so that a new one cannot be forgotten."""
    elsewhere = {
        "predict": ("test_spoken_answers.py", "inference/test_predictor.py", "inference/test_genome_track.py"),
        "variants": tuple(f"inference/variants/test_variants_by_{one}.py" for one in ("run", "backbone")),
        **dict.fromkeys(("run", "compare", "check"), ("data/negatives/test_negatives.py",)),
        "analyze": ("analysis/test_analyze.py",),
        "anomaly": ("inference/test_anomaly.py",),
        "transfer": ("inference/test_transfer.py",),
        "compress": ("compression/test_compress.py",),
        **dict.fromkeys(("embed", "attention", "export"), ("cli/test_export_commands.py",)),
        "app": ("app/test_app_server.py",),
        "new recipe": ("cli/test_new.py", "data/negatives/test_negatives.py"),
        **dict.fromkeys(("new adapter", "new study"), ("cli/test_new.py",)),
        "push": ("hub/test_push.py",),
    }
    here = Path(__file__).read_text()
    tests = Path(__file__).parent.parent
    there = {name: "".join((tests / file).read_text() for file in files) for name, files in elsewhere.items()}
    commands = dict(typer.main.get_group(app).commands)
    for group, below in (("pretrain", pretrain_app), ("new", new_app)):
        del commands[group]
        own = typer.main.get_group(below).commands
        commands |= {f"{group} {name}": command for name, command in own.items()}
    assert {
        "run",
        "compare",
        "ls",
        "show",
        "check",
        "predict",
        "doctor",
        "study",
        "report",
        "analyze",
        "pretrain text",
        "pretrain synthetic",
    } <= commands.keys()
    untried = [
        f"{name} {option}"
        for name, command in commands.items()
        for parameter in command.params
        for option in parameter.opts
        if option.startswith("--") and option != "--help" and f'"{option}"' not in here + there.get(name, "")
    ]
    assert untried == []


BAD = [
    (["study", "no.yaml"], "no.yaml cannot be read"),
    (["report", "nowhere"], "nowhere holds no study"),
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
    (["run", "toy/dna-classification", "--backbone", "./no/such/folder"], "does not exist"),
    (["run"], "neither a task nor data"),
    (["run", "--data", "nowhere.csv", "--domain", "dna"], "nowhere.csv does not exist"),
    (["run", "toy/dna-classification", "--domain", "dna"], "for the task toy/dna-classification"),
    (["show", "toy/dna-clasification"], "did you mean: toy/dna-classification"),
    (["predict", ".", "x.csv"], "holds no trained model"),
    (["predict", ".", "x.csv", "--column", "seq=x"], "ROLE=NAME"),
    (["run", "toy/dna-classification", "--baseline", "kmer", "--tune", "lora"], "a kmer baseline has no tune"),
    (["run", "toy/dna-classification", "--transfer", ""], "run.transfer"),
    (["run", "toy/dna-classification", "--init", "scratch", "--transfer", "words"], "init scratch transfers nothing"),
    (["run", "toy/dna-pair", "--set", "train.augment=reverse_complement"], "neither for tagging nor for pairs"),
    (["run", "toy/dna-classification", "--mapping", "given:no.yaml"], "no.yaml cannot be read"),
    (["compare", "toy/dna-classification", "--arms", "pretrained,scrach"], "did you mean: scratch"),
    (["compare", "toy/dna-classification", "--arms", ""], "one or more"),
    (["pretrain", "text", "nowhere.txt", "--out", "bert"], "nowhere.txt cannot be read"),
    (["pretrain", "text", "x.txt", "--out", "bert", "--heads", "3"], "among 3 heads"),
    (["pretrain", "text", "x.txt", "--out", "bert", "--lengths", "16,x"], "numbers with commas"),
    (["pretrain", "text", "x.txt", "--out", "bert", "--shares", "1"], "6 lengths but 1 shares"),
    (["pretrain", "synthetic", "flat:64", "--out", "bert", "--mask-rate", "0.3", "--width", "30"], "--heads"),
    (["compare", "toy/dna-classification", "--arms", "scratch,scratch"], "each once"),
]


@pytest.mark.parametrize(("command", "told"), BAD, ids=[" ".join(c)[-48:] for c, _ in BAD])
def test_a_mistake_ends_in_exit_code_2_and_one_block(capsys, command, told, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = xdomain(capsys, *command)
    assert code == 2
    assert told in err
    assert "Traceback" not in err
    assert out == ""
    assert not list(tmp_path.iterdir())


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


def test_the_version_is_told(capsys):
    with contextlib.suppress(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out.startswith("xdomain 0.")
