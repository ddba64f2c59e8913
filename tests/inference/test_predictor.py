"""Several runs as one model, and both strands of DNA."""

import numpy as np
import pyarrow as pa
import pytest

import xdomain
from xdomain.cli.main import main
from xdomain.core.errors import RecipeError

OTHER = str.maketrans("ACGT", "TGCA")


def as_lists(table):
    return table.to_pydict() if isinstance(table, pa.Table) else {name: table[name].tolist() for name in table}


def data(labels=("no", "yes"), n=60):
    rng = np.random.Generator(np.random.PCG64(5))
    sequences = ["".join(rng.choice(list("ACGT"), 20)) for _ in range(n)]
    return sequences, [labels[int(sequence.count("A") > 4)] for sequence in sequences]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two runs of k-mers on different halves, and runs that cannot be averaged with them."""
    folder = tmp_path_factory.mktemp("runs")
    sequences, labels = data()
    given = {
        "one": ("dna", sequences[:40], labels[:40]),
        "two": ("dna", sequences[20:], labels[20:]),
        "other": ("dna", *data(labels=("a", "b"))),
        "value": ("dna", sequences, [float(one.count("A")) + i / 100 for i, one in enumerate(sequences)]),
        "protein": ("protein", sequences, labels),
    }
    for name, (domain, told, wanted) in given.items():
        xdomain.run(data=(told, wanted), domain=domain, baseline="kmer", out=folder / name)
    return folder


def test_several_runs_are_one_model(runs, tmp_path):
    sequences, _ = data()
    each = [xdomain.load(runs / name).predict_proba(sequences) for name in ("one", "two")]
    both = xdomain.load(runs / "one", runs / "two")
    np.testing.assert_allclose(both.predict_proba(sequences), np.mean(each, axis=0))
    table = as_lists(both.predict_table(sequences))
    best = np.mean(each, axis=0).argmax(1)
    np.testing.assert_allclose(table["std"], np.std([one[np.arange(60), best] for one in each], axis=0, ddof=1))
    np.testing.assert_allclose(table["agreement"], np.mean([one.argmax(1) == best for one in each], axis=0))
    assert 0.5 in table["agreement"]
    (tmp_path / "new.csv").write_text("sequence\n" + "\n".join(sequences))
    with pytest.raises(SystemExit) as stop:
        main(["predict", str(runs / "one"), str(runs / "two"), str(tmp_path / "new.csv"), "--out",
              str(tmp_path / "p.csv")])  # fmt: skip
    assert stop.value.code == 0
    header, *rows = (tmp_path / "p.csv").read_text().splitlines()
    assert header == '"id","prediction","score","p(no)","p(yes)","std","agreement"'
    assert [float(row.split(",")[3]) for row in rows] == pytest.approx(np.mean(each, axis=0)[:, 0].tolist())


def test_records_unlike_the_training_data_are_told(runs, tmp_path):
    model = xdomain.load(runs / "one", unlike=True)
    table = as_lists(model.predict_table([data()[0][0], "ACGTACGTACNNNNNNNNNN", "ACG"]))
    assert table["unlike"] == ["", "unknown unseen", "short"]
    assert table["length"] == [20, 20, 3]
    assert table["unknown"] == [0, 0.5, 0]
    (tmp_path / "new.csv").write_text(f"sequence\n{data()[0][0]}\nACG\n")
    with pytest.raises(SystemExit) as stop:
        main(["predict", str(runs / "one"), str(tmp_path / "new.csv"), "--unlike", "--reverse-complement", "--out",
              str(tmp_path / "p.csv")])  # fmt: skip
    assert stop.value.code == 0
    header, *rows = (tmp_path / "p.csv").read_text().splitlines()
    assert header.endswith('"unlike"')
    assert [row.split(",")[-1] for row in rows] == ['""', '"short"']


def test_an_encoder_tells_how_far_records_are_from_the_training_data(tiny_bert, tmp_path):
    sequences, labels = data()
    run = xdomain.run(data=(sequences, labels), domain="dna", backbone=str(tiny_bert), out=tmp_path / "run",
                      overrides=["train.max_steps=2", "train.precision=fp32", "split.valid=0.2"])  # fmt: skip
    new = [*sequences[:20], "A" * 20]
    table = as_lists(xdomain.load(run.folder, unlike=True).predict_table(new))
    assert list(table)[-3:] == ["unseen", "distance", "unlike"]
    assert "far" in table["unlike"][-1].split()
    held_out = as_lists(run.predictions())
    split = dict(zip(held_out["id"], held_out["split"], strict=True))
    train = [s for i, s in enumerate(sequences, 1) if str(i) not in split]  # predictions are of valid and test alone
    vectors = [xdomain.load(run.folder).embed(one) for one in (train, new)]
    known, own = (one / np.linalg.norm(one, axis=1, keepdims=True) for one in vectors)
    plain = np.linalg.norm(own[:, None] - known[None], axis=2).min(1)
    np.testing.assert_allclose(table["distance"], plain, atol=0.02)  # kept in half precision


def test_values_of_several_runs_are_averaged(runs):
    both = xdomain.load(runs / "value", runs / "value")
    assert as_lists(both.predict_table(["ACGTACGTAC"]))["std"] == [0]


@pytest.mark.parametrize(
    ("name", "told"), [("other", "classes a, b"), ("value", "problem regression"), ("protein", "domain protein")]
)
def test_runs_that_answer_other_questions_are_refused(name, told, runs):
    with pytest.raises(RecipeError, match=told):
        xdomain.load(runs / "one", runs / name)


def test_both_strands_are_read(runs):
    sequences, _ = data()
    flipped = [one.translate(OTHER)[::-1] for one in sequences]
    for name in ("one", "value"):
        plain, both = xdomain.load(runs / name), xdomain.load(runs / name, reverse_complement=True)
        read = "predict" if name == "value" else "predict_proba"
        wanted = (getattr(plain, read)(sequences) + getattr(plain, read)(flipped)) / 2
        np.testing.assert_allclose(getattr(both, read)(sequences), wanted)
        np.testing.assert_allclose(getattr(both, read)(flipped), wanted)
    with pytest.raises(RecipeError, match="reverse_complement for classification of protein"):
        xdomain.load(runs / "protein", reverse_complement=True)
