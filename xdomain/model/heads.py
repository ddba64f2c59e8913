"""Which stock head answers a problem."""

from __future__ import annotations

from typing import Any

from transformers import (
    AutoModelForQuestionAnswering,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
)

from xdomain.core.recipe import Problem


def head_of(problem: Problem) -> Any:
    """The class of `transformers` that builds and loads a model for a problem."""
    if problem == "tagging":
        return AutoModelForTokenClassification
    return AutoModelForQuestionAnswering if problem == "span" else AutoModelForSequenceClassification
