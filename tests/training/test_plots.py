"""The pictures: what is drawn where, and that a file is there to look at."""

from itertools import pairwise
from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import image
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from xdomain.training.figure_style import ARMS as LOOKS
from xdomain.training.figure_style import BLUE, INK, ORANGE, arm_looks, save_figure, smoothed
from xdomain.training.plots import plot_comparison, plot_confusion, plot_history, plot_pretraining

NAN = float("nan")
HISTORY = [
    {"step": 10, "epoch": 0.5, "loss": 0.9},
    {"step": 20, "epoch": 1.0, "loss": 0.6},
    {"step": 20, "epoch": 1.0, "valid": {"mse": 0.5, "r2": 0.2}},
    {"step": 30, "epoch": 1.5, "loss": 0.4},
    {"step": 40, "epoch": 2.0, "valid": {"mse": 0.2, "r2": 0.7}},
    {"step": 60, "epoch": 3.0, "valid": {"mse": 0.3, "r2": 0.6}},
]
ARMS = [
    {"label": "pretrained", "value": 0.9, "low": 0.85, "high": 0.93},
    {"label": "scratch", "value": 0.8, "low": 0.75, "high": 0.84},
    {"label": "kmer", "value": 0.82, "low": 0.77, "high": 0.86},
]


@pytest.fixture
def draw(drawn, tmp_path, monkeypatch):
    """Draws, checks the file, and hands back the figure's axes and the picture's pixels."""
    saved = []
    save = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda figure, *a, **o: (saved.append(figure), save(figure, *a, **o))[1])

    def picture_of(plot, *data, **options):
        path = tmp_path / "picture.png"
        plot(*data, path=path, title="toy/dna, pretrained", **options)
        assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
        pixels = image.imread(path)[..., :3]
        assert 200 < min(pixels.shape[:2]) <= max(pixels.shape[:2]) < 2500
        assert np.ptp(pixels) == 1
        return SimpleNamespace(axes=saved[-1].axes, pixels=pixels, path=path)

    return picture_of


def points(line):
    return [(float(x), float(y)) for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)]


def of_colour(pixels, colour):
    return int((np.abs(pixels - to_rgb(colour)).max(-1) < 0.02).sum())


def texts(axes):
    return [text.get_text() for text in axes.texts]


# the course of a run


@pytest.mark.parametrize(("metric", "best", "label"), [("mse", 40, "best 0.200"), ("r2", 40, "best 0.700")])
def test_a_course_shows_loss_and_metric_and_marks_the_best(draw, metric, best, label):
    picture = draw(plot_history, HISTORY, metric=metric)
    above, below = picture.axes
    assert points(above.lines[0]) == [(10, 0.9), (20, 0.6), (30, 0.4)]
    assert points(below.lines[0]) == [(row["step"], row["valid"][metric]) for row in HISTORY if "valid" in row]
    assert set(below.lines[1].get_xdata()) == {best}
    assert texts(below) == [label]
    assert above.get_title(loc="left") == "toy/dna, pretrained"
    assert below.get_ylabel() == {"mse": "validation\nmean squared error", "r2": "validation\nR²"}[metric]
    assert min(of_colour(picture.pixels, BLUE), of_colour(picture.pixels, ORANGE)) > 100


def test_a_course_of_one_evaluation_is_seen(draw):
    picture = draw(plot_history, HISTORY[:1] + HISTORY[2:3], metric="r2")
    assert points(picture.axes[1].lines[0]) == [(20, 0.2)]
    assert texts(picture.axes[1]) == ["best 0.200"]
    assert min(of_colour(picture.pixels, BLUE), of_colour(picture.pixels, ORANGE)) > 20


def test_a_course_without_validation(draw):
    picture = draw(plot_history, [row for row in HISTORY if "loss" in row], metric="r2")
    assert len(picture.axes[0].lines[0].get_xdata()) == 3
    assert not picture.axes[1].lines
    assert not picture.axes[1].texts
    assert of_colour(picture.pixels, ORANGE) == 0


def test_a_course_of_nothing_is_an_empty_frame(draw):
    picture = draw(plot_history, [], metric="accuracy")
    assert [len(axes.lines) for axes in picture.axes] == [0, 0]


