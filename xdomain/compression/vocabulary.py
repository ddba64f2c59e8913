"""Leave out the rows of the vocabulary that no symbol has: the same predictions from a smaller table."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from tokenizers import AddedToken, Tokenizer
from transformers import PreTrainedTokenizerFast

from xdomain.compression.original import Original, Smaller
from xdomain.core.errors import RecipeError
from xdomain.core.progress import log
from xdomain.core.sequences import Ids
from xdomain.model.families import can_slice_vocabulary
from xdomain.model.token_mapping import TokenMapping
from xdomain.model.tokenizer import ROLES
from xdomain.model.vocabulary import Vocabulary, named_rows, slice_vocabulary


def cut_vocabulary(original: Original) -> Smaller:
    """The model of a run with the rows of its symbols and of its special tokens alone.

    It is exact: no record reads another row. The rows get new numbers, and with them the mapping, the tokenizer and the
    token ids of the configuration.

    Parameters
    ----------
    original
        The run.

    Raises
    ------
    RecipeError
        All rows are in use, or the family needs the others.
    """
    smaller = original.copy()
    model, tokenizer, mapping = smaller.model, smaller.tokenizer, smaller.mapping
    if not can_slice_vocabulary(model):
        raise RecipeError(
            f"the vocabulary of models of the family {model.config.model_type} must stay whole: they look for tokens "
            "by their row, or do more to rows than look them up",
            expected="another --how, such as distil or quantise",
        )
    rows: int = model.config.vocab_size
    named = named_rows(model.config, rows).values()
    used = {*mapping.ids.tolist(), *tokenizer.get_vocab().values(), *named, original.saved.layout.pad}
    if len(used) == rows:
        raise RecipeError(
            f"all {rows:,} rows of the vocabulary are in use", expected="rows that no symbol has",
            fix="another --how, such as distil or quantise",
        )  # fmt: skip
    cut = slice_vocabulary(model, used)
    log.info(f"{len(cut.rows):,} of {rows:,} rows of the vocabulary are in use")
    tokenizer = move_rows(tokenizer, cut.compact)
    moved = TokenMapping(
        mapping.symbols, cut.compact[mapping.ids].astype(np.int32), mapping.pieces, mapping.strategy, mapping.seed,
        Vocabulary.of(tokenizer).sha256, mapping.lacking,
    )  # fmt: skip
    return Smaller(model, tokenizer, moved)


def move_rows(tokenizer: PreTrainedTokenizerFast, compact: Ids) -> PreTrainedTokenizerFast:
    """The same tokenizer with other ids.

    Parameters
    ----------
    tokenizer
        As `xdomain.model.tokenizer.export_tokenizer` made it.
    compact
        Shape (v,): the new id in place of each.
    """
    content: dict[str, Any] = json.loads(tokenizer.backend_tokenizer.to_str())
    content["model"]["vocab"] = {token: int(compact[row]) for token, row in content["model"]["vocab"].items()}
    content["added_tokens"] = [{**one, "id": int(compact[one["id"]])} for one in content["added_tokens"]]
    for one in content["post_processor"]["special_tokens"].values():
        one["ids"] = [int(compact[row]) for row in one["ids"]]
    roles = {role: token for role in ROLES if (token := getattr(tokenizer, role, None))}
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps(content)),
        model_input_names=list(tokenizer.model_input_names),
        model_max_length=tokenizer.model_max_length,
        clean_up_tokenization_spaces=False,
        split_special_tokens=True,
        **{role: AddedToken(str(token), special=True, normalized=False) for role, token in roles.items()},
    )
