"""The traps of mapped tokenizers, each with its test."""

import json
import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given as cases
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    AlbertConfig,
    AutoTokenizer,
    BertConfig,
    DistilBertConfig,
    LongformerConfig,
    ModernBertConfig,
    PreTrainedTokenizerFast,
    RobertaConfig,
)

from xdomain.adapters.dna import DNA
from xdomain.core.errors import BackboneError, RecipeError
from xdomain.core.plugins import make_adapter
from xdomain.core.sequences import Alphabet, Ragged
from xdomain.model.make_mapping import make_mapping
from xdomain.model.tokenizer import check_tokenizer, export_tokenizer, layout_of
from xdomain.model.vocabulary import Vocabulary

TEXTS = ["ACGT", "acgun", "AC-GT R", "TTTTN"]
CONFIGS = (None, BertConfig, RobertaConfig, AlbertConfig, DistilBertConfig, LongformerConfig, ModernBertConfig)
STRATEGIES = ("random", "identity", "block", "block:2")
ELSEWHERE = """
import json, sys
from transformers import AutoTokenizer
told = {}
for folder, texts in json.load(sys.stdin).items():
    t = AutoTokenizer.from_pretrained(folder)
    told[folder] = {
        "single": dict(t(texts[0])), "pair": dict(t(*texts)), "bare": t(texts, add_special_tokens=False)["input_ids"],
        "padded": dict(t(texts, padding=True)), "cut": dict(t(texts[0] * 99, truncation=True)), "length": len(t),
        "roles": {role: getattr(t, role + "_id") for role in ("pad_token", "unk_token", "cls_token", "sep_token")},
    }
print(json.dumps({"told": told, "xdomain": [m for m in sys.modules if m.split(".")[0] == "xdomain"]}))
"""


