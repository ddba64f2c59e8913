"""Streams of one's own: a function, sequences at hand, and a function of an installed package."""

import json
from itertools import count

import numpy as np
import pytest
from transformers import AutoModelForMaskedLM, AutoTokenizer

import xdomain
from xdomain.adapters.synthetic.kinds import FORMS
from xdomain.cli.pretrain import KINDS
from xdomain.core.errors import DataError, OutputError, RecipeError
from xdomain.pretraining.config import Pretraining
from xdomain.pretraining.own_stream import Called, pretrain_stream

PLAN = Pretraining(layers=1, width=16, heads=2, lengths=(8, 16), shares=(1, 1), tokens=2048, batch_tokens=128,
                   save_every=4)  # fmt: skip


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Runs that draw no picture and are scored on a few records."""
    monkeypatch.setattr("xdomain.pretraining.train.plot_pretraining", lambda *_, path, **__: path.touch())
    monkeypatch.setattr("xdomain.pretraining.engine.VALIDATION_TOKENS", 128)


def walk(rng, length, symbols):
    return np.cumsum(rng.integers(-1, 2, size=length)) % symbols


def told(out):
    return json.loads((out / "pretraining.json").read_text())


def test_a_function_becomes_a_stock_checkpoint(tmp_path):
    out = xdomain.pretrain_stream(walk, tmp_path / "bert", symbols=20, options=PLAN)
    assert AutoModelForMaskedLM.from_pretrained(out).config.vocab_size == 25
    assert AutoTokenizer.from_pretrained(out)("0 19")["input_ids"] == [2, 5, 24, 3]
    made = told(out)["data"]
    assert made["train"]["stream"].endswith("test_pretrain_stream.walk")
    assert (made["train"]["sequences"], made["validation"]["first"]) == (PLAN.rows_before(PLAN.steps), 2**40)
    card = (out / "README.md").read_text()
    assert "xdomain.pretrain_stream" in card
    assert "- stream: " in card


def test_a_sequence_depends_on_seed_length_and_its_number_alone():
    source = Called(walk, 1000, 3, "walk")
    made = list(map(list, source.sequences(0, 6, length=9)))
    assert list(map(list, source.sequences(4, 2, length=9))) == made[4:]
    assert len(set(map(tuple, made))) == 6
    assert list(Called(walk, 1000, 4, "walk").sequences(0, 1, length=9)[0]) != made[0]


def test_an_interrupted_run_goes_on_with_the_same_function_alone(tmp_path, said, listen):
    class StopError(Exception):
        pass

    def stop(line):
        if line.startswith("validation at"):
            raise StopError

    def other(rng, length, symbols):
        return rng.integers(symbols, size=length)

    other.__module__, other.__qualname__ = walk.__module__, walk.__qualname__
    with pytest.raises(StopError), listen(stop):
        pretrain_stream(walk, tmp_path / "cut", symbols=20, options=PLAN)
    with pytest.raises(OutputError, match="first sequences sha256: "):
        pretrain_stream(other, tmp_path / "cut", symbols=20, options=PLAN)
    cut = pretrain_stream(walk, tmp_path / "cut", symbols=20, options=PLAN)
    assert any("from step 4" in line for line in said)
    whole = pretrain_stream(walk, tmp_path / "whole", symbols=20, options=PLAN)
    assert (cut / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()


def test_sequences_at_hand_are_read_up_to_what_is_needed(tmp_path):
    taken = []

    def endless():
        for number in count():
            taken.append(number)
            yield [number % 7, (number + 1) % 7, 3]

    out = pretrain_stream(endless(), tmp_path / "bert", symbols=7, options=PLAN)
    assert len(taken) == 683  # of 3 integers each, for 2,048 tokens
    made = told(out)["data"]
    assert made["train"]["documents"] + made["validation"]["documents"] == 683
    again = pretrain_stream(endless(), tmp_path / "again", symbols=7, options=PLAN)
    assert (out / "model.safetensors").read_bytes() == (again / "model.safetensors").read_bytes()


@pytest.mark.parametrize(
    ("stream", "error"),
    [
        (lambda rng, length, symbols: [0] * (length - 1), "sequence 0 of the stream .* has 5 integers"),
        (lambda rng, length, symbols: [20] * length, "has the integer 20"),
        (lambda rng, length, symbols: [-1] * length, "has the integer -1"),
        (lambda rng, length, symbols: [0.5] * length, "is float64 of shape"),
        (lambda rng, length, symbols: 1 / 0, "ZeroDivisionError"),
        ([[1, 2], [1, 20]], "sequence 1 has the integer 20"),
        ([[1, "a"]], "sequence 0 is "),
        ([[], []], "no sequences"),
        ([[1, 2, 3]], "do not fill one sequence"),
    ],
)
def test_what_is_no_stream_is_said_before_anything_is_written(stream, error, tmp_path):
    with pytest.raises(DataError, match=error):
        pretrain_stream(stream, tmp_path / "bert", symbols=20, options=PLAN)
    assert not (tmp_path / "bert").exists()


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A package that offers `walk` as a stream."""
    site = tmp_path / "site"
    info = site / "walks-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "walks_of_mine.py").write_text(
        "import numpy as np\ndef walk(rng, length, symbols):\n"
        "    return np.cumsum(rng.integers(-1, 2, size=length)) % symbols\n"
    )
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: walks\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[xdomain.streams]\nwalk = walks_of_mine:walk\n")
    monkeypatch.syspath_prepend(str(site))


