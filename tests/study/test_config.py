"""What may stand in a study file, and what is told when something else does."""

from dataclasses import replace
from pathlib import Path
from shutil import copytree

import pytest
from pydantic import ValidationError

from xdomain.adapters.bpe import train_bpe
from xdomain.core.errors import RecipeError
from xdomain.study.cells import from_dict, to_dict
from xdomain.study.config import Grid, load_grid
from xdomain.study.expand_grid import conditions_of
from xdomain.study.plan import plan_study

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "studies"
SMALL = {"train.max_steps": 2, "split.limit": {"train": 16, "valid": 8, "test": 8}}
KEYS = [
    *("5982a8d841ec0b1c", "ab7c9dbaf1d7db72", "80e30de556424190", "96d1b5d4a26777c7"),  # half, then all of the records
    *("73eac71976b26175", "544dd64d0fd0b498", "94a76a62854ea849", "562e01d0c0c27432"),  # of a limited task
]


def grid(**given):
    return Grid.model_validate({"name": "s", "tasks": "toy/dna-classification", "arms": ["pretrained"], **given})


def refusal(tmp_path, text):
    path = tmp_path / "my.yaml"
    path.write_text(text)
    with pytest.raises(RecipeError) as caught:
        plan_study(path)
    return str(caught.value)


def test_ten_lines_are_enough(tmp_path):
    path = tmp_path / "does-it-help.yaml"
    path.write_text("""\
question: Does text pre-training help?
tasks: [toy/dna-classification, toy/dna-regression]
arms:
- pretrained
- scratch
- {init: pretrained, transfer: [positions], name: positions alone}
- kmer
seeds: 3
mapping_seeds: [4, 7]
learning_rates: [1e-3, 1e-4]
""")
    found = load_grid(path)
    assert found.name == "does-it-help"
    assert [arm.label for arm in found.arms] == ["pretrained", "scratch", "positions alone", "kmer"]
    assert found.seeds == [0, 1, 2]
    assert found.mapping_seeds == [4, 7]
    assert found.learning_rates == [1e-4, 1e-3]
    assert found.reference_arm == "pretrained"


@pytest.mark.parametrize(
    ("arm", "label"),
    [
        ("scratch", "scratch"),
        ("cnn", "cnn"),
        ({"tune": "lora"}, "pretrained+lora"),
        ({"init": "pretrained", "transfer": ["positions", "words"]}, "pretrained[words,positions]"),
        ({"mapping": "frequent"}, "pretrained frequent"),
        ({"set": {"train.hidden_dropout": 0.2}}, "pretrained hidden_dropout=0.2"),
    ],
)
def test_an_arm_is_called_by_what_it_is_made_of(arm, label):
    assert grid(arms=[arm]).arms[0].label == label


def test_crossed_and_paired_draws():
    def pairs(study, **which):
        return [(seeds.mapping, seeds.seed) for seeds in study.run_seeds(**which)]

    assert pairs(grid(seeds=2, mapping_seeds=[5, 6])) == [(5, 0), (5, 1), (6, 0), (6, 1)]
    paired = grid(seeds=3, mapping_seeds=[5, 6, 7], design="paired")
    assert pairs(paired) == [(5, 0), (6, 1), (7, 2)]
    assert pairs(paired, search=True) == [(5, 0)]
    crossed = grid(seeds=3, mapping_seeds=2, search={"seeds": 2})
    assert pairs(crossed, search=True) == [(0, 0), (0, 1)]
    assert {seeds.split for study in (paired, crossed) for seeds in study.run_seeds()} == {None}


def test_splits_drawn_anew():
    crossed = grid(seeds=2, split_seeds=[7, 8], search={"seeds": 2})
    assert list(crossed.run_seeds()) == [(0, 0, 7), (0, 0, 8), (0, 1, 7), (0, 1, 8)]
    assert list(crossed.run_seeds(search=True)) == [(0, 0, 7), (0, 1, 7)]
    with_seeds = grid(seeds=[3, 4], mapping_seeds=2, split_seeds="seeds")
    assert list(with_seeds.run_seeds()) == [(0, 3, 3), (0, 4, 4), (1, 3, 3), (1, 4, 4)]
    paired = grid(seeds=2, mapping_seeds=2, split_seeds=[7, 8], design="paired")
    assert list(paired.run_seeds()) == [(0, 0, 7), (1, 1, 8)]
    with pytest.raises(ValidationError, match="2 seeds cannot be paired with 3 split seeds"):
        grid(seeds=2, mapping_seeds=2, split_seeds=3, design="paired")
    with pytest.raises(ValidationError, match=r"split\.seed is what a study varies"):
        grid(split_seeds=2, set={"split.seed": 1})


