"""Every family, problem, way of tuning and init together: one step, then the same answers from a stock checkpoint."""

from itertools import product
from typing import Any, get_args

import pytest
import torch
from families import CLASSES, CONFIGS, DECODERS, PROBLEMS, quick, save_backbone
from transformers import AutoModel

from xdomain.core.choices import PAIRS, Init, Tune
from xdomain.core.errors import BackboneError
from xdomain.core.safe_loading import load
from xdomain.model.families import architecture_of, auto_class_for, can_slice_vocabulary, max_positions, problems_of
from xdomain.model.initialise import EncoderArm, build_model
from xdomain.model.layer_mix import remove_mix
from xdomain.model.parameter_groups import parameter_group
from xdomain.model.tokenizer import layout_of
from xdomain.model.tuning import freeze_for, merge_adapters
from xdomain.model.vocabulary import restore_vocabulary, slice_vocabulary
from xdomain.training.predict import logits_of

SYMBOLS = torch.tensor([[40, 41, 42, 43, 40], [43, 43, 41, 40, 42]])
GATED = ("gemma", "llama", "mistral", "modernbert", "qwen2", "qwen3", "smollm3")
NO_BOTTLENECK = (*GATED, "gpt2", "gpt_neox")
WITHOUT_POSITIONS = (*GATED, "gpt_neox", "esm")
QUICK = {
    *product(CONFIGS, ("classification",), get_args(Tune), ("pretrained",)),
    *product(CONFIGS, ("classification",), ("full",), get_args(Init)),
    *product(CONFIGS, PROBLEMS, ("full",), ("pretrained",)),
}
WHOLE = sorted({*product(CONFIGS, PROBLEMS, get_args(Tune), get_args(Init))} - QUICK)


@pytest.fixture(scope="module")
def backbones(tmp_path_factory):
    made: dict[str, Any] = {}

    def of(family):
        if family not in made:
            made[family] = save_backbone(family, tmp_path_factory.mktemp(family))
        return made[family]

    return of


def batch_of(layout, rows=None, *, paired=False):
    """Two records of five and three symbols, or pairs of them; `rows` gives the new place of each row."""
    places = torch.arange(200) if rows is None else torch.from_numpy(rows)
    put = layout if rows is None else layout.moved(rows)
    before = [*put.start, *places[SYMBOLS[0, :2]].tolist(), *put.middle] if paired else put.start
    ids = [[*before, *places[one].tolist(), *put.end] for one in (SYMBOLS[0], SYMBOLS[1, 2:])]
    mask = [[1] * len(one) + [0] * (len(ids[0]) - len(one)) for one in ids]
    ids = [one + [put.pad] * (len(ids[0]) - len(one)) for one in ids]
    return {"input_ids": torch.tensor(ids), "attention_mask": torch.tensor(mask)}


def walk(backbone, problem, tune, init, folder=None):
    """Train for a step, then compare the stock model that is left, perhaps saved to `folder`, with what was trained."""
    classes = CLASSES if problem in ("classification", "multilabel", "multioutput", "tagging", "pair") else ()
    layout = layout_of(backbone.tokenizer)
    model = build_model(backbone, EncoderArm(init, tune=tune), problem=problem, classes=classes, seed=0)
    before = {name: value.clone() for name, value in model.named_parameters()}
    rows = [*SYMBOLS.unique().tolist(), *layout.rows(), layout.pad]
    cut = slice_vocabulary(model, rows) if tune != "lora" and can_slice_vocabulary(model) else None
    learner = freeze_for(model, tune, seed=0)
    paired = problem in PAIRS
    batch = batch_of(layout, cut.compact if cut else None, paired=paired)
    learner.train()
    torch.manual_seed(0)
    logits_of(learner, batch).pow(2).sum().backward()
    torch.optim.SGD([one for one in learner.parameters() if one.requires_grad], 0.05).step()
    learner.eval()
    with torch.no_grad():
        trained = logits_of(learner, batch)
    stock = merge_adapters(learner)
    mixed = remove_mix(stock)
    if cut:
        restore_vocabulary(stock, cut)
    changed = [name for name, value in stock.named_parameters() if not same(before.get(name), value)]
    assert changed
    if tune in ("head", "mix"):
        prefix = stock.base_model_prefix + "."
        assert all("pooler" in name or not name.startswith(prefix) for name in changed)
    again = stock.eval()
    if folder:
        stock.save_pretrained(folder)
        again = load(auto_class_for(problem).__name__, folder).eval()
    assert again.config.pad_token_id == backbone.config.pad_token_id
    with torch.no_grad():
        reloaded = logits_of(again, batch_of(layout, paired=paired))
    if mixed is None:
        real = batch["attention_mask"].bool() if trained.ndim == 3 else ...
        torch.testing.assert_close(reloaded[real], trained[real], rtol=0, atol=2e-5)


