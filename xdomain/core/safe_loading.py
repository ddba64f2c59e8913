"""Load parts of a checkpoint: all that `transformers` reads is read here, and code in a checkpoint never runs."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from xdomain.core.errors import BackboneError


def load(kind: str, path: str | Path, **options: Any) -> Any:
    """Load a part of a checkpoint by a class of `transformers`, without running code that the checkpoint brings.

    Parameters
    ----------
    kind
        The class: ``AutoConfig``, ``AutoTokenizer``, ``AutoModelForMaskedLM``, …
    path
        A folder, which is read without network access, or a hub id.
    options
        Arguments of the class's ``from_pretrained``. `local_files_only` is by default whether `path` is a folder.

    Returns
    -------
    Any
        What ``from_pretrained`` returns.

    Raises
    ------
    BackboneError
        The checkpoint can be loaded only by code of its own (``auto_map``).
    Exception
        Anything that ``from_pretrained`` raises where files are missing or damaged.
    """
    import transformers

    local = Path(path).is_dir()
    if not local:
        limit_silence()
    options = {"local_files_only": local, **options, "trust_remote_code": False}
    try:
        return getattr(transformers, kind).from_pretrained(str(path), **options)
    except (OSError, ValueError) as error:
        if "trust_remote_code" not in str(error) and "custom code" not in str(error):
            raise
        raise BackboneError(
            f"{path} can be loaded only by code that it brings (auto_map), which xdomain never runs",
            expected="a checkpoint of an architecture that is in transformers",
            fix="if you trust its authors, convert it with transformers, and give the folder that this wrote",
        ) from None


def limit_silence(seconds: float | None = None) -> None:
    """Give up on a hub that is silent for so many `seconds`: some calls of its client would wait for ever.

    Parameters
    ----------
    seconds
        None: as HF_HUB_DOWNLOAD_TIMEOUT says.
    """
    from huggingface_hub import get_session
    from huggingface_hub.constants import HF_HUB_DOWNLOAD_TIMEOUT

    client = get_session()
    hooks = client.event_hooks
    others = [hook for hook in hooks["request"] if getattr(hook, "func", None) is not _with_limit]
    limit = partial(_with_limit, seconds=seconds or HF_HUB_DOWNLOAD_TIMEOUT)
    client.event_hooks = {**hooks, "request": [*others, limit]}


def _with_limit(request: Any, *, seconds: float) -> None:
    limits: dict[str, float | None] = request.extensions.get("timeout", {})
    request.extensions["timeout"] = {kind: limits.get(kind) or seconds for kind in ("connect", "read", "write", "pool")}
