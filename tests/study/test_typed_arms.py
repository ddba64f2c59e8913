"""Arms as they are typed: an init or baseline, then options of its own."""

import pytest

import xdomain
from xdomain.core.errors import BackboneError, RecipeError
from xdomain.core.plugins import find_recipe
from xdomain.study.typed_arms import typed_arm

TASK = "toy/dna-motif-order"


def arm(text, **options):
    return typed_arm(find_recipe(TASK), text, options)


def test_a_name_alone():
    assert (arm("scratch").label, arm("scratch").recipe.run.init) == ("scratch", "scratch")
    assert (arm("kmer", tune="head").label, arm("kmer").recipe.run.baseline) == ("kmer", "kmer")


def test_options_of_an_arm_go_before_those_of_all():
    one = arm("pretrained backbone=models/esm2 mapping=own tune=lora train.attention=own", tune="head", mapping="rare")
    assert one.label == "pretrained+lora esm2 own attention=own"
    assert one.file_name == "pretrained+lora-esm2-own-attention=own"
    options = one.recipe.run
    assert (options.backbone, options.mapping, options.tune) == ("models/esm2", "own", "lora")
    assert arm("pretrained", tune="head").label == "pretrained+head"


def test_a_path_with_blanks_is_quoted():
    assert arm("pretrained 'backbone=my models/esm 2'").recipe.run.backbone == "my models/esm 2"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("pretrian", "did you mean: pretrained"),
        ("pretrained own", "an init or baseline, then options of its own"),
        ("pretrained maping=own", "its options are backbone, mapping, tune"),
        ("pretrained train.epoch=3", "did you mean: train.epochs"),
        ("pretrained 'backbone=x", "an init or baseline, then options of its own"),
        ("kmer mapping=own", "a kmer baseline has no mapping"),
        ("kmer backbone=x", "a kmer baseline has no backbone"),
        ("pretrained backbon=x", "did you mean: backbone"),
    ],
)
def test_what_is_no_arm_is_refused(text, told):
    with pytest.raises(RecipeError, match=told):
        arm(text)


def test_arms_that_differ_in_their_backbone_are_compared(tiny_bert, tmp_path):
    other = tmp_path / "a copy"
    other.symlink_to(tiny_bert)
    small = ["split.limit.train=32", "split.limit.valid=8", "split.limit.test=16", "train.max_steps=2"]
    arms = ["pretrained", f"pretrained 'backbone={other}'"]
    compared = xdomain.compare(TASK, arms, seeds=1, backbone=str(tiny_bert), overrides=small, out=tmp_path / "c")
    assert [row.arm for row in compared.rows] == ["pretrained", "pretrained a copy"]
    assert compared.rows[0].value.value == compared.rows[1].value.value  # the same weights
    assert sorted(p.name for p in (tmp_path / "c").iterdir() if p.is_dir()) == [
        "pretrained-a-copy-m0-s0", "pretrained-m0-s0",
    ]  # fmt: skip
    with pytest.raises(BackboneError, match="does not exist"):  # before the first arm is run
        xdomain.compare(TASK, ["pretrained", "pretrained backbone=./absent"], overrides=small, out=tmp_path / "d")
    assert not (tmp_path / "d").exists()
    with pytest.raises(RecipeError, match="one or more, each once"):
        xdomain.compare(TASK, ["pretrained", "pretrained"], overrides=small, out=tmp_path / "d")
