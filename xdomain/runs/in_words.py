"""What the options of a run mean, in the words of the pages that describe it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from xdomain.core.adapter_protocols import SpacesTokens
from xdomain.core.sequences import Adapter

SPLIT_RULES = {
    "given": "split as the data set says",
    "random": "split at random, by class where there are classes",
    "group": "split by groups, none of which is in two splits",
    "cluster": "split by similarity: no similar sequences are in two splits",
    "entity": "split by the members of pairs: those of test are new",
    "fold": "split into folds",
}
TUNED = {
    "full": "all weights were trained",
    "head": "only the head was trained",
    "mix": "only the head and a mix of all layers were trained",
    "norms": "layer norms, word and position rows and the head were trained",
    "lora": "low-rank updates of the attention's matrices (LoRA) and the head were trained",
    "bottleneck": "bottlenecks beside the feed-forward blocks, layer norms and the head were trained",
}
BASELINES = {"kmer": "Counts of k-mers under a linear model", "cnn": "A small convolutional network"}
OUTPUTS = {
    "classification": "a class for each sequence",
    "multilabel": "any number of labels for each sequence, with a probability of each",
    "pair": "a class for each pair of sequences",
    "regression": "a number for each sequence",
    "multioutput": "several numbers for each sequence",
    "tagging": "a class for each symbol",
    "profile": "a number for each symbol",
    "span": "the start and the end of an answer in a passage",
    "sequence": "another sequence for each sequence",
}
STARTS = {
    "pretrained": "the weights of the checkpoint",
    "reembed": "the weights of the checkpoint, with the rows of its words drawn anew",
    "scratch": "random weights: of the checkpoint only the architecture is used",
    "shuffled": "the weights of the checkpoint, the values of each tensor permuted: nothing that it learned is left",
    "rescaled": "random weights at the scale of the checkpoint's: nothing that it learned is left",
    "aligned": "the weights of the checkpoint, the rows of the symbols trained until states lie like those of text",
}
"""By init, what the training began with."""


def name_of_backbone(backbone: str) -> str:
    """The name of a `backbone`, without the folders of this machine."""
    return Path(backbone).name if backbone.startswith((".", "~")) or Path(backbone).is_absolute() else backbone


def sample_record(adapter: Adapter) -> tuple[str, str]:
    """A short record of a domain, for examples: as in the data, and as a plain tokenizer reads it.

    Parameters
    ----------
    adapter
        Of the domain.
    """
    letters = [i for i, symbol in enumerate(adapter.alphabet.symbols) if symbol.isalpha()][:8]
    record = adapter.decode(np.array(letters or range(min(8, len(adapter.alphabet))), np.uint16))
    return str(record), adapter.to_tokenizer_text(record) if isinstance(adapter, SpacesTokens) else str(record)
