"""xdomain push: what arrives at the hub, by the real client and a stand-in for the hub, and what never leaves."""

import json
import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import forked
import numpy as np
import pytest
import yaml
from command_line import told
from hub_stand_in import TOKEN, Repository, hub_stand_in

import xdomain
from xdomain.core.shared_run import place_in_run
from xdomain.hub.contents import contents_of


def write_records(path):
    rng = np.random.default_rng(0)
    lines = ["id,sequence,label"]
    lines += [
        f"patient-{i},{''.join(rng.choice(list('ACGT'), 24))},{'case' if i % 2 else 'control'}" for i in range(60)
    ]
    lines += [f"copy,{lines[1].split(',')[1]},case"]  # a contradiction, of which a result keeps the ids
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home folder whose name no file may tell."""
    return tmp_path_factory.mktemp("home-of-bobolink")


@pytest.fixture(scope="module")
def compared(tiny_bert, home):
    """The folder of a comparison of two arms, on one's own records, with a backbone from a folder."""
    (home / "secret").mkdir()
    recipe = xdomain.Recipe.model_validate(recipe_of(write_records(home / "secret" / "mine.csv")))
    return xdomain.compare(recipe, ["pretrained", "kmer"], seeds=1, backbone=str(tiny_bert), out=home / "compared",
                           overrides=("train.max_steps=2",)).folder  # fmt: skip


def recipe_of(path):
    return {
        "name": "dna/mine", "title": "Mine | <b>", "source": {"files": {"data": str(path)}, "licence": "CC-BY-4.0"},
        "adapter": {"name": "dna"}, "problem": "classification", "columns": {"id": "id"},
        "notes": f"Collected in {path.parent}/lab.",
    }  # fmt: skip


@pytest.fixture(scope="module")
def run(compared):
    return compared / "pretrained-m0-s0"


@pytest.fixture
def hub():
    with hub_stand_in() as one:
        yield one


@pytest.fixture
def settings(hub, home, tmp_path):
    """The environment of somebody who is logged in at the stand-in."""
    return {
        **os.environ, "HF_ENDPOINT": hub.endpoint, "HF_HUB_OFFLINE": "0", "HF_TOKEN": TOKEN, "HOME": str(home),
        "HF_HUB_DISABLE_XET": "1", "HF_HOME": str(tmp_path / "hf"), "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "XDOMAIN_DATA": str(tmp_path / "data"),
    }  # fmt: skip


@pytest.fixture
def command(settings, home):
    """Run a command in a process of its own, as the client of the hub reads its settings when it is imported."""

    def called(*words, **changes):
        env = {name: one for name, one in {**settings, **changes}.items() if one is not None}
        done = forked.run(forked.XDOMAIN, *words, env=env, cwd=home, forget=("huggingface_hub",))
        assert TOKEN not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr, done.stderr
        return done

    return called


def test_what_arrives_is_what_the_run_holds(command, hub, run):
    done = command("push", run, "ann/mine", "--licence", "apache-2.0", "--json")
    assert done.returncode == 0, done.stderr
    files = hub.repositories["ann/mine"].files
    assert hub.repositories["ann/mine"].private
    for name in ("model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json"):
        assert files[name] == (run / "model" / name).read_bytes(), name
    assert files["mapping.json"] == (run / "mapping.json").read_bytes()
    assert set(files) == {"README.md", "config.json", "mapping.json", "model.safetensors", "recipe.yaml", "result.json",
                          "tokenizer.json", "tokenizer_config.json", ".gitattributes"}  # fmt: skip
    printed = json.loads(done.stdout)
    assert {one["name"]: one["bytes"] for one in printed["files"]} == {
        name: len(content) for name, content in files.items() if name != ".gitattributes"
    }
    assert (printed["repo"], printed["private"], printed["commit"]) == ("ann/mine", True, f"{1:040x}")
    assert not any(place_in_run(name) is None for name in files if name != ".gitattributes")


def test_no_record_no_place_and_no_name_of_a_user_leaves(command, hub, run, compared):
    sequences = [line.split(",")[1] for line in (compared.parent / "secret/mine.csv").read_text().splitlines()[1:]]
    for name, arm in (("ann/a", run), ("ann/b", compared / "kmer-m0-s0")):
        assert command("push", arm, name).returncode == 0
        for file, content in hub.repositories[name].files.items():
            for secret in ("patient-", "bobolink", "secret", str(Path.home()), *sequences):
                assert secret.encode() not in content, (file, secret)
    told = yaml.safe_load(hub.repositories["ann/a"].files["recipe.yaml"])
    assert told["source"]["files"] == {"data": "mine.csv"}
    assert not {"/"} & set(told["run"]["backbone"])
    assert "mine.csv" in hub.repositories["ann/a"].files["README.md"].decode()
    result = json.loads(hub.repositories["ann/a"].files["result.json"])
    assert result["counts"]["contradictions"]["sequences"] == 1
    assert "examples" not in result["counts"]["contradictions"]


