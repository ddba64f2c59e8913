"""Checkpoints as people have them: whole, cut short, of the wrong kind, or not there."""

import hashlib
import json
import shutil
from typing import Any

import pytest
import torch
from families import CONFIGS, POSITIONS, SMALL, save_backbone
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModel,
    AutoTokenizer,
    BertConfig,
    BertModel,
    DistilBertConfig,
    FNetConfig,
    LongformerConfig,
    ModernBertConfig,
    RobertaConfig,
    RoFormerConfig,
    T5Config,
    T5Model,
)
from transformers.utils import logging as transformers_logging

from xdomain.core.errors import BackboneError
from xdomain.model.backbone import bundled_backbones, load_backbone
from xdomain.model.checkpoints import domain_of, locate_backbone
from xdomain.model.families import TESTED, max_positions

POOLER = ("pooler.dense.bias", "pooler.dense.weight")


@pytest.fixture
def copy(tiny_bert, tmp_path):
    """A copy of the tiny checkpoint that a test may spoil."""
    return shutil.copytree(tiny_bert, tmp_path / "copy")


def refusal(name):
    with pytest.raises(BackboneError) as told:
        load_backbone(str(name))
    return told.value.block()


# what loads


def test_the_shipped_checkpoint_is_the_default():
    backbone = load_backbone()
    (folder,) = bundled_backbones()
    assert backbone.name == folder.name
    assert backbone.tensors["embeddings.word_embeddings.weight"].shape == (8192, 256)
    assert len(backbone.tokenizer) == 8192
    assert max_positions(backbone.config) == 512
    assert load_backbone(folder.name).sha256 == load_backbone(str(folder)).sha256 == backbone.sha256


def test_the_tensors_are_those_of_the_file(tiny_bert):
    backbone = load_backbone(str(tiny_bert))
    stored = load_file(tiny_bert / "model.safetensors")
    encoder = {name.removeprefix("bert."): t for name, t in stored.items() if name.startswith("bert.")}
    assert backbone.name == str(tiny_bert)
    assert {n for n in backbone.tensors if not n.endswith("_ids")} == set(encoder)
    for name, tensor in encoder.items():
        assert torch.equal(backbone.tensors[name], tensor), name
    assert not any(tensor.requires_grad for tensor in backbone.tensors.values())
    assert backbone.tokenizer.tokenize("the bab") == ["the", "bab"]


def test_a_half_precision_checkpoint_comes_as_float32(copy):
    whole = load_backbone(str(copy)).tensors
    AutoModel.from_pretrained(copy, dtype=torch.float16).save_pretrained(copy)
    halved = load_backbone(str(copy)).tensors
    assert {t.dtype for t in halved.values() if t.is_floating_point()} == {torch.float32}
    name = "embeddings.word_embeddings.weight"
    assert torch.equal(halved[name], whole[name].half().float())


@pytest.mark.parametrize("folder", bundled_backbones(), ids=lambda folder: folder.name)
def test_transformers_alone_loads_a_shipped_checkpoint_in_full_precision(folder):
    assert AutoModel.from_pretrained(folder).dtype == torch.float32


def test_weights_in_several_files_are_the_same_weights(tiny_bert, copy):
    (copy / "model.safetensors").unlink()
    AutoModel.from_pretrained(tiny_bert, dtype=torch.float32).save_pretrained(copy, max_shard_size="50KB")
    assert len(list(copy.glob("*.safetensors"))) > 1
    one, many = load_backbone(str(tiny_bert)), load_backbone(str(copy))
    for name, tensor in one.tensors.items():
        assert torch.equal(tensor, many.tensors[name]), name


def test_every_family_that_is_promised_loads(tmp_path):
    assert set(CONFIGS) == set(TESTED)
    for family in CONFIGS:
        backbone = save_backbone(family, tmp_path / family)
        model = AutoModel.from_pretrained(tmp_path / family)
        assert backbone.config.model_type == family
        assert backbone.missing == ()
        assert set(backbone.tensors) == {name for name, _ in model.named_parameters()}
        for name, tensor in model.named_parameters():
            assert torch.equal(tensor, backbone.tensors[name]), f"{family} {name}"


def test_a_folder_may_be_named_from_where_one_stands(copy, monkeypatch):
    monkeypatch.chdir(copy.parent)
    assert load_backbone("copy").sha256 == load_backbone("./copy").sha256 == load_backbone(str(copy)).sha256


def test_a_pooler_that_the_checkpoint_lacks_is_told_and_not_made_up(tiny_bert, copy):
    without = load_backbone(str(tiny_bert))
    assert without.missing == load_backbone().missing == POOLER
    assert not set(POOLER) & set(without.tensors)
    BertModel(BertConfig(**{**SMALL, "vocab_size": 400})).save_pretrained(copy)
    whole = load_backbone(str(copy))
    assert whole.missing == ()
    assert set(POOLER) <= set(whole.tensors)


