"""Domains, tasks and readers by name: found, misspelt, and offered by two packages at once."""

import sys

import pytest
import yaml

from xdomain.core import plugins
from xdomain.core.adapter_protocols import LearnsAlphabet
from xdomain.core.errors import RecipeError
from xdomain.core.plugins import adapter_names, find_recipe, make_adapter, readers, task_names, task_text
from xdomain.core.sequences import Adapter
from xdomain.inspection import listing

OWN = """
title: My own
source: {licence: none, citation: made up}
adapter: {name: dna}
problem: classification
metrics: [accuracy]
"""
READS = "def read(files): return None\nREADERS = {%r: read}\n"


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install a package into this test alone, by its name, its entry points and its files."""
    modules = set(sys.modules)

    def forget():
        plugins._task_modules.cache_clear()
        plugins._recipe_files.cache_clear()

    def put(name, entry_points, files):
        site = tmp_path / name
        metadata = {
            f"{name}-1.0.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
            f"{name}-1.0.dist-info/entry_points.txt": entry_points,
        }
        for path, text in {**metadata, **files}.items():
            (site / path).parent.mkdir(parents=True, exist_ok=True)
            (site / path).write_text(text)
        monkeypatch.syspath_prepend(str(site))
        forget()

    yield put
    forget()
    for name in set(sys.modules) - modules:
        if str(getattr(sys.modules[name], "__file__", None)).startswith(str(tmp_path)):
            del sys.modules[name]


def refusal(call, *args, **kwargs):
    with pytest.raises(RecipeError) as told:
        call(*args, **kwargs)
    return str(told.value)


# domains


def test_every_domain_that_is_installed_can_be_made(tiny_bert):
    assert adapter_names() == ["dna", "music", "protein", "speech", "synthetic", "text", "tokens"]
    for name in adapter_names():
        adapter = make_adapter(name, tokenizer=str(tiny_bert))
        adapter = adapter.fitted([["a b c d"]]) if isinstance(adapter, LearnsAlphabet) else adapter
        assert isinstance(adapter, Adapter)
        assert adapter.name == name
        assert len(adapter.alphabet) > 4


def test_options_arrive():
    adapter = make_adapter("dna", {"tokens": "kmer", "k": 3, "stride": 2})
    assert [adapter.alphabet.symbols[i] for i in adapter.encode(["ACGTA"])[0]] == ["ACG", "GTA"]
    assert make_adapter("dna") == make_adapter("dna", {}) == make_adapter("dna", None)


def test_the_backbones_tokenizer_goes_to_who_wants_one_and_was_given_none(tiny_bert, tmp_path):
    tiny = str(tiny_bert)
    assert make_adapter("text", tokenizer=tiny) == make_adapter("text", {"tokenizer": tiny})
    assert make_adapter("text", {"tokenizer": tiny}, tokenizer=str(tmp_path)) == make_adapter("text", tokenizer=tiny)
    assert make_adapter("dna", tokenizer=tiny) == make_adapter("dna")


def test_options_that_were_handed_in_are_left_as_they_were(tiny_bert):
    options = {}
    make_adapter("text", options, tokenizer=str(tiny_bert))
    assert options == {}


def test_an_unknown_domain():
    told = refusal(make_adapter, "protien")
    assert "unknown domain 'protien'" in told
    assert "expected: one of dna, music, protein, speech, synthetic, text, tokens" in told
    assert "did you mean: protein" in told
    assert "did you mean" not in refusal(make_adapter, "xyzzy")


def test_an_unknown_option_of_a_domain():
    told = refusal(make_adapter, "dna", {"strid": 2})
    assert "unknown option of the dna adapter 'strid'" in told
    assert "expected: one of ambiguous, gaps, k, lower_case, merges, stride, tokens, unknown" in told
    assert "did you mean: stride" in told


def test_an_option_of_the_wrong_kind_names_the_domain():
    assert refusal(make_adapter, "dna", {"tokens": "kmer", "k": "six"}).startswith("adapter dna: ")
    assert "did you mean: kmer" in refusal(make_adapter, "dna", {"tokens": "kmr"})


def test_a_domain_of_ones_own(install):
    code = """
from dataclasses import dataclass

@dataclass(frozen=True)
class Knots:
    rows: int = 2

    def __post_init__(self):
        if self.rows < 1:
            raise ValueError("rows must be 1 or more")
