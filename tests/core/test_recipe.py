"""Recipes as people write them: read, overridden from the command line, and found at fault all at once."""

import copy
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from xdomain.core.choices import PARTS
from xdomain.core.errors import RecipeError
from xdomain.core.recipe import Recipe, dump_recipe, load_recipe, parse_recipe, recipe_from

MINIMAL = """
name: my/own
title: Ma tâche
source: {licence: CC0, citation: nobody}
adapter: {name: dna}
problem: classification
metrics: [accuracy]
"""
TREE = yaml.safe_load(MINIMAL)


def parsed(*overrides, more="", text=MINIMAL):
    return parse_recipe(text + more, where="my.yaml", overrides=overrides)


def refusal(*overrides, **text):
    with pytest.raises(RecipeError) as told:
        parsed(*overrides, **text)
    return told.value.block()


# reading


def test_what_is_left_out_has_its_default():
    recipe = parsed()
    assert recipe.title == "Ma tâche"
    assert recipe.reader == "table"
    assert (recipe.split.rule, recipe.split.valid, recipe.split.test) == ("random", 0.1, 0.1)
    assert (recipe.train.epochs, recipe.train.batch_size, recipe.train.learning_rate) == (None, 16, None)
    assert (recipe.run.init, recipe.run.tune, recipe.run.mapping) == ("pretrained", "full", "random")
    assert recipe.run.transfer == list(PARTS)


def test_a_number_as_people_write_it_is_a_number_in_the_file_too():
    assert parsed(more="train: {learning_rate: 3e-5}").train.learning_rate == 3e-5


def test_a_file_is_read_as_its_text(tmp_path):
    (tmp_path / "my.yaml").write_text(MINIMAL, "utf-8")
    assert load_recipe(tmp_path / "my.yaml") == parsed()
    assert load_recipe(tmp_path / "my.yaml", overrides=["run.seed=3"]) == parsed("run.seed=3")


def test_a_recipe_never_changes():
    with pytest.raises(ValidationError):
        parsed().train.epochs = 3


# overrides


@pytest.mark.parametrize(
    ("override", "yaml_text"),
    [
        ("train.learning_rate=2e-4", "train: {learning_rate: 0.0002}"),
        ("train.learning_rate=5E-05", "train: {learning_rate: 0.00005}"),
        ("train.epochs=2", "train: {epochs: 2}"),
        (" train.epochs =2", "train: {epochs: 2}"),
        ("train.slice_vocabulary=false", "train: {slice_vocabulary: false}"),
        ("train.report_to=wandb", "train: {report_to: [wandb]}"),
        ("train.report_to=[wandb, trackio]", "train: {report_to: [wandb, trackio]}"),
        ("run.transfer=[attention, ffn]", "run: {transfer: [attention, ffn]}"),
        ("run.backbone=./models/bert base", "run: {backbone: ./models/bert base}"),
        ("split.limit.train=100", "split: {limit: {train: 100}}"),
        ("split.limit={train: 100}", "split: {limit: {train: 100}}"),
        ("run.mapping_table.A=the", "run: {mapping_table: {A: the}}"),
        ("columns.label=a=b", "columns: {label: a=b}"),
        ("notes=[open", "notes: '[open'"),
        ("notes='12 genes'", "notes: 12 genes"),
    ],
)
def test_an_override_says_what_the_file_could_have_said(override, yaml_text):
    assert parsed(override) == parsed(more=yaml_text) != parsed()


@pytest.mark.parametrize(
    ("mapping", "typed"),
    [
        ({"train.learning_rate": 1e-4}, "train.learning_rate=1e-4"),
        ({"train.learning_rate": "1e-4"}, "train.learning_rate=1e-4"),
        ({"train.epochs": np.float64(2)}, "train.epochs=2"),
        ({"train.slice_vocabulary": False}, "train.slice_vocabulary=false"),
        ({"train.patience": None}, "train.patience=null"),
        ({"run.transfer": ("attention", "ffn")}, "run.transfer=[attention, ffn]"),
        ({"split.limit": {"train": 100}}, "split.limit={train: 100}"),
        ({"run.backbone": Path("models/bert base")}, "run.backbone=models/bert base"),
        ({"notes": "it's: [open"}, "notes=it's: [open"),
    ],
)
def test_a_mapping_of_changes_is_what_could_have_been_typed(mapping, typed):
    assert recipe_from(TREE, where="x", overrides=mapping) == recipe_from(TREE, where="x", overrides=[typed])
    assert recipe_from(TREE, where="x", overrides=typed) == recipe_from(TREE, where="x", overrides=[typed])


