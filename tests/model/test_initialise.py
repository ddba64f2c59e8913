"""Each arm by what came from the checkpoint and what did not, and by what gets a gradient."""

from typing import Any

import pytest
import torch
from transformers import (
    AlbertConfig,
    AutoModel,
    AutoTokenizer,
    BertConfig,
    DistilBertConfig,
    ElectraConfig,
    LongformerConfig,
    ModernBertConfig,
    RobertaConfig,
)

from xdomain.core.choices import PARTS, Problem
from xdomain.core.errors import RecipeError
from xdomain.model.backbone import load_backbone
from xdomain.model.families import auto_class_for
from xdomain.model.initialise import EncoderArm, build_model, transferred
from xdomain.model.parameter_groups import parameter_group
from xdomain.model.tuning import freeze_for, merge_adapters, trainable
from xdomain.model.vocabulary import restore_vocabulary, slice_vocabulary

SMALL: dict[str, Any] = {
    "vocab_size": 60,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 48,
}
CONFIGS = {
    "bert": BertConfig(**SMALL),
    "roberta": RobertaConfig(**SMALL, max_position_embeddings=66, pad_token_id=1),
    "albert": AlbertConfig(**SMALL, embedding_size=16),
    "distilbert": DistilBertConfig(vocab_size=60, dim=32, n_layers=2, n_heads=2, hidden_dim=48),
    "electra": ElectraConfig(**SMALL, embedding_size=16),
    "longformer": LongformerConfig(
        **SMALL, attention_window=4, max_position_embeddings=66, pad_token_id=1, sep_token_id=3
    ),
    "modernbert": ModernBertConfig(
        **SMALL, pad_token_id=0, cls_token_id=2, sep_token_id=3, bos_token_id=2, eos_token_id=3
    ),
}


@pytest.fixture(scope="module")
def backbone(tiny_bert):
    return load_backbone(str(tiny_bert))


def built(backbone, arm, problem: Problem = "classification", seed=0) -> Any:
    return build_model(backbone, arm, problem=problem, classes=("a", "b", "c"), seed=seed)


@pytest.mark.parametrize("transfer", [PARTS, ("positions",), ("words", "positions"), ("attention", "ffn", "norms")])
@pytest.mark.parametrize("init", ["pretrained", "reembed", "shuffled", "rescaled", "aligned"])
def test_what_comes_over_and_what_does_not(backbone, init, transfer):
    fresh = built(backbone, EncoderArm("scratch")).base_model.state_dict()
    model = built(backbone, EncoderArm(init, transfer)).base_model.state_dict()
    for name, tensor in backbone.tensors.items():
        comes = parameter_group(name) in transfer and not (init == "reembed" and parameter_group(name) == "words")
        if not comes:
            assert torch.equal(model[name], fresh[name]), name
        elif init in ("pretrained", "reembed"):
            assert torch.equal(model[name], tensor), name
        elif init == "shuffled":
            assert torch.equal(model[name].flatten().sort()[0], tensor.flatten().sort()[0]), name
            assert tensor.numel() < 40 or tensor.std() == 0 or not torch.equal(model[name], tensor), name
        else:
            assert model[name].mean().item() == pytest.approx(tensor.mean().item(), abs=0.05), name
            spread = tensor.std(correction=0).item()
            assert model[name].std(correction=0).item() == pytest.approx(spread, rel=0.5, abs=1e-6), name


@pytest.mark.parametrize("problem", ["classification", "tagging"])
@pytest.mark.parametrize("init", ["pretrained", "scratch", "reembed", "shuffled", "rescaled", "aligned"])
def test_what_came_over_is_counted(init, problem, tiny_bert, tmp_path):
    AutoModel.from_pretrained(tiny_bert).save_pretrained(tmp_path)  # with a pooler, which a tagger does not use
    AutoTokenizer.from_pretrained(tiny_bert).save_pretrained(tmp_path)
    whole = load_backbone(str(tmp_path))
    assert any("pooler" in name for name in whole.tensors)
    model = built(whole, EncoderArm(init), problem, seed=1)  # seed 0 drew the checkpoint itself
    same = [t for name, t in model.base_model.state_dict().items() if torch.equal(t, whole.tensors[name])]
    counts = transferred(whole, EncoderArm(init), model)
    if init in ("shuffled", "rescaled"):
        held = [t for name, t in whole.tensors.items() if problem != "tagging" or "pooler" not in name]
        assert counts == {
            "tensors_from_checkpoint": 0, "values_from_checkpoint": 0,
            f"tensors_{init}": len(held), f"values_{init}": sum(t.numel() for t in held),
        }  # fmt: skip
    elif init != "scratch":  # there, biases and norms are as in the checkpoint by chance
        words = [t for name, t in whole.tensors.items() if "word_embeddings" in name] if init == "reembed" else []
        assert len(same) == len(model.base_model.state_dict()) - len(words)
        assert counts == {
            "tensors_from_checkpoint": len(same), "values_from_checkpoint": sum(t.numel() for t in same)
        }  # fmt: skip
    else:
        assert counts == {"tensors_from_checkpoint": 0, "values_from_checkpoint": 0}


