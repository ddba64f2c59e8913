"""Skeletons of a recipe, a domain and a study: they work as they are, and overwrite nothing unasked."""

import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import forked
import pytest
import yaml
from command_line import told as xdomain

from xdomain.core.plugins import adapter_names, uses_tokenizer
from xdomain.core.recipe import load_recipe
from xdomain.study.config import load_grid

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def next_commands(out):
    lines = out[out.index("next:\n") :].splitlines()[1:]
    return [shlex.split(line, comments=True) for line in lines]


def uncommented(text, *beginnings):
    """The text, with lines that begin so no longer commented out."""
    for beginning in beginnings:
        assert f"# {beginning}" in text
        text = text.replace(f"# {beginning}", beginning)
    return text


def test_a_recipe_with_made_up_records_is_checked_and_run(capsys, folder, tiny_bert):
    code, out, err = xdomain(capsys, "new", "recipe", "mine")
    assert code == 0, err
    check, run, compare = next_commands(out)
    assert compare == ["xdomain", "compare", "mine.yaml"]
    code, out, err = xdomain(capsys, *check[1:], "--json")
    assert code == 0, err
    assert '"train": 160' in out
    code, out, err = xdomain(capsys, *run[1:], "--backbone", tiny_bert, "--set", "train.max_steps=2")
    assert code == 0, err
    assert (folder / "runs" / "dna" / "mine").is_dir()


@pytest.mark.parametrize("domain", [name for name in adapter_names() if not uses_tokenizer(name)])
def test_each_domain_with_symbols_of_its_own_has_made_up_records(capsys, domain):
    assert xdomain(capsys, "new", "recipe", "mine", "--domain", domain)[0] == 0
    code, out, err = xdomain(capsys, "check", "mine.yaml", "--json")
    assert code == 0, err
    assert '"test": 20' in out


def test_a_recipe_of_ones_own_data_has_what_was_guessed_and_said(capsys, folder):
    rows = [f"s{i},{'ACGT'[i % 4]}ACGT{'ACGT'[i // 4 % 4]}{'AC'[i // 16]},{i}.5,g{i // 2}\n" for i in range(30)]
    (folder / "my data.csv").write_text("name,dna,activity,animal\n" + "".join(rows))
    given = ("--data", "my data.csv", "--domain", "dna", "--column", "group=animal", "--set", "train.epochs=2")
    code, out, err = xdomain(capsys, "new", "recipe", "mine", *given, "--problem", "regression")
    assert code == 0, err
    told = yaml.safe_load((folder / "mine.yaml").read_text())
    assert told["source"]["files"] == {"data": "my data.csv"}
    assert told["title"] == "activity of mine"
    assert told["columns"] == {"id": "name", "sequence": "dna", "label": "activity", "group": "animal"}
    assert (told["problem"], told["split"]["rule"], told["train"]) == ("regression", "group", {"epochs": 2.0})
    assert xdomain(capsys, *next_commands(out)[0][1:])[0] == 0
    (folder / "there").mkdir()
    code, out, err = xdomain(capsys, "new", "recipe", "mine", *given, "--out", "there/mine.yaml")
    assert code == 0, err
    assert yaml.safe_load((folder / "there" / "mine.yaml").read_text())["source"]["files"]["data"].startswith("/")
    assert xdomain(capsys, *next_commands(out)[0][1:])[0] == 0


def test_what_a_recipe_has_commented_out_is_valid(capsys, folder):
    assert xdomain(capsys, "new", "recipe", "mine")[0] == 0
    text = (folder / "mine.yaml").read_text()
    lines = ("train:", "  epochs:", "  learning_rate:", "  max_length:", "  too_long:", "run:", "  init:", "  tune:",
             "class_balance:", "published:", "- {model")  # fmt: skip
    (folder / "mine.yaml").write_text(uncommented(text, *lines))
    recipe = load_recipe(folder / "mine.yaml")
    assert (recipe.train.learning_rate, recipe.run.init, recipe.published[0].value) == (3e-4, "scratch", 0.9)