def same(before, after):
    return before is not None and before.shape == after.shape and torch.equal(before, after)


def check(case, backbones, folder=None):
    family, problem, tune, init = case
    if problem not in problems_of(CONFIGS[family]):
        with pytest.raises(BackboneError, match=f"transformers has no {family} for {problem}"):
            walk(backbones(family), problem, tune, init, folder)
    elif tune == "bottleneck" and family in NO_BOTTLENECK:
        with pytest.raises(BackboneError, match=f"a {family} model has no plain feed-forward blocks"):
            walk(backbones(family), problem, tune, init, folder)
    else:
        walk(backbones(family), problem, tune, init, folder)


@pytest.mark.parametrize(
    "case",
    [pytest.param(one, marks=() if quick(*one[:2]) else pytest.mark.slow) for one in sorted(QUICK)],
    ids="-".join,
)
def test_a_step_and_then_a_stock_checkpoint(case, backbones, tmp_path):
    check(case, backbones, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("family", CONFIGS)
def test_everything_together(family, backbones):
    for case in (one for one in WHOLE if one[0] == family):
        check(case, backbones)


@pytest.mark.parametrize("family", CONFIGS)
def test_every_parameter_has_a_part(family):
    parts = {parameter_group(name) for name, _ in AutoModel.from_config(CONFIGS[family]).named_parameters()}
    assert parts >= {"words", "norms", "attention", "ffn"}
    assert ("positions" in parts) == (family not in WITHOUT_POSITIONS)


@pytest.mark.parametrize("family", CONFIGS)
def test_which_families_are_decoders_and_how_long_a_window_is(family):
    assert (architecture_of(CONFIGS[family]) == "decoder") == (family in DECODERS)
    assert max_positions(CONFIGS[family]) == 24


@pytest.mark.parametrize("family", DECODERS)
def test_a_decoder_sees_later_tokens_only_if_it_is_told_to(family, backbones, tmp_path):
    backbone = backbones(family)
    seen: dict[str, torch.Tensor] = {}
    for how in ("own", "bidirectional"):
        model = build_model(backbone, EncoderArm(), problem="classification", classes=CLASSES, seed=0, attention=how)
        model.save_pretrained(tmp_path / how)
        model = load("AutoModelForSequenceClassification", tmp_path / how).eval()  # as anybody loads it afterwards
        ids = torch.tensor([[40, 41, 42, 43]])
        other = torch.tensor([[40, 41, 42, 41]])
        with torch.no_grad():
            one, two = (model.base_model(x, attention_mask=torch.ones_like(x)).last_hidden_state for x in (ids, other))
        seen[how] = (one[0, 0] - two[0, 0]).abs().max()
    assert seen["own"] == 0
    assert seen["bidirectional"] > 1e-4


def test_an_encoder_has_no_direction_to_change(backbones):
    with pytest.raises(BackboneError, match="its tokens attend to all others anyway"):
        build_model(
            backbones("bert"),
            EncoderArm(),
            problem="classification",
            classes=CLASSES,
            seed=0,
            attention="bidirectional",
        )


def test_a_decoder_reads_the_last_symbol_of_each_record_as_a_hand_written_forward_does(backbones):
    backbone = backbones("gpt2")
    model: Any = build_model(backbone, EncoderArm(), problem="classification", classes=CLASSES, seed=0).eval()
    batch = batch_of(layout_of(backbone.tokenizer))
    with torch.no_grad():
        states = model.transformer(**batch).last_hidden_state
        by_hand = torch.stack([model.score(states[0, 4]), model.score(states[1, 2])])
        torch.testing.assert_close(model(**batch).logits, by_hand)