def test_splits_that_the_data_give_cannot_be_drawn_anew():
    with pytest.raises(RecipeError, match="the splits of dna/splice are not drawn"):
        conditions_of(grid(tasks="dna/splice", set={"split.rule": "given"}, arms=["kmer"], split_seeds=2))
    (condition,) = conditions_of(grid(tasks="toy/dna-classification", arms=["kmer"], seeds=3, split_seeds=2))
    assert [(cell.recipe.split.seed, cell.recipe.run.seed) for cell in condition.final(None)] == [(0, 0), (1, 0)]
    assert len({cell.key for cell in condition.final(None)}) == 2
    assert not condition.fixed
    assert str(condition.final(None)[1]).endswith("seed 0, split seed 1")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("tasks: toy/dna-classification\narms: [pretrained]\nseds: 3", ["seds: no such key", "did you mean seeds?"]),
        (
            "tasks: toy/dna-classification\narms: [pretraned, kmr]",
            [
                "arms: unknown arm 'pretraned', expected one of pretrained",
                "kmer, cnn; did you mean pretrained?",
                "did you mean kmer?",
            ],
        ),
        ("tasks: []\narms: []", ["2 faults", "tasks: ", "arms: "]),
        ("arms: [pretrained]", ["tasks: missing"]),
        ("tasks: toy/dna-classification\narms: [pretrained]\nseeds: []", ["seeds: "]),
        ("tasks: toy/dna-classification\narms: [pretrained]\nseeds: 0", ["seeds: "]),
        ("tasks: toy/dna-classification\narms: [pretrained]\nseeds: [1, 1]", ["1 comes twice"]),
        ("tasks: toy/dna-classification\narms: [pretrained, pretrained]", ["pretrained comes twice"]),
        ("tasks: toy/dna-classification\narms: [{init: pretraned}]", ["arms.0.init", "'pretrained', 'scratch'"]),
        ("tasks: toy/dna-classification\narms: [pretrained]\nreference: scratch", ["none of the arms pretrained"]),
        ("tasks: toy/dna-classification\narms: [pretrained]\nlearning_rates: [0]", ["learning_rates.0"]),
        ("tasks: toy/dna-classification\narms: [pretrained]\nfractions: [2]", ["fractions.0"]),
        ("tasks: toy/dna-classification\narms: [pretrained]\ndesign: paired\nseeds: 2", ["2 seeds", "1 mapping seeds"]),
        ("tasks: toy/dna-classification\narms: [pretrained]\nset: {run.seed: 3}", ["what a study varies"]),
        ("tasks: toy/dna-classification\narms: [pretrained]\nset: {train.epoch: 3}", ["did you mean: train.epochs"]),
        ("tasks: toy/dna-clasification\narms: [pretrained]", ["did you mean: toy/dna-classification"]),
        ("tasks: [{data: my.csv, domain: dna}]\narms: [pretrained]", ["my.csv does not exist"]),
        ("tasks: toy/dna-classification\narms: [pretrained]\nseeds: 2000", ["2,000 cells", "1,000 at most"]),
        (
            "tasks: toy/dna-classification\narms: [{baseline: kmer, learning_rates: [1e-3]}]",
            ["k-mer counts have none"],
        ),
        ("tasks: [", ["is not YAML"]),
        ("", ["holds no study", "examples/studies"]),
    ],
)
def test_what_cannot_be_is_refused_before_anything_runs(tmp_path, text, parts):
    told = refusal(tmp_path, text)
    for part in parts:
        assert part in told
    assert sorted(path.name for path in tmp_path.iterdir()) == ["my.yaml"]


def test_a_missing_study(tmp_path):
    with pytest.raises(RecipeError, match="cannot be read"):
        plan_study(tmp_path / "no.yaml")


# cells are known by what decides them


def keys(**given):
    return [
        cell.key
        for condition in conditions_of(grid(**given))
        for cell in condition.final(*condition.rates[:1] or [None])
    ]


def test_the_same_cell_has_the_same_key_in_any_study(tiny_bert):
    few = keys(seeds=2, backbone=str(tiny_bert))
    many = keys(
        name="other", question="another?", seeds=3, mapping_seeds=2, arms=["scratch", "pretrained"],
        backbone=str(tiny_bert),
    )  # fmt: skip
    assert set(few) < set(many)
    assert len(set(many)) == 12