@pytest.mark.parametrize("history", [[], [{"step": 4, "tokens": 512, "length": 8, "valid": {"loss": 3.5}}]])
def test_a_pretraining_without_a_loss_row_is_drawn_too(draw, history):
    (axes,) = draw(plot_pretraining, history).axes
    assert [points(line) for line in axes.lines] == [[(512, 3.5)]] * len(history)


def test_what_is_undefined_is_left_out(draw):
    rows = [{"step": 5, "loss": NAN}, {"step": 5, "valid": {"mse": None, "r2": NAN}}, *HISTORY]
    above, below = draw(plot_history, rows, metric="r2").axes
    assert points(above.lines[0])[1:] == [(10, 0.9), (20, 0.6), (30, 0.4)]
    assert [step for step, _ in points(below.lines[0])] == [20, 40, 60]
    assert texts(below) == ["best 0.700"]
    above, below = draw(plot_history, rows[:2], metric="r2").axes
    assert not below.lines


def test_a_long_course_is_smoothed_with_its_points_behind_it(draw):
    rng = np.random.default_rng(0)
    losses = 1 + 0.2 * rng.standard_normal(200)
    above, _ = draw(plot_history, [{"step": i, "loss": x} for i, x in enumerate(losses)], metric="r2").axes
    behind, smooth = (np.array(line.get_ydata()) for line in above.lines)
    assert behind.tolist() == losses.tolist()
    assert above.lines[0].get_alpha() < 0.5
    assert np.diff(smooth).std() < np.diff(losses).std() / 5
    assert smooth.mean() == pytest.approx(1, abs=0.05)


def test_smoothing_favours_no_value():
    assert smoothed([3.0] * 100) == pytest.approx(3.0)
    assert smoothed([1.0, 2.0, 4.0]).tolist() == [1, 2, 4]  # so few are their own mean
    values = np.r_[np.zeros(200), np.ones(200)]
    assert smoothed(values.tolist())[199:260:20].round(1).tolist() == [0, 0.9, 1, 1]


# arms


def looks_alone(arm):
    return arm_looks([arm])[arm]


def test_an_arm_looks_alike_whatever_stands_beside_it():
    assert arm_looks(["scratch", "kmer"])["scratch"] == arm_looks(["pretrained", "cnn", "scratch"])["scratch"]
    looks = arm_looks(
        ["pretrained", "pretrained lora", "pretrained (words)", "frequent words", "rare words", "scratch"]
    )
    assert len({look["color"] for look in looks.values()}) == 6
    assert (looks["pretrained"]["color"], looks["scratch"]["color"]) == (BLUE, ORANGE)
    many = arm_looks([*LOOKS, *(f"words {i}" for i in range(14))])
    assert (
        len({tuple(look.values()) for look in many.values()}) == len(LOOKS) + 14
    )  # dashes and markers, where colours are too few
    assert many["kmer"] == looks_alone("kmer")
    markers = [look["marker"] for look in arm_looks(list(LOOKS)).values()]
    assert len(set(markers)) == len(LOOKS)  # told apart in grey


def test_the_same_figure_gives_the_same_files(draw, tmp_path):
    files = []
    for name in ("one", "two"):
        figure = draw(plot_comparison, ARMS, metric="f1").axes[0].figure
        save_figure(figure, tmp_path / f"{name}.png")
        files.append([(tmp_path / f"{name}.{ending}").read_bytes() for ending in ("png", "svg")])
    assert files[0] == files[1]


# confusion


