"""The simple baselines: what they count, what they learn from, what they choose by, and that they come back."""

import itertools
import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression, Ridge

from xdomain.baselines.api import fit_baseline, load_baseline
from xdomain.baselines.cnn import BATCH, EPOCHS, PATIENCE
from xdomain.baselines.kmer import REACH, STRENGTHS, count_kmers, features, largest_k, surroundings
from xdomain.baselines.selection import better, rows_of
from xdomain.core.errors import BackboneError, DamagedError, DataError
from xdomain.core.sequences import Ragged
from xdomain.data.known_labels import IGNORED

KINDS = ("kmer", "cnn")
PROBLEMS = ("classification", "regression", "tagging", "pair")
METRIC = {"classification": "accuracy", "regression": "mse", "tagging": "accuracy", "pair": "accuracy"}
SPLIT = np.array((["train"] * 4 + ["valid", "test"]) * 12)
SEQUENCES = st.lists(st.lists(st.integers(0, 2), max_size=12), min_size=1, max_size=6)


def task(problem, *, n=72, noise=0.3, seed=0):
    """What `fit_baseline` needs: labels that depend on the symbols, and on chance.

    A class or a value depends on the share of 0, a tag on its own symbol. The halves of a pair are written in 0 and 1
    or in 2 and 3, and the label is whether both in the same.
    """
    rng = np.random.default_rng(seed)
    drawn = [rng.integers(0, 4, rng.integers(4, 15)) for _ in range(n)]
    others = None
    if problem == "pair":
        script = rng.integers(0, 2, (n, 2))
        others = [rng.integers(0, 2, rng.integers(4, 15)) + 2 * kind for kind in script[:, 1]]
        drawn = [symbols % 2 + 2 * kind for symbols, kind in zip(drawn, script[:, 0], strict=True)]
        labels = (script[:, 0] == script[:, 1]) ^ (rng.random(n) < noise)
    elif problem == "tagging":
        flat = np.concatenate(drawn)
        labels = np.where(rng.random(len(flat)) < noise, rng.integers(0, 3, len(flat)), flat % 3)
    else:
        share = np.array([np.mean(symbols == 0) for symbols in drawn]) + noise / 3 * rng.normal(size=n)
        labels = share * 4 if problem == "regression" else np.digitize(share, [0.15, 0.35])
    return {
        "symbols": Ragged.from_lists(drawn),
        "symbols_b": Ragged.from_lists(others) if others else None,
        "labels": labels.astype(np.float32 if problem == "regression" else np.int64),
        "split": np.resize(SPLIT, n),
        "alphabet_size": 4,
        "problem": problem,
        "n_classes": {"classification": 3, "regression": 0, "tagging": 3, "pair": 2}[problem],
        "seed": 0,
        "metric": METRIC[problem],
    }


def fit(kind, problem="classification", **changes):
    data = {**task(problem), **changes}
    return fit_baseline(kind, **data), data


def scores(model, data):
    return model.scores(data["symbols"], data["symbols_b"])


def rows(data, name):
    return rows_of(data["symbols"], data["split"], name, data["problem"])


def measured(data, found, name):
    """The metric of a split, the slow way."""
    chosen = rows(data, name)
    labels, found = data["labels"][chosen], found[chosen]
    if data["problem"] == "regression":
        return float(np.mean((labels - found) ** 2))
    return float(np.mean(labels == found.argmax(-1)))


# what is counted


def test_kmers_by_hand():
    # ABAB, BA and A: AA AB BA BB
    found = count_kmers(Ragged.from_lists([[0, 1, 0, 1], [1, 0], [0]]), 2, 2)
    assert found.toarray().tolist() == [[0, 2, 1, 0], [0, 0, 1, 0], [0, 0, 0, 0]]


@given(sequences=SEQUENCES, k=st.integers(1, 4))
def test_kmers_as_a_slow_loop_counts_them(sequences, k):
    slow = [
        [sum(tuple(one[i : i + k]) == word for i in range(len(one))) for word in itertools.product(range(3), repeat=k)]
        for one in sequences
    ]
    assert count_kmers(Ragged.from_lists(sequences), k, 3).toarray().tolist() == slow


@given(sequences=SEQUENCES)
def test_surroundings_as_a_slow_loop_sees_them(sequences):
    slow = []
    for one in sequences:
        for place in range(len(one)):
            row = []
            for shift in range(-REACH, REACH + 1):
                seen = one[place + shift] if 0 <= place + shift < len(one) else 3
                row += [int(seen == symbol) for symbol in (0, 1, 2, 3)]
            slow.append(row)
    found = surroundings(Ragged.from_lists(sequences), 3)
    assert found.shape == (len(slow), (2 * REACH + 1) * 4)
    assert found.toarray().tolist() == slow


