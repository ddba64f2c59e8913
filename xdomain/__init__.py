"""Fine-tune a text-pretrained BERT on sequences that are not text, and see honestly whether the text helped."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xdomain.analysis.analyze import analyze as analyze
    from xdomain.errors import UserError as UserError
    from xdomain.evaluation import evaluate as evaluate
    from xdomain.inspection import check as check
    from xdomain.plugins import find_recipe as load_recipe
    from xdomain.plugins import task_names as task_names
    from xdomain.prediction import predict as predict
    from xdomain.recipe import Recipe as Recipe
    from xdomain.run import Result as Result
    from xdomain.run import load_result as load_result
    from xdomain.run import run as run
    from xdomain.study.compare import compare as compare
    from xdomain.study.conduct import report as report
    from xdomain.study.conduct import run_study as run_study
    from xdomain.study.study import Study as Study
    from xdomain.study.study import lay_out as lay_out
    from xdomain.training.pretrain import Pretraining as Pretraining
    from xdomain.training.pretrain import pretrain_synthetic as pretrain_synthetic
    from xdomain.training.pretrain import pretrain_text as pretrain_text

__version__ = version("xdomain")

# Loaded at first use: torch takes seconds, and `xdomain ls` does not need it.
_HOMES = {
    "Recipe": "xdomain.recipe:Recipe",
    "Result": "xdomain.run:Result",
    "UserError": "xdomain.errors:UserError",
    "analyze": "xdomain.analysis.analyze:analyze",
    "check": "xdomain.inspection:check",
    "compare": "xdomain.study.compare:compare",
    "evaluate": "xdomain.evaluation:evaluate",
    "load_recipe": "xdomain.plugins:find_recipe",
    "load_result": "xdomain.run:load_result",
    "Pretraining": "xdomain.training.pretrain:Pretraining",
    "predict": "xdomain.prediction:predict",
    "pretrain_synthetic": "xdomain.training.pretrain:pretrain_synthetic",
    "pretrain_text": "xdomain.training.pretrain:pretrain_text",
    "lay_out": "xdomain.study.study:lay_out",
    "report": "xdomain.study.conduct:report",
    "run": "xdomain.run:run",
    "run_study": "xdomain.study.conduct:run_study",
    "Study": "xdomain.study.study:Study",
    "task_names": "xdomain.plugins:task_names",
}
__all__ = [
    "Pretraining",
    "Recipe",
    "Result",
    "Study",
    "UserError",
    "analyze",
    "check",
    "compare",
    "evaluate",
    "lay_out",
    "load_recipe",
    "load_result",
    "predict",
    "pretrain_synthetic",
    "pretrain_text",
    "report",
    "run",
    "run_study",
    "task_names",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'xdomain' has no attribute {name!r}")
    module, _, attribute = _HOMES[name].partition(":")
    found = getattr(import_module(module), attribute)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