@pytest.mark.parametrize(
    ("command", "files"),
    [
        (("recipe", "mine"), ("mine.yaml", "mine-made-up.csv")),
        (("study", "mine"), ("mine.yaml",)),
        (("adapter", "mine"), ("mine/README.md", "mine/xdomain_mine/adapter.py", "mine/example.csv")),
    ],
)
def test_nothing_is_overwritten_unasked(capsys, folder, command, files):
    assert xdomain(capsys, "new", *command)[0] == 0
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    (folder / "mine" if command[0] == "adapter" else folder).joinpath("of-mine.txt").touch()
    for file in files:
        (folder / file).write_text("edited")
    code, out, err = xdomain(capsys, "new", *command)
    assert (code, out) == (2, "")
    assert "exists already" in err and "--overwrite" in err
    assert [(folder / file).read_text() for file in files] == ["edited"] * len(files)
    assert xdomain(capsys, "new", *command, "--overwrite")[0] == 0
    after = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != "of-mine.txt"}
    assert after == before
    assert len(list(folder.rglob("of-mine.txt"))) == 1


def test_a_study_is_planned(capsys, folder):
    assert xdomain(capsys, "new", "recipe", "mine")[0] == 0
    code, out, err = xdomain(capsys, "new", "study", "two", "--task", "mine.yaml", "--task", "toy/dna-pair")
    assert code == 0, err
    plan, run = next_commands(out)
    assert run == ["xdomain", "study", "two.yaml"]
    code, out, err = xdomain(capsys, *plan[1:])
    assert code == 0, err
    rows = [line.split("\t")[:2] for line in out.splitlines()[1:7]]
    assert rows == [[task, arm] for task in ("dna/mine", "toy/dna-pair") for arm in ("pretrained", "scratch", "kmer")]
    (folder / "there").mkdir()
    assert xdomain(capsys, "new", "study", "one", "--task", "mine.yaml", "--out", "there/one.yaml")[0] == 0
    assert xdomain(capsys, "study", "there/one.yaml", "--plan")[0] == 0


def test_a_study_of_a_file_of_records_is_told_how(capsys, folder):
    (folder / "mine.csv").write_text("sequence,label\nACGT,a\n", "utf-8")
    code, _, err = xdomain(capsys, "new", "study", "mine", "--task", "mine.csv")
    assert code == 2
    assert "mine.csv is a file of records" in err
    assert "tasks: [{data: mine.csv, domain: DOMAIN}]" in err
    (folder / "mine.yaml").write_text("tasks: [{data: mine.csv}]\narms: [kmer]\n", "utf-8")
    code, _, err = xdomain(capsys, "study", "mine.yaml", "--plan")
    assert code == 2
    assert "domain" in err
    assert "valid string" not in err


def test_what_a_study_has_commented_out_is_valid(capsys, folder):
    assert xdomain(capsys, "new", "study", "mine")[0] == 0
    text = (folder / "mine.yaml").read_text()
    lines = ("- {init: pretrained", "- {data:", "fractions:", "set:")
    (folder / "mine.yaml").write_text(uncommented(text, *lines))
    grid = load_grid(folder / "mine.yaml")
    assert len(grid.arms) == 6
    assert (grid.fractions, grid.set["train.max_steps"], grid.tasks[0]) == ([0.1, 1], 60, "toy/dna-motif-order")


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """An adapter of its own signs, as it is written."""
    place = tmp_path_factory.mktemp("package") / "morse"
    script = "from xdomain.cli.main import main\nmain()"
    done = forked.run(script, "new", "adapter", "morse", "--symbols", './"-', "--out", place)
    assert done.returncode == 0, done.stderr
    return place


def test_the_tests_of_an_adapter_pass_where_it_is_written(package):
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=package, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "3 passed, 1 skipped" in done.stdout


def test_an_adapter_that_is_not_installed_is_said_to_need_it(capsys, package):
    code, _, err = xdomain(capsys, "check", package / "example.yaml")
    assert code == 2
    assert "unknown domain 'morse'" in err and "pip install -e" in err


