"""Predictions along a genome: equal to predictions of each window by hand, in the form that genome browsers ask for."""

import math
from itertools import pairwise

import numpy as np
import pytest
from command_line import told
from extras import needs_genome
from hypothesis import given
from hypothesis import strategies as st

import xdomain
from xdomain.core.errors import DataError, OutputError, RecipeError
from xdomain.inference import genome_track
from xdomain.inference.genome_track import stretches, windows_of

pytestmark = needs_genome

CONTIGS = {"chr2": 130, "chr10": 95, "a": 40, "b": 8, "empty": 60}  # which the genome has in another order


@pytest.fixture(scope="module")
def contigs():
    rng = np.random.default_rng(3)
    made = {name: "".join(rng.choice(list("ACGTacgt"), n)) for name, n in CONTIGS.items()}
    return made | {"chr2": made["chr2"][:50] + "N" * 30 + made["chr2"][80:], "empty": "N" * 60}


@pytest.fixture
def genome(contigs, tmp_path):
    path = tmp_path / "genome.fa"
    lines = []
    for name, bases in contigs.items():
        lines += [f">{name} described", *(bases[i : i + 33] for i in range(0, len(bases), 33))]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def sequences():
    rng = np.random.default_rng(4)
    return ["".join(rng.choice(list("ACGT"), 20)) for _ in range(60)]


def trained(sequences, labels, out):
    return xdomain.run(data=(sequences, labels), domain="dna", baseline="kmer", out=out).folder


@pytest.fixture(scope="module")
def run(sequences, tmp_path_factory):
    labels = ["yes" if one.count("A") > 5 else "no" for one in sequences]
    return trained(sequences, labels, tmp_path_factory.mktemp("track") / "run")


@pytest.fixture(scope="module")
def three(sequences, tmp_path_factory):
    labels = [("one", "two words", "rest")[one.count("A") % 3] for one in sequences]
    return trained(sequences, labels, tmp_path_factory.mktemp("track") / "three")


@pytest.fixture(scope="module")
def values(sequences, tmp_path_factory):
    return trained(
        sequences,
        [one.count("A") / 7 + 0.01 * i for i, one in enumerate(sequences)],
        tmp_path_factory.mktemp("track") / "values",
    )


def by_base(contigs, window, stride, predict):
    """A slow twin: of each base, the mean over the windows that hold it; NaN where none does."""
    track = {}
    for name, bases in contigs.items():
        starts = [i for i in range(0, len(bases), stride) if i + window <= len(bases)] or [0]
        if starts[-1] + window < len(bases) and stride <= window:
            starts.append(len(bases) - window)
        ranges = [(i, min(i + window, len(bases))) for i in starts]
        kept = [(i, j) for i, j in ranges if bases[i:j].upper().count("N") <= (j - i) / 2]
        answers = predict([bases[i:j] for i, j in kept]) if kept else []
        sums, number = np.zeros(len(bases)), np.zeros(len(bases))
        for (i, j), answer in zip(kept, answers, strict=True):
            sums[i:j] += answer
            number[i:j] += 1
        track[name] = np.where(number > 0, sums / np.maximum(number, 1), math.nan)
    return track


def read_bedgraph(path, contigs):
    """By contig, the value of each base, after what UCSC's bedGraphToBigWig asks for was looked at: whole numbers that
    count from 0, contigs and starts in order, no interval over another, none beyond its contig."""
    track = {name: np.full(len(bases), math.nan) for name, bases in contigs.items()}
    before = ("", 0, 0)
    for line in path.read_text().splitlines():
        name, start, end, value = line.split("\t")
        assert start.isdigit()
        assert end.isdigit()
        here = (name, int(start), int(end))
        assert 0 <= here[1] < here[2] <= len(contigs[name])
        assert name.encode() >= before[0].encode()
        assert name != before[0] or here[1] >= before[2]
        track[name][here[1] : here[2]] = float(value)
        before = here
    return track


@pytest.mark.parametrize(("window", "stride"), [(20, 5), (20, 7), (20, None), (20, 30), (300, 100)])
def test_bedgraph_equals_predictions_by_hand(run, genome, contigs, tmp_path, window, stride, monkeypatch):
    monkeypatch.setattr(genome_track, "AT_ONCE", 4)
    xdomain.predict_windows(run, genome, tmp_path / "x.bedgraph", window=window, stride=stride)
    found = read_bedgraph(tmp_path / "x.bedgraph", contigs)
    model = xdomain.load(run)
    expected = by_base(contigs, window, stride or window, lambda some: model.predict_proba(some)[:, 1])
    for name in contigs:
        np.testing.assert_allclose(found[name], expected[name], atol=1e-6)
    assert np.isnan(found["empty"]).all()
    assert not np.isnan(found["b"]).any()


def test_a_value_and_a_class(values, three, genome, contigs, tmp_path):
    xdomain.predict_windows(values, genome, tmp_path / "x.bg", window=20, stride=10)
    expected = by_base(contigs, 20, 10, lambda some: xdomain.load(values).predict(some))
    np.testing.assert_allclose(read_bedgraph(tmp_path / "x.bg", contigs)["chr10"], expected["chr10"], rtol=1e-5)
    xdomain.predict_windows(three, genome, tmp_path / "y.bdg", window=20, stride=10, of="rest")
    model = xdomain.load(three)
    column = model.classes.index("rest")
    expected = by_base(contigs, 20, 10, lambda some: model.predict_proba(some)[:, column])
    np.testing.assert_allclose(read_bedgraph(tmp_path / "y.bdg", contigs)["a"], expected["a"], atol=1e-6)