def test_the_digest_is_of_the_weights_and_not_of_their_place(tiny_bert, copy):
    first = load_backbone(str(tiny_bert)).sha256
    assert first == hashlib.sha256((tiny_bert / "model.safetensors").read_bytes()).hexdigest()
    assert load_backbone(str(copy)).sha256 == first
    model = AutoModel.from_pretrained(copy, dtype=torch.float32)
    with torch.no_grad():
        model.embeddings.word_embeddings.weight[7, 0] += 1
    model.save_pretrained(copy)
    assert load_backbone(str(copy)).sha256 != first


def test_loading_is_silent_and_leaves_the_library_as_it_was(tiny_bert, capfd):
    levels = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    load_backbone(str(tiny_bert))
    refusal("nobody-at-all/no-such-bert")
    assert (transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()) == levels
    assert capfd.readouterr() == ("", "")


# positions


@pytest.mark.parametrize(
    ("config", "positions"),
    [
        (BertConfig(), 512),
        (DistilBertConfig(), 512),
        (RobertaConfig(max_position_embeddings=514, pad_token_id=1), 512),
        (LongformerConfig(max_position_embeddings=4098, pad_token_id=1), 4096),
        (ModernBertConfig(), 8192),
    ],
)
def test_positions_as_the_papers_have_them(config, positions):
    assert max_positions(config) == positions


@pytest.mark.parametrize("family", ["albert", "bert", "distilbert", "electra", "roberta"])
def test_a_window_of_all_positions_fits_and_one_more_does_not(family):
    model = AutoModel.from_config(CONFIGS[family]).eval()
    n = max_positions(CONFIGS[family])
    assert n == POSITIONS
    with torch.no_grad():
        model(input_ids=torch.full((1, n), 7))
        with pytest.raises((IndexError, RuntimeError)):
            model(input_ids=torch.full((1, n + 1), 7))


# what does not load


def test_a_folder_without_a_config_says_what_it_holds(copy, tmp_path):
    (copy / "config.json").unlink()
    told = refusal(copy)
    assert f"{copy} is no checkpoint: it holds model.safetensors, tokenizer.json, tokenizer_config.json" in told
    assert "expected: config.json, model.safetensors and a tokenizer" in told
    (tmp_path / "empty").mkdir()
    assert "it holds nothing" in refusal(tmp_path / "empty")
    for i in range(9):
        (tmp_path / "empty" / f"{i}.txt").touch()
    assert "it holds 0.txt, 1.txt, 2.txt, 3.txt, 4.txt …" in refusal(tmp_path / "empty")


def test_a_checkpoint_one_folder_further_in_is_suggested(tiny_bert, tmp_path):
    (tmp_path / "outer" / "logs").mkdir(parents=True)
    inner = shutil.copytree(tiny_bert, tmp_path / "outer" / "checkpoint-500")
    told = refusal(tmp_path / "outer")
    assert "it holds checkpoint-500, logs" in told
    assert f"did you mean: {inner}" in told


@pytest.mark.parametrize("weights", ["pytorch_model.bin", "model.pt", "model.ckpt"])
def test_a_pickle_is_never_read(copy, weights):
    (copy / "model.safetensors").rename(copy / weights)
    told = refusal(copy)
    assert f"{copy} holds its weights as a pickle, which can run code" in told
    assert "expected: model.safetensors" in told
    assert "save_pretrained" in told


def test_no_weights(copy):
    (copy / "model.safetensors").unlink()
    told = refusal(copy)
    assert f"{copy} holds no weights" in told
    assert "expected: model.safetensors beside config.json" in told


@pytest.mark.parametrize("kept", [0, 5, 1000, -1])
def test_a_download_that_was_cut_short(copy, kept):
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:kept])
    told = refusal(copy)
    assert f"the weights in {copy} are damaged or cut short" in told
    assert f"here: model.safetensors {weights.stat().st_size:,} bytes" in told
    assert "to fix it: copy or download the checkpoint again" in told


def test_an_error_page_in_place_of_weights(copy):
    (copy / "model.safetensors").write_text("<html>404 Not Found</html>\n" * 40)
    told = refusal(copy)
    assert "damaged or cut short" in told
    assert "1,080 bytes" in told


