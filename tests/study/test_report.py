"""The report of a study: what a reader is told, and that nothing is hidden from them."""

import math
import re
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib import image
from small_study import render_no_figures

from xdomain.cli.console import print_findings
from xdomain.core.errors import OutputError
from xdomain.core.recipe_sections import Published
from xdomain.metrics.bootstrap import Interval
from xdomain.metrics.metrics import METRICS
from xdomain.study.report import figures, formats, plot_style
from xdomain.study.report.conclusions import MAX_NAMED, kind_of
from xdomain.study.report.content import compose
from xdomain.study.report.render import render_markdown
from xdomain.study.report.write import write_report
from xdomain.study.results import Difference, Efficiency, Findings, Group, Missing, Question, Variance
from xdomain.study.stats.components import Component, Components
from xdomain.study.stats.estimate import Estimate

NAN = float("nan")
SPLICE, GB1 = "dna/splice", "protein/gb1"
YAML = "tasks: [dna/splice]\narms: [pretrained, scratch]  # `both`\n"


def estimate(value, half=0.02, p=0.2, detectable=0.03, cells=12):
    return Estimate(Interval(value, value - half, value + half), half / 2, p, detectable, cells)


def group(arm, value, task=SPLICE, **changes):
    steps = tuple((step, 1.1 * math.exp(-step / 400) + (1 - value)) for step in range(50, 1001, 50))
    plain = Group(task, arm, 1.0, "accuracy", True, 1e-4, (3e-5, 1e-4, 3e-4), False, 12, 12, estimate(value), steps)
    return replace(plain, **changes)


def difference(arm, value, q, task=SPLICE, half=0.02, detectable=0.03, **changes):
    told = estimate(value, half, p=q / 2, detectable=detectable)
    return replace(Difference(task, arm, "scratch", 1.0, "accuracy", True, 12, told, q, 0.004, 0.002, 0.031), **changes)


def spread(arm, mapping=4e-4, task=SPLICE, null=False, q=None):
    factors, residual = {"mapping": mapping, "seed": 1e-4}, 1.44e-4
    total = sum(factors.values()) + residual
    parts = tuple(
        Component(name, Interval(v, v / 4, v * 9), Interval(v / total, v / total / 3, 0.9), 0.021)
        for name, v in factors.items()
    )
    return Variance(task, arm, 1.0, Components(parts, Interval(residual, residual / 4, residual * 9)), null, q)


ORDINARY = Findings(
    "splice",
    "Does English help to find splice junctions?",
    "scratch",
    (36, 0, 0),
    (
        group("scratch", 0.903),
        group("pretrained", 0.969),
        group("reembed", 0.905),
        group("shuffled", 0.871),
        group("kmer", 0.683, rate=None, rates=(), losses=(), wanted=1, done=1),
    ),
    (
        difference("pretrained", 0.066, 0.0002),
        difference("reembed", 0.002, 0.61, detectable=0.027),
        difference("shuffled", -0.032, 0.012),
        difference("kmer", -0.220, 0.0001, mcnemar=None, sign_flip=None, least_sign_flip=None),
    ),
    (spread("pretrained"), spread("reembed", mapping=0.0, null=True, q=0.44)),
    (),
    ((SPLICE, Published(model="bert-base", metric="accuracy", value=0.975, source="Kao & Lee 2021", note="one seed")),),
    (),
    ("xdomain 0.1.0, torch 2.11.0, transformers 5.23.0", "cpu, 2 cores, bfloat16"),
    YAML,
)
FAILED = replace(
    ORDINARY,
    cells=(33, 2, 1),
    groups=(ORDINARY.groups[0], replace(ORDINARY.groups[1], done=9), *ORDINARY.groups[2:]),
    missing=(
        Missing("0123abcd", SPLICE, "pretrained", "mapping 2, seed 1, 1e-4", "not run", ""),
        Missing("4567cdef", SPLICE, "pretrained", "mapping 1, seed 0, 1e-4", "failed", "DataError: row 7 | of\nx.csv"),
        Missing("89abef01", SPLICE, "pretrained", "mapping 1, seed 2, 1e-4", "failed", "out of memory"),
    ),
)
ALARM = replace(ORDINARY, variances=(spread("pretrained"), spread("reembed", null=True, q=0.003)))
SINGLE = replace(
    ORDINARY,
    cells=(2, 0, 0),
    groups=tuple(
        replace(g, wanted=1, done=1, at_edge=i == 1, test=estimate(0.9 + 0.03 * i, cells=1))
        for i, g in enumerate(ORDINARY.groups[:2])
    ),
    differences=(difference("pretrained", 0.066, NAN, detectable=NAN, pairs=1, sign_flip=None, least_sign_flip=None),),
    variances=(),
    published=(),
)
WHY = "has a test accuracy of 0.5000, not above the 0.5125 of the most frequent class"
UNLEARNED = replace(
    ORDINARY,
    groups=tuple(replace(g, not_learned=WHY, constant=0.5125) for g in ORDINARY.groups[:2]),
    differences=(difference("pretrained", 0.03, NAN, learned=False),),
    variances=(),
    published=(),
)
WORSE: dict[str, Any] = {"metric": "mse", "higher_is_better": False, "task": GB1}
MSE = replace(
    ORDINARY,
    groups=(group("scratch", 0.412, **WORSE), group("pretrained", 0.301, **WORSE), group("kmer", 0.5, **WORSE)),
    differences=(difference("pretrained", -0.111, 0.001, **WORSE), difference("kmer", 0.088, 0.003, **WORSE)),
    variances=(),
    published=(),
)
EVIL = "<script>alert('1|2')</script> $x_1$ **bold** [a](http://evil.example)"
NASTY = replace(
    ORDINARY,
    name=EVIL,
    question=f"# {EVIL}\n\n- not a list",
    groups=(ORDINARY.groups[0], group(EVIL, 0.9, task=EVIL)),
    differences=(difference(EVIL, 0.05, 0.3, task=EVIL),),
    variances=(spread(EVIL, task=EVIL),),
    cells=(3, 1, 0),
    missing=(Missing("ab`|c", EVIL, EVIL, EVIL, "failed", f"{EVIL}\nsecond line\x00\x1b[31m"),),
    published=((EVIL, Published(model=EVIL, metric="accuracy", value=0.9, source="https://example.org/a?b=1&c='2'")),),
    machine=(EVIL,),
    study=f"name: '{EVIL}'\n```\nfence\n```\n",
)