def test_a_change_to_what_no_recipe_can_hold_is_refused():
    with pytest.raises(RecipeError, match=r"train\.epochs: a function[\s\S]*a number"):
        recipe_from(TREE, where="x", overrides={"train.epochs": lambda: 3})


def test_the_default_can_be_asked_for_against_the_file():
    recipe = parsed("train.patience=null", "notes=''", "train.learning_rate=null", more="""
notes: long ones
train: {patience: 3, learning_rate: 3.0}
""")  # fmt: skip
    assert recipe == parsed()


def test_options_of_adapters_and_readers_are_reached():
    recipe = parsed("adapter.options.k=3", "adapter.options.tokens=kmer", "reader_options.floor=1e-3")
    assert recipe.adapter.options == {"k": 3, "tokens": "kmer"}
    assert recipe.reader_options == {"floor": 0.001}


def test_overrides_add_to_what_the_file_says_and_the_last_one_counts():
    recipe = parsed("train.epochs=3", "train.epochs=4", more="train: {batch_size: 8, epochs: 9}")
    assert (recipe.train.batch_size, recipe.train.epochs) == (8, 4)
    recipe = parsed("adapter.name=protein", "metrics=[f1, accuracy]")
    assert recipe.adapter.name == "protein"
    assert recipe.metrics == ["f1", "accuracy"]


def test_what_was_handed_in_is_left_as_it_was():
    tree = copy.deepcopy({**TREE, "train": {"epochs": 1}, "split": {"limit": {"train": 5}}})
    before = copy.deepcopy(tree)
    recipe = recipe_from(tree, where="x", overrides=["train.epochs=2", "split.limit.train=9", "run.seed=4"])
    assert (recipe.train.epochs, recipe.split.limit, recipe.run.seed) == (2, {"train": 9}, 4)
    assert tree == before


@pytest.mark.parametrize("part", [None, "source", "adapter", "columns", "split", "train", "run"])
def test_every_option_can_be_set_by_its_name(part):
    recipe = parsed()
    values = recipe.model_dump(mode="json")
    for key, value in (values[part] if part else values).items():
        text = yaml.safe_dump(value, default_flow_style=True).removesuffix("...\n").strip()
        assert parsed(f"{part}.{key}={text}" if part else f"{key}={text}") == recipe, key


@given(st.floats(1e-12, 1e6))
def test_any_learning_rate_arrives_as_it_was_typed(rate):
    for typed in (repr(rate), f"{rate:e}", f"{rate:.3g}"):
        assert parsed(f"train.learning_rate={typed}").train.learning_rate == float(typed)


# round trips


letters = st.characters(codec="utf-8", exclude_characters="\x85")  # the one that PyYAML reads back as a line's end
anything = st.text(letters, max_size=20)
names = st.from_regex(r"[a-z]{1,5}(/[\w-][\w .-]{0,20})?", fullmatch=True).filter(str.isprintable)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | anything
options = st.dictionaries(
    anything, st.recursive(scalars, lambda inner: st.lists(inner, max_size=3), max_leaves=4), max_size=3
)
trees = st.fixed_dictionaries(
    {
        "name": names, "title": anything, "problem": st.sampled_from(["classification", "pair", "tagging"]),
        "source": st.fixed_dictionaries(
            {"licence": anything, "citation": anything, "files": st.dictionaries(anything, anything, max_size=2)}
        ),
        "adapter": st.fixed_dictionaries({"name": anything, "options": options}),
        "metrics": st.lists(anything, min_size=1, max_size=3),
    },
    optional={
        "notes": st.text(letters, max_size=200), "reader_options": options,
        "columns": st.fixed_dictionaries({"label": st.none() | anything}),
        "train": st.fixed_dictionaries(
            {"learning_rate": st.floats(1e-12, 1), "patience": st.none() | st.integers(1, 99)}
        ),
        "run": st.fixed_dictionaries({"mapping_table": st.dictionaries(anything, anything, max_size=3)}),
    },
)  # fmt: skip


@settings(deadline=None, max_examples=60)
@given(trees)
def test_what_is_written_reads_back_to_the_same(tree):
    recipe = recipe_from(tree, where="made up")
    again = parse_recipe(dump_recipe(recipe), where="written")
    assert again == recipe
    assert dump_recipe(again) == dump_recipe(recipe)