# 4 + 16 + ... + 4096 = 5,460 and k = 6 is the longest there is; 20 + 400 + 8,000 = 8,420; 99 + 9,801 = 9,900
@pytest.mark.parametrize(
    ("alphabet", "k"), [(1, 6), (2, 6), (4, 6), (5, 5), (20, 3), (25, 2), (99, 2), (100, 1), (30_000, 1)]
)
def test_words_are_as_long_as_ten_thousand_kinds_allow(alphabet, k):
    assert largest_k(alphabet) == k


def test_counts_are_measured_against_the_root_of_the_length():
    found = features(Ragged.from_lists([[0, 0, 0, 0]]), None, "classification", 1)
    assert found.toarray().tolist() == [[4 / 2, 3 / 2, 2 / 2, 1 / 2, 0, 0]]


def test_a_pair_shows_both_halves_and_their_difference():
    found = features(Ragged.from_lists([[0, 0, 0, 0]]), Ragged.from_lists([[0]]), "pair", 1).toarray()[0]
    assert found[:6].tolist() == [2, 1.5, 1, 0.5, 0, 0]
    assert found[6:12].tolist() == [1, 0, 0, 0, 0, 0]
    assert found[12:].tolist() == [1, 1.5, 1, 0.5, 0, 0]


def test_rows_of_a_split_by_hand():
    symbols, split = Ragged.from_lists([[0, 0], [0], [0, 0, 0]]), np.array(["test", "train", "test"])
    assert rows_of(symbols, split, "test", "classification").tolist() == [0, 2]
    assert rows_of(symbols, split, "test", "tagging").tolist() == [0, 1, 3, 4, 5]


def test_what_is_better():
    assert better("accuracy", 0.6, 0.5)
    assert not better("accuracy", 0.5, 0.5)
    assert better("mse", 0.5, 0.6)
    assert not better("mse", 0.6, 0.5)
    assert better("mse", 0.6, None)
    assert not better("accuracy", float("nan"), None)
    assert not better("mse", float("-inf"), 0.5)


# what is learned


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("problem", PROBLEMS)
def test_what_can_be_learned_is_learned(kind, problem):
    data = task(problem, n=240, noise=0)
    found = scores(fit_baseline(kind, **data), data)
    test = data["labels"][rows(data, "test")]
    if problem == "regression":
        assert measured(data, found, "test") < 0.2 * test.var()
    else:
        common = np.bincount(test).max() / len(test)
        assert measured(data, found, "test") > common + 0.6 * (1 - common)


def test_two_classes_are_as_likely_as_scikit_learn_says():
    model, data = fit("kmer", "pair")
    seen, train = features(data["symbols"], data["symbols_b"], "pair", 4), rows(data, "train")
    twin = LogisticRegression(C=model.chosen["strength"], max_iter=200).fit(seen[train], data["labels"][train])
    chances = softmax(scores(model, data), axis=-1)
    np.testing.assert_allclose(chances, twin.predict_proba(seen), atol=1e-9)
    truth = data["labels"][train]
    assert model.train_loss == pytest.approx(-np.log(chances[train, truth]).mean())


@pytest.mark.parametrize("problem", ["classification", "tagging"])
def test_three_classes_are_as_likely_as_scikit_learn_says(problem):
    model, data = fit("kmer", problem)
    seen, train = features(data["symbols"], None, problem, 4), rows(data, "train")
    twin = LogisticRegression(C=model.chosen["strength"], max_iter=200).fit(seen[train], data["labels"][train])
    np.testing.assert_allclose(softmax(scores(model, data), axis=-1), twin.predict_proba(seen), atol=1e-9)


def test_values_are_those_that_scikit_learn_predicts():
    model, data = fit("kmer", "regression")
    seen, train = features(data["symbols"], None, "regression", 4), rows(data, "train")
    twin = Ridge(alpha=1 / model.chosen["strength"]).fit(seen[train], data["labels"][train])
    np.testing.assert_allclose(scores(model, data), twin.predict(seen), rtol=1e-6)
    assert model.train_loss == pytest.approx(measured(data, scores(model, data), "train"))


def test_a_class_that_train_lacks_is_never_predicted():
    labels = np.where(task("classification")["labels"] == 1, 2, task("classification")["labels"])
    model, data = fit("kmer", labels=labels)
    chances = softmax(scores(model, data), axis=-1)
    assert chances.shape == (72, 3)
    assert (chances[:, 1] == 0).all()
    assert set(chances.argmax(-1)) == {0, 2}


@pytest.mark.parametrize("kind", KINDS)
def test_values_are_answered_in_the_labels_own_units(kind):
    model, data = fit(kind, "regression")
    moved, _ = fit(kind, "regression", labels=(data["labels"] * 64 + 1000).astype(np.float32))
    np.testing.assert_allclose(scores(moved, data), scores(model, data) * 64 + 1000, rtol=1e-4)


