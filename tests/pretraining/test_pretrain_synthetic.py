"""Pre-training on made-up sequences, with a generator whose every number is known."""

import json
from dataclasses import dataclass, replace

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoModelForMaskedLM, AutoTokenizer

from xdomain.core.errors import OutputError, RecipeError
from xdomain.core.sequences import Alphabet, Ragged
from xdomain.pretraining import api as pretrain
from xdomain.pretraining.api import Pretraining, pretrain_synthetic
from xdomain.pretraining.streams import Generated


@dataclass(frozen=True)
class Counted:
    """Sequence i counts up from i."""

    kind: str = "count"
    symbols: int = 50
    law: str = "uniform"
    seed: int = 0
    total: int = 0
    counts: str = ""
    distinct: bool | None = None
    lengths: tuple[int, int] = (0, 0)
    shortest: int = 1

    def __post_init__(self):
        if self.kind != "count":
            raise RecipeError(f"unknown kind {self.kind!r}", nearest="count")

    @property
    def alphabet(self):
        return Alphabet(tuple(map(str, range(self.symbols))), "integer")

    def sequences(self, first: int, count: int, *, length: int | None = None) -> Ragged:
        assert length is not None
        if length < self.shortest:
            raise RecipeError(f"sequences of {length}")
        return Ragged.from_lists([(first + i + np.arange(length)) % self.symbols for i in range(count)])

    def stock_tokenizer(self, vocabulary, unk_token):
        tokenizer = Tokenizer(models.WordLevel(dict(vocabulary), unk_token))
        tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        return tokenizer


PLAN = Pretraining(layers=1, width=16, heads=2, lengths=(8, 16), shares=(1, 1), tokens=4096, batch_tokens=128)


@pytest.fixture
def made(monkeypatch):
    """What the generator was asked for."""
    asked = []

    def make_adapter(name, options):
        asked.append((name, dict(options)))
        return Counted(**options)

    monkeypatch.setattr(pretrain, "make_adapter", make_adapter)
    return asked


def test_every_step_has_fresh_sequences():
    stream = Generated(Counted(symbols=1000), 30, PLAN.rows_before, shift=5)
    firsts = [stream.batch(step, PLAN.stage_at(step).rows, 6).tokens[:, 0] - 5 for step in (0, 1, 16, 17)]
    assert [list(f[[0, -1]]) for f in firsts] == [[0, 15], [16, 31], [256, 263], [264, 271]]


def test_pieces_of_kinds_that_cannot_be_so_short_are_cut_from_longer_ones():
    stream = Generated(Counted(symbols=1000, shortest=20), 30, lambda step: 100 * step)
    pieces = stream.batch(1, 5, 14)
    assert pieces.tokens[:, 0].tolist() == [100, 114, 101, 115, 102]
    assert pieces.documents.tolist() == [100, 100, 101, 101, 102]
    assert (np.diff(pieces.tokens) == 1).all()
    with pytest.raises(RecipeError, match="sequences of 10"):
        Generated(Counted(shortest=20), 10, lambda step: 0).batch(0, 1, 5)


def test_it_becomes_a_stock_checkpoint_of_integers(made, tmp_path):
    out = pretrain_synthetic("count", tmp_path / "bert", options=PLAN, symbols=50, law="zipf:1")
    assert made == [("synthetic", {"kind": "count", "symbols": 50, "law": "zipf:1", "seed": 0, "total": 384,
                                    "lengths": (14, 14)})]  # fmt: skip
    model, tokenizer = AutoModelForMaskedLM.from_pretrained(out), AutoTokenizer.from_pretrained(out)
    assert model.config.vocab_size == 55
    assert tokenizer("0 7 49")["input_ids"] == [2, 5, 12, 54, 3]
    assert tokenizer.mask_token_id == 4
    told = json.loads((out / "pretraining.json").read_text())
    assert told["data"]["train"] == {"kind": "count", "symbols": 50, "law": "zipf:1", "seed": 0, "sequences": 384}
    card = (out / "README.md").read_text()
    assert "- law: zipf:1" in card
    assert "xdomain pretrain synthetic count" in card
    assert "--symbols 50 --law zipf:1" in card
    assert "--vocabulary" not in card


def test_what_cannot_be_made_up_is_refused_before_anything_is_written(made, tmp_path):
    with pytest.raises(RecipeError, match="did you mean: count"):
        pretrain_synthetic("cuont", tmp_path / "bert", options=PLAN)
    with pytest.raises(RecipeError, match="made-up sequences with a tokenizer"):
        pretrain_synthetic("count", tmp_path / "bert", options=Pretraining(tokenizer="x"))
    assert not (tmp_path / "bert").exists()


def test_an_interrupted_run_goes_on_with_the_same_generator_alone(made, tmp_path, said, listen):
    class StopError(Exception):
        pass

    def stop(line):
        if line.startswith("validation at"):
            raise StopError

    plan = replace(PLAN, save_every=20)
    with pytest.raises(StopError), listen(stop):
        pretrain_synthetic("count", tmp_path / "bert", options=plan, symbols=50)
    with pytest.raises(OutputError, match='law: "uniform" there, "zipf:1" now'):
        pretrain_synthetic("count", tmp_path / "bert", options=plan, symbols=50, law="zipf:1")
    pretrain_synthetic("count", tmp_path / "bert", options=plan, symbols=50)
    assert any("from step 20" in line for line in said)


def test_a_table_of_counts_is_part_of_what_is_resumed(made, tmp_path):
    (tmp_path / "counts.txt").write_text("1\n" * 50)
    out = pretrain_synthetic("count", tmp_path / "bert", options=PLAN, symbols=50, law="table", distinct=False,
                             counts=tmp_path / "counts.txt")  # fmt: skip
    assert made[0][1]["counts"] == str(tmp_path / "counts.txt")
    assert made[0][1]["distinct"] is False
    assert len(json.loads((out / "pretraining.json").read_text())["data"]["train"]["counts"]) == 64
    assert "--no-distinct" in (out / "README.md").read_text()
