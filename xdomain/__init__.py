"""Fine-tune a text-pretrained BERT on sequences that are not text, and measure whether the pre-training helped."""

from __future__ import annotations

import os
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xdomain.analysis.analyze import analyze as analyze
    from xdomain.compression.api import compress as compress
    from xdomain.core.errors import UserError as UserError
    from xdomain.core.plugins import find_recipe as load_recipe
    from xdomain.core.plugins import task_names as task_names
    from xdomain.core.recipe import Recipe as Recipe
    from xdomain.export.dome import dome as dome
    from xdomain.export.onnx import export_onnx as export_onnx
    from xdomain.hub.contents import full_card as model_card
    from xdomain.hub.push import push as push
    from xdomain.inference.anomaly import anomaly_scores as anomaly_scores
    from xdomain.inference.embedding.open_encoder import embed as embed
    from xdomain.inference.embedding.open_encoder import open_encoder as open_encoder
    from xdomain.inference.evaluation import evaluate as evaluate
    from xdomain.inference.genome_track import predict_windows as predict_windows
    from xdomain.inference.prediction_file import predict as predict
    from xdomain.inference.trained_model import Model as Model
    from xdomain.inference.trained_model import load as load
    from xdomain.inference.variants.api import score_variants as score_variants
    from xdomain.inference.zero_shot import transfer as transfer
    from xdomain.inspection import check as check
    from xdomain.pretraining.api import Pretraining as Pretraining
    from xdomain.pretraining.api import pretrain_synthetic as pretrain_synthetic
    from xdomain.pretraining.api import pretrain_text as pretrain_text
    from xdomain.pretraining.own_stream import pretrain_stream as pretrain_stream
    from xdomain.pretraining.sequences import pretrain_sequences as pretrain_sequences
    from xdomain.runs.pipeline import run as run
    from xdomain.runs.result import Result as Result
    from xdomain.runs.result import load_result as load_result
    from xdomain.study.api import Study as Study
    from xdomain.study.api import report as report
    from xdomain.study.api import run_study as run_study
    from xdomain.study.compare import compare as compare
    from xdomain.study.plan import plan_study as plan_study

__version__ = version("xdomain")

# torch's threads wait for one another by spinning, which beside other work takes the cores that they wait for. GNU's
# OpenMP reads how long when torch is loaded. On a quiet machine spinning is best, and a choice of the user's stays.
_BUSY = hasattr(os, "getloadavg") and os.getloadavg()[0] > 1
if _BUSY and not {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} & os.environ.keys():
    os.environ["GOMP_SPINCOUNT"] = "1000"  # benchmarks/waiting.py, docs/performance.md

# Imported at first use: loading torch takes seconds, and `xdomain ls` does not need it.
_HOMES = {
    "Recipe": "xdomain.core.recipe:Recipe",
    "Result": "xdomain.runs.result:Result",
    "Model": "xdomain.inference.trained_model:Model",
    "load": "xdomain.inference.trained_model:load",
    "UserError": "xdomain.core.errors:UserError",
    "analyze": "xdomain.analysis.analyze:analyze",
    "check": "xdomain.inspection:check",
    "compare": "xdomain.study.compare:compare",
    "compress": "xdomain.compression.api:compress",
    "dome": "xdomain.export.dome:dome",
    "embed": "xdomain.inference.embedding.open_encoder:embed",
    "evaluate": "xdomain.inference.evaluation:evaluate",
    "export_onnx": "xdomain.export.onnx:export_onnx",
    "model_card": "xdomain.hub.contents:full_card",
    "push": "xdomain.hub.push:push",
    "load_recipe": "xdomain.core.plugins:find_recipe",
    "load_result": "xdomain.runs.result:load_result",
    "open_encoder": "xdomain.inference.embedding.open_encoder:open_encoder",
    "Pretraining": "xdomain.pretraining.api:Pretraining",
    "predict": "xdomain.inference.prediction_file:predict",
    "predict_windows": "xdomain.inference.genome_track:predict_windows",
    "pretrain_sequences": "xdomain.pretraining.sequences:pretrain_sequences",
    "pretrain_stream": "xdomain.pretraining.own_stream:pretrain_stream",
    "pretrain_synthetic": "xdomain.pretraining.api:pretrain_synthetic",
    "pretrain_text": "xdomain.pretraining.api:pretrain_text",
    "plan_study": "xdomain.study.plan:plan_study",
    "report": "xdomain.study.api:report",
    "run": "xdomain.runs.pipeline:run",
    "run_study": "xdomain.study.api:run_study",
    "anomaly_scores": "xdomain.inference.anomaly:anomaly_scores",
    "score_variants": "xdomain.inference.variants.api:score_variants",
    "transfer": "xdomain.inference.zero_shot:transfer",
    "Study": "xdomain.study.api:Study",
    "task_names": "xdomain.core.plugins:task_names",
}
__all__ = [
    "Model",
    "Pretraining",
    "Recipe",
    "Result",
    "Study",
    "UserError",
    "analyze",
    "anomaly_scores",
    "check",
    "compare",
    "compress",
    "dome",
    "embed",
    "evaluate",
    "export_onnx",
    "load",
    "load_recipe",
    "load_result",
    "model_card",
    "open_encoder",
    "plan_study",
    "predict",
    "predict_windows",
    "pretrain_sequences",
    "pretrain_stream",
    "pretrain_synthetic",
    "pretrain_text",
    "push",
    "report",
    "run",
    "run_study",
    "score_variants",
    "task_names",
    "transfer",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'xdomain' has no attribute {name!r}")
    module, _, attribute = _HOMES[name].partition(":")
    value = getattr(import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