def test_the_head_is_the_same_for_every_arm_of_a_seed(backbone):
    heads = [built(backbone, EncoderArm(init)).classifier.weight for init in ("pretrained", "scratch", "shuffled")]
    assert all(torch.equal(heads[0], other) for other in heads[1:])
    assert not torch.equal(heads[0], built(backbone, EncoderArm(), seed=1).classifier.weight)


def test_building_leaves_the_random_state_alone(backbone):
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    built(backbone, EncoderArm("scratch"))
    assert torch.equal(before, torch.random.get_rng_state())


def test_an_arm_that_cannot_be_is_refused():
    with pytest.raises(RecipeError, match="did you mean: pretrained"):
        EncoderArm("pretrainde")
    with pytest.raises(RecipeError, match="did you mean: positions"):
        EncoderArm(transfer=("position",))
    with pytest.raises(RecipeError, match="transfers nothing"):
        EncoderArm("scratch", ("words",))
    assert EncoderArm("pretrained", ("positions",), "head").label == "pretrained[positions]+head"


GRADIENTS = {
    "full": lambda name: True,
    "head": lambda name: name.startswith(("classifier", "bert.pooler")),
    "norms": lambda name: name.startswith(("classifier", "bert.pooler", "bert.embeddings")) or "LayerNorm" in name,
    "bottleneck": lambda name: (
        name.startswith(("classifier", "bert.pooler")) or "LayerNorm" in name or ".extra." in name
    ),
    "lora": lambda name: "lora_" in name or "modules_to_save" in name,
}


@pytest.mark.parametrize("tune", GRADIENTS)
def test_what_is_trained(backbone, tune):
    model = freeze_for(built(backbone, EncoderArm()), tune)
    ids = torch.randint(7, 100, (4, 12))
    model(input_ids=ids, labels=torch.tensor([0, 1, 2, 0])).loss.backward()
    unused = ("token_type", "original_module")
    for name, parameter in model.named_parameters():
        if not any(u in name for u in unused):
            assert (parameter.grad is not None) == GRADIENTS[tune](name), name
    assert trainable(model)["trained"] <= trainable(model)["all"]


@pytest.mark.parametrize("tune", ["lora", "bottleneck"])
def test_what_was_learned_beside_the_model_folds_into_a_stock_one(backbone, tune, tmp_path):
    torch.manual_seed(0)
    model = freeze_for(built(backbone, EncoderArm()), tune)
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], 0.5)
    ids = torch.randint(7, 100, (4, 12))
    for _ in range(3):
        model(input_ids=ids, labels=torch.tensor([0, 1, 2, 0])).loss.backward()
        optimizer.step()
    model.eval()
    before = model(input_ids=ids).logits
    stock = merge_adapters(model)
    stock.save_pretrained(tmp_path)
    again = type(stock).from_pretrained(tmp_path).eval()
    assert not any("lora" in n or "extra" in n for n, _ in again.named_parameters())
    torch.testing.assert_close(again(input_ids=ids).logits, before, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("problem", ["classification", "tagging", "span"])
@pytest.mark.parametrize("family", CONFIGS)
def test_a_sliced_vocabulary_learns_the_same_weights(family, problem):
    heads, classes = auto_class_for(problem), 2 if problem == "span" else 3
    config = type(CONFIGS[family]).from_dict({**CONFIGS[family].to_dict(), "num_labels": classes})
    rows = [2, 3, 17, 29, 41]
    framed = problem == "span"  # question and passage: Longformer looks for the separators between them

    def trained(sliced):
        torch.manual_seed(0)
        model = heads.from_config(config).eval()
        start = model.get_input_embeddings().weight.detach().clone()
        cut = slice_vocabulary(model, rows) if sliced else None
        optimizer = torch.optim.AdamW(model.parameters(), 1e-2, weight_decay=0.0)
        generator = torch.Generator().manual_seed(1)
        for _ in range(5):
            ids = torch.tensor(rows)[torch.randint(2 if framed else 0, 5, (4, 8), generator=generator)]
            if framed:
                ids[:, [0, 3, 4, 7]] = torch.tensor([2, 3, 3, 3])
            labels = torch.randint(classes, (4, 8) if problem == "tagging" else (4,), generator=generator)
            told = {"start_positions": 5 + labels, "end_positions": 6 - labels} if framed else {"labels": labels}
            ids = torch.from_numpy(cut.compact)[ids] if cut else ids
            model(input_ids=ids, **told).loss.backward()
            optimizer.step()
            optimizer.zero_grad()
        if cut:
            assert model.get_input_embeddings().num_embeddings < 60 or family == "modernbert"
            restore_vocabulary(model, cut)
        return model, start

    (full, start), (sliced, _) = trained(False), trained(True)
    assert sliced.config.vocab_size == 60
    assert sliced.config.to_dict() == full.config.to_dict()
    for (name, one), (_, two) in zip(full.state_dict().items(), sliced.state_dict().items(), strict=True):
        torch.testing.assert_close(one, two, msg=name, atol=1e-6, rtol=1e-5)
    unused = [r for r in range(60) if r not in rows]
    assert torch.equal(sliced.get_input_embeddings().weight[unused], start[unused])
