"""What many tests share: a tiny checkpoint on disk, and the environment without a network."""

from __future__ import annotations

import gc
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("patient", deadline=None)  # a busy machine is no fault
settings.load_profile("patient")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("MPLBACKEND", "Agg")
if "PYTEST_XDIST_WORKER" in os.environ:  # processes beside each other: a core each
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what is tried with lora where its package, an extra, is not installed."""
    if find_spec("peft") is None:
        for item in items:
            if "lora" in item.name:
                item.add_marker(pytest.mark.skip(reason="peft is not installed"))


def pytest_sessionfinish() -> None:
    """What `tiny_bert` froze is freed as ever, or libraries complain of leaks."""
    gc.unfreeze()


def save_tiny_bert(folder: Path, *, positions: int = 64, seed: int = 0) -> Path:
    """A BERT of 2 layers x 32 with 400 wordpieces, as a stock folder."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertForMaskedLM, PreTrainedTokenizerFast

    words = [a + b for a in "bcdfghjklmnpqrstvw" for b in ("a", "e", "i", "o", "u", "ab", "eb", "ib", "ob", "ub")]
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[unused0]", "[unused1]"]
    pieces += [*"abcdefghijklmnopqrstuvwxyz", "the", "we", "you", "he", "she", *words]
    pieces += [f"##{w}" for w in words]
    pieces = list(dict.fromkeys(pieces))[:400]
    tokenizer = Tokenizer(models.WordPiece({p: i for i, p in enumerate(pieces)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(pieces), hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=64, max_position_embeddings=positions, pad_token_id=0,
    )  # fmt: skip
    BertForMaskedLM(config).save_pretrained(folder)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
        mask_token="[MASK]", model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    ).save_pretrained(folder)  # fmt: skip
    return folder


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint folder: 2 layers, width 32, 64 positions."""
    folder = save_tiny_bert(tmp_path_factory.mktemp("backbone") / "tiny")
    import xdomain.pipeline  # noqa: F401  # pyright: ignore[reportUnusedImport]

    gc.collect()
    gc.freeze()  # each training collects garbage, which takes as long as there are modules
    return folder


class Listener(logging.Handler):
    """Calls a function with each message, as the command line shows it; what the function raises ends the run."""

    def __init__(self, call: Callable[[str], object]) -> None:
        super().__init__()
        self.call = call

    def emit(self, record: logging.LogRecord) -> None:
        self.call(("warning: " if record.levelno >= logging.WARNING else "") + record.getMessage())


@contextmanager
def listening(call: Callable[[str], object]) -> Generator[None]:
    logger, listener = logging.getLogger("xdomain"), Listener(call)
    level = logger.level
    logger.addHandler(listener)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(listener)
        logger.setLevel(level)


@pytest.fixture
def said() -> Generator[list[str]]:
    """The messages of a test, in their order."""
    lines: list[str] = []
    with listening(lines.append):
        yield lines


@pytest.fixture(scope="session")
def listen() -> Callable[[Callable[[str], object]], AbstractContextManager[None]]:
    """A context within which a function is called with each message."""
    return listening


def run_two_processes(script: Path, *arguments: object, timeout: float = 300) -> tuple[str, str]:
    """Run `script` in two processes by torchrun: what they wrote to stdout and stderr."""
    command = [str(Path(sys.executable).with_name("torchrun")), "--standalone", "--nproc-per-node=2", str(script)]
    done = subprocess.Popen([*command, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            env={**os.environ, "OMP_NUM_THREADS": "1"})  # fmt: skip
    try:
        out, err = done.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        done.terminate()  # which ends both, as a kill would not
        pytest.fail(f"processes wait for each other: {done.communicate()[1][-3000:]}")
    assert done.returncode == 0, err[-3000:]
    return out, err


@pytest.fixture(scope="session")
def torchrun() -> Callable[..., tuple[str, str]]:
    """Run a script with its arguments in two processes that share a run."""
    return run_two_processes