def test_a_confusion_shows_its_counts_and_shades_by_share_of_the_row(draw):
    matrix = [[1500, 500, 0], [0, 3, 1], [0, 0, 0]]
    (axes,) = draw(plot_confusion, matrix, ["donor", "acceptor", "none"]).axes
    assert texts(axes) == ["1,500", "500", "0", "0", "3", "1", "0", "0", "0"]
    assert {text.get_text(): tuple(text.get_position()) for text in axes.texts}["500"] == (1, 0)
    assert axes.images[0].get_array().tolist() == [[0.75, 0.25, 0], [0, 0.75, 0.25], [0, 0, 0]]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["donor", "acceptor", "none"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["donor", "acceptor", "none"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted", "true (colour: share of the row)")
    assert [text.get_text() for text in axes.texts if text.get_color() == "white"] == ["1,500", "3"]


@pytest.mark.parametrize("classes", [2, 12])
def test_few_and_many_classes_fit_in_a_picture(draw, classes):
    names = [f"class number {i}" for i in range(classes)]
    picture = draw(plot_confusion, np.eye(classes, dtype=int).tolist(), names)
    assert len(picture.axes[0].texts) == classes**2
    dark = mpl.colormaps["Blues"](1.0)[:3]
    assert of_colour(picture.pixels, dark) > 500 * classes


def test_up_to_forty_classes_have_names_and_no_counts(draw):
    names = [f"class number {i}" for i in range(40)]
    axes, pairs = draw(plot_confusion, np.eye(40, dtype=int).tolist(), names).axes
    assert pairs.get_title(loc="left") == "no class is taken for another"
    assert not axes.texts
    assert [label.get_text() for label in axes.get_yticklabels()] == names
    axes.figure.canvas.draw()
    boxes = [label.get_window_extent() for label in axes.get_xticklabels()]
    assert all(one.x1 <= other.x0 for one, other in pairwise(boxes))  # no name lies on another


def test_of_many_classes_the_most_confused_are_named(draw):
    matrix = np.diag([50] * 107)
    matrix[3, 5], matrix[7, 2], matrix[100, 106] = 9, 20, 4
    names = [f"piece by composer number {i}" for i in range(107)]
    picture, pairs = draw(plot_confusion, matrix.tolist(), names).axes
    assert picture.images[0].get_array().shape == (107, 107)
    assert not picture.get_yticklabels()
    assert [label.get_text() for label in pairs.get_yticklabels()] == [
        "piece by co…ser number 7 → piece by co…ser number 2",
        "piece by co…ser number 3 → piece by co…ser number 5",
        "piece by co…r number 100 → piece by co…r number 106",
    ]
    assert texts(pairs) == ["20 of 70", "9 of 59", "4 of 54"]
    assert len(draw(plot_confusion, np.ones((61, 61), int).tolist(), names[:61]).axes[1].patches) == 20
    none = draw(plot_confusion, np.eye(61, dtype=int).tolist(), names[:61]).axes[1]
    assert none.get_title(loc="left") == "no class is taken for another"


# a few runs


def test_a_comparison_shows_each_arm_with_its_interval(draw):
    picture = draw(plot_comparison, ARMS, metric="accuracy")
    (axes,) = picture.axes
    for place, arm in enumerate(ARMS):
        assert points(axes.lines[2 * place]) == [(arm["low"], place), (arm["high"], place)]
        assert points(axes.lines[2 * place + 1]) == [(arm["value"], place)]
    assert texts(axes) == ["0.900", "0.800", "0.820"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["pretrained", "scratch", "kmer"]
    assert axes.get_ylim()[0] > axes.get_ylim()[1]  # the first arm on top
    assert "accuracy" in axes.get_xlabel()
    assert min(of_colour(picture.pixels, colour) for colour in (BLUE, ORANGE, INK)) > 100  # each arm has its own
    assert "accuracy" in (picture.path.with_suffix(".svg")).read_text()


def test_a_comparison_of_one_is_a_comparison_too(draw):
    (axes,) = draw(plot_comparison, ARMS[:1], metric="mse").axes
    assert texts(axes) == ["0.900"]


def test_an_arm_without_a_value_keeps_its_place(draw):
    arms = [ARMS[0], {"label": "scratch", "value": NAN, "low": NAN, "high": NAN}, ARMS[2]]
    (axes,) = draw(plot_comparison, arms, metric="spearmanr").axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["pretrained", "scratch", "kmer"]
    assert texts(axes) == ["0.900", "nan", "0.820"]


def test_drawing_leaves_the_style_of_others_alone(draw):
    before = dict(mpl.rcParams)
    draw(plot_history, HISTORY, metric="mse")
    draw(plot_confusion, [[1]], ["a"])
    draw(plot_comparison, ARMS, metric="mse")
    assert dict(mpl.rcParams) == before