@pytest.mark.parametrize("odd", ["\x85", "\u2028", "\ufeff", "\r", "\x00", "\n", "\t", " ", "\xa0", "😀", ": ", "# "])
def test_odd_characters_come_through(odd):
    recipe = recipe_from({**TREE, "notes": f"a{odd}b: c"}, where="here")
    assert parse_recipe(dump_recipe(recipe), where="written").notes == f"a{odd}b: c"


def test_a_written_recipe_is_made_for_people():
    text = dump_recipe(parsed("train.learning_rate=1e-5"))
    assert text.startswith("name: my/own\ntitle: Ma tâche\n")
    assert "!!" not in text
    assert Recipe.model_validate(yaml.safe_load(text)).train.learning_rate == 1e-5


# refusals of a file


def test_all_faults_are_told_at_once():
    told = refusal(
        text="""
titel: Splice
source: {licence: CC0, citation: nobody, downloads: {all: {url: "http://x"}}}
adapter: {nam: dna}
problem: clasification
metrics: []
split: {valid: 1.5}
train: {epochs: many, batchsize: 8}
run: {seed: -1}
"""
    )
    lines = told.splitlines()
    assert lines[0] == "my.yaml: 12 faults"
    assert "  name: missing" in lines
    assert "  title: missing" in lines
    assert "  titel: no such key, did you mean title?" in lines
    assert "  source.downloads.all.sha256: missing" in lines
    assert "  adapter.name: missing" in lines
    assert "  adapter.nam: no such key, did you mean name?" in lines
    assert "  train.batchsize: no such key, did you mean batch_size?" in lines
    for place, came in [
        ("problem", "'clasification'"),
        ("metrics", "[]"),
        ("split.valid", "1.5"),
        ("train.epochs", "'many'"),
        ("run.seed", "-1"),
    ]:
        (line,) = [line for line in lines if line.startswith(f"  {place}: ")]
        assert line.endswith(f"(got {came})")
    assert lines[-1] == "  to fix it: edit my.yaml, or --set key=value"


def test_a_choice_that_is_none_names_the_choices():
    told = refusal("problem=clasification")
    assert "my.yaml: 1 fault\n" in told
    for choice in ("classification", "regression", "tagging", "pair"):
        assert f"'{choice}'" in told


def test_a_key_like_nothing_else_gets_no_suggestion():
    told = refusal(more="zzz: 1")
    assert "zzz: no such key" in told
    assert "did you mean" not in told


@pytest.mark.parametrize("text", ["", "# nothing yet", "- a\n- b", "just words", "3"])
def test_what_is_no_recipe(text):
    told = refusal(text=text)
    assert "my.yaml holds no recipe" in told
    assert "expected: a mapping; see `xdomain show dna/splice`" in told


def test_a_landmark_is_named_so_that_pictures_can_be():
    mark = {"name": "donor/EI", "at": 27, "symbols": "GT", "source": "Mount 1982"}
    with pytest.raises(RecipeError, match="landmarks"):
        recipe_from({**TREE, "landmarks": [mark]}, where="here")
    assert recipe_from({**TREE, "landmarks": [{**mark, "name": "donor of EI"}]}, where="here").landmarks


@pytest.mark.parametrize("text", ["a: [", "a: 'open", "\tname: x", "a: b: c", "a: !!python/object:os.system {}"])
def test_what_is_no_yaml(text):
    told = refusal(text=text)
    assert "my.yaml is not YAML" in told
    assert "line 1" in told
    assert "expected: a recipe" in told


def test_a_file_that_cannot_be_read(tmp_path):
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "gone.yaml", tmp_path / "binary.yaml", tmp_path):
        with pytest.raises(RecipeError) as told:
            load_recipe(path)
        assert f"{path} cannot be read" in str(told.value)
        assert "expected: a recipe in YAML" in str(told.value)


@pytest.mark.parametrize("other", [{"adapter": {"name": "protein"}}, {"problem": "tagging"}])
def test_the_other_strand_is_only_for_dna_and_not_for_tags(other):
    with pytest.raises(RecipeError, match=r"\n  train.augment: reverse_complement is for dna, and neither for tagging"):
        recipe_from({**TREE, **other, "train": {"augment": "reverse_complement"}}, where="my.yaml")
    assert parsed("train.augment=reverse_complement").train.augment == "reverse_complement"