def test_every_class_has_its_column_though_train_lacks_the_last():
    data = task("tagging")
    few = np.where(data["labels"] == 2, IGNORED, data["labels"])
    for kind in KINDS:
        model, _ = fit(kind, "tagging", labels=few)
        assert scores(model, data).shape == (len(few), 3)


def test_one_class_alone_cannot_be_learned():
    with pytest.raises(DataError, match="all training records have one class"):
        fit("kmer", labels=np.zeros(72, np.int64))


def test_a_network_tells_the_first_half_of_a_pair_from_the_second():
    data = task("pair", n=240)
    more = [np.mean(r == 0) for r in data["symbols"]] > np.array([np.mean(r == 0) for r in data["symbols_b"]])
    model, _ = fit("cnn", **{**data, "labels": more.astype(np.int64)})
    test = rows(data, "test")
    assert np.mean(scores(model, data)[test].argmax(-1) == more[test]) > 0.85


def test_a_network_tells_where_in_a_sequence_a_motif_stands():
    rng = np.random.default_rng(0)
    late = np.arange(240) // 2 % 2
    symbols = [np.insert(rng.integers(0, 3, n), int((0.1 + 0.6 * part) * n), [3, 3, 3])
               for n, part in zip(rng.integers(20, 60, 240), late, strict=True)]  # fmt: skip
    data = {**task("classification", n=240), "symbols": Ragged.from_lists(symbols), "labels": late, "n_classes": 2}
    model, _ = fit("cnn", **data)
    test = rows(data, "test")
    assert np.mean(scores(model, data)[test].argmax(-1) == late[test]) > 0.95


def test_tags_that_are_not_told_teach_nothing():
    data = task("tagging")
    train = rows(data, "train")
    left_out = train[data["labels"][train] == 2]
    model, _ = fit("kmer", "tagging", labels=np.where(np.isin(np.arange(len(data["labels"])), left_out), IGNORED,
                                                      data["labels"]))  # fmt: skip
    rest = np.setdiff1d(train, left_out)
    seen = features(data["symbols"], None, "tagging", 4)
    twin = LogisticRegression(C=model.chosen["strength"], max_iter=200).fit(seen[rest], data["labels"][rest])
    np.testing.assert_allclose(
        softmax(scores(model, data), -1), np.pad(twin.predict_proba(seen), ((0, 0), (0, 1))), atol=1e-9
    )


def test_a_network_learns_nothing_from_tags_that_are_not_told():
    # one record of training has no tags at all: its symbols may be anything of the same length
    data = task("tagging")
    first = slice(0, data["symbols"].lengths[0])
    labels, values = data["labels"].copy(), data["symbols"].values.copy()
    labels[first], values[first] = IGNORED, 3 - values[first]
    changed = Ragged(values, data["symbols"].offsets)
    one, other = (fit("cnn", "tagging", labels=labels, symbols=s)[0] for s in (data["symbols"], changed))
    np.testing.assert_allclose(scores(one, data), scores(other, data), atol=1e-5)


# what validation and test are for


@pytest.mark.parametrize("strength", STRENGTHS)
def test_validation_chooses_the_strength(strength):
    data = task("regression")
    seen, train, valid = features(data["symbols"], None, "regression", 4), rows(data, "train"), rows(data, "valid")
    wanted = Ridge(alpha=1 / strength).fit(seen[train], data["labels"][train])
    labels = data["labels"].astype(np.float64)
    labels[valid] = wanted.predict(seen[valid])
    model = fit_baseline("kmer", **{**data, "labels": labels})
    assert model.chosen["strength"] == strength
    assert model.chosen["valid_mse"] == pytest.approx(0, abs=1e-9)
    np.testing.assert_allclose(scores(model, data), wanted.predict(seen), rtol=1e-5)


@pytest.mark.parametrize("problem", ["classification", "tagging", "pair"])
def test_the_strength_is_the_first_of_the_best_on_validation(problem):
    model, data = fit("kmer", problem)
    seen = features(data["symbols"], data["symbols_b"], problem, 4)
    train, valid = rows(data, "train"), rows(data, "valid")
    slow = [
        LogisticRegression(C=c, max_iter=200).fit(seen[train], data["labels"][train]).score(seen[valid],
                                                                                            data["labels"][valid])
        for c in STRENGTHS
    ]  # fmt: skip
    assert model.chosen == {"largest_k": 6, "strength": STRENGTHS[int(np.argmax(slow))], "valid_accuracy": max(slow)}


