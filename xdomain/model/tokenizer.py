"""Turn alphabet and mapping into a plain tokenizer that `AutoTokenizer` loads without xdomain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from tokenizers import AddedToken, processors
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from xdomain.core.adapter_protocols import SpacesTokens
from xdomain.core.errors import BackboneError, RecipeError
from xdomain.core.sequences import Adapter, Ragged
from xdomain.data.collate import SpecialTokenLayout
from xdomain.model.token_mapping import TokenMapping
from xdomain.model.vocabulary import Vocabulary

ROLES = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token", "bos_token", "eos_token")


def layout_of(tokenizer: PreTrainedTokenizerBase) -> SpecialTokenLayout:
    """Find out where a `tokenizer` puts its special tokens, by encoding a pair.

    The layout may be ``[CLS] a [SEP] b [SEP]``, ``<s> a </s></s> b </s>`` or another of that form. A decoder's
    tokenizer often puts none; then the end of text stands between the two.

    Raises
    ------
    BackboneError
        The tokenizer has nothing to part two sequences with.
    """
    ids, sides, second = _framed_pair(tokenizer)
    first, last = ([i for i, side in enumerate(sides) if side == one] for one in (0, 1))
    if not first or not last or first[-1] > last[0]:
        raise BackboneError(
            f"the tokenizer of {tokenizer.name_or_path} does not frame a pair with special tokens",
            expected="a layout such as [CLS] a [SEP] b [SEP]",
        )
    start, end = tuple(ids[: first[0]]), tuple(ids[last[-1] + 1 :])
    middle = tuple(ids[first[-1] + 1 : last[0]]) or _separator(tokenizer)
    has_types = "token_type_ids" in tokenizer.model_input_names
    pad: Any = tokenizer.pad_token_id
    return SpecialTokenLayout(start, middle, end, int(pad), second if has_types else None)


def _framed_pair(tokenizer: PreTrainedTokenizerBase) -> tuple[list[int], list[int | None], int]:
    """A pair as `tokenizer` encodes it: ids, which side each belongs to (None: special), and the second's type."""
    if tokenizer.is_fast:
        encoded: Any = tokenizer.backend_tokenizer.encode("a", "a")  # pyright: ignore
        there = [i for i, seen in enumerate(encoded.attention_mask) if seen]  # some were saved to pad to 128
        sides = [encoded.sequence_ids[i] for i in there]
        return [encoded.ids[i] for i in there], sides, encoded.type_ids[there[-1]]
    first, second = -1, -2  # no rows of the vocabulary: an old tokenizer puts its special tokens around any numbers
    ids: list[int] = tokenizer.build_inputs_with_special_tokens([first], [second])  # pyright: ignore
    return ids, [{first: 0, second: 1}.get(row) for row in ids], 1


def _separator(tokenizer: PreTrainedTokenizerBase) -> tuple[int, ...]:
    for row in (tokenizer.sep_token_id, tokenizer.eos_token_id, tokenizer.bos_token_id):
        if isinstance(row, int):
            return (row,)
    raise BackboneError(
        f"the tokenizer of {tokenizer.name_or_path} has no token to part two sequences with",
        expected="a sep_token, eos_token or bos_token",
    )


def export_tokenizer(
    adapter: Adapter, mapping: TokenMapping, backbone_tokenizer: PreTrainedTokenizerBase, *, max_length: int
) -> PreTrainedTokenizerFast:
    """Make a tokenizer for raw records: the adapter's symbols, at the mapping's rows.

    It puts the backbone's special tokens, at their own rows, where the backbone's tokenizer puts them, and returns
    token types where that one does. Never resize a model to the length of this tokenizer: its ids are larger than that
    (up to 29,666, say, for 9 entries).

    Where the mapping gives a symbol the row of a special token, as ``block`` may, that row is named after the symbol:
    with A in row 0 the padding token is called A, and its id is 0 as before.

    Parameters
    ----------
    adapter
        Its alphabet is that of `mapping`.
    mapping
        The row of each symbol.
    backbone_tokenizer
        Its vocabulary is that of `mapping`.
    max_length
        Positions of a window, special tokens included: the tokenizer's ``model_max_length``.

    Raises
    ------
    RecipeError
        `mapping` is for another vocabulary.
    BackboneError
        The backbone's tokenizer has a layout that `layout_of` does not know.
    """
    if Vocabulary.of(backbone_tokenizer).sha256 != mapping.vocabulary_sha256:
        raise RecipeError("the mapping was made for another vocabulary than this backbone's",
                          expected="a mapping and a backbone that belong together")  # fmt: skip
    rows = _special_rows(backbone_tokenizer)
    symbols = {s: row for s, row in zip(mapping.symbols, mapping.ids.tolist(), strict=True) if s not in mapping.lacking}
    owners = {row: symbol for symbol, row in symbols.items()}
    # A vocabulary file has one name for each row: with two, one would be dropped silently and the symbol be unknown.
    names = {role: owners.get(row, token) for role, (token, row) in rows.items()}
    vocabulary = symbols | {names[role]: row for role, (_, row) in rows.items()}
    tokenizer = adapter.stock_tokenizer(vocabulary, names["unk_token"])
    tokenizer.post_processor = _framing(backbone_tokenizer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_input_names=list(backbone_tokenizer.model_input_names),
        model_max_length=max_length,
        clean_up_tokenization_spaces=False,
        # "[SEP]" in a raw record is no special token, but a bracket, a word and a bracket, as the adapter reads it.
        split_special_tokens=True,
        **{role: AddedToken(name, special=True, normalized=False) for role, name in names.items()},
    )