def test_a_file_of_ones_own_is_not_downloaded_from_where_the_old_one_was():
    """It would be the old file under the new name, and its checksum right."""
    one = {"url": "http://x", "sha256": "0"}
    source = {**TREE["source"], "files": {"a": "1", "b": "2"}, "downloads": {"a": one, "b": one}}
    text = yaml.safe_dump({**TREE, "source": source})
    recipe = parsed("source.files.a=/my/own.csv", text=text)
    assert recipe.source.files == {"a": "/my/own.csv", "b": "2"}
    assert list(recipe.source.downloads) == ["b"]
    assert list(parsed("source.homepage=x", text=text).source.downloads) == ["a", "b"]
    assert parsed("source.files.a=x").source.downloads == {}


# refusals of an override


@pytest.mark.parametrize(
    ("override", "nearest"),
    [
        ("train.epoch=3", "train.epochs"),
        ("train.learning-rate=3", "train.learning_rate"),
        ("run.mapping_sed=1", "run.mapping_seed"),
        ("split.ruel=group", "split.rule"),
        ("adapter.option.k=3", "adapter.options"),
        ("source.download.all=x", "source.downloads"),
        ("metric=[f1]", "metrics"),
    ],
)
def test_a_misspelt_option_gets_the_nearest(override, nearest):
    told = refusal(override)
    assert f"--set {override.partition('=')[0]}: no such option" in told
    assert told.splitlines()[-1] == f"  did you mean: {nearest}"


def test_a_misspelt_option_lists_what_there_is():
    told = refusal("split.zzz=1")
    assert "expected: one of rule, valid, test, seed, limit" in told
    assert "did you mean" not in told


@pytest.mark.parametrize("override", ["train.epochs", "train.epochs 3", ""])
def test_an_override_without_a_value(override):
    told = refusal(override)
    assert f"--set {override}\n" in told
    assert "expected: key=value, e.g. train.epochs=3" in told


@pytest.mark.parametrize(
    ("override", "place", "came"),
    [
        ("train.epochs=many", "train.epochs", "'many'"),
        ("train.epochs=0", "train.epochs", "0"),
        ("train.batch_size=2.5", "train.batch_size", "2.5"),
        ("train.learning_rate=nan", "train.learning_rate", "'nan'"),
        ("train.hidden_dropout=1", "train.hidden_dropout", "1"),
        ("train.schedule=quadratic", "train.schedule", "'quadratic'"),
        ("split.limit.train=lots", "split.limit.train", "'lots'"),
        ("run.transfer=[]", "run.transfer", "[]"),
        ("run.baseline=svm", "run.baseline", "'svm'"),
        ("columns.label=2024", "columns.label", "2024"),
        ("metrics=accuracy", "metrics", "'accuracy'"),
        ("train=3", "train", "3"),
    ],
)
def test_a_value_of_the_wrong_kind_is_told_with_its_place(override, place, came):
    told = refusal(override)
    assert "my.yaml: 1 fault" in told
    assert f"  {place}: " in told
    assert f"(got {came})" in told
    assert "--set key=value" in told


@pytest.mark.parametrize(
    ("override", "more", "told"),
    [
        ("train.epochs.x=3", "train: {epochs: 2}", "train.epochs.x: epochs is a value"),
        ("metrics.0=f1", "", "metrics.0: metrics is a value"),
        ("train.epochs=3", "train: 5", "train.epochs: train is a value"),
    ],
)
def test_an_override_below_a_value(override, more, told):
    assert told in refusal(override, more=more)


def test_an_override_may_fill_an_empty_group():
    assert parsed("train.epochs=3", more="train:").train.epochs == 3


def test_what_stands_in_quotes_is_text():
    assert parsed("columns.label='2024'").columns.label == "2024"
    assert parsed("title=2020-13-45").title == "2020-13-45"


def test_a_key_that_comes_twice():
    told = refusal(more="train: {epochs: 2, batch_size: 8, epochs: 3}")
    assert "the key epochs comes twice" in told


def test_a_date_that_is_none():
    assert "is not YAML" in refusal(more="notes: 2020-13-45")


def test_infinite_epochs_are_refused():
    assert "train.epochs: Input should be a finite number" in refusal("train.epochs=.inf")


def test_overrides_and_the_file_are_judged_together():
    told = refusal("train.epochs=-1", more="split: {tset: 0.1}")
    assert "my.yaml: 2 faults" in told
    assert "train.epochs: Input should be greater than 0 (got -1)" in told
    assert "split.tset: no such key, did you mean test?" in told
