"""A tiny checkpoint of every family, and runs of them that nobody trained."""

from typing import Any

import numpy as np
import pyarrow as pa
import torch
from tokenizers import Tokenizer, models, processors
from transformers import (
    AlbertConfig,
    AutoModel,
    BertConfig,
    CamembertConfig,
    DebertaV2Config,
    DistilBertConfig,
    ElectraConfig,
    EsmConfig,
    GemmaConfig,
    GPT2Config,
    GPTNeoXConfig,
    LlamaConfig,
    LongformerConfig,
    MistralConfig,
    ModernBertConfig,
    MPNetConfig,
    OPTConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen3Config,
    RobertaConfig,
    SmolLM3Config,
    XLMRobertaConfig,
)

from xdomain.core.plugins import make_adapter
from xdomain.core.recipe import dump_recipe, recipe_from
from xdomain.core.run_dir import MAPPING, RECIPE, RESULT, SCHEMA, write_json
from xdomain.model.backbone import load_backbone
from xdomain.model.initialise import EncoderArm, build_model
from xdomain.model.make_mapping import make_mapping
from xdomain.model.tokenizer import export_tokenizer
from xdomain.model.vocabulary import Vocabulary
from xdomain.training.saved_encoder import save_model

POSITIONS = 24
ROWS, WIDTH = 80, 32
SMALL: dict[str, Any] = {
    "vocab_size": ROWS, "hidden_size": WIDTH, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48,
}  # fmt: skip
FROM_ONE: dict[str, Any] = {"max_position_embeddings": POSITIONS + 2, "pad_token_id": 1}
OPEN_ENDED: dict[str, Any] = {"max_position_embeddings": POSITIONS, "bos_token_id": 2, "eos_token_id": 3}
CONFIGS = {
    "albert": AlbertConfig(**SMALL, embedding_size=16, max_position_embeddings=POSITIONS),
    "bert": BertConfig(**SMALL, max_position_embeddings=POSITIONS),
    "distilbert": DistilBertConfig(
        vocab_size=ROWS, dim=WIDTH, n_layers=2, n_heads=2, hidden_dim=48, max_position_embeddings=POSITIONS
    ),
    "electra": ElectraConfig(**SMALL, embedding_size=16, max_position_embeddings=POSITIONS),
    "longformer": LongformerConfig(
        **SMALL, attention_window=4, max_position_embeddings=POSITIONS + 2, pad_token_id=1, sep_token_id=3
    ),
    "modernbert": ModernBertConfig(
        **SMALL, local_attention=8, max_position_embeddings=POSITIONS, pad_token_id=1, cls_token_id=2, sep_token_id=3,
        bos_token_id=2, eos_token_id=3,
    ),
    "roberta": RobertaConfig(**SMALL, **FROM_ONE),
    "camembert": CamembertConfig(**SMALL, **FROM_ONE),
    "xlm-roberta": XLMRobertaConfig(**SMALL, **FROM_ONE),
    "mpnet": MPNetConfig(**SMALL, **FROM_ONE),
    "deberta-v2": DebertaV2Config(
        **SMALL, max_position_embeddings=POSITIONS, relative_attention=True, pos_att_type=["p2c", "c2p"],
        position_biased_input=False, type_vocab_size=0, pad_token_id=1,
    ),
    "esm": EsmConfig(
        **SMALL, **FROM_ONE, position_embedding_type="rotary", token_dropout=True, mask_token_id=4,
        emb_layer_norm_before=False,
    ),
    "gpt2": GPT2Config(
        vocab_size=ROWS, n_embd=WIDTH, n_layer=2, n_head=2, n_positions=POSITIONS, bos_token_id=3, eos_token_id=3
    ),
    "gpt_neox": GPTNeoXConfig(**SMALL, **OPEN_ENDED),
    "opt": OPTConfig(
        vocab_size=ROWS, hidden_size=WIDTH, num_hidden_layers=2, num_attention_heads=2, ffn_dim=48,
        word_embed_proj_dim=WIDTH, pad_token_id=1, **OPEN_ENDED,
    ),
    "llama": LlamaConfig(**SMALL, **OPEN_ENDED),
    "mistral": MistralConfig(**SMALL, **OPEN_ENDED, num_key_value_heads=1),
    "gemma": GemmaConfig(**SMALL, **OPEN_ENDED, num_key_value_heads=1, head_dim=16, pad_token_id=1),
    "qwen2": Qwen2Config(**SMALL, **OPEN_ENDED, num_key_value_heads=1),
    "qwen3": Qwen3Config(**SMALL, **OPEN_ENDED, num_key_value_heads=1, head_dim=16),
    "smollm3": SmolLM3Config(**SMALL, **OPEN_ENDED, num_key_value_heads=1, pad_token_id=None),
}  # fmt: skip
DECODERS = ("gemma", "gpt2", "gpt_neox", "llama", "mistral", "opt", "qwen2", "qwen3", "smollm3")
TWO_ENDS = ("roberta", "longformer", "camembert", "xlm-roberta", "mpnet")  # <s> a </s> </s> b </s>
WITHOUT_TYPES = (*TWO_ENDS, *DECODERS, "distilbert", "modernbert", "esm")
LIKE_OTHERS = ("camembert", "xlm-roberta", "mistral", "qwen3", "smollm3", "gpt_neox", "mpnet")
"""Families built as others are, which are tried in the slow tests alone."""
BEGUN = ("gemma", "llama", "mistral", "opt")
"""Decoders whose tokenizers begin with a token of their own; those of the others put none."""
PROBLEMS = ("classification", "multilabel", "regression", "multioutput", "tagging", "profile", "pair", "span")
ALIKE = ("multilabel", "regression", "multioutput", "profile")
"""Problems whose head is that of classification or of tagging, with numbers of another meaning."""
CLASSES = ("a", "b", "c")