"""
    install("knots", "[xdomain.adapters]\nknots = knots_domain:Knots\n", {"knots_domain.py": code})
    assert adapter_names() == ["dna", "knots", "music", "protein", "speech", "synthetic", "text", "tokens"]
    assert vars(make_adapter("knots", {"rows": 3})) == {"rows": 3}
    assert "did you mean: knots" in refusal(make_adapter, "knot")
    assert refusal(make_adapter, "knots", {"rows": 0}) == "adapter knots: rows must be 1 or more"


def test_two_packages_that_offer_one_domain(install):
    install("rival", "[xdomain.adapters]\ndna = rival_domain:DNA\n", {})
    for told in (refusal(make_adapter, "dna"), refusal(adapter_names)):
        assert "two packages offer 'dna' in xdomain.adapters: " in told
        assert "rival_domain:DNA" in told
        assert "xdomain.adapters.dna:DNA" in told
        assert "to fix it: uninstall one of them" in told


def test_one_package_that_is_seen_twice_is_no_clash(install):
    install("again", "[xdomain.adapters]\ndna = xdomain.adapters.dna:DNA\n", {})
    assert adapter_names() == ["dna", "music", "protein", "speech", "synthetic", "text", "tokens"]
    assert make_adapter("dna").name == "dna"
    assert {"adapter": "dna", "from": "xdomain.adapters.dna:DNA"} in listing("adapters")


# tasks and readers


def test_a_task_by_name_has_its_name_in_it():
    recipe = find_recipe("dna/splice")
    assert recipe.name == "dna/splice"
    assert yaml.safe_load(task_text("dna/splice"))["name"] == "dna/splice"
    assert find_recipe("dna/splice", ["train.epochs=1"]).train.epochs == 1


def test_an_unknown_task():
    for call in (find_recipe, task_text):
        told = refusal(call, "dna/splise")
        assert "unknown task 'dna/splise'" in told
        assert "dna/promoter" in told
        assert "did you mean: dna/splice" in told


def test_a_recipe_may_be_a_file_or_a_recipe(tmp_path):
    (tmp_path / "own.yaml").write_text("name: x" + OWN)
    (tmp_path / "plain").write_text("name: x" + OWN)
    recipe = find_recipe(tmp_path / "own.yaml")
    assert recipe == find_recipe(str(tmp_path / "plain"))
    assert find_recipe(recipe) is recipe
    assert find_recipe(recipe, ["run.seed=1"]) == find_recipe(tmp_path / "own.yaml", ["run.seed=1"]) != recipe
    assert f"{tmp_path / 'no.yaml'} cannot be read" in refusal(find_recipe, tmp_path / "no.yaml")


def test_tasks_of_ones_own_stand_beside_the_shipped_ones(install):
    shipped = task_names()
    files = {"knot_tasks/__init__.py": READS % "quipu", "knot_tasks/knots/own.yaml": OWN, "knot_tasks/knots/a.txt": "x"}
    install("knots", "[xdomain.tasks]\nknots = knot_tasks\n", files)
    assert set(task_names()) == {*shipped, "knots/own"}
    assert find_recipe("knots/own").name == "knots/own"
    assert "quipu" in readers()
    assert "uci" in readers()


def test_a_task_that_names_itself_keeps_its_name(install):
    files = {"knot_tasks/__init__.py": "", "knot_tasks/knots/own.yaml": "name: Quipu" + OWN}
    install("knots", "[xdomain.tasks]\nknots = knot_tasks\n", files)
    assert find_recipe("knots/own").name == "Quipu"


def test_two_packages_that_offer_one_task(install):
    files = {"rival_tasks/__init__.py": "", "rival_tasks/dna/splice.yaml": OWN}
    install("rival", "[xdomain.tasks]\nrival = rival_tasks\n", files)
    for told in (refusal(task_names), refusal(find_recipe, "dna/splice")):
        assert "two task packages offer 'dna/splice'" in told
        assert "to fix it: uninstall one of them" in told


def test_two_packages_that_offer_one_reader(install):
    install("rival", "[xdomain.tasks]\nrival = rival_tasks\n", {"rival_tasks/__init__.py": READS % "uci"})
    told = refusal(readers)
    assert "two task packages offer a reader 'uci'" in told
    assert "to fix it: uninstall one of them" in told


def test_two_packages_under_one_name_of_tasks(install):
    install("rival", "[xdomain.tasks]\nxdomain = rival_tasks\n", {"rival_tasks/__init__.py": ""})
    told = refusal(task_names)
    assert "two packages offer 'xdomain' in xdomain.tasks: " in told
    assert "rival_tasks" in told


def test_an_adapter_with_a_method_of_former_times_is_told_its_name(install):
    install(
        "olden", "[xdomain.adapters]\nolden = olden:Olden\n",
        {"olden.py": "import dataclasses\n@dataclasses.dataclass\nclass Olden:\n    def keep(self, folder): ...\n"},
    )  # fmt: skip
    with pytest.raises(RecipeError, match="has a method keep\n  expected: export_assets"):
        make_adapter("olden")