def test_bed_has_a_line_a_window(three, genome, contigs, tmp_path):
    xdomain.predict_windows(three, genome, tmp_path / "x.bed", window=20, stride=30)
    lines = [line.split("\t") for line in (tmp_path / "x.bed").read_text().splitlines()]
    model = xdomain.load(three)
    starts = {name: [int(line[1]) for line in lines if line[0] == name] for name in contigs}
    assert starts == {"a": [0], "b": [0], "chr10": [0, 30, 60], "chr2": [0, 30, 90], "empty": []}
    for contig, start, end, name, score, strand in lines:
        bases = contigs[contig][int(start) : int(end)]
        chances = model.predict_proba([bases])[0]
        assert name == model.classes[chances.argmax()].replace(" ", "_")
        assert int(score) == round(1000 * chances.max())
        assert strand == "."
    assert {line[3] for line in lines} > {"two_words"}


def test_several_runs_and_both_strands(run, genome, contigs, tmp_path):
    xdomain.predict_windows([run, run], genome, tmp_path / "x.bedgraph", window=20, reverse_complement=True)
    model = xdomain.load(run, reverse_complement=True)
    expected = by_base(contigs, 20, 20, lambda some: model.predict_proba(some)[:, 1])
    np.testing.assert_allclose(read_bedgraph(tmp_path / "x.bedgraph", contigs)["a"], expected["a"], atol=1e-6)


@given(st.integers(0, 60), st.integers(1, 20), st.integers(1, 25))
def test_windows_reach_both_ends(length, window, stride):
    places = list(windows_of(length, window, stride))
    assert places == sorted(set(places))
    assert all(end - start == min(window, length) for start, end in places)
    covered = {base for start, end in places for base in range(start, end)}
    if stride <= window:
        assert covered == set(range(length))
    assert [start for start, _ in places if start % stride] in ([], [length - window])


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 5)), max_size=8), st.integers(1, 6))
def test_stretches_by_a_slow_twin(steps, width):
    starts = np.cumsum([step for step, _ in steps]).tolist()
    windows = [(start, start + width, float(value)) for start, (_, value) in zip(starts, steps, strict=True)]
    found = list(stretches(windows))
    assert all(a[1] <= b[0] for a, b in pairwise(found))
    wanted = {}
    for base in range(max(starts, default=0) + width):
        values = [value for start, end, value in windows if start <= base < end]
        if values:
            wanted[base] = np.mean(values)
    assert {base: value for start, end, value in found for base in range(start, end)} == pytest.approx(wanted)


def test_what_is_left_out_is_told(run, genome, tmp_path, said):
    xdomain.predict_windows(run, genome, tmp_path / "x.bedgraph", window=20, stride=30)
    assert said[-4].startswith("8 windows of 20 letters, every 30: the probability of class 'yes', mean over")
    assert said[-3:] == [
        "3 windows are left out, as more than half of each is N",
        "1 contigs are shorter than a window, and are taken whole",
        "warning: windows of 20 every 30 leave stretches between them without a prediction",
    ]


def test_the_command(capsys, run, genome, tmp_path):
    options = ["--windows", 20, "--stride", 10, "--class", "no", "--reverse-complement"]
    code, out, err = told(capsys, "predict", run, run, genome, *options, "--out", tmp_path / "x.bedgraph")
    assert (code, out) == (0, ""), err
    xdomain.predict_windows([run, run], genome, tmp_path / "y.bedgraph", window=20, stride=10, of="no",
                            reverse_complement=True)  # fmt: skip
    assert (tmp_path / "x.bedgraph").read_text() == (tmp_path / "y.bedgraph").read_text()
    for command, expected in (
        (["--windows", 20], "--out predictions.bedgraph"),
        (["--windows", 20, "--out", tmp_path / "x.csv"], "ends in .csv"),
        (["--windows", 20, "--out", tmp_path / "x.bedgraph"], "exists already"),
        (["--windows", 20, "--out", tmp_path / "z.bed", "--json"], "--json with --windows"),
        (["--windows", 20, "--out", tmp_path / "z.bed", "--class", "no"], "for BED, where each window has the class"),
        (["--windows", 20, "--out", tmp_path / "z.bg", "--class", "nope"], "did you mean: no"),
        (["--stride", 20], "--stride without --windows"),
        (["--class", "no"], "--class without --windows"),
    ):
        code, _, err = told(capsys, "predict", run, genome, *command)
        assert code == 2, command
        assert expected in err
    assert not (tmp_path / "z.bed").exists()


def test_what_has_no_track_is_refused(run, three, values, genome, tmp_path):
    with pytest.raises(RecipeError, match="which of 3 classes"):
        xdomain.predict_windows(three, genome, tmp_path / "x.bedgraph", window=20)
    with pytest.raises(RecipeError, match="BED of a run for regression"):
        xdomain.predict_windows(values, genome, tmp_path / "x.bed", window=20)
    with pytest.raises(RecipeError, match="windows of 0 letters"):
        xdomain.predict_windows(run, genome, tmp_path / "x.bed", window=0)
    with pytest.raises(OutputError, match="ends in"):
        xdomain.predict_windows(run, genome, tmp_path / "x.wig", window=20)
    (tmp_path / "bad.fa").write_text(">chr1\nACGTACGTAC!TACGTACGTACGT\n")
    with pytest.raises(DataError, match=r"chr1:0-20"):
        xdomain.predict_windows(run, tmp_path / "bad.fa", tmp_path / "x.bed", window=20)
    (tmp_path / "n.fa").write_text(">chr1\nNNNNNNNNNNNNNNN\n")
    with pytest.raises(DataError, match="mostly N"):
        xdomain.predict_windows(run, tmp_path / "n.fa", tmp_path / "x.bed", window=10)
    assert not list(tmp_path.glob("x.*"))