def _special_rows(tokenizer: PreTrainedTokenizerBase) -> dict[str, tuple[str, int]]:
    """Token and row of each of `ROLES` that the tokenizer has a token for.

    A byte-level tokenizer knows every text and has no unknown token: padding then stands for it.
    """
    tokens: dict[str, str] = {role: str(token) for role in ROLES if (token := getattr(tokenizer, role, None))}
    tokens = {"unk_token": tokens["pad_token"], **tokens}
    ids: dict[str, int] = tokenizer.get_vocab()
    return {role: (token, ids[token]) for role, token in tokens.items()}


def _framing(backbone_tokenizer: PreTrainedTokenizerBase) -> Any:
    """A post-processor that adds the special tokens as the backbone's tokenizer does.

    It holds their rows as numbers, so the names in it need not be in the vocabulary.
    """
    layout = layout_of(backbone_tokenizer)
    names = {row: str(backbone_tokenizer.convert_ids_to_tokens(row)) for row in layout.rows()}
    return _template(layout, layout.end, names)


def _template(layout: SpecialTokenLayout, after: tuple[int, ...], names: dict[int, str]) -> Any:
    """The post-processor of `layout`, `after` being what stands behind a single record; `names` by rows."""
    second = layout.second_type or 0

    def framed(part: tuple[int, ...], kind: int) -> list[str]:
        return [f"{names[row]}:{kind}" for row in part]

    return processors.TemplateProcessing(
        single=[*framed(layout.start, 0), "$A:0", *framed(after, 0)],
        pair=[*framed(layout.start, 0), "$A:0", *framed(layout.middle, 0), f"$B:{second}", *framed(layout.end, second)],
        special_tokens=[(name, row) for row, name in names.items()],
    )


def for_prompts(
    tokenizer: PreTrainedTokenizerFast, layout: SpecialTokenLayout, *, prefix: bool
) -> PreTrainedTokenizerFast:
    """Let `tokenizer` frame a single record as a model that writes sequences reads it.

    Parameters
    ----------
    tokenizer
        As `export_tokenizer` made it; it is changed.
    layout
        Where special tokens stand, by the rows of the tokenizer.
    prefix
        Whether the model goes on after the record: it then ends with the separator, and is padded on the left.

    Returns
    -------
    PreTrainedTokenizerFast
        `tokenizer`, which gives no token types any more: all would be 0.
    """
    tokenizer.model_input_names = ["input_ids", "attention_mask"]
    if prefix:
        tokenizer.padding_side = tokenizer.init_kwargs["padding_side"] = "left"  # the latter is what is saved
        tokenizer.backend_tokenizer.post_processor = _template(
            layout, layout.middle, {row: str(tokenizer.convert_ids_to_tokens(row)) for row in layout.rows()}
        )
    return tokenizer


def check_tokenizer(
    tokenizer: PreTrainedTokenizerFast, adapter: Adapter, mapping: TokenMapping, payloads: Sequence[str]
) -> None:
    """Make sure that a tokenizer gives the same ids as the adapter's `encode` followed by the mapping.

    An adapter whose raw records a plain tokenizer cannot cut, such as overlapping k-mers, has a method
    ``to_tokenizer_text`` that writes a record as the tokenizer reads it.

    Parameters
    ----------
    tokenizer
        As `export_tokenizer` made it.
    adapter
        Encodes the same records.
    mapping
        The row of each symbol.
    payloads
        Raw records to compare on.

    Raises
    ------
    RuntimeError
        The ids differ: a fault of the adapter, whose `encode` and `stock_tokenizer` must agree.
    """
    texts = [adapter.to_tokenizer_text(p) for p in payloads] if isinstance(adapter, SpacesTokens) else list(payloads)
    # The backend's batch call does not warn about records longer than one window.
    encodings = tokenizer.backend_tokenizer.encode_batch_fast(texts, add_special_tokens=False)
    symbols: Ragged = adapter.encode(payloads)  # pyright: ignore[reportUnknownMemberType]
    for payload, bulk, encoded in zip(payloads, symbols, encodings, strict=True):
        expected = mapping.ids[bulk]
        if np.array_equal(expected, encoded.ids):
            continue
        together = min(len(expected), len(encoded.ids))
        differ = np.flatnonzero(expected[:together] != np.asarray(encoded.ids[:together], np.int64))
        place = int(differ[0]) if len(differ) else together
        raise RuntimeError(
            f"the {adapter.name} adapter and its tokenizer disagree on {payload[:60]!r}: {len(expected)} and "
            f"{len(encoded.ids)} symbols, the first difference at symbol {place}: rows "
            f"{expected[place : place + 4].tolist()} and {encoded.ids[place : place + 4]}"
        )