def test_a_configuration_that_names_a_folder_is_uploaded_without_it(run, tmp_path):
    other = tmp_path / "run"
    shutil.copytree(run, other)
    config = json.loads((other / "model" / "config.json").read_text())
    recipe = yaml.safe_load((other / "recipe.yaml").read_text())
    recipe["run"]["backbone"] = "/srv/lab/checkpoints/berta"
    (other / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    named = {"encoder": {"_name_or_path": "/srv/lab/checkpoints/berta"}, "decoder": {"from": "/home/dora/x/y"}}
    (other / "model" / "config.json").write_text(json.dumps(config | named))
    files = {file.name: file.read() for file in contents_of(other).files}
    assert json.loads(files["config.json"]) == {
        **config, "encoder": {"_name_or_path": "berta"}, "decoder": {"from": "y"}
    }  # fmt: skip
    assert yaml.safe_load(files["recipe.yaml"])["run"]["backbone"] == "berta"


def test_it_can_be_used_again_from_the_hub(command, hub, run, settings, home, tmp_path):
    assert command("push", run, "ann/mine", "--public").returncode == 0
    table = tmp_path / "new.csv"
    table.write_text("id,sequence\none,ACGTAC\ntwo,TTTTGC\n")
    told = {source: command("predict", source, table, HF_TOKEN=None) for source in ("hub:ann/mine", str(run))}
    assert {done.returncode for done in told.values()} == {0}, told
    assert told["hub:ann/mine"].stdout == told[str(run)].stdout
    again = command("predict", "hub:ann/mine", table, HF_HUB_OFFLINE="1")
    assert again.stdout == told[str(run)].stdout
    done = command("evaluate", "hub:ann/mine", home / "secret" / "mine.csv")
    assert done.returncode == 0, done.stderr
    assert "61 records" in done.stdout
    assert "hub:ann/mine without a file" in command("evaluate", "hub:ann/mine").stderr
    card = hub.repositories["ann/mine"].files["README.md"].decode()
    snippets = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    assert len(snippets) == 2
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", "\n".join(snippets)], env=settings, text=True,
                          capture_output=True, timeout=120)  # fmt: skip
    assert done.returncode == 0, done.stderr
    plain, own = done.stdout.split("\n", 1)
    assert own.strip() == f"['{plain}']"


def test_a_dry_run_lists_and_asks_nobody(command, hub, run):
    done = command("push", run, "ann/mine", "--dry-run", "--private", HF_TOKEN=None)
    assert done.returncode == 0, done.stderr
    assert hub.asked == []
    assert "model.safetensors\t" in done.stdout
    assert "would upload 8 files" in done.stdout
    assert "to ann/mine (private: only you" in done.stdout


def test_a_repository_is_replaced_only_when_asked(command, hub, run):
    hub.repositories["ann/mine"] = Repository(private=False)
    assert command("push", run, "ann/mine").returncode == 0  # an empty one is no loss
    hub.repositories["ann/mine"].files |= {"layer_mix.json": b"{}", "my-own.txt": b"!"}
    done = command("push", run, "ann/mine")
    assert done.returncode == 2
    assert "error: ann/mine is there already, with 10 files" in done.stderr
    done = command("push", run, "ann/mine", "--overwrite")
    assert done.returncode == 0, done.stderr
    assert "public: everybody sees it" in done.stdout  # as it was
    files = hub.repositories["ann/mine"].files
    assert "my-own.txt" in files
    assert "layer_mix.json" not in files  # of an earlier run, which would change what this one says