@pytest.mark.parametrize(
    "change",
    [
        {"tasks": "toy/protein-classification"}, {"arms": ["scratch"]}, {"seeds": [1]}, {"mapping_seeds": [1]},
        {"learning_rates": 1e-3}, {"fractions": 0.5}, {"set": {"train.epochs": 2}}, {"backbone": None},
        {"arms": [{"tune": "head"}]}, {"arms": [{"mapping": "rare"}]}, {"arms": ["kmer"]}, {"arms": ["cnn"]},
    ],
)  # fmt: skip
def test_another_cell_has_another_key(change, tiny_bert):
    base = {"seeds": [0], "backbone": str(tiny_bert)}
    assert keys(**base) != keys(**{**base, **change})


def test_what_decides_nothing_is_in_no_key(tiny_bert, tmp_path):
    one, two = tmp_path / "a", tmp_path / "b"
    for place in (one, two):
        place.mkdir()
        (place / "my.csv").write_text("sequence,label\n" + "ACGT,x\nGGCC,y\n" * 20)

    def own(place):
        return keys(tasks=[{"data": str(place / "my.csv"), "domain": "dna"}], backbone=str(tiny_bert))

    assert own(one) == own(two)
    (two / "my.csv").write_text("sequence,label\n" + "ACGT,x\nGGCC,y\n" * 19 + "ACGT,y\nGGCC,y\n")
    assert own(one) != own(two)


def test_a_file_that_the_target_names_counts_by_its_content(tiny_bert, tmp_path):
    (tmp_path / "my.csv").write_text("sequence,label\n" + "ACGT,we\nGGCC,the\n" * 20)
    for name in ("one", "copy", "other"):
        copytree(tiny_bert, tmp_path / name)
    (tmp_path / "other" / "note.txt").write_text("other")
    task = {"data": str(tmp_path / "my.csv"), "domain": "dna", "problem": "sequence"}
    one, copy, other = (
        keys(tasks=[task], arms=["pretrained"], backbone=str(tiny_bert),
             set={"target.name": "text", "target.options.tokenizer": str(tmp_path / name)})
        for name in ("one", "copy", "other")
    )  # fmt: skip
    assert one == copy
    assert one != other


def test_a_copy_of_a_data_file_under_another_name_is_the_same_cell(tiny_bert, tmp_path):
    for name in ("my.csv", "copy.csv"):
        (tmp_path / name).write_text("sequence,label\n" + "ACGT,x\nGGCC,y\n" * 20)
    one, two = (
        keys(tasks=[{"data": str(tmp_path / name), "domain": "dna"}], backbone=str(tiny_bert))
        for name in ("my.csv", "copy.csv")
    )
    assert one == two