@pytest.mark.parametrize("problem", PROBLEMS)
def test_the_epoch_is_the_first_of_the_best_on_validation(problem):
    labels = np.random.default_rng(1).permutation(task(problem)["labels"])  # nothing to learn: the best comes early
    model, data = fit("cnn", problem, labels=labels)
    metric = METRIC[problem]
    course = [row["valid"][metric] for row in model.history if "valid" in row]
    losses = [row["loss"] for row in model.history if "loss" in row]
    best = int(np.argmin(course) if problem == "regression" else np.argmax(course))
    assert model.chosen == {"epoch": best + 1, f"valid_{metric}": course[best]}
    assert model.train_loss == losses[best]
    assert len(course) == len(losses) == min(EPOCHS, best + 1 + PATIENCE)
    assert best + 1 < len(course)
    assert measured(data, scores(model, data), "valid") == pytest.approx(course[best], rel=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("problem", PROBLEMS)
def test_the_labels_of_test_are_never_read(kind, problem):
    model, data = fit(kind, problem)
    test, labels = rows(data, "test"), data["labels"].copy()
    labels[test] = np.random.default_rng(2).permutation(labels[test])
    assert (labels != data["labels"]).any()
    shuffled, _ = fit(kind, problem, labels=labels)
    assert np.array_equal(scores(shuffled, data), scores(model, data))
    assert shuffled.chosen == model.chosen
    # and those of train are
    train = rows(data, "train")
    labels[train] = np.random.default_rng(2).permutation(labels[train])
    assert not np.array_equal(scores(fit(kind, problem, labels=labels)[0], data), scores(model, data))


# again, from disk, from a seed


@pytest.mark.parametrize("kind", KINDS)
def test_values_of_pairs_are_learned_from_both_halves_and_come_back_from_disk(kind, tmp_path):
    data = task("pair", n=240)
    first, second = (np.array([np.mean(r == 0) for r in data[name]]) for name in ("symbols", "symbols_b"))
    told = {"labels": (4 * (first - second)).astype(np.float32), "problem": "regression", "n_classes": 0}
    model, _ = fit(kind, **{**data, **told, "metric": "mse"})
    test = rows(data, "test")
    assert np.mean((scores(model, data)[test] - told["labels"][test]) ** 2) < np.var(told["labels"][test]) / 2
    model.save(tmp_path)
    assert np.array_equal(scores(load_baseline(tmp_path), data), scores(model, data))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("problem", PROBLEMS)
def test_a_baseline_comes_back_from_disk(kind, problem, tmp_path):
    model, data = fit(kind, problem)
    model.save(tmp_path)
    again = load_baseline(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"baseline.json", "model.safetensors"}
    assert np.array_equal(scores(again, data), scores(model, data))
    assert again.chosen == model.chosen
    assert again.train_loss == model.train_loss
    total = int(data["symbols"].offsets[-1]) if problem == "tagging" else 72
    assert scores(again, data).shape == ((total,) if problem == "regression" else (total, data["n_classes"]))


def test_what_is_undefined_is_written_as_null(tmp_path):
    model, _ = fit("cnn", "regression", labels=np.ones(72, np.float32), metric="spearmanr")
    model.save(tmp_path)
    told = json.loads((tmp_path / "baseline.json").read_text(), parse_constant=pytest.fail)
    assert told["chosen"] == {"epoch": PATIENCE, "valid_spearmanr": None}


def test_a_folder_without_a_baseline(tmp_path):
    with pytest.raises(BackboneError, match="holds no baseline") as told:
        load_baseline(tmp_path)
    assert "expected: baseline.json and model.safetensors" in str(told.value)
    (tmp_path / "baseline.json").write_text("{")
    with pytest.raises(DamagedError, match="cannot be read"):
        load_baseline(tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_decides_and_nothing_else(kind):
    torch.manual_seed(1)
    np.random.seed(1)
    model, data = fit(kind, seed=7)
    torch.manual_seed(2)
    np.random.seed(2)
    before = torch.random.get_rng_state()
    again, _ = fit(kind, seed=7)
    assert np.array_equal(scores(again, data), scores(model, data))
    assert again.history == model.history
    assert torch.equal(torch.random.get_rng_state(), before)
    if kind == "cnn":
        assert not np.array_equal(scores(fit(kind, seed=8)[0], data), scores(model, data))


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_record_scores_the_same_in_any_company(kind, problem):
    model, data = fit(kind, problem)
    order = np.resize(np.arange(72), 4 * BATCH + 3)  # more than a network reads at once

    def of(records):
        second = data["symbols_b"].take(records) if data["symbols_b"] else None
        return model.scores(data["symbols"].take(records), second)

    alone = [of(np.array([record])) for record in range(72)]
    np.testing.assert_allclose(of(order), np.concatenate([alone[record] for record in order]), atol=1e-5)