def quick(family, problem):
    """Whether the normal suite tries it: one encoder and one decoder have all heads, others one of each kind."""
    return family not in LIKE_OTHERS and (problem not in ALIKE or family in ("bert", "gpt2"))


def save_tokenizer(family, folder):
    names = ["[UNK]", "[PAD]", "[CLS]", "[SEP]", "[MASK]", "a", *(f"w{i}" for i in range(ROWS - 6))]
    tokenizer = Tokenizer(models.WordLevel({name: row for row, name in enumerate(names)}, "[UNK]"))
    if family in DECODERS:
        save_decoder_tokenizer(family, tokenizer, folder)
        return
    between = "[SEP]:0 [SEP]:0" if family in TWO_ENDS else "[SEP]:0"
    second = 0 if family in WITHOUT_TYPES else 1
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0",
        pair=f"[CLS]:0 $A:0 {between} $B:{second} [SEP]:{second}",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    inputs = ["input_ids", "attention_mask", *(() if family in WITHOUT_TYPES else ("token_type_ids",))]
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
        mask_token="[MASK]", model_input_names=inputs,
    ).save_pretrained(folder)  # fmt: skip


def save_decoder_tokenizer(family, tokenizer, folder):
    if family in BEGUN:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="[CLS]:0 $A:0", pair="[CLS]:0 $A:0 [CLS]:0 $B:0", special_tokens=[("[CLS]", 2)]
        )
    pad = {"pad_token": "[PAD]"} if CONFIGS[family].pad_token_id == 1 else {}
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="[CLS]", eos_token="[SEP]", unk_token="[UNK]", **pad,
        model_input_names=["input_ids", "attention_mask"],
    ).save_pretrained(folder)  # fmt: skip


def save_backbone(family, folder):
    """A backbone of a `family`, read from the `folder` that it was saved to."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        AutoModel.from_config(CONFIGS[family]).save_pretrained(folder)
    save_tokenizer(family, folder)
    return load_backbone(str(folder))


def drawn(lengths, seed):
    rng = np.random.default_rng(seed)
    return ["".join(rng.choice(list("ACGT"), length)) for length in lengths]


def records(problem):
    """Of lengths that are read alone, beside longer ones, and in several windows."""
    if problem == "pair":
        return list(zip(drawn([1, 3, 9, 4, 7], 1), drawn([2, 7, 10, 1, 7], 2), strict=True))
    if problem == "span":
        return list(zip(drawn([1, 3, 5, 4, 2], 1), drawn([2, 7, 12, 31, 50], 2), strict=True))
    return drawn([1, 2, 9, 17, 22, 23, 60], 0)


def table_of(problem, which):
    ids = pa.array([str(i) for i in range(len(which))])
    if problem in ("pair", "span"):
        return pa.table({"id": ids, "sequence": [a for a, _ in which], "sequence_b": [b for _, b in which]})
    return pa.table({"id": ids, "sequence": which})


NOT_MEASURED = {
    "task": "dna/x", "arm": {"label": "pretrained"}, "n": {"train": 0, "test": 0}, "train_loss": None, "seconds": 0.0,
    "training_seconds": 0.0,
    "device": "cpu", "dtype": "float32", "versions": {},
    "metrics": {split: {"accuracy": {"value": None}} for split in ("valid", "test")},
}  # fmt: skip


def save_run(backbone, problem, folder):
    """What a run leaves to predict with; the model is none that was trained, but its answers differ by the record."""
    recipe = recipe_from(
        {
            "name": "dna/x", "title": "x", "source": {"files": {"data": "x.csv"}, "licence": "own", "citation": "x"},
            "adapter": {"name": "dna"}, "problem": problem, "metrics": ["accuracy"],
            "train": {"batch_size": 64, "window_overlap": 2, "max_length": POSITIONS, "max_answer": 5},
        },
        where="a test",
    )  # fmt: skip
    classes = CLASSES if problem in ("classification", "multilabel", "multioutput", "tagging", "pair") else ()
    adapter = make_adapter("dna")
    mapping = make_mapping(adapter.alphabet, Vocabulary.of(backbone.tokenizer))
    model = build_model(backbone, EncoderArm(), problem=problem, classes=classes, seed=0)
    for parameter in model.parameters():
        parameter.data *= 8 if parameter.ndim > 1 else 1
    folder.mkdir()
    save_model(model, export_tokenizer(adapter, mapping, backbone.tokenizer, max_length=POSITIONS), folder)
    mapping.save(folder / MAPPING)
    (folder / RECIPE).write_text(dump_recipe(recipe))
    paired = problem in ("pair", "span")
    half = dict.fromkeys(classes, 0.5) if problem == "multilabel" else {}
    write_json(folder / RESULT, {"schema": SCHEMA, "classes": list(classes), "paired": paired, "thresholds": half,
                                 **NOT_MEASURED})  # fmt: skip
    return folder
