"""The model card of a run: metadata for the hub, what was measured, on which data, how to load it, its limits."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from xdomain.core.adapter_protocols import SpacesTokens
from xdomain.core.choices import PARTS
from xdomain.core.formatting import number, with_interval
from xdomain.core.paths import expanded, is_file
from xdomain.core.recipe import Recipe, load_recipe
from xdomain.core.restore import reading
from xdomain.core.result_file import metric_rows
from xdomain.core.run_dir import MODEL, RECIPE, finite, read_result, write_text
from xdomain.core.sequences import Adapter
from xdomain.core.shared_run import CARD, HUB
from xdomain.core.templates import escaped, templates_in
from xdomain.data.sources import is_path
from xdomain.inference.saved_model import refuse_folds, saved_adapter
from xdomain.metrics.calibration import edge_note
from xdomain.model.checkpoints import bundled_backbones, shipped_folder
from xdomain.model.families import architecture_of_family, auto_class_for, tokenizer_class
from xdomain.runs.in_words import BASELINES, OUTPUTS, SPLIT_RULES, STARTS, TUNED, name_of_backbone, sample_record

if TYPE_CHECKING:
    from jinja2 import Environment

NOT_STATED = "not stated"
UNKNOWN = "unknown"
"""What the hub calls a licence that is not stated."""
PERHAPS = ("backbone", "data", "layer_mix", "learned", "majority", "mapping", "notes", "parameters", "per_class",
           "positive_class", "steps", "thresholds")  # fmt: skip
"""What a result has only of some runs, and of this version."""
COUNTED = ("leakage", "sequences_in_several_windows", "truncated")
"""The same among its counts."""
TASKS = {
    "classification": "text-classification",
    "pair": "text-classification",
    "multilabel": "text-classification",
    "tagging": "token-classification",
    "span": "question-answering",
    "sequence": "text-generation",
}
"""By problem, what the hub calls it; it has no word for numbers that are read from sequences."""
SAMPLE = "ACGTTGCAACGT"
"""A record, of DNA or protein, to show how k-mers are cut."""


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
        Of the run; it knows how records are written, and whether the tokenizer reads them as they are.
    """
    write_text(folder / MODEL / CARD, _rendered(recipe, finite(values), adapter, None, None, None))


def model_card(
    run_dir: str | Path,
    *,
    repo: str | None = None,
    comparison: Mapping[str, Any] | None = None,
    licence: str | None = None,
) -> str:
    """The card of a finished run, with what is known once it is finished.

    Parameters
    ----------
    run_dir
        A finished run.
    repo
        The name under which it is on the hub, for the examples; None: they load it from its folder.
    comparison
        What `xdomain.study.comparison.Comparison.as_dict` gives, of the comparison that the run is part of; None: it
        is not part of one.
    licence
        The licence of the model, as the hub writes it (``apache-2.0``); None: it is not stated.

    Returns
    -------
    str
        Markdown, with metadata in front as the Hugging Face hub reads it.

    Raises
    ------
    UserError
        `run_dir` holds no finished run, or is damaged.
    """
    folder = Path(run_dir)
    values = finite(read_result(folder).values)
    refuse_folds(folder)
    recipe = load_recipe(folder / RECIPE)
    adapter = saved_adapter(folder, recipe)
    with reading(folder, expected="recipe.yaml and result.json of one run"):
        return _rendered(recipe, values, adapter, repo, comparison, licence)


def _rendered(
    recipe: Recipe,
    values: Mapping[str, Any],
    adapter: Adapter,
    repo: str | None,
    comparison: Mapping[str, Any] | None,
    licence: str | None,
) -> str:
    baseline = recipe.run.baseline
    family = (values.get("backbone") or {}).get("type", "")
    head = None if baseline else auto_class_for(recipe.problem, architecture_of_family(family) or "encoder").__name__
    record, spaced = sample_record(adapter)
    told = values.get("calibration") or {}
    page = _templates().get_template("model-card.md.j2").render(
        metadata=yaml.safe_dump(_metadata(recipe, values, licence), sort_keys=False, allow_unicode=True, width=1000),
        recipe=recipe,
        values=dict.fromkeys(PERHAPS) | dict(values) | {"n": {"valid": None, **values["n"]}},
        counts=dict.fromkeys(COUNTED) | (values.get("counts") or {}),
        rows=metric_rows(values),
        comparison=comparison,
        compression=_compression(values),
        calibration=told,
        edge_note=edge_note(told["temperature"]) if told.get("temperature") else "",
        split=SPLIT_RULES[recipe.split.rule],
        output=OUTPUTS[recipe.problem],
        tuned=TUNED[recipe.run.tune],
        starts=STARTS.get(recipe.run.init, recipe.run.init),
        transfer=None if set(recipe.run.transfer) == set(PARTS) else recipe.run.transfer,
        baseline=BASELINES.get(baseline or ""),
        backbone=name_of_backbone((values.get("backbone") or {}).get("name", "")),
        backbone_licence=None if baseline else _licence_of_backbone(recipe.run.backbone),
        licence=licence or NOT_STATED,
        head=head,
        tokenizer=tokenizer_class(family),
        record=record,
        tokenized=spaced,
        cut=_cut(recipe, adapter),
        model=repo or MODEL,
        run_place=f"{HUB}{repo}" if repo else ".",
        repo=repo,
    )  # fmt: skip
    return re.sub(r"\n{3,}", "\n\n", page)