def test_an_encoder_with_a_decoder_is_neither(tiny_bert, tmp_path):
    T5Model(T5Config(vocab_size=396, d_model=8, d_ff=8, d_kv=4, num_layers=1, num_heads=2)).save_pretrained(tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(tiny_bert / name, tmp_path)
    told = refusal(tmp_path)
    assert f"{tmp_path} is a t5 model" in told
    assert "expected: an encoder or a decoder alone, of albert, bert, camembert" in told


def test_a_family_that_nobody_tried_is_tried_as_it_is_loaded(tiny_bert, tmp_path):
    small: dict[str, Any] = {"vocab_size": 396, "hidden_size": 32, "num_hidden_layers": 1, "intermediate_size": 48}
    told: dict[str, Any] = {}
    for config in (RoFormerConfig(**small, num_attention_heads=2), FNetConfig(**small)):
        folder = tmp_path / config.model_type
        AutoModel.from_config(config).save_pretrained(folder)
        for name in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copy(tiny_bert / name, folder)
        told[config.model_type] = folder
    assert load_backbone(str(told["roformer"])).config.model_type == "roformer"
    assert "a fnet, answers otherwise when a sequence is padded" in refusal(told["fnet"])  # it mixes all positions


def test_a_decoder_without_padding_is_padded_with_its_end(tmp_path):
    backbone = save_backbone("gpt2", tmp_path)
    assert backbone.tokenizer.pad_token_id == backbone.config.pad_token_id == backbone.tokenizer.eos_token_id == 3


def test_a_padding_token_that_the_model_has_no_row_for_is_not_taken(tmp_path):
    save_backbone("llama", tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    tokenizer.add_special_tokens({"pad_token": "[ADDED]"})  # as many a fine-tuned Llama was saved
    tokenizer.save_pretrained(tmp_path)
    assert load_backbone(str(tmp_path)).tokenizer.pad_token_id == 3


@pytest.mark.parametrize(
    ("config", "cause"),
    [("{", "not a valid JSON file"), ("{}", "model_type"), ('{"model_type": "brt"}', "`brt`")],
)
def test_a_config_that_says_nothing_of_use(copy, config, cause):
    (copy / "config.json").write_text(config)
    told = refusal(copy)
    assert f"{copy} cannot be loaded" in told
    assert cause in told
    assert "expected: a checkpoint of albert, bert" in told


def test_weights_of_another_size_than_the_config_says(copy):
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, "hidden_size": 16}))
    assert f"{copy} cannot be loaded" in refusal(copy)


def test_weights_of_another_model_are_not_taken_for_this_one(copy):
    tensors = load_file(copy / "model.safetensors")
    save_file({f"other.{name}": tensor for name, tensor in tensors.items()}, copy / "model.safetensors")
    told = refusal(copy)
    assert "config.json asks for 37 tensors that the weights do not hold, such as embeddings." in told
    assert "these weights hold other." in told


def test_a_folder_without_tokenizer(copy):
    (copy / "tokenizer.json").unlink()
    assert f"{copy} holds no tokenizer\n  expected: tokenizer.json or vocab.txt beside config.json" in refusal(copy)


def test_a_file_is_no_folder(copy):
    told = refusal(copy / "config.json")
    assert "config.json is a file" in told
    assert f"did you mean: {copy}" in told


def test_a_tokenizer_that_cannot_pad_is_none_for_us(copy):
    config = json.loads((copy / "tokenizer_config.json").read_text())
    config.pop("pad_token")
    (copy / "tokenizer_config.json").write_text(json.dumps(config))
    told = refusal(copy)
    assert str(copy) in told
    assert "tokenizer" in told
    assert "no padding token" in told


def test_a_misspelt_folder(tiny_bert):
    told = refusal(tiny_bert.parent / "tyni")
    assert f"{tiny_bert.parent / 'tyni'} does not exist" in told
    assert "expected: a folder with config.json" in told
    assert "did you mean: tiny" in told
    assert "./no-such-folder does not exist" in refusal("./no-such-folder")
    assert "no/such/folder does not exist" in refusal("no/such/folder")


def test_a_hub_id_without_a_network():
    told = refusal("nobody-at-all/no-such-bert")
    assert "nobody-at-all/no-such-bert is no folder here and could not be had from the hub" in told
    assert "a folder, a hub id and a network, or no --backbone at all: a checkpoint is shipped" in told
    assert "did you mean" not in told


def test_a_misspelt_shipped_checkpoint():
    (folder,) = bundled_backbones()
    assert f"did you mean: {folder.name}" in refusal(folder.name[:-1])


def test_a_tokenizer_with_more_pieces_than_rows_is_refused(tmp_path):
    save_backbone("bert", tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    core = json.loads(tokenizer.backend_tokenizer.to_str())
    core["model"]["vocab"] |= {f"new{i}": len(core["model"]["vocab"]) + i for i in range(3)}
    (tmp_path / "tokenizer.json").write_text(json.dumps(core))  # as after new words without resize_token_embeddings
    told = refusal(tmp_path)
    assert "has pieces up to row 82, and the model 80 rows" in told
    assert "resize_token_embeddings" in told


def test_a_misspelt_folder_beside_others_is_not_asked_of_the_hub(tmp_path, monkeypatch, tiny_bert):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "mine").symlink_to(tiny_bert)
    monkeypatch.chdir(tmp_path)
    assert "models/mien does not exist" in refusal("models/mien")


@pytest.mark.parametrize(("told", "domain"), [
    ({"adapter": {"name": "protein"}}, "protein"), ({"adapter": {"name": "text"}}, None), ({"adapter": None}, None),
    ({}, None), ([], None), (None, None), ({"data": {"train": {"stream": "walk"}}}, "synthetic"),
])  # fmt: skip
def test_the_domain_that_a_checkpoint_has_read_is_known_where_it_says_so(tmp_path, told, domain):
    if told is not None:
        (tmp_path / "pretraining.json").write_text(json.dumps(told))
    assert domain_of(str(tmp_path)) == domain


def test_the_shipped_checkpoint_has_read_text():
    assert domain_of(locate_backbone()) is None
