"""The options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xdomain.core.errors import RecipeError

if TYPE_CHECKING:
    from xdomain.core.recipe import Columns

Set = Annotated[list[str] | None, typer.Option("--set", help="Change the recipe: key.sub=value. Repeatable.")]
ColumnOption = Annotated[
    list[str] | None, typer.Option("--column", help="Which column holds what: label=NAME. Repeatable.")
]


def mapping_arguments(text: str | None) -> dict[str, Any]:
    """The arguments that --mapping `text` sets. A table is read from its file."""
    if text is None or not text.startswith("given:"):
        return {"mapping": text}
    from xdomain.model.make_mapping import load_given

    return {"mapping": "given", "mapping_table": load_given(Path(text.removeprefix("given:")))}


def columns_by_role(pairs: list[str] | None) -> Columns | None:
    """The columns by what they hold, from `pairs` ROLE=NAME; None where there are no pairs.

    Raises
    ------
    RecipeError
        A pair has no such role.
    """
    from xdomain.core.recipe import Columns, columns_of

    if not pairs:
        return None
    names: dict[str, str] = {}
    for pair in pairs:
        role, equals, name = pair.partition("=")
        if not equals or role not in Columns.model_fields:
            raise RecipeError(f"--column {pair}", expected=f"ROLE=NAME, ROLE one of {', '.join(Columns.model_fields)}")
        names[role] = name
    return columns_of(names)
