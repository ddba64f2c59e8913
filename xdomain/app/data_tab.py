"""The first part of the form: choose data, see and correct what was guessed, check it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_args

import gradio as gr

from xdomain.app import show
from xdomain.app.messages import FURTHER, GENOME, INCOMPLETE, LABELS, PROBLEMS, ROLES, RULES, told
from xdomain.app.request import EXAMPLE, GUESS, HERE, NAMED, NONE, UPLOAD, Request, chosen_names
from xdomain.app.workplace import Workplace
from xdomain.core.choices import Problem
from xdomain.core.plugins import adapter_names, find_recipe, task_names
from xdomain.core.recipe import Recipe
from xdomain.data.sources import paths_of
from xdomain.inspection import check

DOMAINS = {"dna": "DNA or RNA", "protein": "Proteins", "speech": "Speech", "music": "Music", "text": "Text",
           "tokens": "Tokens", "synthetic": "Integers"}  # fmt: skip
SOURCES = [("Upload a file", UPLOAD), ("A file in this folder", HERE), ("An example", EXAMPLE)]
ASK = "<p>What does the file hold? Choose the domain.</p>"
FIRST = "toy/dna-motif-order"
"""The example that is chosen at first."""


@dataclass(frozen=True)
class DataTab:
    """What other parts of the form need of this one.

    Parameters
    ----------
    fields
        Of `Request.of`, in its order.
    onward
        The button to the next part.
    """

    fields: list[Any]
    onward: gr.Button


def data_tab(place: Workplace) -> DataTab:
    """Lay out this part of the form, for the files of `place`."""
    source = gr.Radio(SOURCES, value=UPLOAD, label="Data", elem_id="source")
    upload = gr.File(label="A table (CSV, Excel, …) or FASTA",
                     elem_id="upload", height=130)  # fmt: skip
    here = gr.Dropdown(place.data_files(), value=None, label=f"File in {place.folder}", visible=False, elem_id="here")
    example = gr.Dropdown(_examples(), value=FIRST, label="Example", visible=False, elem_id="example")
    domain = gr.Radio([(DOMAINS.get(name, name), name) for name in _domains()], value=None, label="Domain",
                      info="What the sequences are.", elem_id="domain")  # fmt: skip
    guess = gr.HTML(elem_id="guess")
    roles: dict[str, gr.Dropdown] = {}
    with gr.Column(visible=False, elem_id="corrections") as corrections:
        with gr.Row():
            roles["sequence"], roles["label"] = (_role(name) for name in ("sequence", "label"))
            problem = gr.Dropdown([("guessed", GUESS)], value=GUESS, label="Problem", info="What is predicted.",
                                  elem_id="problem")  # fmt: skip
            split = gr.Dropdown([("guessed", GUESS)], value=GUESS, label="Split", elem_id="split",
                                info="How records are divided.")  # fmt: skip
        with gr.Accordion("More columns and options", open=False):
            with gr.Row():
                roles |= {name: _role(name) for name in ROLES if name not in roles}
            incomplete = gr.Checkbox(label=INCOMPLETE)
            negatives = gr.Checkbox(label="All records are of one class: make the other by shuffling them")
            with gr.Row():
                valid = gr.File(label="Validation, where the data above is for training alone", height=150)
                test = gr.File(label="Test, where the data above is for training alone", height=150)
            with gr.Row():
                labels = gr.File(label=f"{LABELS}: a table of names and labels", height=150)
                genome = gr.File(label=f"{GENOME}: FASTA, where the data holds intervals (BED, GTF)", height=150)
            further = gr.Textbox(label=FURTHER, lines=2, placeholder="train.epochs=3\nadapter.options.unknown=count",
                                 info="key.sub=value, one a line: docs/recipe.md lists them.")  # fmt: skip
    with gr.Row():
        checking = gr.Button("Check", variant="primary", elem_id="check")
        onward = gr.Button("Continue to the comparison", elem_id="onward")
    report = gr.HTML(elem_id="report")

    fields = [source, upload, here, example, domain, problem, split, valid, test, labels, genome, incomplete,
              negatives, further, *(roles[name] for name in ROLES)]  # fmt: skip
    corrected = [corrections, guess, report, problem, split, *(roles[name] for name in ROLES)]
    checked = gr.State(None)  # the request that the report is of, or will be

    def look(reported: Request | None, *values: Any) -> list[Any]:
        return _looked(Request.of(values), place, reported)

    def look_anew(reported: Request | None, *values: Any) -> list[Any]:
        first = len(values) - len(ROLES)
        anew = Request.of([*values[:5], GUESS, GUESS, *values[7:first], *(GUESS for _ in ROLES)])
        return _looked(anew, place, reported)

    def choose_source(chosen: str) -> list[Any]:
        listed = gr.Dropdown(choices=place.data_files(), visible=chosen == HERE)
        return [gr.File(visible=chosen == UPLOAD), listed, gr.Dropdown(visible=chosen == EXAMPLE),
                gr.Radio(visible=chosen != EXAMPLE)]  # fmt: skip

    chosen = source.change(choose_source, source, [upload, here, example, domain], api_name="source", queue=False)
    # one look or check at a time, in order: else that of an earlier choice may come last
    in_order: dict[str, Any] = {"concurrency_id": "look", "concurrency_limit": 1}
    quietly: dict[str, Any] = {"show_progress": "hidden", **in_order}
    chosen.then(look_anew, [checked, *fields], corrected, api_visibility="private", **quietly)
    upload.change(look_anew, [checked, *fields], corrected, api_name="guess", **quietly)
    for one in (here, example):
        one.change(look_anew, [checked, *fields], corrected, api_visibility="private", **quietly)
    domain.change(look, [checked, *fields], corrected, api_visibility="private", **quietly)
    for one in (problem, split, *roles.values(), incomplete, negatives):
        one.input(look, [checked, *fields], corrected, api_visibility="private", **quietly)
    labels.change(look, [checked, *fields], corrected, api_name="correct", **quietly)
    for one in (valid, test, genome):
        one.change(look, [checked, *fields], corrected, api_visibility="private", **quietly)
    further.blur(look, [checked, *fields], corrected, api_visibility="private", **quietly)
    asked = checking.click(lambda *values: Request.of(values), fields, checked, api_visibility="private", **quietly)
    asked.then(lambda *values: _checked(Request.of(values), place), fields, report, api_name="check", **in_order)
    return DataTab(fields, onward)


def _role(name: str) -> gr.Dropdown:
    info = {"sequence": "Their column.", "label": "The column to predict, or several."}.get(name)
    several = name == "label"
    return gr.Dropdown([("guessed", GUESS)], value=[GUESS] if several else GUESS, label=ROLES[name], info=info,
                       multiselect=several, min_width=200, elem_id=f"role-{name}")  # fmt: skip


def _domains() -> list[str]:
    """The names of all domains, those of `DOMAINS` in its order."""
    names = adapter_names()
    return [name for name in DOMAINS if name in names] + [name for name in names if name not in DOMAINS]


def _examples() -> list[tuple[str, str]]:
    """The tasks whose data is made, or is on this machine, by what is shown of them."""
    recipes = [find_recipe(name) for name in task_names()]
    there = [recipe for recipe in recipes if all(path.is_file() for path in paths_of(recipe.source).values())]
    there.sort(key=lambda recipe: (recipe.name != FIRST, not recipe.name.startswith("toy/")))
    return [(f"{recipe.title} ({recipe.name})", recipe.name) for recipe in there]


def _looked(request: Request, place: Workplace, reported: Request | None) -> list[Any]:
    """What is shown of the data that is chosen: corrections, the guess or a fault, and fields with their choices.

    The report stays if it is of this `request`, as after a click on “Check” right from a field.
    """
    report = gr.skip() if request == reported else ""
    if not request.chosen() or (request.source != EXAMPLE and not request.domain):
        waiting = show.panel("plain", ASK) if request.chosen() else ""
        return [gr.Column(visible=False), waiting, report, *_fields(request, None, [])]
    names: list[str] = []
    recipe: Recipe | None = None
    try:
        names = request.column_names(place)
        with told() as records:
            recipe = request.recipe(place)
        message = show.guesses(recipe, records)
    except Exception as error:
        message = show.fault(error)
    wanted = bool(names) or any(f"“{name}”" in message for name in (FURTHER, LABELS, GENOME))
    return [gr.Column(visible=wanted), message, report, *_fields(request, recipe, names)]


def _fields(request: Request, recipe: Recipe | None, names: list[str]) -> list[Any]:
    """The fields of problem, split and columns: what was guessed, and what else could be chosen."""
    problems = [(f"{name}: {PROBLEMS.get(name, '')}", name) for name in get_args(Problem)]
    splits = [(why, name) for name, why in RULES.items()]
    posed, rule = (recipe.problem, recipe.split.rule) if recipe else ("", "")
    problems.insert(0, (_guessed(PROBLEMS.get(posed), chosen=request.problem == GUESS), GUESS))
    splits.insert(0, (_guessed(RULES.get(rule), chosen=request.split == GUESS), GUESS))
    fields = [
        gr.Dropdown(choices=problems, value=request.problem),
        gr.Dropdown(choices=splits, value=request.split),
    ]
    for role in ROLES:
        value = request.roles.get(role, GUESS)
        found = getattr(recipe.columns, role) or "none" if recipe else None
        named = chosen_names(value)
        shown = _guessed(", ".join(found) if isinstance(found, list) else found, chosen=named is None)
        choices = [(shown, GUESS), ("none", NONE), *((name, NAMED + name) for name in names)]
        if role == "label":  # the guess goes where a name comes, and comes back where none is left
            value = [GUESS] if named is None else [NAMED + name for name in named] or [NONE]
        fields.append(gr.Dropdown(choices=choices, value=value))
    return fields


def _guessed(found: str | None, *, chosen: bool) -> str:
    """What stands for the guess in a list: what was `found`, where the guess is `chosen`."""
    return f"{found} (guessed)" if found and chosen else "guess"


def _checked(request: Request, place: Workplace) -> str:
    try:
        with told() as records:
            report = check(request.recipe(place))
        return show.checked(report, records)
    except Exception as error:
        return show.fault(error)
