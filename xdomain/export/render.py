"""Pages from the templates in ``templates/``."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xdomain.core.formatting import duration, number, with_interval
from xdomain.core.templates import templates_in

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"


def render(template: str, **values: Any) -> str:
    """The Markdown page that the file `template` makes of `values`, which it knows by their names."""
    return _templates().get_template(template).render(**values)


@cache
def _templates() -> Environment:
    return templates_in(TEMPLATES, duration=duration, entry=with_interval, number=number)
