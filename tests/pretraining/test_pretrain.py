"""Pre-training on text as a user sees it: one command, one stock folder, the same weights after a kill."""

import json
import re
import shlex

import forked
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForMaskedLM, AutoModelForPreTraining, AutoTokenizer

from xdomain.core.errors import DataError, OutputError, RecipeError, TrainingError
from xdomain.data.corpus import train_wordpieces
from xdomain.pretraining.api import Pretraining, pretrain_text

WORDS = ["the", "cat", "dog", "sat", "ran", "on", "a", "mat", "log", "and", "then", "slept", "under", "warm", "sun"]
TINY = {"layers": 1, "width": 32, "heads": 2, "vocabulary": 60, "lengths": (8, 16), "shares": (0.5, 0.5),
        "tokens": 4096, "batch_tokens": 128, "save_every": 8}  # fmt: skip


@pytest.fixture(scope="module")
def books(tmp_path_factory):
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("text") / "books.txt"
    book = ["\n".join(" ".join(rng.choice(WORDS, 12)) + "." for _ in range(30)) for _ in range(4)]
    path.write_text("\f".join(book))
    return path


@pytest.fixture(scope="module")
def tokenizer(books, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokenizer")
    train_wordpieces([books], 60).save_pretrained(folder)
    return str(folder)


def pretrain(files, out, **options):
    return pretrain_text(files, out, options=Pretraining(**{**TINY, **options}))


@pytest.mark.usefixtures("drawn")
def test_it_learns_and_leaves_a_stock_checkpoint_with_a_card(books, tmp_path, said):
    out = pretrain([books], tmp_path / "bert", tokens=40_000, save_every=100, licence="cc0-1.0")
    told = json.loads((out / "pretraining.json").read_text())
    assert told["validation"]["8"]["loss"] < np.log(60)
    assert told["tokens_seen"] == 312 * 128
    assert (told["device"], told["steps"]) == (f"cpu ({told['device'][5:-1]})", 312)
    model, tokenizer = AutoModelForMaskedLM.from_pretrained(out), AutoTokenizer.from_pretrained(out)
    assert model.dtype == torch.float32  # though stored in half of the bytes
    assert model.config.max_position_embeddings == 16
    assert model.config.hidden_dropout_prob == 0.1
    assert tokenizer("the cat")["token_type_ids"] == [0] * len(tokenizer("the cat")["input_ids"])
    assert not (out / "unfinished").exists()
    card = (out / "README.md").read_text()
    for fact in ("license: cc0-1.0", "books.txt", told["data"]["train"]["files"][0]["sha256"], "39,936 tokens seen",
                 f"| 16 | {told['validation']['16']['loss']:.3f} |", f"--out {shlex.quote(str(out))}", "--tokens 40000",
                 "torch 2."):  # fmt: skip
        assert fact in card
    assert any("tokens/s" in line and line.endswith("left") for line in said)
    assert (
        sum(re.fullmatch(r"about \d+ s for 40,000 tokens; --tokens for fewer", line) is not None for line in said) == 1
    )
    history = [json.loads(line) for line in (out / "history.jsonl").read_text().splitlines()]
    assert [row["step"] for row in history if "valid" in row] == [100, 200, 300]
    assert history[-1]["tokens"] == told["tokens_seen"]
    assert (out / "history.png").stat().st_size > 5000
    with pytest.raises(OutputError, match="already holds a checkpoint"):
        pretrain([books], out)


KILLED = """
import logging, os, signal, sys
from pathlib import Path
from xdomain.pretraining import engine
from xdomain.pretraining.api import Pretraining, pretrain_text
engine.VALIDATION_TOKENS = 512  # as here, see conftest.py
def stop(record):
    if record.getMessage().startswith("step 19/"):
        os.kill(os.getpid(), signal.SIGKILL)
    return True
logging.basicConfig(level="INFO")
logging.getLogger("xdomain").addFilter(stop)
pretrain_text([Path(sys.argv[1])], Path(sys.argv[2]), options=Pretraining(tokenizer=sys.argv[3], OPTIONS))
"""
RESUMED = {**TINY, "objective": "mlm+nsp"}


def history(out):
    rows = [json.loads(line) for line in (out / "history.jsonl").read_text().splitlines()]
    return [{key: value for key, value in row.items() if key != "tokens_per_second"} for row in rows]


def test_killed_and_resumed_gives_the_same_weights_and_history(books, tokenizer, tmp_path, said):
    script = KILLED.replace("OPTIONS", ", ".join(f"{key}={value!r}" for key, value in RESUMED.items()))
    assert forked.run(script, books, tmp_path / "cut", tokenizer).returncode == -9
    assert not (tmp_path / "cut" / "model.safetensors").exists()
    cut = pretrain([books], tmp_path / "cut", tokenizer=tokenizer, **RESUMED)
    assert any(line.endswith("from step 16") for line in said)
    whole = pretrain([books], tmp_path / "whole", tokenizer=tokenizer, **RESUMED)
    weights = [load_file(out / "model.safetensors") for out in (cut, whole)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[1])
    assert history(cut) == history(whole)


class StopError(Exception):
    """Instead of a kill, within the process."""


@pytest.fixture
def interrupted(books, tokenizer, tmp_path, listen):
    def stop(line):
        if line.startswith("validation at"):
            raise StopError

    with pytest.raises(StopError), listen(stop):
        pretrain([books], tmp_path / "out", tokenizer=tokenizer)
    return tmp_path / "out"


def test_an_interrupted_run_goes_on_with_what_it_was_started_with_alone(books, tokenizer, interrupted, tmp_path, said):
    with pytest.raises(OutputError, match=r"learning rate: 0\.001 there, 0\.01 now.*tokens: 4096 there, 5000 now"):
        pretrain([books], interrupted, tokenizer=tokenizer, learning_rate=1e-2, tokens=5000)
    other = tmp_path / "other.txt"
    other.write_text(books.read_text() + "more")
    with pytest.raises(OutputError, match="files: "):
        pretrain([other], interrupted, tokenizer=tokenizer)
    moved = tmp_path / "moved.txt"
    moved.write_text(books.read_text())
    assert pretrain([moved], interrupted, tokenizer=tokenizer, save_every=30).is_dir()
    assert any("from step 8" in line for line in said)


def test_a_state_of_other_tokens_or_a_broken_one_is_refused(books, tokenizer, interrupted):
    state = interrupted / "unfinished" / "state.safetensors"
    tensors = load_file(state)
    save_file(tensors, state, metadata={"step": "8", "corpus": "of another tokenizer"})
    with pytest.raises(OutputError, match="other tokens"):
        pretrain([books], interrupted, tokenizer=tokenizer)
    state.write_bytes(state.read_bytes()[:1000])
    with pytest.raises(OutputError, match="cannot be read"):
        pretrain([books], interrupted, tokenizer=tokenizer)


def test_two_processes_do_not_train_in_one_folder(books, tokenizer, tmp_path, listen):
    def begin_again(line):
        if line.startswith("training on"):
            with pytest.raises(OutputError, match="another process"):
                pretrain([books], tmp_path / "out", tokenizer=tokenizer)

    with listen(begin_again):
        assert (pretrain([books], tmp_path / "out", tokenizer=tokenizer) / "model.safetensors").exists()


def test_a_full_disk_is_said_and_leaves_the_last_state(books, tokenizer, interrupted, monkeypatch):
    state = interrupted / "unfinished" / "state.safetensors"
    before = state.read_bytes()

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("xdomain.pretraining.checkpoints.save_file", full)
    with pytest.raises(OutputError, match="No space left on device"):
        pretrain([books], interrupted, tokenizer=tokenizer)
    assert state.read_bytes() == before


@pytest.mark.parametrize("objective", ["mlm+nsp", "mlm+sop"])
def test_a_second_objective_brings_its_head(books, tokenizer, tmp_path, objective):
    out = pretrain([books], tmp_path / "bert", tokenizer=tokenizer, objective=objective)
    model = AutoModelForPreTraining.from_pretrained(out)
    assert model.cls.seq_relationship.weight.shape == (2, 32)
    told = json.loads((out / "pretraining.json").read_text())
    assert 0 <= told["validation"]["16"]["order_accuracy"] <= 1
    assert "order accuracy" in (out / "README.md").read_text()


def test_rotary_positions_make_a_stock_modernbert_that_learns_and_asks_for_no_types(books, tokenizer, tmp_path):
    out = pretrain([books], tmp_path / "bert", tokenizer=tokenizer, positions="rotary", tokens=40_000, save_every=100)
    told = json.loads((out / "pretraining.json").read_text())
    assert told["validation"]["8"]["loss"] < np.log(60)
    model = AutoModelForMaskedLM.from_pretrained(out, dtype=torch.float32).eval()
    given = AutoTokenizer.from_pretrained(out)
    assert model.config.model_type == "modernbert"
    text = given("the cat sat on the", return_tensors="pt")
    assert set(text) == {"input_ids", "attention_mask"}
    assert model(**text).logits.shape == (1, text["input_ids"].shape[1], len(given))
    assert {model.config.cls_token_id, model.config.sep_token_id} == {given.cls_token_id, given.sep_token_id}
    card = (out / "README.md").read_text()
    assert card.count("ModernBERT, 1 layers × 32") == 1
    assert "rotary positions up to 16" in card
    assert "--positions rotary" in card


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", "no text"),
        (b" \n\n \f\n", "no text"),
        (b"caf\xe9 au lait", "byte 3 is not UTF-8"),
        (b"only one document", "wordpieces, fewer than"),
    ],
)
def test_a_bad_corpus_is_named_and_nothing_is_left(content, error, tmp_path):
    path = tmp_path / "bad.txt"
    path.write_bytes(content)
    with pytest.raises(DataError, match=error):
        pretrain([path], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_documents_too_short_are_found_before_training(books, tokenizer, tmp_path, said):
    with pytest.raises(DataError, match="2048 positions need a document of 2046 tokens"):
        pretrain([books], tmp_path / "out", tokenizer=tokenizer, lengths=(8, 2048), batch_tokens=2048,
                 tokens=40_000)  # fmt: skip
    assert not any(line.startswith("training") for line in said)
    path = tmp_path / "brief.txt"
    path.write_text("the cat sat\fthe dog ran on\f" * 30)
    with pytest.raises(DataError, match="the longest document has"):
        pretrain([path], tmp_path / "out", tokenizer=tokenizer)


def test_files_are_named_once_and_are_there(books, tmp_path):
    twin = tmp_path / "twin.txt"
    twin.write_text(books.read_text())
    with pytest.raises(DataError, match="hold the same text"):
        pretrain([books, twin], tmp_path / "out")
    with pytest.raises(DataError, match=r"boks\.txt cannot be read \(No such file"):
        pretrain([books.with_name("boks.txt")], tmp_path / "out")
    with pytest.raises(DataError, match="cannot be read"):
        pretrain([tmp_path], tmp_path / "out")
    with pytest.raises(DataError, match="no file was named"):
        pretrain([], tmp_path / "out")


def test_strangers_folders_are_left_alone(books, tmp_path):
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(OutputError, match=r"holds thesis\.tex, which no pre-training wrote"):
        pretrain([books], tmp_path)
    with pytest.raises(OutputError, match="is a file"):
        pretrain([books], tmp_path / "thesis.tex")
    with pytest.raises(OutputError, match="cannot be written"):
        pretrain([books], tmp_path / "thesis.tex" / "in")


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"lengths": (32, 16)}, "lengths 32,16\n  expected: growing"),
        ({"lengths": (4, 16)}, "each 8 or more"),
        ({"shares": (1.0,)}, "2 lengths but 1 shares"),
        ({"shares": (1.0, 0.0)}, "numbers above 0"),
        ({"heads": 3}, "(?s)shared out among 3 heads.*heads=2"),
        ({"batch_tokens": 8}, "batches of 8 tokens for sequences of 16"),
        (
            {"batch_tokens": 16, "objective": "mlm+nsp"},
            "two sequences in a batch: mlm\\+nsp takes second segments from other sequences",
        ),
        ({"tokens": 100}, "100 tokens leave no step for 8 positions"),
        ({"mask_rate": 1.0}, "mask rate"),
        ({"positions": "rotary", "objective": "mlm+nsp"}, "rotary positions with the objective mlm\\+nsp"),
        ({"positions": "rotatory"}, "did you mean: rotary"),
        ({"objective": "mlm+nps"}, "did you mean: mlm\\+nsp"),
        ({"decay": "cosinus"}, "did you mean: cosine"),
        ({"seed": -1}, "seed -1"),
        ({"heads": 3, "warmup": 1.0}, "(?s)- width 32.*- warmup 1.0"),
    ],
)
def test_impossible_options_are_refused(options, error):
    with pytest.raises(RecipeError, match=error):
        Pretraining(**{**TINY, **options})


def test_a_tokenizer_must_be_there_be_fast_and_know_mask(books, tmp_path):
    with pytest.raises(RecipeError, match="does not exist"):
        pretrain([books], tmp_path / "out", tokenizer=str(tmp_path / "none"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(RecipeError, match="holds no tokenizer"):
        pretrain([books], tmp_path / "out", tokenizer=str(tmp_path / "empty"))
    maskless = train_wordpieces([books], 60)
    maskless.mask_token = None
    maskless.save_pretrained(tmp_path / "maskless")
    with pytest.raises(RecipeError, match=r"has no \[MASK\]"):
        pretrain([books], tmp_path / "out", tokenizer=str(tmp_path / "maskless"))
    assert not (tmp_path / "out").exists()


def test_a_loss_that_is_no_number_ends_the_run(books, tokenizer, tmp_path):
    with pytest.raises(TrainingError, match="a lower learning_rate"):
        pretrain([books], tmp_path / "out", tokenizer=tokenizer, learning_rate=1e30, warmup=0.0)
