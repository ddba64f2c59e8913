"""What many tests share: a tiny checkpoint on disk, runs without pictures, and the environment without a network."""

from __future__ import annotations

import gc
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from filelock import FileLock
from hypothesis import settings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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


def save_tiny_bert(folder: Path, *, positions: int = 64, seed: int = 0, width: int = 32) -> Path:
    """A BERT of 2 layers, `width` wide, with 400 wordpieces, as a stock folder."""
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
        vocab_size=len(pieces), hidden_size=width, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=64, max_position_embeddings=positions, pad_token_id=0,
    )  # fmt: skip
    BertForMaskedLM(config).save_pretrained(folder)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
        mask_token="[MASK]", model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    ).save_pretrained(folder)  # fmt: skip
    return folder


@pytest.fixture(scope="session", autouse=True)
def no_file_in_the_home_folder(tmp_path_factory: pytest.TempPathFactory) -> Generator[None]:
    """Where no folder of data is given, tests write to none in the home folder, which may be read-only."""
    with pytest.MonkeyPatch.context() as patch:
        if "XDOMAIN_DATA" not in os.environ:
            patch.setenv("XDOMAIN_DATA", str(tmp_path_factory.getbasetemp() / "data"))
        yield


@pytest.fixture(scope="session")
def make_tiny_bert() -> Callable[..., Path]:
    """See `save_tiny_bert`."""
    return save_tiny_bert


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], object]], Path]:
    """Make a folder by its name and a function that fills it, once for all processes that share the tests."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def made(name: str, make: Callable[[Path], object]) -> Path:
        folder, done = shared / name, shared / f"{name}.done"
        with FileLock(shared / f"{name}.lock"):
            if not done.exists():
                make(folder)
                done.touch()
        return folder

    return made


@pytest.fixture(scope="session")
def tiny_bert(once: Callable[[str, Callable[[Path], object]], Path]) -> Path:
    """A checkpoint folder: 2 layers, width 32, 64 positions."""
    folder = once("tiny", save_tiny_bert)
    import_module("xdomain.runs.pipeline")
    style: Any = import_module("xdomain.training.figure_style")
    style._Plot.savefig = saved_empty
    gc.collect()
    gc.freeze()  # each training collects garbage, which takes as long as there are modules
    return folder


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data folder, in place of the user's."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("XDOMAIN_DATA", str(home))
    return home


def saved_empty(figure: Figure, file: Any, **options: Any) -> None:
    """An empty file for a figure, which would take as long to render as the rest of a small run."""
    from matplotlib.figure import Figure

    if isinstance(file, Path):
        file.touch()
    else:
        Figure.savefig(figure, file, **options)


@pytest.fixture(scope="session")
def pictures(tiny_bert: Path) -> Callable[[], AbstractContextManager[None]]:
    """A context within which figures are rendered, as a user has them; others may be empty files."""
    from xdomain.training.figure_style import _Plot

    @contextmanager
    def rendered() -> Generator[None]:
        with pytest.MonkeyPatch.context() as patch:
            patch.delattr(_Plot, "savefig")  # that of matplotlib is below
            yield

    return rendered


@pytest.fixture
def drawn(pictures: Callable[[], AbstractContextManager[None]]) -> Generator[None]:
    """The figures of a test are rendered."""
    with pictures():
        yield


@pytest.fixture
def validated_briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pre-training is validated on an eighth of the tokens, of which there are more than a small one trains on."""
    for module in ("engine", "made_up"):
        monkeypatch.setattr(f"xdomain.pretraining.{module}.VALIDATION_TOKENS", 512)


@pytest.fixture
def in_process() -> Generator[list[int]]:
    """Studies run their cells in this process, and the figures of their reports are not rendered.

    A list of the numbers of workers that they ask for.
    """
    from small_study import cells_run_here

    with cells_run_here() as asked:
        yield asked


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
