"""The second part of the form: run a comparison, watch it, stop it, see what it found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

import gradio as gr

from xdomain.app import show
from xdomain.app.downloads import downloads
from xdomain.app.job import Job
from xdomain.app.request import Request
from xdomain.app.workplace import RUNS, Workplace, new_path
from xdomain.core.errors import RecipeError
from xdomain.study.comparison import read_comparison

ARMS = {
    "pretrained": "on text",
    "scratch": "the same network, untrained",
    "kmer": "counts of short pieces",
    "cnn": "a small network",
    "reembed": "pretrained, word rows drawn anew",
    "shuffled": "pretrained weights, permuted",
    "rescaled": "random, at the pretrained scale",
    "aligned": "pretrained, symbols first fitted to text",
}
DEFAULT = ["pretrained", "scratch", "kmer"]
MAPPINGS = {
    "random": "each symbol gets a random word",
    "own": "its own word or piece",
    "frequent": "a frequent word",
    "rare": "a rare word",
    "search:4": "the best of four random ones",
    "learned": "a mixture of words, trained",
}
TUNINGS = {
    "full": "all weights",
    "head": "the last layer alone",
    "mix": "a mixture of layers, and the last one",
    "norms": "layer norms, word and position rows",
    "lora": "small updates of the attention",
    "bottleneck": "small units beside the feed-forward blocks",
}
SECONDS = 1.0
"""Between two looks at the progress."""


@dataclass
class Comparing:
    """The comparison that runs or ran last: one at a time, for whoever opens the form.

    Parameters
    ----------
    place
        Where the runs go.
    """

    place: Workplace
    job: Job | None = None
    out: Path | None = None
    _found: dict[Job, tuple[str, list[str]]] = field(default_factory=dict[Job, tuple[str, list[str]]])
    _lock: Lock = field(default_factory=Lock)

    def start(
        self, request: Request, arms: Sequence[str], seeds: int, minutes: float | None, encoder: Mapping[str, str]
    ) -> None:
        """Start a comparison.

        Parameters
        ----------
        request
            The data.
        arms
            Inits and baselines, the first the reference.
        seeds
            Runs of each arm; 0: chosen by how long they take.
        minutes
            About how long it may take; None: as long as it does.
        encoder
            Options of every arm with an encoder: ``backbone``, one of `Workplace.backbones`, ``mapping`` and ``tune``;
            those that are empty or missing have their default.

        Raises
        ------
        UserError
            A comparison runs already, or the request is impossible.
        """
        with self._lock:
            self._check_idle()
            recipe = request.recipe(self.place)
            backbone = encoder.get("backbone")
            if backbone and backbone not in self.place.backbones():
                raise RecipeError(f"the backbone {backbone!r}", expected="one of the list")
            out = new_path(self.place.folder / RUNS / recipe.name / "compare")
            arguments = [
                *("compare", *request.arguments(self.place)),
                *(() if list(arms) == DEFAULT else ("--arms", ",".join(arms))),
                *(("--seeds", str(seeds)) if seeds else ()),
                *(("--minutes", f"{minutes:g}") if minutes else ()),
                *(part for option, value in encoder.items() if value for part in (f"--{option}", value)),
                f"--out={self.place.shown(out)}",
            ]
            self.job, self.out = Job(arguments, self.place.folder), out

    def resume(self) -> None:
        """Continue the comparison that was stopped.

        Raises
        ------
        RecipeError
            There is none, or one runs.
        """
        with self._lock:
            self._check_idle()
            if self.job is None:
                raise RecipeError("no comparison to go on with", expected="one that was stopped")
            arguments = [one for one in self.job.arguments if one != "--resume"]
            self.job = Job([*arguments, "--resume"], self.place.folder)

    def found(self) -> tuple[str, list[str]]:
        """What the finished comparison found, as HTML, and the files to download; made once."""
        if self.job is None or self.out is None or self.job.state != "done":
            return "", []
        if self.job not in self._found:
            try:
                self._found = {self.job: (show.comparison(read_comparison(self.out)), downloads(self.out))}
            except Exception as error:
                return show.fault(error), []
        return self._found[self.job]

    def _check_idle(self) -> None:
        if self.job and self.job.state == "running":
            raise RecipeError("a comparison is running", expected="one at a time", fix="wait for its end, or stop it")


def compare_tab(place: Workplace, fields: list[Any]) -> tuple[gr.Button, gr.HTML]:
    """Lay out this part of the form, for runs in `place`; `fields` hold the data to learn from.

    Returns
    -------
    tuple
        The button to the next part, and what says which data is chosen.
    """
    comparing = Comparing(place)
    chosen = gr.HTML(elem_id="chosen")
    arms = gr.CheckboxGroup([(f"{name} ({what})", name) for name, what in ARMS.items()], value=DEFAULT, label="Compare",
                            info="The first is what all others are compared with.", elem_id="arms")  # fmt: skip
    with gr.Row():
        seeds = gr.Dropdown([("3 if quick, else 1", 0), ("1, for a first look", 1), ("3", 3), ("5", 5),
                             ("10", 10)], value=0, label="Seeds", info="Runs of each; one is no evidence.",
                            elem_id="seeds")  # fmt: skip
        minutes = gr.Number(value=0, minimum=0, label="Minutes", info="How long it may take; 0: no limit.",
                            elem_id="minutes")  # fmt: skip
        backbone = gr.Dropdown([("the one shipped", ""), *((name, name) for name in place.backbones())], value="",
                               label="Backbone", info="Shipped, or a folder here.", elem_id="backbone")  # fmt: skip
    with gr.Accordion("How symbols are read, and what is trained", open=False), gr.Row():
        mapping = _choice(MAPPINGS, "Mapping", "Which word stands for a symbol.")
        tune = _choice(TUNINGS, "Tuning", "Which weights are trained, in each arm with an encoder.")
    with gr.Row():
        start = gr.Button("Start", variant="primary", elem_id="start")
        stop = gr.Button("Stop", variant="stop", visible=False, elem_id="stop")
        resume = gr.Button("Go on", visible=False, elem_id="resume")
    progress = gr.HTML(elem_id="progress")
    with gr.Accordion("What the command says", open=False, visible=False) as details:
        said = gr.HTML(elem_id="said")
    result = gr.HTML(elem_id="result")
    files = gr.File(label="Download", visible=False, interactive=False, file_count="multiple", elem_id="files")
    onward = gr.Button("Predict with this model", visible=False, elem_id="onward-to-predict")
    timer = gr.Timer(SECONDS, active=False)
    outputs = [progress, start, stop, resume, result, files, onward, timer, details, said]

    def view(fault: str = "") -> list[Any]:
        return _view(comparing, fault)

    def begin(*values: Any) -> list[Any]:
        *asked, chosen_arms, number, limit, checkpoint, mapped, tuned = values
        encoder = {"backbone": checkpoint, "mapping": mapped, "tune": tuned}
        try:
            if not chosen_arms:
                raise RecipeError("nothing to compare", expected="one or more of the list")
            ordered = [name for name in ARMS if name in chosen_arms]
            comparing.start(Request.of(asked), ordered, int(number or 0), limit, encoder)
        except Exception as error:
            return view(show.fault(error))
        return view()

    def end() -> list[Any]:
        if comparing.job:
            comparing.job.stop()
        return view()

    def go_on() -> list[Any]:
        try:
            comparing.resume()
        except Exception as error:
            return view(show.fault(error))
        return view()

    start.click(
        begin,
        [*fields, arms, seeds, minutes, backbone, mapping, tune],
        outputs,
        api_name="compare",
        show_progress="hidden",
    )
    stop.click(end, None, outputs, api_name="stop", show_progress="hidden")
    resume.click(go_on, None, outputs, api_name="resume", show_progress="hidden")
    timer.tick(view, None, outputs, api_name="progress", show_progress="hidden")
    gr.on(None, view, None, outputs, api_visibility="private", show_progress="hidden")  # whoever opens the page later
    return onward, chosen


def _choice(words: Mapping[str, str], label: str, info: str) -> gr.Dropdown:
    """A field to choose one of `words`, whose first is the default."""
    default, *others = words
    choices = [(f"{default}: {words[default]}", ""), *((f"{word}: {words[word]}", word) for word in others)]
    return gr.Dropdown(choices, value="", label=label, info=info, elem_id=label.lower())


def _view(comparing: Comparing, fault: str) -> list[Any]:
    """What is shown of the comparison: progress and buttons while it runs, then the result or what was wrong."""
    job = comparing.job
    state = job.state if job else "none"
    running = state == "running"
    found, paths = comparing.found()
    return [
        fault + (show.progress(job) if job else ""),
        gr.Button(visible=not running),
        gr.Button(visible=running),
        gr.Button(visible=state in ("stopped", "failed")),
        found,
        gr.File(value=paths or None, visible=bool(paths)),
        gr.Button(visible=state == "done"),
        gr.Timer(active=running),
        gr.Accordion(visible=job is not None),
        show.said(job) if job else "",
    ]
