"""Where a backbone wants its special tokens."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from transformers import PreTrainedTokenizerBase

from xdomain.core.errors import BackboneError
from xdomain.data.collate import SpecialTokenLayout


def layout_of(tokenizer: PreTrainedTokenizerBase) -> SpecialTokenLayout:
    """The layout that `tokenizer` gives a pair, found by encoding one.

    Works for any fast tokenizer: ``[CLS] a [SEP] b [SEP]``, ``<s> a </s></s> b </s>`` and others.
    """
    backend: Any = tokenizer.backend_tokenizer
    encoded = backend.encode("a", "a")
    there = [i for i, seen in enumerate(encoded.attention_mask) if seen]  # some tokenizers are saved to pad to 128
    runs = [
        (bool(special), list(places))
        for special, places in groupby(there, key=lambda i: encoded.special_tokens_mask[i])
    ]
    if [special for special, _ in runs] != [True, False, True, False, True]:
        raise BackboneError(
            f"the tokenizer of {tokenizer.name_or_path} does not frame a pair with special tokens",
            expected="a layout such as [CLS] a [SEP] b [SEP]",
        )
    start, _, middle, second, end = (tuple(encoded.ids[i] for i in places) for _, places in runs)
    has_types = "token_type_ids" in tokenizer.model_input_names
    del second
    pad: Any = tokenizer.pad_token_id
    return SpecialTokenLayout(start, middle, end, int(pad), encoded.type_ids[there[-1]] if has_types else None)