def test_what_goes_wrong_is_one_block(command, hub, run, tmp_path):
    hub.accounts["hf_other"] = {"type": "user", "name": "carl", "orgs": [], "auth": {}}
    hub.repositories["carl/hidden"] = Repository(private=True)
    hub.repositories["carl/seen"] = Repository(private=False)
    cases = [
        (["ann/mine"], {"HF_TOKEN": None}, "no token for the hub", "hf auth login"),
        (["ann/mine"], {"HF_TOKEN": "hf_wrong"}, "does not know this token", "hf auth login"),
        (["ann/mine"], {"HF_HUB_OFFLINE": "1"}, "HF_HUB_OFFLINE is set", "unset"),
        (["ann/mine"], {"HF_ENDPOINT": "http://127.0.0.1:9"}, "http://127.0.0.1:9 cannot be reached", "again"),
        (["carl/new"], {}, "you may not create carl/new", "ann/ or lab/"),
        (["carl/hidden"], {}, "you may not create carl/hidden", "ann/ or lab/"),
        (["carl/seen"], {}, "you may not write to carl/seen", "a token that may write"),
        (["mine"], {}, "'mine' is no name of a repository", "USER/NAME"),
    ]
    for words, changes, what, more in cases:
        done = command("push", run, *words, **changes)
        assert done.returncode == 2, (words, changes, done.stdout, done.stderr)
        assert what in done.stderr, done.stderr
        assert more in done.stderr, done.stderr
    assert command("push", tmp_path, "ann/mine").stderr.startswith(f"error: {tmp_path} holds no finished run")
    assert not any("PUT" in line or "/commit/" in line for line in hub.asked)
    done = command("predict", "hub:ann/none", tmp_path / "x.csv")
    assert done.returncode == 2
    assert "hub:ann/none cannot be downloaded" in done.stderr
    hub.repositories["ann/else"] = Repository(private=False, files={"config.json": b"{}"})
    assert "holds no run of xdomain" in command("predict", "hub:ann/else", tmp_path / "x.csv").stderr
    assert "hf_" not in "".join(hub.asked)


def test_a_hub_that_refuses_the_card_or_fails_is_one_block_and_nothing_is_half_uploaded(command, hub, run, tmp_path):
    other = shutil.copytree(run, tmp_path / "run")
    (other / "model" / "README.md").write_text("---\nlicense: [mit\n---\n# Mine\n")
    done = command("push", other, "ann/mine")
    assert done.returncode == 2
    assert "the hub refuses ann/mine (Invalid metadata in README.md." in done.stderr
    assert "to fix it: edit the part of model/README.md between the lines ---" in done.stderr
    hub.broken = "/commit/"
    done = command("push", run, "ann/mine")
    assert done.returncode == 2
    assert "error: the hub refuses ann/mine (" in done.stderr
    assert list(hub.repositories["ann/mine"].files) == [".gitattributes"]
    hub.broken = ""
    assert command("push", run, "ann/mine").returncode == 0  # the same command again


@pytest.mark.parametrize(
    ("licence", "sentence"),
    [
        (None, "the card states no licence of the model"),
        ("CC-BY4", "the hub knows no licence 'CC-BY4'; did you mean cc-by-4.0?"),
        ("mit", None),
    ],
)
def test_a_push_says_what_is_weak_about_the_model(run, said, licence, sentence):
    from xdomain.hub.push import push

    push(run, "me/mine", licence=licence, dry_run=True)
    notes = json.loads((run / "result.json").read_text("utf-8"))["notes"]
    assert notes
    assert [one.partition("; --lic")[0] for one in said] == [
        f"warning: {one}" for one in [*notes, *filter(None, [sentence])]
    ]


def test_a_card_that_was_edited_is_uploaded_as_it_is(capsys, run, tmp_path):
    card = run / "model" / "README.md"
    before = card.read_text()
    try:
        card.write_text(before + "\nCite me.\n")
        (run / "model" / "train.csv").write_text("ACGT")
        code, out, err = told(capsys, "push", run, "ann/mine", "--dry-run")
        assert code == 0, err
        assert "README.md as it was edited" in err
        assert "left out, as no run wrote it: model/train.csv" in err
        assert "train.csv" not in out
        card.write_text(before + "\nMy data is in /home/dora/data.\n")
        code, _, err = told(capsys, "push", run, "ann/mine", "--dry-run")
        assert code == 2
        assert "names /home/dora, a folder of a machine; nothing was uploaded" in err
        assert f"to fix it: edit {card}" in err
    finally:
        card.write_text(before)
        (run / "model" / "train.csv").unlink(missing_ok=True)


def test_python_takes_a_result(run):
    pushed = xdomain.push(xdomain.load_result(run), "ann/mine", private=False, dry_run=True)
    assert (pushed.private, pushed.url, pushed.commit) == (False, "", "")
    assert pushed.size == sum(file.size for file in pushed.files)
    assert f"xdomain {version('xdomain')}" in pushed.files[0].read().decode()


def test_names_from_the_hub_stay_in_the_run_folder():
    for name in ("../recipe.yaml", "adapter/../../x.json", "/etc/passwd", "model\\x.json", "train.csv", "a/b/c.json",
                 "adapter//x.json", "code.py", "adapter/code.py", ".lock", "pytorch_model.bin"):  # fmt: skip
        assert place_in_run(name) is None, name
    assert place_in_run("target/tokenizer.json") == "model/target/tokenizer.json"
    assert place_in_run("adapter/codebook/centroids.safetensors") == "adapter/codebook/centroids.safetensors"
