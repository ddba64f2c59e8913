"""The layout of a run on the Hugging Face hub.

The files of ``model/`` are at the top, where `transformers` looks for them, and beside them the files and folders of
the run that scoring needs. All names are known: nothing else is uploaded, and nothing else is taken from a repository.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

from xdomain.core.run_dir import (
    ADAPTER,
    CALIBRATION,
    MAPPING,
    MODEL,
    RECIPE,
    RESULT,
    TARGET,
    TARGET_ADAPTER,
    THRESHOLDS,
)

HUB = "hub:"
"""In front of a name, it is one of the hub."""
CARD = "README.md"
"""The model card, in ``model/`` of a run."""
OF_RUN = (RECIPE, RESULT, MAPPING, CALIBRATION, THRESHOLDS)
"""What stands in the folder of a run, beside ``model/`` and `OF_DOMAIN`."""
OF_DOMAIN = (ADAPTER, TARGET_ADAPTER)
"""Folders with the files of a domain: a codebook, a tokenizer, a BPE."""
INERT = (".jinja", ".json", ".model", ".safetensors", ".txt")
"""How their files end."""
OF_MODEL = (
    CARD, "config.json", "generation_config.json", "model.safetensors", "model-*-of-*.safetensors",
    "model.safetensors.index.json", "baseline.json", "layer_mix.json", "layer-mix.png", "layer-mix.svg",
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "chat_template.jinja",
    f"{TARGET}/*.json",
)  # fmt: skip
"""Patterns of what stands in ``model/``."""


def place_in_run(name: str) -> str | None:
    """Where the file `name` of a repository belongs in a run folder; None: it is none of a run."""
    if _of_run(name):
        return name
    return f"{MODEL}/{name}" if _of_model(name) else None


def place_on_hub(name: str) -> str | None:
    """Where the file `name` of a run folder, such as ``model/config.json``, stands in a repository; None: not there."""
    if _of_run(name):
        return name
    inner = name.removeprefix(f"{MODEL}/")
    return inner if inner != name and _of_model(inner) else None


def _of_run(name: str) -> bool:
    top, *inner = name.split("/")
    if top in OF_DOMAIN and inner and "\\" not in name:
        return not {"", ".", ".."} & set(inner) and inner[-1].endswith(INERT)
    return name in OF_RUN


def _of_model(name: str) -> bool:
    """Whether `name` fits one of `OF_MODEL`, where a star stands for no slash."""
    return any(fnmatchcase(name, one) and name.count("/") == one.count("/") for one in OF_MODEL) and "\\" not in name
