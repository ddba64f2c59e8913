"""The page: the four parts of the form, and how one leads to the next."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from xdomain.app import show
from xdomain.app.compare_tab import compare_tab
from xdomain.app.data_tab import data_tab
from xdomain.app.earlier_tab import earlier_choices, earlier_tab
from xdomain.app.predict_tab import model_choices, predict_tab
from xdomain.app.request import EXAMPLE, Request
from xdomain.app.workplace import Workplace

INTRODUCTION = """# xdomain
Fine-tune a BERT that was pre-trained on text on sequences that are not text, and see whether the pre-training helped.
Everything is computed on the machine where `xdomain app` was started."""


def page(place: Workplace) -> gr.Blocks:
    """Make the page.

    Parameters
    ----------
    place
        The folder that it works in.
    """
    with gr.Blocks(analytics_enabled=False, title="xdomain") as blocks:
        gr.Markdown(INTRODUCTION)
        with gr.Tabs() as tabs:
            with gr.Tab("1 Data", id="data"):
                data = data_tab(place)
            with gr.Tab("2 Compare", id="compare") as second:
                onward, chosen = compare_tab(place, data.fields)
            with gr.Tab("3 Predict", id="predict") as third:
                model = predict_tab(place)
            with gr.Tab("Earlier", id="earlier") as last:
                earlier = earlier_tab(place)

        def say_chosen(*values: Any) -> str:
            return _chosen(Request.of(values))

        def refresh(name: str | None) -> Any:
            choices = model_choices(place)
            there = name in [value for _, value in choices]
            return gr.Dropdown(choices=choices, value=name if there else place.default_model())

        data.onward.click(lambda: gr.Tabs(selected="compare"), None, tabs, api_visibility="private")
        onward.click(
            lambda: [gr.Tabs(selected="predict"), refresh(None)], None, [tabs, model], api_visibility="private"
        )
        second.select(say_chosen, data.fields, chosen, show_progress="hidden", api_visibility="private")
        third.select(refresh, model, model, show_progress="hidden", api_name="models")
        last.select(lambda: gr.Dropdown(choices=earlier_choices(place)), None, earlier, show_progress="hidden",
                    api_name="earlier")  # fmt: skip
    return blocks


def _chosen(request: Request) -> str:
    if not request.chosen():
        return show.panel("warning", "<p>No data is chosen yet: see the first part, “1 Data”.</p>")
    name = str(getattr(request, request.source))
    return show.paragraphs([f"Data: {name if request.source == EXAMPLE else Path(name).name}"])
