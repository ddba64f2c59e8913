"""The pictures of a study, each drawn once: as PNG on white, and as SVG in the colours of the page around it."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from xdomain.study.report.blocks import Picture
from xdomain.study.report.conclusions import several_shares
from xdomain.study.report.curves import draw_efficiency, draw_losses
from xdomain.study.report.forest import draw_differences, drawn_rows
from xdomain.study.report.formats import clean
from xdomain.study.report.plot_style import PAGE_COLOURS, STYLE
from xdomain.study.report.seed_plot import draw_variance
from xdomain.study.results import Findings

Draw = Callable[[Findings], Figure | None]
DRAWN: dict[str, tuple[Draw, str, str]] = {
    "differences": (
        draw_differences,
        "Forest plot: the difference of each arm to {reference}, with its 95 % interval, and a line at 0",
        "Differences to {reference}, 95 % intervals. Blue dots: helps; orange squares: hurts; hollow: no difference "
        "seen (after correction for all differences of the study); crosses: cannot be told, their intervals dotted. An "
        "arrow where an interval goes on beyond the panel.{left_out}",
    ),
    "variance": (
        draw_variance,
        "Bars: standard deviation of test values by mapping, seed and residual, with 95 % intervals",
        "Standard deviation of test values by source, 95 % intervals; an arrow where an interval goes on beyond the "
        "panel. Tasks without any spread are left out.",
    ),
    "efficiency": (
        draw_efficiency,
        "Curves: test metric against the share of the training records, a line an arm",
        "Test metric against the share of the training records, 95 % intervals.",
    ),
    "losses": (
        draw_losses,
        "Curves: mean training loss against the step, a line an arm",
        "Mean training loss of the finished cells at the chosen learning rate{largest}.",
    ),
}


@dataclass(frozen=True)
class Drawn:
    """A figure in both forms, and what is said of it."""

    picture: Picture
    png: bytes
    svg: str


def draw_all(findings: Findings) -> dict[str, Drawn]:
    """The figures that there is something to draw for, by name."""
    left_out = {d.fraction for d in drawn_rows(findings)} < {d.fraction for d in findings.differences}
    words = {
        "reference": clean(findings.reference),
        "largest": ", on the largest share of the training records" * several_shares(findings),
        "left_out": " Only the largest share of the training records is drawn; the table has all." * left_out,
    }
    drawn: dict[str, Drawn] = {}
    with mpl.rc_context(STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # a name in another script is in the tables
        for name, (draw, shows, caption) in DRAWN.items():
            figure = draw(findings)
            if figure is not None:
                picture = Picture(name, shows.format(**words), caption.format(**words))
                png = _png(figure)
                figure.set_layout_engine("none")  # stays as it was laid out, which is most of the work
                drawn[name] = Drawn(picture, png, _svg(figure, name))
    return drawn


def _saved(figure: Figure, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, **options)
    return buffer.getvalue()


def _png(figure: Figure) -> bytes:
    return _saved(figure, "png", facecolor="white", metadata={"Software": None})


def _svg(figure: Figure, name: str) -> str:
    """To stand in a page among others: ids of its own, no metadata, colours that the page's stylesheet sets."""
    facts = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    text = _saved(figure, "svg", transparent=True, metadata=facts).decode("utf-8")
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", text, flags=re.DOTALL)
    used = set(re.findall(r'(?:url\(|href=")#([^")]+)', text))
    text = re.sub(r' id="([^"]*)"', lambda m: f' id="{name}-{m[1]}"' if m[1] in used else "", text)
    text = re.sub(r'(url\(|href=")#', rf"\1#{name}-", text)
    for colour, instead in PAGE_COLOURS.items():
        text = text.replace(colour.lower(), instead)
    width, height = figure.get_size_inches() * 100  # pixels on the page
    size = f'width="{width:.0f}" height="{height:.0f}" aria-hidden="true"'
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', rf"\1 {size}", text, count=1)
    return re.sub(r"\n\s*", "\n", text).strip()