def _large(tasks=5, others=11):
    tasks = [f"a-rather-long-domain-{'speech' * 3}/task-with-a-very-long-name-number-{t}" for t in range(tasks)]
    arms = ["scratch", *(f"backbone-with-a-name-of-its-own-{a}, re-embedded, lora r={2**a}, mapping frequent"
                         for a in range(others))]  # fmt: skip
    rng = np.random.Generator(np.random.PCG64(0))
    groups, differences, shares, areas = [], [], [], []
    for t, task in enumerate(tasks):
        for a, arm in enumerate(arms):
            for fraction in (0.0625, 0.25, 1.0):
                value = 0.55 + 0.03 * t + 0.015 * a + 0.1 * math.log2(fraction * 16) / 4
                groups.append(
                    group(arm, value, task, fraction=fraction, at_edge=a % 3 == 0, rate=3e-5, done=12 - a % 2)
                )
                if a:
                    d, q = float(rng.normal(0, 0.04)), float(rng.choice([0.0004, 0.02, 0.3, 0.8]))
                    half = float(rng.uniform(0.01, 0.04))
                    differences.append(difference(arm, d, q, task, half, fraction=fraction))
            shares.append(spread(arm, float(rng.uniform(0, 1e-3)), task))
            areas.append(Efficiency(task, arm, estimate(0.6 + 0.01 * a), estimate(0.01 * a) if a else None))
    missing = tuple(
        Missing(f"{i:08x}", tasks[i % len(tasks)], arms[i % len(arms)], f"mapping 0, seed {i}", "not run", "")
        for i in range(30)
    )
    return Findings(
        "everything", "Which of all these arms helps, and where?", "scratch", (2130, 0, 30), tuple(groups),
        tuple(differences), tuple(shares), tuple(areas), (), missing, ("xdomain 0.1.0",), YAML,
    )  # fmt: skip


LARGE = _large()
ALL = {
    "ordinary": ORDINARY,
    "failed": FAILED,
    "alarm": ALARM,
    "single": SINGLE,
    "mse": MSE,
    "unlearned": UNLEARNED,
    "nasty": NASTY,
    "several": _large(tasks=2, others=2),
    "large": LARGE,
}
RENDERED = ("ordinary", "nasty", "several")
"""The figures of the others are drawn too, but rendered in the slow tests alone."""
AND_SLOW = [*RENDERED, *(pytest.param(name, marks=pytest.mark.slow) for name in ALL if name not in RENDERED)]
INLINE = {"a", "code", "span", "strong"}
VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source"}


