"""Records that count more or less in training, against scikit-learn, against torch, and in whole runs."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression, Ridge
from torch import nn

import xdomain
from xdomain.baselines.kmer import STRENGTHS, features, fit_kmer
from xdomain.core.errors import DataError, RecipeError
from xdomain.core.recipe_sections import columns_of
from xdomain.core.sequences import Ragged
from xdomain.data.known_labels import IGNORED
from xdomain.data.own_data import own_recipe
from xdomain.training.losses import summed_loss

SMALL = ("train.max_steps=40", "train.precision=fp32", "train.learning_rate=5e-3", "train.evaluations=1")
RNG = np.random.default_rng(3)


@pytest.fixture(scope="module")
def contradicted(tmp_path_factory):
    """Every second training record has the wrong label, and a weight of 0."""
    rows = ["sequence,label,split,trust"]
    for i in range(240):
        gc = i % 4 < 2
        sequence = "".join(RNG.choice(list("GCGCGCAT" if gc else "ATATATGC"), 24))
        split = ("train", "valid", "test")[0 if i < 160 else 1 if i < 200 else 2]
        wrong = split == "train" and i % 2 == 1
        rows.append(f"{sequence},{'gc' if gc != wrong else 'at'},{split},{0 if wrong else 2.5}")
    path = tmp_path_factory.mktemp("weights") / "contradicted.csv"
    path.write_text("\n".join(rows))
    return path


@pytest.mark.parametrize("baseline", ["kmer", "cnn", None])
def test_what_weighs_nothing_is_not_learned(contradicted, baseline, tiny_bert, tmp_path, said):
    found = {}
    for weight in ("", "trust"):
        result = xdomain.run(
            data=str(contradicted), domain="dna", columns={"weight": weight}, baseline=baseline,
            backbone=None if baseline else str(tiny_bert), out=tmp_path / (weight or "alike"),
            overrides=() if baseline else SMALL,
        )  # fmt: skip
        found[weight] = result.metric()
    assert found["trust"] > 0.9
    assert found[""] < found["trust"] - 0.1
    assert result.values["counts"]["records_of_weight_0"] == 80
    assert "training records weigh 0 to 2 times their mean; in the metrics all records count alike" in said


def test_weighted_kmers_are_those_of_scikit_learn():
    symbols = Ragged.from_lists([RNG.integers(0, 4, 20) for _ in range(300)])
    labels = RNG.integers(0, 2, 300)
    split = np.array((["train"] * 2 + ["valid"]) * 100)
    shares = RNG.random(300).astype(np.float32)
    fitted = fit_kmer(symbols, None, labels, split, 4, "classification", 2, 0, "accuracy", "none", shares)
    seen, train, valid = features(symbols, None, "classification", 4), split == "train", split == "valid"
    twins = [
        LogisticRegression(C=c, max_iter=200, random_state=0).fit(seen[train], labels[train], shares[train])
        for c in STRENGTHS
    ]
    best = max(twins, key=lambda twin: twin.score(seen[valid], labels[valid]))
    np.testing.assert_allclose(fitted.scores(symbols)[:, 1], best.decision_function(seen), rtol=1e-5)


def test_weighted_profiles_are_those_of_scikit_learn():
    symbols = Ragged.from_lists([RNG.integers(0, 4, 5 + i % 7) for i in range(60)])
    values = RNG.normal(size=len(symbols.values)).astype(np.float32)
    split = np.array((["train"] * 2 + ["valid"]) * 20)
    shares = RNG.random(60).astype(np.float32)
    fitted = fit_kmer(symbols, None, values, split, 4, "profile", 0, 0, "mse", "none", shares)
    seen, rows = features(symbols, None, "profile", 4), np.repeat(split, symbols.lengths)
    weights = np.repeat(shares, symbols.lengths)[rows == "train"]
    twins = [
        Ridge(alpha=1 / c, random_state=0).fit(seen[rows == "train"], values[rows == "train"], weights)
        for c in STRENGTHS
    ]
    wanted = values[rows == "valid"]
    best = min(twins, key=lambda twin: np.square(twin.predict(seen[rows == "valid"]) - wanted).mean())
    np.testing.assert_allclose(fitted.scores(symbols), best.predict(seen), atol=1e-5)


def checked(path, **columns):
    return xdomain.check(own_recipe(path, "dna", columns=columns_of(columns)))


def losses_one_by_one(problem, logits, labels, owned):
    """The loss of each record or window by itself, by plain torch."""
    for row, own in enumerate(labels):
        if problem == "classification":
            yield nn.functional.cross_entropy(logits[row], own)
        elif problem == "tagging":
            yield nn.functional.cross_entropy(logits[row], own, ignore_index=IGNORED, reduction="sum")
        elif problem == "span":
            masked = logits[row].masked_fill(~owned[row][:, None], -1e4).T
            yield nn.functional.cross_entropy(masked, own, reduction="sum")
        elif problem == "multilabel":
            known = own != IGNORED
            yield nn.functional.binary_cross_entropy_with_logits(
                logits[row][known], own[known].float(), reduction="sum"
            )
        else:
            known = own != IGNORED
            yield (logits[row].reshape(own.shape)[known] - own[known]).square().sum()


SHAPES = {
    "classification": ((4, 3), (4,)), "regression": ((4, 1), (4,)), "multioutput": ((4, 3), (4, 3)),
    "multilabel": ((4, 3), (4, 3)), "tagging": ((4, 6, 3), (4, 6)), "profile": ((4, 6, 1), (4, 6)),
    "span": ((4, 6, 2), (4, 2)),
}  # fmt: skip


@pytest.mark.parametrize("problem", SHAPES)
def test_the_loss_of_a_record_is_multiplied_by_its_weight(problem):
    torch.manual_seed(0)
    logits, shape = torch.randn(SHAPES[problem][0]), SHAPES[problem][1]
    if problem in ("regression", "multioutput", "profile"):
        labels = torch.randn(shape)
    else:
        labels = torch.randint(0, 2 if problem == "multilabel" else 3, shape)
    if problem in ("tagging", "profile", "multilabel", "multioutput"):
        labels[1, 2] = IGNORED
    owned = torch.ones(4, 6, dtype=torch.bool)
    batch = {"labels": labels, "owned": owned}
    share = torch.tensor([0.0, 0.5, 1.0, 2.5])
    one_by_one = torch.stack(list(losses_one_by_one(problem, logits, labels, owned)))
    torch.testing.assert_close(summed_loss(problem, logits, {**batch, "weights": share}), (one_by_one * share).sum())
    torch.testing.assert_close(summed_loss(problem, logits, {**batch, "weights": torch.ones(4)}), one_by_one.sum())
    torch.testing.assert_close(summed_loss(problem, logits, batch), one_by_one.sum())


def test_a_weight_counts_as_so_many_copies():
    symbols = Ragged.from_lists([RNG.integers(0, 4, 16) for _ in range(90)])
    labels, split = RNG.integers(0, 2, 90), np.array(["train", "train", "valid"] * 30)
    shares = RNG.integers(1, 4, 90).astype(np.float32)
    weighted = fit_kmer(symbols, None, labels, split, 4, "classification", 2, 0, "accuracy", "none", shares)
    copied = np.repeat(np.arange(90), np.where(split == "train", shares, 1).astype(int))
    several = fit_kmer(symbols.take(copied), None, labels[copied], split[copied], 4, "classification", 2, 0, "accuracy")
    assert weighted.chosen == several.chosen
    np.testing.assert_allclose(weighted.scores(symbols), several.scores(symbols), atol=2e-3)


@pytest.mark.parametrize(("cells", "told"), [
    (["1", "", "2"], "row 2: the weight is empty"), (["1", "2", "-1"], "row 3: the weight is '-1'"),
    (["heavy", "2", "1"], "row 1: the weight is 'heavy'"), (["1", "inf", "1"], "row 2: the weight is 'inf'"),
])  # fmt: skip
def test_what_is_no_weight_is_refused_by_its_row(cells, told, tmp_path):
    rows = [f"ACGTAC{letter},{letter},{cell}" for letter, cell in zip("ACG", cells, strict=True)]
    (tmp_path / "w.csv").write_text("sequence,label,trust\n" + "\n".join(rows))
    with pytest.raises(DataError) as refused:
        checked(tmp_path / "w.csv", weight="trust")
    assert told in refused.value.what
    assert "expected: a number, 0 or more" in str(refused.value)


def test_weights_that_are_all_zero_teach_nothing(contradicted, tmp_path):
    rows = contradicted.read_text().splitlines()
    (tmp_path / "w.csv").write_text("\n".join([rows[0], *(row.rsplit(",", 1)[0] + ",0" for row in rows[1:])]))
    with pytest.raises(DataError, match="the weight of every training record is 0"):
        xdomain.run(data=str(tmp_path / "w.csv"), domain="dna", columns={"weight": "trust"}, out=tmp_path / "r")


def test_a_run_with_weights_judges_and_predicts_files_without_them(contradicted, tmp_path):
    result = xdomain.run(
        data=str(contradicted), domain="dna", columns={"weight": "trust"}, baseline="kmer", out=tmp_path / "r"
    )
    (tmp_path / "new.csv").write_text("sequence,label\n" + "\n".join(["GCGCGGCCGCGC,gc", "ATATTATAATAT,at"] * 3))
    assert xdomain.evaluate(result.folder, tmp_path / "new.csv").metrics["accuracy"].value == 1
    assert xdomain.predict(result.folder, tmp_path / "new.csv").column("prediction").to_pylist() == ["gc", "at"] * 3


def test_a_column_that_does_not_exist_is_named(contradicted):
    with pytest.raises((DataError, RecipeError), match="no column 'trst'"):
        checked(contradicted, weight="trst")
