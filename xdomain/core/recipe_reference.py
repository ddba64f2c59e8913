"""The reference page of recipes, docs/recipe.md, made from the schema of `xdomain.core.recipe.Recipe`.

``python -m xdomain.core.recipe_reference > docs/recipe.md`` writes it; a test compares the two.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from xdomain.core.recipe import Recipe
from xdomain.core.train_options import LIMIT

Schema = Mapping[str, Any]

INTRODUCTION = """\
# Every key of a recipe

A recipe is a YAML file that describes a task. `xdomain new recipe NAME --data my.csv --domain dna` writes one for your
own data, with what is guessed filled in and comments; `xdomain show dna/splice` prints one with all its values.
`--set key.sub=value` changes any key from the command line, `set` in a study. A key that is left out has its default;
*required* keys have none. `null` leaves the choice to xdomain. Unknown keys are errors.

Values of `run`: [training.md](training.md). Options of `adapter`: [domains.md](domains.md). How steps and learning rate
are chosen: [defaults.md](defaults.md). Splits: [splits.md](splits.md).

This page is generated from the code: `python -m xdomain.core.recipe_reference`.
"""
HEADER = "| key | type | default | meaning |\n|---|---|---|---|\n"
WORDS = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false", "null": "null"}


def recipe_page() -> str:
    """Make the reference page: a Markdown table of type, default and meaning for each part of a recipe.

    Raises
    ------
    KeyError
        A key has no description.
    """
    schema = Recipe.model_json_schema()
    parts = list(_parts(schema, schema["$defs"], ""))
    return INTRODUCTION + "".join(f"\n## {title}\n\n{HEADER}{''.join(rows)}" for title, rows in parts)


def _parts(model: Schema, models: Schema, path: str) -> Iterator[tuple[str, list[str]]]:
    """The heading and the rows of a model at `path`, then those of the models within it."""
    rows: list[str] = []
    inner: list[tuple[str, Schema]] = []
    for name, field in model["properties"].items():
        key = f"{path}.{name}" if path else name
        found = _model_within(field)
        if found is None or "$ref" not in field:  # a list or mapping of parts is a key itself
            rows.append(_row(key, name, field, required=name in model.get("required", ())))
        if found is not None:
            place, reference = found
            inner.append((key + place, models[reference.rpartition("/")[2]]))
    yield f"`{path}`" if path else "The task", rows
    for key, one in inner:
        yield from _parts(one, models, key)


def _model_within(field: Schema) -> tuple[str, str] | None:
    """Where below a key a model is, and which; None if there is none."""
    places = (("", field), ("[]", field.get("items", {})), (".NAME", field.get("additionalProperties", {})))
    return next(((place, one["$ref"]) for place, one in places if isinstance(one, dict) and "$ref" in one), None)


def _row(key: str, name: str, field: Schema, *, required: bool) -> str:
    default = "*required*" if required else f"`{json.dumps(field['default'], ensure_ascii=False)}`"
    if key == "metrics":
        default = "those usual for the problem"
    meaning = field["description"]
    cells = (f"`{name}`", _type(field), default, meaning.replace("None: ", "null: "))
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def _type(field: Schema) -> str:
    if "anyOf" in field:
        return " or ".join(_type(one) for one in field["anyOf"])
    if "enum" in field:
        return ", ".join(f"`{word}`" for word in field["enum"])
    if field.get("type") == "array":
        return f"list of {_type(field['items'])}"
    if field.get("type") == "object":
        of = field.get("additionalProperties")
        return f"mapping to {_type(of)}" if isinstance(of, dict) else "mapping"
    if "$ref" in field:
        return "mapping"
    return " ".join([WORDS[field["type"]], *_bounds(field)])


def _bounds(field: Schema) -> list[str]:
    """The range of a number; the bound of all whole numbers, `LIMIT`, is left out."""
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    limits = {name: field[name] for name in signs if name in field and field[name] != LIMIT}
    shown = [f"{signs[name]} {_power(limit)}" for name, limit in limits.items()]
    return [", ".join(shown)] if shown else []


def _power(limit: float) -> str:
    whole = int(limit)
    return f"2^{whole.bit_length() - 1}" if whole > 1000 and whole & (whole - 1) == 0 else f"{limit:g}"


if __name__ == "__main__":
    print(recipe_page(), end="")
