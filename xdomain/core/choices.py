"""The words that an option may take, where more than one module needs them.

An option that one module alone reads lists its words there. Token mappings, whose names may carry a number, are in
`xdomain.model.token_mapping.STRATEGIES`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

from xdomain.core.errors import unknown

Problem = Literal[
    "classification", "multilabel", "regression", "multioutput", "tagging", "profile", "pair", "span", "sequence"
]  # fmt: skip
PER_SYMBOL: tuple[Problem, ...] = ("tagging", "profile")
"""Problems that ask for something at each symbol: a class, or a number."""
OF_VALUES: tuple[Problem, ...] = ("regression", "multioutput", "profile")
"""Problems whose targets are numbers: one of a record, several, or one of each symbol."""
OF_COLUMNS: tuple[Problem, ...] = ("multilabel", "multioutput")
"""Problems with k answers a record, of which some may be unknown."""
PAIRS: tuple[Problem, ...] = ("pair", "span")
"""Problems whose records have two sequences."""
UNCOUNTED: tuple[Problem, ...] = ("span", "sequence")
"""Problems without simple baselines: what they ask for cannot be counted."""
PERHAPS_PAIRS: tuple[Problem, ...] = ("regression", "multioutput", "multilabel")
"""Problems whose records may have two sequences."""
Init = Literal["pretrained", "scratch", "reembed", "shuffled", "rescaled", "aligned"]
Tune = Literal["full", "head", "mix", "norms", "lora", "bottleneck"]
Baseline = Literal["kmer", "cnn"]
ARMS: tuple[str, ...] = (*get_args(Init), *get_args(Baseline))
"""The words that name an arm: where the encoder starts, or a baseline in its place."""
Decoder = Literal["warm", "fresh"]
"""Where the decoder beside an encoder starts: as the encoder does, or small and at random."""
Part = Literal["attention", "ffn", "norms", "words", "positions"]
"""The parts of an encoder that can be transferred one by one."""
PARTS: tuple[str, ...] = get_args(Part)
Attention = Literal["own", "bidirectional"]
"""Which tokens a token attends to: as its family does, or all, which changes decoders alone."""
Calibration = Literal["none", "temperature"]
Precision = Literal["auto", "bf16", "fp32"]
TooLong = Literal["error", "truncate"]
Thresholds = Literal["validation", "half"]
ClassBalance = Literal["none", "weights", "batches"]
NegativesHow = Literal["none", "shuffled", "background", "proteins"]
Pooling = Literal["mean", "max", "cls", "none"]
"""How the states of a record's symbols become its embedding."""
ExportFormat = Literal["onnx", "dome", "card"]
VariantScore = Literal["masked-marginals", "pseudo-log-likelihood"]

# Pre-training
Objective = Literal["mlm", "mlm+nsp", "mlm+sop"]
Decay = Literal["linear", "cosine"]
Grow = Literal["tile", "fresh"]
Positions = Literal["learned", "rotary"]

DEFAULT_METRICS: Mapping[str, list[str]] = {
    "classification": ["accuracy", "f1", "matthews_correlation"],
    "multilabel": ["average_precision", "f1", "f1_micro", "accuracy"],
    "pair": ["accuracy", "f1", "matthews_correlation"],
    "regression": ["spearmanr", "pearsonr", "mse"],
    "multioutput": ["spearmanr", "pearsonr", "mse"],
    "tagging": ["accuracy", "f1"],
    "profile": ["spearmanr", "pearsonr", "mse"],
    "span": ["FF1", "AOS", "exact_match"],
    "sequence": ["token_accuracy", "exact_match"],
}
"""By problem, the metrics of a recipe that names none. The first one decides."""


def listed(choice: Any) -> str:
    """List the words of the ``Literal`` `choice` as in a sentence: ``pretrained, scratch or reembed``."""
    *words, last = get_args(choice)
    return f"{', '.join(words)} or {last}"


def check_choices(adapter: Any) -> None:
    """Check that each field of `adapter`, a dataclass, that is typed as a ``Literal`` has one of its words.

    Raises
    ------
    RecipeError
        A field has another value. The message lists the words and the nearest one.
    """
    hints = get_type_hints(type(adapter))
    for option in fields(adapter):
        known = get_args(hints[option.name]) if get_origin(hints[option.name]) is Literal else ()
        value = getattr(adapter, option.name)
        if known and value not in known:
            raise unknown(f"{adapter.name} option {option.name}:", str(value), known)