def test_a_stream_of_an_installed_package_is_a_kind(installed, tmp_path):
    out = xdomain.pretrain_synthetic("walk", tmp_path / "bert", options=PLAN, symbols=20)
    assert told(out)["data"]["train"]["stream"] == "walk"
    assert "xdomain pretrain synthetic walk --out" in (out / "README.md").read_text()
    own = pretrain_stream(walk, tmp_path / "own", options=PLAN, symbols=20)
    assert (out / "model.safetensors").read_bytes() == (own / "model.safetensors").read_bytes()
    with pytest.raises(RecipeError, match="with the stream walk"):
        xdomain.pretrain_synthetic("walk", tmp_path / "x", options=PLAN, law="zipf:1")
    with pytest.raises(RecipeError, match="did you mean: walk"):
        xdomain.pretrain_synthetic("wakl", tmp_path / "x", options=PLAN)
    with pytest.raises(RecipeError, match="did you mean"):
        xdomain.pretrain_synthetic("shufle", tmp_path / "x", options=PLAN)


def test_a_file_of_python_is_not_run_and_the_message_says_what_to_do(tmp_path):
    path = tmp_path / "my_stream.py"
    path.write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    with pytest.raises(RecipeError, match=r"(?s)names a file of Python.*xdomain\.streams.*pretrain_stream") as error:
        xdomain.pretrain_synthetic(f"{path}:generator", tmp_path / "bert", options=PLAN)
    assert all(kind in str(error.value) for kind in FORMS)
    assert not (tmp_path / "ran").exists()
    with pytest.raises(RecipeError, match="no stream is called 'walk'"):
        pretrain_stream("walk", tmp_path / "bert", symbols=20, options=PLAN)


def test_the_help_lists_all_kinds():
    named = {word.strip().partition(":")[0] for word in KINDS.partition("(")[0].split(",")}
    assert named == set(FORMS)


def test_the_example_of_the_docs_runs(tmp_path, monkeypatch):
    from pathlib import Path

    page = (Path(xdomain.__file__).parent.parent / "docs" / "pretraining.md").read_text()
    example = next(part for part in page.split("```python\n")[1:] if "pretrain_stream" in part).split("```")[0]
    assert len(example.splitlines()) <= 20
    monkeypatch.chdir(tmp_path)
    exec(compile(example, "example", "exec"), {"__name__": "example"})
    assert (tmp_path / "walk-bert" / "model.safetensors").exists()