def test_the_current_folder_changes_no_key(tmp_path, monkeypatch):
    def of_tokens(tokens):
        return keys(arms=[{"baseline": "kmer", "set": {"adapter.options.tokens": tokens}}])

    elsewhere = of_tokens("kmer"), of_tokens("nucleotide")
    for name in ("kmer", "nucleotide"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    assert (of_tokens("kmer"), of_tokens("nucleotide")) == elsewhere
    assert of_tokens("kmer") != of_tokens("nucleotide")


def test_a_file_that_an_option_names_counts_by_what_it_holds(tmp_path):
    merges = {}
    for name, sequences in (("one.json", ["ACGTACGT"] * 9), ("two.json", ["GGCCAATT"] * 9)):
        train_bpe(sequences, 12, tmp_path / name)
        merges[name] = {"adapter.options.tokens": "bpe", "adapter.options.merges": str(tmp_path / name)}
    (tmp_path / "copy.json").write_bytes((tmp_path / "one.json").read_bytes())
    merges["copy.json"] = {**merges["one.json"], "adapter.options.merges": str(tmp_path / "copy.json")}
    one, two, copy = (keys(arms=[{"baseline": "kmer", "set": options}]) for options in merges.values())
    assert one == copy != two


@pytest.mark.parametrize("key", ["split.seed", "split.limit.test", "columns.label", "reader_options.n", "metrics"])
def test_an_arm_may_not_change_which_records_are_judged(key):
    with pytest.raises(RecipeError, match=f"set: {key} may change which records are judged"):
        plan_study(
            {"name": "s", "tasks": "toy/dna-classification", "arms": ["kmer", {"init": "scratch", "set": {key: 1}}]}
        )


def test_a_baseline_hangs_on_no_mapping_and_no_rate(tiny_bert):
    conditions = conditions_of(
        grid(arms=["kmer", "cnn", "pretrained", {"mapping": "frequent"}], seeds=3, mapping_seeds=2,
             learning_rates=[1e-4, 1e-3], backbone=str(tiny_bert))
    )  # fmt: skip
    assert [len(condition.seeds) for condition in conditions] == [1, 3, 6, 3]
    assert [len(condition.searched()) for condition in conditions] == [0, 0, 2, 2]
    assert [condition.most_cells for condition in conditions] == [1, 3, 7, 4]


def test_an_arm_may_have_learning_rates_of_its_own(tiny_bert):
    arms = ["pretrained", "cnn", {"name": "tuned", "baseline": "cnn", "learning_rates": [3e-3, 1e-3]}]
    encoder, plain, tuned = conditions_of(grid(arms=arms, learning_rates=[1e-4], backbone=str(tiny_bert)))
    assert (encoder.rates, plain.rates, tuned.rates) == ((1e-4,), (), (1e-3, 3e-3))
    assert [cell.recipe.run.cnn_rate for cell in tuned.searched()] == [1e-3, 3e-3]
    assert [cell.recipe.train for cell in tuned.searched()] == [plain.recipe.train] * 2
    assert len({cell.key for cell in (*tuned.possible(), *plain.possible())}) == 9


def test_the_key_of_a_cell_stays():
    """Finished cells of a store count as long as these keys do not change: see the rules of CONTRIBUTING.md."""
    limited = {"split.limit": {"train": 20}}
    conditions = [
        replace(one, digests={"data": "0"})
        for changes in ({}, limited)
        for one in conditions_of(grid(arms=["scratch", "kmer"], set=changes, fractions=[0.5, 1]))
    ]
    assert [one.final(1e-4)[0].key for one in conditions] == KEYS
    assert len(set(KEYS)) == len(KEYS)


def test_fractions_are_of_a_limited_task():
    limited = grid(set={"split.limit": {"train": 20}, "train.max_steps": 2}, fractions=[0.5, 1])
    half, whole = (condition.final(1e-4)[0].recipe.split for condition in conditions_of(limited))
    assert (half.limit, half.fraction, whole.limit, whole.fraction) == ({"train": 20}, 0.5, {"train": 20}, 1)


def test_a_setting_survives_its_file(tiny_bert):
    for condition in conditions_of(
        grid(arms=["kmer", "scratch"], backbone=str(tiny_bert), set=SMALL, fractions=[0.5, 1])
    ):
        again = from_dict(to_dict(condition))
        assert again == condition
        assert [c.key for c in again.final(1e-4)] == [c.key for c in condition.final(1e-4)]
        former = to_dict(condition)
        former |= {"draws": former.pop("seeds"), "search_draws": former.pop("search_seeds")}
        assert from_dict(former) == condition  # as version 0.1 wrote it


def test_cells_are_the_same_wherever_they_are_reported_from(tiny_bert, tmp_path, monkeypatch):
    (tmp_path / "words").symlink_to(tiny_bert)
    monkeypatch.chdir(tmp_path)
    named = grid(tasks="toy/text-classification", backbone="words", mapping_seeds=1,
                 arms=[{"mapping": "random", "set": {"adapter.options.tokenizer": "words"}}])  # fmt: skip
    (condition,) = conditions_of(named)
    key = condition.final(1e-4)[0].key
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")  # where the tokenizer's folder has no such name
    assert from_dict(to_dict(condition)).final(1e-4)[0].key == key


def test_options_of_another_rule_of_splitting_make_no_other_cell():
    """Nor do options that recipes did not have once: what was finished before is found again."""
    for rule in ("given", "group"):
        plain = keys(arms=["kmer"], set={"split.rule": rule})
        assert plain == keys(arms=["kmer"], set={"split.rule": rule, "split.identity": 0.9, "split.folds": 3})
    plain = keys(arms=["kmer"], set={"split.rule": "cluster"})
    assert plain != keys(arms=["kmer"], set={"split.rule": "cluster", "split.identity": 0.9})


def test_a_study_may_name_a_file_of_ones_own(tmp_path):
    (tmp_path / "my.csv").write_text("sequence,label\n" + "ACGT,x\nGGCC,y\n" * 20)
    (tmp_path / "s.yaml").write_text("tasks: [{data: my.csv, domain: dna}]\narms: [kmer]\n")
    (condition,) = plan_study(tmp_path / "s.yaml").conditions
    assert condition.task == "dna/my"


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("*.yaml")))
def test_the_ready_studies_can_be_laid_out(name, monkeypatch, tmp_path):
    monkeypatch.setenv("XDOMAIN_DATA", str(tmp_path))  # where the data are not, cells say so when they are run
    study = plan_study(EXAMPLES / name, tmp_path)
    assert study.grid.question
    assert 10 < study.count()[1] < 200
    assert list(tmp_path.iterdir()) == []
