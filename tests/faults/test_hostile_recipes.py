"""Recipes and studies of a stranger: nothing is written outside of the data folder and the run's own folder."""

import hashlib

import pytest
import yaml
from command_line import told

from xdomain.core.errors import RecipeError
from xdomain.core.recipe import load_recipe, parse_recipe
from xdomain.core.recipe_sections import Download, Source
from xdomain.data.sources import locate
from xdomain.study.config import load_grid

WHOLE = hashlib.sha256(b"whole").hexdigest()


def recipe(**parts):
    tree = {
        "name": "mine",
        "title": "Mine",
        "source": {"licence": "CC0", "citation": "nobody"},
        "adapter": {"name": "dna"},
        "problem": "classification",
    }
    return yaml.safe_dump({**tree, **parts})


def downloaded(file, url, name="data"):
    return Source(files={name: str(file)}, downloads={name: Download(url=f"{url}/good", sha256=WHOLE)})


def everything(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A folder that is no business of the recipe's; also the user's home."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("MPLCONFIGDIR", str(tmp_path / "matplotlib"))  # which it writes once it is first imported
    return folder


@pytest.mark.parametrize("file", ["{there}/.bashrc", "~/.bashrc", "../elsewhere/.bashrc", "a/../../elsewhere/.bashrc"])
def test_nothing_is_downloaded_outside_of_the_data_folder(home, elsewhere, hostile, file):
    with pytest.raises(RecipeError, match=r"source\.files\.data is .*(?s:.*)nothing is downloaded to other places"):
        locate(downloaded(file.format(there=elsewhere), hostile))
    assert everything(elsewhere) == everything(home) == []


@pytest.mark.parametrize("link", ["deep", "deep/data.csv", "deep/down"])
def test_nothing_is_downloaded_through_a_link_out_of_the_data_folder(home, elsewhere, hostile, link):
    (home / link).parent.mkdir(exist_ok=True)
    (home / link).symlink_to(elsewhere / "new" if link.endswith("csv") else elsewhere)
    with pytest.raises(RecipeError, match="nor through a link out of it"):
        locate(downloaded({"deep": "deep/data.csv"}.get(link, link + "/data.csv" * (link == "deep/down")), hostile))
    assert everything(elsewhere) == []


def test_links_in_a_circle_are_refused(home, hostile):
    (home / "round").symlink_to(home / "round")
    with pytest.raises(RecipeError, match="nothing is downloaded"):
        locate(downloaded("round/data.csv", hostile))


def test_one_bad_place_of_two_and_nothing_is_fetched(home, elsewhere, hostile):
    good = downloaded("a.csv", hostile, "train")
    bad = downloaded(elsewhere / "b.csv", hostile, "test")
    both = Source(files=good.files | bad.files, downloads=good.downloads | bad.downloads)
    with pytest.raises(RecipeError, match=r"source\.files\.test"):
        locate(both)
    assert everything(home) == []


def test_a_data_folder_that_is_a_link_itself_is_used(tmp_path, elsewhere, hostile, monkeypatch):
    (tmp_path / "link").symlink_to(elsewhere)
    monkeypatch.setenv("XDOMAIN_DATA", str(tmp_path / "link"))
    assert locate(downloaded("a.csv", hostile))["data"].read_bytes() == b"whole"


def test_a_file_of_ones_own_is_read_from_any_place(home, elsewhere, hostile):
    (elsewhere / "own.csv").write_text("mine")
    (home / "linked").symlink_to(elsewhere)
    for file in (elsewhere / "own.csv", "~/own.csv", "linked/own.csv"):
        assert locate(downloaded(file, hostile))["data"].read_text() == "mine"


def test_a_file_beside_the_recipe_is_found_there(home, tmp_path, hostile):
    (tmp_path / "own.csv").write_text("mine")
    source = downloaded("own.csv", hostile).model_dump()
    (tmp_path / "recipe.yaml").write_text(recipe(source=source))
    assert locate(load_recipe(tmp_path / "recipe.yaml").source)["data"] == tmp_path / "own.csv"


@pytest.mark.parametrize(
    "name",
    ["/abs", "../up", "dna/../../up", "..", ".", ".hidden", "", " ", "a//b", "a/b/c", "a/", "a\\b", "a\0b", "a\nb",
     "x" * 300, "dna/" + "x" * 300, "é" * 200],
)  # fmt: skip
def test_a_name_that_is_no_name_is_refused_before_it_makes_a_path(name):
    with pytest.raises(RecipeError, match="name: ") as told:
        parse_recipe(recipe(name=name), where="recipe.yaml")
    assert len(str(told.value)) < 500


@pytest.mark.parametrize("name", ["mine", "dna/splice", "dna/my data (2)", "protein/größe_3-b", "dna/v1.2"])
def test_names_of_tasks_and_of_users_files_are_allowed(name):
    assert parse_recipe(recipe(name=name), where="recipe.yaml").name == name


def test_a_command_with_such_a_recipe_writes_nothing(home, elsewhere, tmp_path, hostile, monkeypatch, capsys):
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    (work / "one.yaml").write_text(recipe(name=str(elsewhere / "run")))
    source = downloaded("~/.bashrc", hostile).model_dump()
    (work / "two.yaml").write_text(recipe(source=source))
    for file in ("one.yaml", "two.yaml"):
        for command in (("run", file, "--baseline", "kmer"), ("check", file)):
            code, _, err = told(capsys, *command)
            assert (code, err.count("error: ")) == (2, 1)
    assert everything(elsewhere) == []
    assert everything(work) == ["one.yaml", "two.yaml"]


@pytest.mark.parametrize("name", ["..", "../up", "/abs", ".hidden", "x" * 300])
def test_the_name_of_a_study_stays_one_folder(tmp_path, name):
    (tmp_path / "study.yaml").write_text(yaml.safe_dump({"name": name, "tasks": ["dna/splice"], "arms": ["scratch"]}))
    with pytest.raises(RecipeError, match="name"):
        load_grid(tmp_path / "study.yaml")


def test_a_file_with_an_over_long_name_still_makes_a_task(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / ("x" * 250 + ".csv")
    file.write_text("sequence,label\n" + "ACGTACGTAC,a\nCCGTACGTTT,b\n" * 20)
    code, out, err = told(capsys, "check", file, "--domain", "dna")
    assert code == 0, out + err
