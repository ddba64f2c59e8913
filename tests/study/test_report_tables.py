"""The tables of a report as CSV and LaTeX: plain numbers, and a source that LaTeX can read."""

import csv
import io
import math
import re
from dataclasses import replace

import pytest
from test_report import ALL, EVIL, NASTY, ORDINARY

from xdomain.study.report.content import compose
from xdomain.study.report.tables import differences_csv, latex, results_csv

COMMANDS = {
    "begin", "end", "centering", "small", "caption", "toprule", "midrule", "bottomrule", "textbf", "texttt", "infty",
    "textbackslash", "textasciitilde", "textasciicircum", "textbar", "textless", "textgreater", "textquotedbl",
    "textasciigrave", "cdot", "times", "pm", "ldots",
}  # fmt: skip


def lines_of(text):
    """Each line without its comment, in tokens: a command, an escaped character, or a character."""
    for line in text.splitlines():
        tokens = re.findall(r"\\[A-Za-z]+|\\.|.", line)
        yield tokens[: tokens.index("%")] if "%" in tokens else tokens


def check_latex(text):
    """Read LaTeX as it reads itself: groups and environments close, rows have as many cells as columns."""
    environments, columns, tables = [], None, 0
    for tokens in lines_of(text):
        line = "".join(tokens)
        depth = mathematics = 0
        cells = 1
        for token in tokens:
            if token.startswith("\\") and token[1].isalpha():
                assert token[1:] in COMMANDS, token
            depth += {"{": 1, "}": -1}.get(token, 0)
            assert depth >= 0, line
            mathematics += token == "$"
            cells += token == "&"
            assert token not in ("#", "_", "^"), line  # which have a meaning of their own
        assert depth == 0, line
        assert mathematics % 2 == 0, line
        if begun := re.match(r"\\begin\{(\w+)\}(?:\{([lr]+)\})?", line):
            environments.append(begun[1])
            columns = len(begun[2]) if begun[2] else columns
            tables += begun[1] == "tabular"
        elif ended := re.match(r"\\end\{(\w+)\}", line):
            assert environments.pop() == ended[1]
        elif line.endswith(r"\\"):
            assert environments == ["table", "tabular"]
            assert cells == columns, line
            assert not line.startswith(("[", "*")), line  # of the row break before it
        else:
            assert cells == 1, line
    assert environments == []
    return tables


@pytest.mark.parametrize("name", ALL)
def test_every_table_is_sound_latex(name):
    blocks = compose(ALL[name], {})
    assert check_latex(latex(blocks)) == sum(type(block).__name__ == "Table" for block in blocks) > 0


def test_the_parser_sees_what_latex_would_not_read():
    sound = latex(compose(ORDINARY, {}))
    for wrong in (
        sound.replace(r"\toprule", r"\toprul"),
        sound.replace(r"\end{table}", "", 1),
        sound.replace(" & ", " ", 1),
        sound.replace(r"\%", "%", 1),
        sound.replace("dna/splice", "dna_splice", 1),
    ):
        assert wrong != sound
        with pytest.raises(AssertionError):
            check_latex(wrong)


def test_what_a_user_wrote_is_no_command():
    text = latex(compose(NASTY, {}))
    wanted = r"\textless{}script\textgreater{}alert('1\textbar{}2')\textless{}/script\textgreater{} \$x\_1\$"
    assert wanted in text
    assert EVIL not in text


def test_a_row_as_latex():
    text = latex(compose(ORDINARY, {}))
    assert r"dna/splice & pretrained & accuracy & .969 [.949, .989] & 12/12 & 1e-4 of 3e-5, 1e-4, 3e-4 \\" in text
    assert r"\begin{tabular}{lllrrl}" in text
    assert "$-$.220" in text


def read(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_plain_numbers_as_csv():
    rows = read(results_csv(ORDINARY))
    assert [row["arm"] for row in rows] == [group.arm for group in ORDINARY.groups]
    one = rows[1]
    assert (float(one["test"]), float(one["test_low"]), float(one["test_high"])) == pytest.approx((0.969, 0.949, 0.989))
    assert (one["learning_rate"], one["cells"], one["higher_is_better"]) == ("0.0001", "12", "true")
    assert (rows[4]["learning_rate"], rows[4]["constant_answer"]) == ("", "")  # k-mers have no rate
    difference = read(differences_csv(ORDINARY))[2]
    assert difference["reference"] == "scratch"
    assert float(difference["difference"]) == -0.032
    assert float(difference["q"]) == 0.012


def test_what_is_not_there_is_an_empty_cell():
    without = replace(ORDINARY.groups[0], test=None)
    (row,) = read(results_csv(replace(ORDINARY, groups=(without,))))
    assert (row["test"], row["test_low"]) == ("", "")
    endless = replace(ORDINARY.differences[0], q=math.inf)
    assert read(differences_csv(replace(ORDINARY, differences=(endless,))))[0]["q"] == ""
    assert results_csv(replace(ORDINARY, groups=())) == ""
    assert [row["task"] for row in read(results_csv(NASTY))] == ["dna/splice", EVIL]


def test_an_arm_without_a_finished_cell_has_not_been_seen_to_learn():
    first, *others = ORDINARY.groups
    text = results_csv(replace(ORDINARY, groups=(replace(first, done=0, test=None), *others)))
    rows = list(csv.DictReader(io.StringIO(text)))
    assert rows[0]["learned"] == ""
    assert rows[1]["learned"] == "true"