class Reader(HTMLParser):
    """Checks that what is opened is closed, and collects what a browser would show and load."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attributes, self.shown, self.ids = [], [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        assert len(attrs) == len({name for name, _ in attrs})
        self.tags.append(tag)
        self._part(tag)
        self.attributes += [(tag, *pair) for pair in attrs]
        self.ids += [value for name, value in attrs if name == "id"]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        self._part(tag)

    def _part(self, tag):
        """Words of two blocks stand apart, those within a sentence as they are written."""
        if tag not in INLINE:
            self.shown.append(" ")

    def handle_data(self, data):
        if not {"style", "svg"} & set(self.open):
            self.shown.append(data)

    @property
    def text(self):
        return " ".join("".join(self.shown).split())


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """Each written once: (markdown, parsed page, paths)."""

    @cache
    def report(name, rendered):
        folder = tmp_path_factory.mktemp(name)
        with pytest.MonkeyPatch.context() as patch:
            if not rendered:
                render_no_figures(patch)
            paths = write_report(ALL[name], folder)
        page = (folder / "report.html").read_text("utf-8")
        return (folder / "report.md").read_text("utf-8"), Reader(page), paths

    return lambda name, *, rendered=False: report(name, rendered or name in RENDERED)


@pytest.fixture
def unrendered(monkeypatch):
    render_no_figures(monkeypatch)


@pytest.fixture
def told(reports):
    """What both forms say, with the marks of Markdown taken away."""

    def words(name):
        markdown, page, _ = reports(name)
        return " ".join(re.sub(r"[*\\>]", "", markdown).split()), page.text

    return words


def markdown_of(findings):
    """The text of ``report.md``, without figures, which take most of the time."""
    return render_markdown(compose(findings, {}))


def everywhere(texts, *wanted):
    for text in texts:
        for words in wanted:
            assert words in text, words


def nowhere(texts, *unwanted):
    for text in texts:
        for words in unwanted:
            assert words not in text, words


def rows(markdown, heading):
    """The cells of the first table below a heading."""
    section = markdown.split(f"## {heading}\n")[1].split("\n## ")[0]
    table = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in table if "---" not in line]


@pytest.mark.parametrize(
    ("name", "rendered"),
    [(name, name in RENDERED) for name in ALL]
    + [pytest.param(name, True, marks=pytest.mark.slow) for name in ALL if name not in RENDERED],
)
def test_page_is_sound_and_loads_nothing(reports, name, rendered):
    _, page, _ = reports(name, rendered=rendered)
    assert page.tags.count("h1") == page.tags.count("title") == page.tags.count("main") == 1
    assert ("meta", "name", "viewport") in page.attributes
    assert not {"script", "link", "iframe", "object", "img", "base", "form"} & set(page.tags)
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    loaded = [value for _, name, value in page.attributes if name in ("src", "srcset", "data", "style")]
    assert not [value for value in loaded if re.search(r"https?:|//|javascript", value)]
    targets = [value for _, attribute, value in page.attributes if attribute in ("href", "xlink:href")]
    sources = [value.source for _, value in ALL[name].published]
    assert all(target.startswith("#") or target in sources for target in targets)
    assert len(page.ids) == len(set(page.ids))
    assert {target[1:] for target in targets if target.startswith("#")} <= set(page.ids)


@pytest.mark.parametrize("name", AND_SLOW)
def test_pictures_are_there_to_look_at(reports, name):
    markdown, page, paths = reports(name, rendered=True)
    pictures = [path for path in paths if path.suffix == ".png"]
    assert re.findall(r"\]\((report-\w+\.png)\)", markdown) == [path.name for path in pictures]
    assert page.tags.count("svg") == page.tags.count("figcaption") == len(pictures)
    for path in pictures:
        pixels = image.imread(path)[..., :3]
        assert min(pixels.shape[:2]) > 150
        assert np.ptp(pixels) > 0.8
        inked = np.any(pixels < 0.9, axis=-1)
        assert not inked[[0, -1]].any()  # nothing is cut off
        assert not inked[:, [0, -1]].any()
    assert not list(paths[0].parent.glob("*.part"))


def test_which_pictures(reports):
    def names(name):
        return [path.name for path in reports(name)[2]]

    def files(*figures):
        texts = ["report.md", "report.html", "results.csv", "differences.csv", "results.tex"]
        return [*texts, *(f"report-{name}.{ending}" for name in figures for ending in ("png", "svg", "pdf"))]

    assert names("ordinary") == files("differences", "variance", "losses")
    assert names("single") == files("differences", "losses")
    assert names("large") == files("differences", "variance", "efficiency", "losses")


def test_pictures_for_papers_are_whole_files_with_editable_text(reports):
    _, _, paths = reports("ordinary")
    for path in paths:
        if path.suffix == ".svg":
            root = ElementTree.fromstring(path.read_bytes())
            assert root.tag.endswith("svg")
            assert "var(--" not in path.read_text("utf-8")  # which only the page has
            assert any(node.tag.endswith("text") for node in root.iter())
        if path.suffix == ".pdf":
            content = path.read_bytes()
            assert content.startswith(b"%PDF-")
            assert content.rstrip().endswith(b"%%EOF")
            assert b"/TrueType" in content or b"/CIDFontType2" in content
            assert b"/Type3" not in content


@pytest.mark.parametrize("name", ["ordinary", pytest.param("nasty", marks=pytest.mark.slow)])
def test_same_findings_same_files(reports, tmp_path, name):
    *_, paths = reports(name)
    again = write_report(ALL[name], tmp_path)
    assert [p.name for p in again] == [p.name for p in paths]
    assert [p.read_bytes() for p in again] == [p.read_bytes() for p in paths]


@pytest.mark.usefixtures("unrendered")
def test_a_report_replaces_an_earlier_one(tmp_path):
    write_report(ORDINARY, tmp_path)
    kept = tmp_path / "variance.png"
    kept.write_bytes(b"a user's own")
    paths = write_report(SINGLE, tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([*paths, kept])
    assert "splice junctions" in paths[0].read_text("utf-8")


def test_a_folder_that_cannot_be_written_is_a_users_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        write_report(SINGLE, tmp_path / "file")


def test_verdicts(told):
    texts = told("ordinary")
    everywhere(
        texts,
        "36 of 36 cells (single runs) finished. 4 differences to scratch (better: 1, worse: 2, no difference seen: 1)",
    )
    markdown, page = texts
    for text, mark in ((markdown, ": "), (page, " ")):
        assert (
            f"better{mark}pretrained against scratch: test accuracy +.066 [+.046, +.086], corrected p < .001." in text
        )
        assert f"worse{mark}shuffled against scratch: test accuracy −.032 [−.052, −.012], corrected p = .012." in text
        assert (
            f"no difference seen{mark}reembed against scratch: test accuracy +.002 [−.018, +.022], corrected p = .610. "
            "Only a difference of .027 or more would have been seen reliably (80 % power, were it the only one)."
            in text
        )
    nowhere(texts, "missing", "wrong with this study", "To keep in mind")


@pytest.mark.parametrize(
    ("kmers", "beside"),
    [
        (0.5, ""),
        (0.92, " Counted k-mers (.920) are not beaten by scratch."),
        (0.97, " Counted k-mers (.970) are not beaten by either."),
        (NAN, ""),
    ],
)
def test_the_answer_says_where_counts_do_as_well(kmers, beside):
    asked = replace(ORDINARY.differences[0], question=Question("Does text pre-training help here?", "pretrained"))
    counted = replace(ORDINARY.groups[4], baseline="kmer", test=estimate(kmers))
    changed = replace(ORDINARY, differences=(asked,), groups=(*ORDINARY.groups[:4], counted))
    answer = f"- **{SPLICE}**: Does text pre-training help here? Yes: pretrained is better than scratch by"
    (line,) = (line for line in markdown_of(changed).splitlines() if line.startswith(answer))
    assert line.endswith(f" over 12 seeds.{beside}")


def test_where_lower_is_better_the_words_turn(told):
    texts = told("mse")
    everywhere(texts, "test mse −.111 [−.131, −.091] (lower is better), corrected p = .001.", "mse, lower is better")
    markdown, page = texts
    assert "better: pretrained against" in markdown
    assert "worse: kmer against" in markdown
    assert "better pretrained against" in page
    assert "worse kmer against" in page


def test_a_difference_that_passes_only_alone_is_not_called_one():
    one = difference("pretrained", 0.03, 0.06)
    text = markdown_of(replace(ORDINARY, differences=(one,) * 3))
    assert "**no difference seen**: **pretrained**" in text
    assert "Alone it would pass (p = .030); as one of 3 differences it does not." in text


def test_what_cannot_be_told_is_said_not_left_out():
    unknown = difference("pretrained", 0.066, NAN, detectable=NAN, pairs=1)
    text = markdown_of(replace(ORDINARY, differences=(unknown,), groups=ORDINARY.groups[:3]))
    assert "- **inconclusive: one seed**: **pretrained** against scratch: test accuracy +.066" in text
    assert "- **inconclusive**: **reembed** against scratch: no finished cells that pair" in text


@pytest.mark.parametrize("metric", sorted(METRICS))
def test_a_study_that_sees_not_even_the_largest_difference_is_inconclusive(metric):
    low, high = METRICS[metric].possible
    wide = min(high - low, 1e6)  # the errors have no largest
    for detectable, kind in (
        (1.1 * wide, "unknown" if math.isfinite(high - low) else "unseen"),
        (0.9 * wide, "unseen"),
    ):
        assert kind_of(difference("pretrained", 0.01, 0.7, detectable=detectable, metric=metric)) == kind


def test_why_it_cannot_be_told():
    vast = difference("pretrained", 0.066, 0.7, half=3.9, detectable=4.2, pairs=4)
    alike = difference("reembed", 0.5, NAN, half=NAN, detectable=NAN)
    undefined = difference("shuffled", NAN, NAN, half=NAN, detectable=NAN)
    zero = difference("kmer", 0.0, NAN, half=NAN, detectable=NAN)
    text = markdown_of(replace(ORDINARY, differences=(vast, alike, undefined, zero)))
    assert (
        "- **inconclusive**: **pretrained** against scratch: test accuracy +.066 [−3.834, +3.966], corrected p = .700. "
        "With 4 pairs of cells no difference could have been seen, however large.\n" in text
    )
    unsure = "12 pairs of cells that do not vary: how certain this is cannot be estimated.\n"
    assert f"test accuracy +.500 [–]. {unsure}" in text
    assert "test accuracy –. It is not defined for these predictions.\n" in text
    assert (
        "- **inconclusive**: **kmer** against scratch: test accuracy +.000 [–]. In every pair both values are "
        "the same. 12 pairs of cells that do not vary: how certain this is cannot be estimated.\n" in text
    )
    assert "no difference seen**" not in text
    unbounded = replace(ORDINARY, differences=(replace(vast, metric="mse"),))
    assert "Only a difference of 4.200 or more" in markdown_of(unbounded)


def test_two_equal_pairs_may_be_chance():
    equal = difference("pretrained", 0.05, NAN, detectable=NAN, pairs=2)
    text = markdown_of(replace(ORDINARY, differences=(equal,)))
    assert "Both pairs of cells have the same difference, which may be chance: take 3 seeds or more." in text


def test_where_no_seed_changes_either_arm_one_pair_is_enough():
    fixed = difference("kmer", 0.066, 0.001, pairs=1, fixed=True)
    text = markdown_of(replace(ORDINARY, differences=(fixed,)))
    assert "- **better**: **kmer** against scratch" in text
    assert "No seed changes either arm: this is over test records alone." in text


def test_what_did_not_learn_is_told_before_all_else(told):
    texts = told("unlearned")
    everywhere(
        texts,
        "No arm has shown that it learned",
        "arms that have not learned may differ by chance alone",
        f"dna/splice, pretrained {WHY}.",
        "It has learned its training records, but nothing that holds on others",
        "inconclusive: neither arm learned",
    )
    for text in texts:
        place = text.index("No arm has shown that it learned")
        assert place < text.index("cells (single runs) finished") < text.rindex("against scratch")
    nowhere(texts, "worse:", "better:")
    nowhere(told("ordinary"), "shown that")


def test_an_arm_that_did_not_learn_among_others_is_named():
    groups = (ORDINARY.groups[0], replace(ORDINARY.groups[1], not_learned=WHY), *ORDINARY.groups[2:])
    text = markdown_of(replace(ORDINARY, groups=groups))
    assert "> **1 of 5 arms has not shown that it learned**" in text
    assert f"> - **dna/splice, pretrained** {WHY}." in text


def test_what_the_terminal_says_agrees(capsys, tmp_path):
    print_findings(UNLEARNED, tmp_path)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "No arm has shown that it learned:"
    assert lines[1] == f"  dna/splice, scratch {WHY}"
    assert any(line.endswith("inconclusive: neither arm learned") for line in lines)
    print_findings(SINGLE, tmp_path)
    assert "\tinconclusive: one seed\n" in capsys.readouterr().out
    print_findings(ORDINARY, tmp_path)
    assert [line.split("\t")[-1] for line in capsys.readouterr().out.splitlines()[-5:-1]] == [
        "better", "no difference seen", "worse", "worse",
    ]  # fmt: skip


def test_weaknesses_of_a_study_are_told():
    groups = (
        replace(ORDINARY.groups[0], unlearned=2, constant=0.5, records=60, record_groups=7),
        replace(ORDINARY.groups[1], constant=0.5, records=60, record_groups=7),
        replace(ORDINARY.groups[4], baseline="kmer", test=estimate(0.95, cells=1)),
    )
    mixed = ("dna/splice: torch (scratch: 2.11.0; pretrained: 2.12.0)",)
    text = markdown_of(replace(ORDINARY, groups=groups, mixed=mixed))
    assert "**Cells that did not learn**, dna/splice: scratch (2 of 12); another learning rate" in text
    assert "**No better than k-mer counts**, dna/splice: scratch (.903, k-mers .950)." in text
    assert "**Few groups of test records**, dna/splice: scratch (60 records in 7)" in text
    assert "**Made with different software**, dna/splice: torch (scratch: 2.11.0; pretrained: 2.12.0)." in text
    assert "Test records: dna/splice, 60 records in 7 groups." in text
    assert rows(text, "Test results")[1][4] == ".500"


def test_what_the_numbers_mean_is_told(told):
    everywhere(
        told("ordinary"),
        "Of a single cell it is over test records alone.",
        "Benjamini & Hochberg for all 4 differences of this study (q in CSV files); below .050 a difference counts "
        "as seen. Verdicts rest on it alone.",
        "of a permutation test over seeds and mappings alone. With few of them it cannot fall below “least”",
        "speaks of these very runs on other test records, not of other seeds or mappings. No verdict rests on it",
    )


@pytest.mark.parametrize("p", [1e-9, 0.9])
def test_no_verdict_rests_on_mcnemar(reports, p):
    changed = tuple(replace(d, mcnemar=p) for d in ORDINARY.differences)
    text = markdown_of(replace(ORDINARY, differences=changed))
    start, end = (reports("ordinary")[0].index(f"## {title}") for title in ("What was found", "Test results"))
    assert text[start:end] == reports("ordinary")[0][start:end]


@pytest.mark.usefixtures("unrendered")
def test_a_number_stays_on_one_line_with_its_interval(tmp_path):
    page = write_report(ORDINARY, tmp_path)[1].read_text("utf-8")
    wide = "\N{NO-BREAK SPACE}"
    assert f"+.066{wide}[+.046,{wide}+.086], corrected p{wide}&lt;{wide}.001." in page


def test_one_vast_interval_does_not_hide_the_others():
    def width(*halves):
        rows = tuple(difference("pretrained", 0.05, 0.2, half=half) for half in halves)
        (axes,) = figures.draw_differences(replace(ORDINARY, differences=rows)).axes
        low, high = axes.get_xlim()
        return high - low

    assert width(0.04, 3.0) < 0.8
    assert width(3.0, 3.0) > 6  # where all are vast, they are shown so


@pytest.mark.usefixtures("unrendered")
def test_where_nothing_lies_apart_there_is_nothing_to_draw(tmp_path):
    still, nothing = spread("pretrained", mapping=0.0), Interval(0, 0, 0)
    factors = tuple(replace(part, variance=nothing) for part in still.components.factors)
    none = replace(still, components=Components(factors, nothing))
    paths = write_report(replace(ORDINARY, variances=(none,)), tmp_path)
    assert "report-variance.png" not in [path.name for path in paths]
    assert "Where does the variance come from?" in paths[0].read_text("utf-8")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("dna/splice", "dna/splice"),
        ("dna/splice-junctions", "dna/splice-\njunctions"),
        ("x" * 24, "x" * 12 + "\n" + "x" * 12),
        ("backbone with a name, lora r=128", "backbone wi…\n…lora r=128"),
    ],
)
def test_labels_fit_and_keep_both_ends(name, told):
    assert plot_style.label(name, 12) == told


def test_missing_cells_are_told_above_the_results(told, reports):
    texts = told("failed")
    everywhere(
        texts,
        "3 of 36 cells are missing: 2 failed, 1 not run",
        "33 of 36 cells (single runs) finished",
        "mapping 1, seed 0, 1e-4",
        "out of memory",
        "0123abcd",
        "Fewer cells than the study asks for, dna/splice: pretrained (9 of 12)",
    )
    assert "DataError: row 7 | of x.csv" in texts[1]
    assert r"DataError: row 7 \| of x.csv" in reports("failed")[0]
    for text in texts:
        assert text.index("are missing") < text.index("What was found" if text is texts[0] else "better pretrained")
        assert text.index("out of memory") < text.index("0123abcd")  # failures first


def test_many_missing_cells_are_all_listed(reports):
    markdown, page, _ = reports("large")
    above, below = markdown.split("## What was found")
    assert above.count("not run | –") == 10
    assert "These are 10; all 30 are listed near the end." in above
    assert all(f"`{i:08x}`" in below for i in range(30))
    assert page.text.count("0000001d") == 1


def test_an_effect_in_a_null_is_an_alarm_above_all(told):
    texts = told("alarm")
    everywhere(
        texts, "Something is wrong with this study", "dna/splice, reembed", "is 62 % [21, 90], corrected p = .003"
    )
    for text in texts:
        assert text.index("is wrong with this study") < text.index("against scratch")
    everywhere(told("ordinary"), "1 such null checked, no alarm")
    nowhere(texts, "no alarm")


def test_one_seed_gives_no_verdict(told):
    everywhere(
        told("single"),
        "One cell only, dna/splice: scratch (1 cell), pretrained (1 cell); the intervals are over test records",
        "1 difference to scratch (inconclusive: 1)",
        "inconclusive: one seed",
        "Take 3 seeds or more.",
        "Over test records alone the standard error is .010: with any number of seeds, only a difference of .028 or",
        "Learning rate on the edge of its grid, dna/splice: pretrained (1e-4, the highest of 3)",
    )


@pytest.mark.parametrize(("cells", "warned"), [(1, False), (4, True), (5, False)])
def test_few_cells_are_a_warning(cells, warned):
    few = group("pretrained", 0.9, test=estimate(0.9, cells=cells))
    text = markdown_of(replace(ORDINARY, groups=(ORDINARY.groups[0], few)))
    assert ("**Few cells**, dna/splice: pretrained (4 cells); intervals are wide" in text) == warned
    assert ("**Few cells**" in text) == warned


def test_a_baseline_that_has_no_seed_is_no_warning():
    kmer = replace(ORDINARY.groups[4], test=estimate(0.683, cells=1))
    text = markdown_of(replace(ORDINARY, groups=(*ORDINARY.groups[:4], kmer)))
    assert "One cell only" not in text


def test_all_numbers_are_in_the_tables(reports):
    markdown, page, _ = reports("ordinary")
    assert rows(markdown, "Test results") == [
        ["task", "arm", "metric", "test [95 %]", "cells", "learning rate"],
        [SPLICE, "scratch", "accuracy", ".903 [.883, .923]", "12/12", "1e-4 of 3e-5, 1e-4, 3e-4"],
        [SPLICE, "pretrained", "accuracy", ".969 [.949, .989]", "12/12", "1e-4 of 3e-5, 1e-4, 3e-4"],
        [SPLICE, "reembed", "accuracy", ".905 [.885, .925]", "12/12", "1e-4 of 3e-5, 1e-4, 3e-4"],
        [SPLICE, "shuffled", "accuracy", ".871 [.851, .891]", "12/12", "1e-4 of 3e-5, 1e-4, 3e-4"],
        [SPLICE, "kmer", "accuracy", ".683 [.663, .703]", "1/1", "–"],
    ]
    differences = rows(markdown, "Differences to scratch")
    assert differences[0][2:] == ["metric", "verdict", "difference [95 %]", "corrected p", "pairs", "detectable"]
    assert differences[1][3:] == ["better", "+.066 [+.046, +.086]", "< .001", "12", ".030"]
    assert differences[4][3:] == ["worse", "−.220 [−.240, −.200]", "< .001", "12", ".030"]
    tests = rows(markdown, "How it was measured")
    assert tests[:2] == [
        ["task", "arm", "sign-flip p", "McNemar p"],
        [SPLICE, "pretrained", ".004 (least .002)", ".031"],
    ]
    assert "kmer" not in [row[1] for row in tests]
    seed, rest = ".010 [.005, .030]", ".012 [.006, .036]"
    assert rows(markdown, "Where does the variance come from?")[1:] == [
        [SPLICE, "pretrained", "mapping", ".020 [.010, .060]", "62 % [21, 90]", ".021", ""],
        [SPLICE, "pretrained", "seed", seed, "16 % [5, 90]", ".021", ""],
        [SPLICE, "pretrained", "residual", rest, "", "", ""],
        [SPLICE, "reembed", "mapping", ".000 [.000, .000]", "0 % [0, 90]", ".021", ".440"],
        [SPLICE, "reembed", "seed", seed, "41 % [14, 90]", ".021", ""],
        [SPLICE, "reembed", "residual", rest, "", "", ""],
    ]
    assert rows(markdown, "Published values beside these")[1:3] == [
        [SPLICE, "bert-base", "accuracy", ".975", "Kao & Lee 2021. one seed"],
        [SPLICE, "scratch", "accuracy", ".903 [.883, .923]", "**this study**"],
    ]
    for line in markdown.splitlines():
        if line.startswith("| ") and "---" not in line:
            for cell in line.strip("| ").split(" | "):
                assert cell.replace("*", "").strip() in page.text


def test_shares_of_the_training_records_are_named_where_there_are_several(reports):
    markdown, page, _ = reports("large")
    assert rows(markdown, "Test results")[1][2] == "6.25 %"
    assert rows(markdown, "Sample efficiency")[0] == [
        "task", "arm", "mean over shares [95 %]", "difference to scratch [95 %]", "cells",
    ]  # fmt: skip
    assert rows(markdown, "Sample efficiency")[1][2:] == [".600 [.580, .620]", "–", "12"]
    assert rows(markdown, "Sample efficiency")[2][2:] == [".610 [.590, .630]", "+.010 [−.010, +.030]", "12"]
    assert "with 25 % of the training records: test accuracy" in page.text
    assert "training data" not in reports("ordinary")[0]


def test_study_file_and_machine_stand_to_the_letter(reports):
    markdown, page, _ = reports("ordinary")
    assert f"```yaml\n{YAML}```\n" in markdown
    assert YAML in "".join(page.shown)
    assert "- cpu, 2 cores, bfloat16" in markdown
    assert f"````yaml\n{NASTY.study}````\n" in reports("nasty")[0]


def test_what_users_write_is_never_markup(reports):
    markdown, page, _ = reports("nasty")
    assert "script" not in page.tags
    assert EVIL in page.text
    assert "\x00" not in markdown + page.text
    assert "\x1b" not in markdown + page.text
    listing = markdown.index("## Study file")
    assert "<script" not in markdown[:listing]
    assert "**bold**" not in markdown[:listing]
    assert not re.search(r"(?<!\\)\]\((?!report-)", markdown[:listing])
    assert not re.search(r"(?<!<)https?://", markdown[:listing])  # but for sources, which are given as addresses
    assert markdown.count("\n# ") == 0  # the title alone, which is at the start
    tables = [line.lstrip("> ") for line in markdown.splitlines() if line.lstrip("> ").startswith("|")]
    widths = [len(re.split(r"(?<!\\)\|", line)) for line in tables]
    assert set(widths) == {len(["", *row, ""]) for row in (range(6), range(8), range(5), range(4))}
    assert ("a", "href", "https://example.org/a?b=1&c='2'") in page.attributes


def test_an_empty_study_is_told_so(tmp_path):
    empty = replace(ORDINARY, cells=(0, 0, 36), groups=(), differences=(), variances=(), published=(), machine=())
    paths = write_report(empty, tmp_path)
    assert not [path for path in paths if path.name.startswith("report-")]
    text = paths[0].read_text("utf-8")
    assert "0 of 36 cells (single runs) finished. 0 differences to **scratch**." in text
    assert "36 of 36 cells are missing: 36 not run" in text
    Reader(paths[1].read_text("utf-8"))


def test_names_in_any_script_and_undefined_numbers_are_drawn(tmp_path):
    odd = replace(
        ORDINARY,
        groups=(group("scratch", 0.9, losses=((1, 0.5),)), group("日本語 \U0001f9ec", 0.8, losses=((1, NAN),))),
        differences=(
            difference("日本語 \U0001f9ec", 0.01, 0.4, half=NAN),
            difference("nothing", NAN, NAN),
        ),
        variances=(
            replace(
                spread("pretrained"),
                components=Components(
                    (
                        Component("mapping", Interval(1e-4, 0, math.inf), Interval(1, NAN, NAN), NAN),
                        Component("seed and split", Interval(0, NAN, NAN), Interval(0, 0, 0), 0.5),
                    ),
                    Interval(0, 0, 0),
                ),
            ),
        ),
    )
    paths = write_report(odd, tmp_path)
    assert len([path for path in paths if path.suffix == ".png"]) == 3
    text = paths[0].read_text("utf-8")
    assert "+.010 [–]" in text
    assert "| mapping | .010 [.000, ∞] | 100 % [–] | – |" in text
    assert "| seed and split | .000 [–] | 0 % [0, 0] | .500 |" in text
    assert "nan" not in text.lower()


@pytest.mark.parametrize(
    ("value", "signed", "told"),
    [
        (0.969, False, ".969"),
        (1.0, False, "1.000"),
        (0.9999, False, "1.000"),
        (0.0123, True, "+.012"),
        (-0.047, True, "−.047"),
        (-0.047, False, "−.047"),
        (0.0, True, "+.000"),
        (-0.0, True, "+.000"),
        (0.00234, False, ".0023"),
        (12.345, False, "12.35"),
        (12345.6, False, "12,346"),
        (1e-12, False, "1e−12"),
        (NAN, False, "–"),
        (math.inf, False, "∞"),
        (None, False, "–"),
    ],
)
def test_numbers(value, signed, told):
    assert formats.number(value, signed=signed) == told


@pytest.mark.parametrize(
    ("p", "told"),
    [(0.0030, ".003"), (0.00099, "< .001"), (0.412, ".412"), (1.0, "1.000"), (NAN, "–"), (None, "–"), (0.05, ".050"),
     (0.04996, ".04996"), (0.0502, ".05020")],
)  # fmt: skip
def test_chances(p, told):
    assert formats.chance(p) == told


@pytest.mark.parametrize(
    ("rate", "told"), [(1e-4, "1e-4"), (2.5e-5, "2.5e-5"), (3e-4, "3e-4"), (0.5, "0.5"), (None, "–")]
)
def test_rates(rate, told):
    assert formats.rate(rate) == told


def test_an_interval_has_as_many_digits_throughout():
    assert formats.interval(Interval(0.969, 0.947, 0.987)) == ".969 [.947, .987]"
    assert formats.interval(Interval(0.002, -0.0011, 0.0052), signed=True) == "+.0020 [−.0011, +.0052]"
    assert formats.interval(Interval(8.5, 0.25, 12.125)) == "8.50 [.25, 12.12]"


def test_a_warning_about_many_arms_is_cut_and_says_so():
    warned = [line for line in markdown_of(LARGE).splitlines() if "edge of its grid" in line]
    assert len(warned) == 5
    assert all(re.search(r" and \d+ more, in the table of results", line) for line in warned)
    assert all(line.count(", the lowest of ") == MAX_NAMED for line in warned)


def test_the_same_search_is_claimed_only_where_it_was(told):
    everywhere(told("ordinary"), "chosen on validation data, by the same search for every arm.")
    other = replace(ORDINARY.groups[1], rates=(1e-4,))
    text = markdown_of(replace(ORDINARY, groups=(ORDINARY.groups[0], other)))
    assert "chosen on validation data. Test was read once" in text


@pytest.mark.usefixtures("unrendered")
def test_the_report_says_that_negatives_were_made(tmp_path):
    line = "dna/peaks: The negatives are no measurements: they are the other records, shuffled (seed 0)."
    write_report(replace(ORDINARY, negatives=(line,)), tmp_path)
    assert line in (tmp_path / "report.md").read_text()
    write_report(ORDINARY, tmp_path)
    assert "negatives" not in (tmp_path / "report.md").read_text()