def roberta():
    pieces = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"] + [f"w{i}" for i in range(300)] + list("acgt")
    tokenizer = Tokenizer(models.WordLevel({p: i for i, p in enumerate(pieces)}, "<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", cls_token="<s>", sep_token="</s>",
        pad_token="<pad>", unk_token="<unk>", mask_token="<mask>", model_input_names=["input_ids", "attention_mask"],
    )  # fmt: skip


UNITS = Alphabet(("1", "12", "2", "123", "*", "o:1", "?"), "unit", "?")


@dataclass(frozen=True)
class Units:
    """Numbers with spaces between; `first` is added by `encode` alone, so anything but 0 is a fault."""

    first: int = 0
    name: str = "units"
    alphabet: Alphabet = UNITS

    def encode(self, payloads):
        known = {s: i for i, s in enumerate(self.alphabet.symbols)}
        return Ragged.from_lists([[(known.get(w, 6) + self.first) % 7 for w in p.split()] for p in payloads])

    def decode(self, ids):
        return " ".join(self.alphabet.symbols[i] for i in ids)

    def stock_tokenizer(self, vocabulary, unk_token):
        tokenizer = Tokenizer(models.WordLevel(dict(vocabulary), self.alphabet.unknown))
        tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        return tokenizer


def exported(adapter, backbone, strategy="random", *, seed=0, max_length=64):
    mapping = make_mapping(adapter.alphabet, Vocabulary.of(backbone), strategy=strategy, seed=seed)
    return export_tokenizer(adapter, mapping, backbone, max_length=max_length), mapping


@pytest.fixture(scope="module")
def backbones(tiny_bert):
    return {"bert": AutoTokenizer.from_pretrained(tiny_bert), "roberta": roberta()}


@pytest.fixture(params=["bert", "roberta"])
def backbone(request, backbones):
    return backbones[request.param]


@pytest.fixture(scope="module")
def reloaded(backbones, tmp_path_factory):
    """What a process without xdomain reads: by adapter, backbone, strategy and the config.json beside."""
    root, wanted, kept = tmp_path_factory.mktemp("exported"), {}, {}
    for adapter, texts in ((make_adapter("dna"), ["ACgn", "TT-u"]), (Units(), ["1 12 123 o:1 2", "12 * 1 * *"])):
        for name, backbone in backbones.items():
            for strategy in STRATEGIES:
                for config in CONFIGS if strategy == "random" else (None, BertConfig):
                    key = (adapter.name, name, strategy, config and config.model_type)
                    folder = root / "-".join(map(str, key)).replace(":", "_")
                    if config:
                        config().save_pretrained(folder)
                    tokenizer, mapping = exported(adapter, backbone, strategy)
                    tokenizer.save_pretrained(folder)
                    wanted[str(folder)], kept[key] = texts, (str(folder), adapter, mapping, tokenizer, texts)
    # From the folder above, isolated, so that xdomain is where it is installed and nowhere else.
    command = [sys.executable, "-I", "-c", ELSEWHERE]
    done = subprocess.run(command, input=json.dumps(wanted), capture_output=True, text=True, check=True, cwd=root)
    answer = json.loads(done.stdout)
    assert answer["xdomain"] == []
    return {key: (answer["told"][folder], *rest) for key, (folder, *rest) in kept.items()}


RELOADED = [
    (adapter, backbone, strategy, config and config.model_type)
    for adapter in ("dna", "units")
    for backbone in ("bert", "roberta")
    for strategy in STRATEGIES
    for config in (CONFIGS if strategy == "random" else (None, BertConfig))
]


# What `AutoTokenizer` alone reads back, whatever model's config.json lies beside.


@pytest.mark.parametrize("key", RELOADED, ids=lambda key: "-".join(map(str, key)))
def test_auto_tokenizer_alone_reloads_ids_pairs_and_types(reloaded, backbones, key):
    told, adapter, mapping, tokenizer, texts = reloaded[key]
    layout = layout_of(backbones[key[1]])
    one, two = (mapping.ids[ids].tolist() for ids in adapter.encode(texts))
    pair = told["pair"]
    assert told["bare"] == [one, two]
    assert told["single"]["input_ids"] == [*layout.start, *one, *layout.end]
    assert pair["input_ids"] == [*layout.start, *one, *layout.middle, *two, *layout.end]
    if layout.second_type is None:
        assert "token_type_ids" not in pair
    else:
        first = len(layout.start) + len(one) + len(layout.middle)
        assert pair["token_type_ids"] == [0] * first + [1] * (len(two) + len(layout.end))
    assert (told["single"], pair) == (dict(tokenizer(texts[0])), dict(tokenizer(*texts)))
    assert told["padded"] == dict(tokenizer(texts, padding=True))
    assert len(told["cut"]["input_ids"]) == 64
    assert told["roles"] == {role: getattr(backbones[key[1]], role + "_id") for role in told["roles"]}


@pytest.mark.parametrize("direction", ["left", "right"])
@pytest.mark.parametrize("name", ["bert", "roberta"])
def test_a_tokenizer_that_was_saved_to_pad_and_cut_frames_as_before(backbones, tiny_bert, name, direction):
    usual = layout_of(backbones[name])
    padding = roberta() if name == "roberta" else AutoTokenizer.from_pretrained(tiny_bert)
    padding.backend_tokenizer.enable_padding(direction=direction, length=16, pad_id=padding.pad_token_id,
                                             pad_token=padding.pad_token)  # fmt: skip
    padding.backend_tokenizer.enable_truncation(16)
    assert layout_of(padding) == usual


@pytest.mark.parametrize("name", ["bert", "roberta"])
def test_the_frame_is_the_backbone_s_own(reloaded, backbones, name):
    """Parity with the backbone: its own ids for as many words, special tokens and types alike."""
    backbone = backbones[name]
    told, *_, texts = reloaded["units", name, "random", None]
    words = [" ".join(["a"] * len(text.split())) for text in texts]
    for ours, theirs in ((told["single"], backbone(words[0])), (told["pair"], backbone(*words))):
        special = set(backbone.all_special_ids)
        assert [i if i in special else None for i in ours["input_ids"]] == [
            i if i in special else None for i in theirs["input_ids"]
        ]
        assert {k: v for k, v in ours.items() if k != "input_ids"} == {
            k: v for k, v in theirs.items() if k != "input_ids"
        }


def test_padding_is_the_backbone_s_and_masked(reloaded, backbones):
    for name, pad in (("bert", 0), ("roberta", 1)):
        told, adapter, _, _, texts = reloaded["dna", name, "random", None]
        lengths = adapter.encode(texts).lengths
        assert lengths.tolist() == [4, 3]
        assert told["padded"]["input_ids"][1][-1] == pad == backbones[name].pad_token_id
        assert told["padded"]["attention_mask"] == [[1] * 6, [1] * 5 + [0]]


# Trap 1: its length says nothing about its ids.


def test_its_largest_id_is_larger_than_its_length(reloaded, backbone):
    tokenizer, mapping = exported(make_adapter("dna"), backbone)
    assert len(tokenizer) == 5 + 5  # A C G T N and five special tokens
    assert set(mapping.ids.tolist()) < set(tokenizer("ACGTN")["input_ids"])
    assert len(tokenizer) < max(tokenizer("ACGTN")["input_ids"]) < len(backbone)
    told, *_ = reloaded["dna", "bert", "random", "bert"]
    assert told["length"] == 10


# Trap 2: pairs keep their segments where the backbone has segments, and only there.


def test_token_types_are_asked_for_where_the_backbone_has_them(backbones):
    names = {name: exported(make_adapter("dna"), b)[0].model_input_names for name, b in backbones.items()}
    assert names == {
        "bert": ["input_ids", "token_type_ids", "attention_mask"], "roberta": ["input_ids", "attention_mask"]
    }  # fmt: skip


# Trap 3: soft-masked letters are letters.


def test_lower_case_dna_is_not_unknown(reloaded):
    told, _, mapping, _, _ = reloaded["dna", "bert", "random", "bert"]
    row = dict(zip(mapping.symbols, mapping.ids.tolist(), strict=True))
    assert told["bare"] == [[row[c] for c in "ACGN"], [row[c] for c in "TTT"]]
    assert told["roles"]["unk_token"] not in {*told["bare"][0], *told["bare"][1]}


# A symbol in a special token's row: a file that keeps one name a row would lose one of the two.


def test_a_symbol_may_share_the_row_of_a_special_token(backbones, tmp_path):
    adapter = make_adapter("dna")
    tokenizer, mapping = exported(adapter, backbones["bert"], "block")
    assert mapping.special_token_collisions(backbones["bert"].all_special_ids) == ("A", "C", "G", "T", "N")
    assert (tokenizer.pad_token, tokenizer.pad_token_id) == ("A", 0)
    assert (tokenizer.mask_token, tokenizer.mask_token_id) == ("N", 4)
    tokenizer.save_pretrained(tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    for text in (*TEXTS, "A", "A A", " A C", "NNAAN"):
        assert again(text)["input_ids"] == [2, *adapter.encode([text])[0].tolist(), 3]
    check_tokenizer(again, adapter, mapping, TEXTS)


@cases(st.lists(st.sampled_from(["1", "12", "2", "123", "*", "o:1", "?", "7", "1*", "o:12"]), max_size=12))
def test_shared_rows_do_not_cut_longer_symbols(backbones, words):
    tokenizer, mapping = exported(Units(), backbones["bert"], "block")
    check_tokenizer(tokenizer, Units(), mapping, [" ".join(words)])


# Parity with the bulk path.


@pytest.mark.parametrize("options", [{}, {"ambiguous": "keep"}, {"unknown": "count"}, {"lower_case": "mask"}])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_it_agrees_with_the_bulk_path(backbone, options, strategy):
    adapter = make_adapter("dna", options)
    tokenizer, mapping = exported(adapter, backbone, strategy, seed=3)
    check_tokenizer(tokenizer, adapter, mapping, TEXTS)


@cases(st.lists(st.text("ACGTNUacgtnuRYKMrykm-. \n", max_size=40), max_size=4), st.sampled_from(STRATEGIES))
def test_it_agrees_on_any_dna(backbones, payloads, strategy):
    adapter = make_adapter("dna")
    for backbone in backbones.values():
        tokenizer, mapping = exported(adapter, backbone, strategy)
        check_tokenizer(tokenizer, adapter, mapping, payloads)


def test_records_longer_than_a_window_are_checked_in_silence(backbone, caplog):
    adapter = make_adapter("dna")
    tokenizer, mapping = exported(adapter, backbone, max_length=8)
    check_tokenizer(tokenizer, adapter, mapping, ["ACGT" * 1000])
    assert caplog.text == ""


def test_kmers_are_read_with_spaces_between(backbone):
    adapter = DNA(tokens="kmer", k=3)
    tokenizer, mapping = exported(adapter, backbone)
    assert adapter.to_tokenizer_text("ACGTA") == "ACG CGT GTA"
    check_tokenizer(tokenizer, adapter, mapping, ["ACGTA", "ACNNGTT"])


def test_text_keeps_its_pieces_under_identity(tiny_bert, backbones):
    backbone, adapter = backbones["bert"], make_adapter("text", tokenizer=str(tiny_bert))
    tokenizer, identity = exported(adapter, backbone, "identity")
    assert dict(tokenizer("the babe, he", "she")) == dict(backbone("the babe, he", "she"))
    for strategy in ("random", "permute", "shift"):  # a vocabulary with [unused] rows fits itself all the same
        tokenizer, mapping = exported(adapter, backbone, strategy, seed=1)
        check_tokenizer(tokenizer, adapter, mapping, ["the babe"])
        assert not np.array_equal(mapping.ids, identity.ids)


# What is refused.


def test_a_disagreement_is_noticed(backbone):
    adapter = make_adapter("dna")
    tokenizer, _ = exported(adapter, backbone, seed=0)
    _, other = exported(adapter, backbone, seed=1)
    with pytest.raises(RuntimeError, match="the dna adapter and its tokenizer disagree on 'ACGT'"):
        check_tokenizer(tokenizer, adapter, other, ["", "ACGT"])


def test_a_disagreement_says_where(backbone):
    tokenizer, mapping = exported(Units(), backbone, "block:20")
    with pytest.raises(RuntimeError) as caught:
        check_tokenizer(tokenizer, Units(first=1), mapping, ["1 12"])
    assert str(caught.value) == (
        "the units adapter and its tokenizer disagree on '1 12': 2 and 2 symbols, the first difference at symbol 0: "
        "rows [21, 22] and [20, 21]"
    )


def test_a_mapping_for_another_vocabulary(backbones):
    adapter = make_adapter("dna")
    _, mapping = exported(adapter, backbones["bert"])
    with pytest.raises(RecipeError, match="the mapping was made for another vocabulary"):
        export_tokenizer(adapter, mapping, backbones["roberta"], max_length=64)


def test_what_a_byte_level_backbone_has_no_token_for_is_padding():
    core = Tokenizer(models.WordLevel({c: i for i, c in enumerate("abcdefgh")}, "a"))
    backbone = PreTrainedTokenizerFast(tokenizer_object=core, pad_token="b", eos_token="c")
    tokenizer, _ = exported(make_adapter("dna"), backbone)
    assert tokenizer.unk_token_id == tokenizer.pad_token_id == 1


def test_a_backbone_without_a_token_between_two_sequences():
    core = Tokenizer(models.WordLevel({c: i for i, c in enumerate("abcdefgh")}, "a"))
    with pytest.raises(BackboneError, match="has no token to part two sequences with"):
        exported(make_adapter("dna"), PreTrainedTokenizerFast(tokenizer_object=core, pad_token="b"))