def _metadata(recipe: Recipe, values: Mapping[str, Any], licence: str | None) -> dict[str, Any]:
    """What the hub reads in front of a card: huggingface.co/docs/hub/model-cards."""
    run = recipe.run
    data = [one["name"].removeprefix(HUB) for one in (values.get("data") or {}).values() if one["name"].startswith(HUB)]
    based = run.backbone if run.baseline is None and run.init in ("pretrained", "reembed") else None
    found: dict[str, Any] = {"library_name": "xdomain" if run.baseline else "transformers"}
    found["license"] = licence or UNKNOWN
    if based and _on_hub(based):
        found |= {"base_model": based, "base_model_relation": "finetune"}
    if data:
        found["datasets"] = sorted({name.partition(":")[0] for name in data})
    found["tags"] = ["xdomain", recipe.adapter.name, recipe.problem, run.baseline or run.init]
    if metrics := _measured(values):
        result = {
            "task": {"type": TASKS.get(recipe.problem, "other"), "name": recipe.problem},
            "dataset": {"name": recipe.title, "type": recipe.name, "split": "test"},
            "metrics": metrics,
        }
        found["model-index"] = [{"name": f"{recipe.title}, {values['arm']['label']}", "results": [result]}]
    return found


def _measured(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The test metrics for the hub, each with its interval in its name; those that are not defined are left out."""
    records = f"{values['n']['test']:,} test records"
    return [
        {"type": name, "value": entry["value"], "name": f"{name}: {with_interval(entry)}, 95 %, {records}"}
        for name, entry in values["metrics"]["test"].items()
        if entry["value"] is not None
    ]


def _on_hub(backbone: str) -> bool:
    """Whether the `backbone` of a recipe can only be a name of the hub."""
    shipped = {path.name for path in bundled_backbones()}
    return backbone not in shipped and not is_path(backbone) and not expanded(backbone).exists()


def _licence_of_backbone(backbone: str | None) -> str:
    """The licence in the card of a `backbone` that is a folder here."""
    folder = bundled_backbones()[0] if backbone is None else expanded(shipped_folder(backbone))
    if not is_file(folder / CARD):
        return NOT_STATED
    front = re.match(r"---\n(.*?)\n---", (folder / CARD).read_text("utf-8", "replace"), re.DOTALL)
    found = re.search(r"^license: *(\S.*)$", front[1] if front else "", re.MULTILINE)
    return found[1].strip() if found else NOT_STATED


def _compression(values: Mapping[str, Any]) -> str:
    told = values.get("compression")
    if not told:
        return ""
    size = " to ".join(f"{told['size'][when]['bytes'] / 1e6:.2f} MB" for when in ("before", "after"))
    loss = "".join(f" Lost of test {name}: {with_interval(one['lost'])}." for name, one in told["metrics"].items())
    return f"Made smaller by `xdomain compress --how {told['how']}`: {size}.{loss}"


def _cut(recipe: Recipe, adapter: Adapter) -> tuple[str, str] | None:
    """A record of k-mers, and how it is cut for a plain tokenizer; None where records are read as they are."""
    if recipe.adapter.options.get("tokens") != "kmer" or not isinstance(adapter, SpacesTokens):
        return None
    return SAMPLE, adapter.to_tokenizer_text(SAMPLE)


@cache
def _templates() -> Environment:
    folder = Path(__file__).parent / "templates"
    return templates_in(folder, cell=_cell, code=_code, entry=with_interval, escaped=escaped, number=number)


def _cell(text: str) -> str:
    """The `text` of a user in a table."""
    return escaped(" ".join(str(text).split()))


def _code(text: str) -> str:
    """The `text` of a user as code within a line."""
    return "`" + " ".join(str(text).replace("`", "'").split()) + "`"
