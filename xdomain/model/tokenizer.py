"""Alphabet and mapping as a plain tokenizer that `AutoTokenizer` loads without xdomain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from tokenizers import processors
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from xdomain.data.sequences import Adapter
from xdomain.model.layout import layout_of
from xdomain.model.mapping import TokenMapping

ROLES = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token", "bos_token", "eos_token")


def export_tokenizer(
    adapter: Adapter, mapping: TokenMapping, backbone_tokenizer: PreTrainedTokenizerBase, *, max_length: int
) -> PreTrainedTokenizerFast:
    """A tokenizer for raw records: the adapter's symbols at the mapping's rows, framed as the backbone was.

    It has the backbone's special tokens at the backbone's rows, and asks for token types where the backbone
    has them. Never resize a model to its length: its largest id is larger (29,666 of 30,522, say, for 9 entries).
    """
    special = {role: getattr(backbone_tokenizer, role) for role in ROLES if getattr(backbone_tokenizer, role, None)}
    rows = {token: int(backbone_tokenizer.convert_tokens_to_ids(token)) for token in special.values()}
    vocabulary = {**dict(zip(mapping.symbols, mapping.ids.tolist(), strict=True)), **rows}
    tokenizer = adapter.stock_tokenizer(vocabulary, str(special["unk_token"]))
    tokenizer.post_processor = _framing(backbone_tokenizer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_input_names=list(backbone_tokenizer.model_input_names),
        model_max_length=max_length,
        clean_up_tokenization_spaces=False,
        **special,
    )


def _framing(backbone_tokenizer: PreTrainedTokenizerBase) -> Any:
    """The backbone's frame of special tokens, as a template."""
    layout = layout_of(backbone_tokenizer)
    second = layout.second_type or 0
    names = {row: str(backbone_tokenizer.convert_ids_to_tokens(row)) for row in layout.rows()}

    def framed(part: tuple[int, ...], kind: int) -> list[str]:
        return [f"{names[row]}:{kind}" for row in part]

    return processors.TemplateProcessing(
        single=[*framed(layout.start, 0), "$A:0", *framed(layout.end, 0)],
        pair=[*framed(layout.start, 0), "$A:0", *framed(layout.middle, 0), f"$B:{second}", *framed(layout.end, second)],
        special_tokens=[(name, row) for row, name in names.items()],
    )


def check_tokenizer(
    tokenizer: PreTrainedTokenizerFast, adapter: Adapter, mapping: TokenMapping, payloads: Sequence[str]
) -> None:
    """Make sure that the tokenizer gives the same ids as the bulk path.

    Raises
    ------
    RuntimeError
        It does not: a fault of the adapter, whose `encode` and `stock_tokenizer` must agree.
    """
    spaced = getattr(adapter, "spaced", None)
    texts = [spaced(p) if spaced else p for p in payloads]
    told = tokenizer(texts, add_special_tokens=False)["input_ids"]
    for payload, bulk, ids in zip(payloads, adapter.encode(payloads), told, strict=True):
        if not np.array_equal(mapping.ids[bulk], ids):
            raise RuntimeError(f"the {adapter.name} adapter and its tokenizer disagree on {payload[:60]!r}")
