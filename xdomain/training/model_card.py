"""The model card of a run: what was measured, and how to load the checkpoint beside it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xdomain.core.adapter_protocols import SpacesTokens
from xdomain.core.formatting import number, with_interval
from xdomain.core.recipe import Recipe
from xdomain.core.run_dir import finite, write_text
from xdomain.core.sequences import Adapter
from xdomain.metrics.calibration import edge_note
from xdomain.model.families import architecture_of_family, auto_class_for, tokenizer_class

LOADING = """```python
from transformers import {tokenizer}, {head}
tokenizer = {tokenizer}.from_pretrained("model")
model = {head}.from_pretrained("model")
```"""


WRITING = """`model.generate(**tokenizer(record, return_tensors="pt"))` writes the rows of an output, by the search of
`generation_config.json`; the tokenizer in `model/target` has the names of its symbols."""

SAMPLE = "ACGTTGCAACGT"
"""A record, of DNA or protein, to show how k-mers are cut."""

MIX = """This checkpoint is the body and the head alone. The head was trained to read a mix of all layers, which
`layer_mix.json` holds; without it the scores differ. `xdomain predict` applies it. In Python:

```python
from xdomain.model.layer_mix import attach_layer_mix
attach_layer_mix(model, "model")
```

![weight of each layer](layer-mix.png)"""


def write_card(folder: Path, recipe: Recipe, values: Mapping[str, Any], adapter: Adapter) -> None:
    """Write ``model/README.md`` in the run's `folder`.

    Parameters
    ----------
    folder
        The run folder.
    recipe
        Of the run.
    values
        Those of its ``result.json``.
    adapter
        Of the run; it knows whether the tokenizer reads records as they are.
    """
    values = finite(values)
    lines = [f"# {recipe.title}", ""]
    lines += [f"`{recipe.name}`, arm `{values['arm']['label']}`, seed {values['seed']}, made with xdomain.", ""]
    lines += [f"- {note}" for note in values.get("notes", [])] + [""] * bool(values.get("notes"))
    lines += _compression(values)
    lines += _metrics(values["metrics"])
    lines += _classes(values)
    lines += _calibration(values)
    citation, licence = recipe.source.citation or f"{recipe.title}.", recipe.source.licence or "not stated"
    lines += ["## Data", "", f"{citation} Licence: {licence}.", ""]
    if recipe.negatives.how != "none":
        lines += [recipe.negatives.sentence(), ""]
    if recipe.columns.weight:
        lines += [recipe.columns.weight_sentence(), ""]
    if recipe.run.baseline is None:
        lines += _usage(recipe, values, adapter)
    write_text(folder / "model" / "README.md", "\n".join(lines))


def _compression(values: Mapping[str, Any]) -> list[str]:
    told = values.get("compression")
    if not told:
        return []
    size = " to ".join(f"{told['size'][when]['bytes'] / 1e6:.2f} MB" for when in ("before", "after"))
    loss = "".join(f" Lost of test {name}: {with_interval(one['lost'])}." for name, one in told["metrics"].items())
    return [f"Made smaller by `xdomain compress --how {told['how']}`: {size}.{loss}", ""]


def _metrics(metrics: Mapping[str, Any]) -> list[str]:
    splits = list(metrics)
    lines = ["| metric | " + " | ".join(splits) + " |", "|---|" + "---|" * len(splits)]
    lines += [
        f"| {name} | " + " | ".join(number(metrics[split][name]["value"]) for split in splits) + " |"
        for name in metrics[splits[0]]
    ]
    return [*lines, "", "The checkpoint was chosen on validation; test was read once.", ""]


def _classes(values: Mapping[str, Any]) -> list[str]:
    table = values.get("per_class", {}).get("test")
    if not table:
        return []
    lines = ["| class | precision | recall | f1 | records |", "|---|---|---|---|---|"]
    lines += [
        f"| {row['class']} | {number(row['precision'])} | {number(row['recall'])} | {number(row['f1'])} "
        f"| {row['support']} |"
        for row in table
    ]
    return [*lines, ""]


def _calibration(values: Mapping[str, Any]) -> list[str]:
    lines: list[str] = []
    if "positive_class" in values:
        lines.append(f"Of two classes, `{values['positive_class']}` is the positive one.")
    told = values.get("calibration")
    if told and told["temperature"] is not None:
        before, after = (number(told["test"][when]["error"]) for when in ("before", "after"))
        lines.append(
            f"`xdomain predict` divides the logits by {told['temperature']:.4f}, which was fitted on validation; plain "
            f"`transformers` does not. Expected calibration error on test: {after}, without it {before}."
        )
        lines += filter(None, [edge_note(told["temperature"])])
    elif told:
        lines.append(f"Expected calibration error on test: {number(told['test']['before']['error'])}.")
    return [*lines, ""] if lines else []


def _usage(recipe: Recipe, values: Mapping[str, Any], adapter: Adapter) -> list[str]:
    family = values["backbone"].get("type", "")
    head = auto_class_for(recipe.problem, architecture_of_family(family) or "encoder")
    loading = LOADING.format(head=head.__name__, tokenizer=tokenizer_class(family))
    lines = ["## Use", "", loading, ""]
    if recipe.problem == "sequence":
        lines += [WRITING, ""]
    if recipe.adapter.options.get("tokens") == "kmer" and isinstance(adapter, SpacesTokens):
        cut = adapter.to_tokenizer_text(SAMPLE)
        lines += [f'Records must be cut first: `{SAMPLE}` is read as `tokenizer("{cut}")`; uncut ones are unknown.', ""]
    if "layer_mix" in values:
        lines += [MIX, ""]
    if recipe.problem == "span":
        lines += ['The question comes first, then a window of the passage; position 0 stands for "not here".', ""]
        for value in values.get("thresholds", {}).values():
            lines += [
                "There is no answer where the sigmoid of the log-probability of position 0 (the least of any window) "
                f"less that of the best answer is above {value:.4f}.",
                "",
            ]
    elif "thresholds" in values:
        lines += [
            "A label is given where the sigmoid of its logit is at least its threshold: "
            + ", ".join(f"{name} {value:.4f}" for name, value in values["thresholds"].items())
            + ".",
            "",
        ]
    if recipe.problem not in ("span", "sequence") and values["counts"]["sequences_in_several_windows"]:
        lines += ["Long sequences were read in windows; the prediction is the mean of the windows' logits.", ""]
    mapping = values["mapping"]
    start = f"Mapping `{mapping['strategy']}`, seed {mapping['seed']}, sha256 `{mapping['sha256'][:16]}…`; "
    return [*lines, start + f"backbone `{values['backbone']['name']}`.", ""]