def test_an_installed_adapter_is_checked_tested_and_run(package, tiny_bert, tmp_path):
    """What pip writes where it installs a folder in place: the place, and the entry points of pyproject.toml."""
    site, project = tmp_path / "site", tomllib.loads((package / "pyproject.toml").read_text())
    info = site / "xdomain_morse-0.1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: xdomain-morse\nVersion: 0.1.0\n")
    groups = project["project"]["entry-points"]
    text = "".join(f"[{group}]\n" + "".join(f"{n} = {v}\n" for n, v in one.items()) for group, one in groups.items())
    (info / "entry_points.txt").write_text(text)
    assert project["tool"]["setuptools"]["packages"] == ["xdomain_morse"]
    installed = f"import sys\nsys.path[:0] = [{str(site)!r}, {str(package)!r}]\n"
    for words in (
        ("check", "example.yaml"),
        ("run", "example.yaml", "--backbone", tiny_bert, "--set", "train.max_steps=2", "--out", tmp_path / "run",
         "--set", "adapter.options.strict=false"),
        ("new", "adapter", "morse", "--symbols", './"-', "--out", package, "--overwrite"),  # its own name is not taken
    ):  # fmt: skip
        done = forked.run(installed + forked.XDOMAIN, *words, cwd=package)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "result.json").is_file()
    tab = forked.run(f"{installed}from xdomain.cli import complete\nprint(complete.domains('mor'))")
    assert tab.stdout == "['morse']\n"
    tests = installed + "import pytest\nsys.exit(pytest.main(['-q', '-p', 'no:cacheprovider', 'tests']))"
    done = subprocess.run([sys.executable, "-c", tests], cwd=package, capture_output=True, text=True, check=False)
    assert "4 passed" in done.stdout, done.stdout


def test_an_adapter_is_clean_code(package):
    pytest.importorskip("ruff")
    for words in (["check", "--select", "E,F,I,UP,B"], ["format", "--check"]):
        command = [sys.executable, "-m", "ruff", *words, "--line-length", "120", "."]
        done = subprocess.run(command, cwd=package, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


BAD = [
    (("recipe", "a/b"), "'a/b' as a name"),
    (("recipe", "mine", "--domain", "dnaa"), "did you mean: dna"),
    (("recipe", "mine", "--domain", "text"), "--data FILE"),
    (("recipe", "mine", "--data", "no.csv", "--domain", "dna"), "no.csv does not exist"),
    (("recipe", "mine", "--set", "train.epohcs=3"), "did you mean: train.epochs"),
    (("recipe", "mine", "--out", "nowhere/mine.yaml"), "there is no folder nowhere"),
    (("recipe", "mine", "--out", "mine.csv"), "ends in .csv"),
    (("adapter", "Morse"), "lower-case letters"),
    (("adapter", "dna"), "the name dna is taken"),
    (("adapter", "class"), "the name class is taken"),
    (("adapter", "morse", "--symbols", "aa"), "different characters"),
    (("adapter", "morse", "--symbols", "a b"), "without blanks"),
    (("study", "mine", "--task", "dna/splise"), "did you mean: dna/splice"),
    (("study", "mine", "--task", "no.yaml"), "no.yaml cannot be read"),
]


@pytest.mark.parametrize(("command", "told"), BAD, ids=[" ".join(c)[-40:] for c, _ in BAD])
def test_a_mistake_is_named_and_leaves_nothing(capsys, folder, command, told):
    code, out, err = xdomain(capsys, "new", *command)
    assert (code, out) == (2, "")
    assert told in err
    assert not list(folder.iterdir())


def test_the_templates_are_part_of_the_package():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["xdomain.cli"]
    here = ROOT / "xdomain" / "cli"
    packed = {path for pattern in declared for path in here.glob(pattern)}
    assert {path for path in (here / "templates").rglob("*") if path.is_file()} <= packed
