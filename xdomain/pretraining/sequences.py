"""Pre-train a small encoder on records of a domain: with its alphabet as vocabulary, or going on from a checkpoint."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from transformers import PreTrainedTokenizerFast

from xdomain.core.errors import RecipeError
from xdomain.core.progress import log, reporter
from xdomain.core.recipe import Recipe, recipe_from
from xdomain.core.recipe_sections import Columns, columns_of
from xdomain.core.sequences import Adapter, Ragged, fingerprint
from xdomain.data.corpus import STORE, check_specials
from xdomain.data.unlabelled import counted, described, files_of, raw_sequences, unlabelled
from xdomain.model.token_mapping import TokenMapping
from xdomain.model.vocabulary import Vocabulary
from xdomain.pretraining.checkpoints import WorkFolder
from xdomain.pretraining.config import Pretraining
from xdomain.pretraining.own_vocabulary import symbol_tokenizer
from xdomain.pretraining.records import fitted, hold_out_records, joined
from xdomain.pretraining.start import shaped, started, tokenizer_of, within
from xdomain.pretraining.train import Plan, train_checkpoint
from xdomain.training.preparation import bare_adapter_of, with_symbols_of
from xdomain.training.train_encoder import mappings_of

HEEDED = ("adapter.", "reader_options.")
"""Changes to the recipe that mean something without labels and without a run."""
MADE = ("learned", "search")
"""Mappings that training makes."""
MANY = 10
"""From so many times on it is told how often each symbol is seen."""


def pretrain_sequences(
    files: Sequence[str | Path],
    out: str | Path,
    *,
    domain: str,
    options: Pretraining | None = None,
    fit_lengths: bool = True,
    mapping: str | None = None,
    mapping_table: Mapping[str, str] | None = None,
    mapping_seed: int | None = None,
    columns: Columns | Mapping[str, str] | None = None,
    overrides: Sequence[str] = (),
) -> Path:
    """Pre-train a BERT on unlabelled records of a domain and write it to `out` as a stock checkpoint with a card.

    The vocabulary has the special tokens, then the symbols of the domain. With ``options.start`` the run goes on from
    that checkpoint: vocabulary and tokenizer stay its own, and the symbols take rows of it by a mapping. So a run that
    starts from `out` with the same mapping uses the rows that were trained; ``mapping.json`` holds them.

    Records are joined in random order, with
    [SEP] between, so that short ones fill long sequences; [SEP] is never masked. Each different record is read once.
    The same call after an interruption goes on from the last saved state.

    Parameters
    ----------
    files
        Of any format that `xdomain.run` reads: FASTA, tables, units, …; labels are not looked at. Or sound or music
        files, or folders of them.
    out
        The folder to write; it must not hold a checkpoint yet.
    domain
        Name of the adapter: ``dna``, ``protein``, ``speech``, ``music``, ….
    options
        Shape, objective, schedule and more; None: the defaults of `Pretraining`. `tokenizer` must be None, and
        `vocabulary` is ignored.
    fit_lengths
        Whether to leave out the stages whose sequences are longer than nine of ten records need.
    mapping, mapping_table, mapping_seed
        With ``options.start``: which row of its vocabulary stands for which symbol, as for `xdomain.run`; by default
        ``random`` with seed 0.
    columns
        Which column holds what, ``{"sequence": NAME}``; None is guessed.
    overrides
        Changes to the recipe by which records are read, such as ``adapter.options.tokens=kmer``.

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    UserError
        Options, files or folder cannot be used, which is said before training begins; or training failed.
    """
    options, out = options or Pretraining(), Path(out)
    if options.tokenizer:
        raise RecipeError("sequences with a tokenizer", expected="none: the symbols of the domain are the vocabulary")
    onto = {"mapping": mapping, "mapping_table": mapping_table, "mapping_seed": mapping_seed}
    recipe = _recipe(domain, overrides, options.start, onto)
    if isinstance(columns, Mapping):
        columns = columns_of(columns)
    adapter = bare_adapter_of(recipe)
    paths = files_of([Path(file) for file in files], adapter)
    adapter = with_symbols_of(raw_sequences(paths, recipe, adapter, columns=columns), adapter)
    work = WorkFolder(out)
    work.check()
    start, asked = started(options), options
    if start:
        options = shaped(within(options, start) if fit_lengths else options, start)
    tokenizer = tokenizer_of(start) if start else symbol_tokenizer(adapter)
    check_specials(tokenizer, options.start or "these records")
    rows = _mapping(recipe, adapter, Vocabulary.of(tokenizer))
    source = _Source(paths, recipe, adapter, columns, rows)
    data = {"files": [file["sha256"] for file in source.described], "domain": domain, "encoding": source.encoding,
            "fit_lengths": fit_lengths, **({"start": start.sha256} if start else {})}  # fmt: skip
    with work.opened({"options": options.options_that_decide(), "data": data}):
        store = source.stored(work, tokenizer, options.seed)
        lengths = store.lengths - 1
        options = fitted(options, lengths) if fit_lengths else options
        facts = {"files": source.described, "domain": domain, "counts": dict(store.counts)}
        train, valid = hold_out_records(
            store, max(options.lengths), specials=options.special_tokens, seed=options.seed, facts=facts
        )
        _tell(store, lengths, asked, options, f"held out: {valid.facts['part']}")
        more: dict[str, Any] = {"domain": domain, "set": list(overrides), "column": _typed(columns)}
        more |= {"mapping": "given:TABLE" if mapping_table else mapping} if mapping else {}
        more |= {"mapping-seed": mapping_seed} if mapping_seed is not None else {}
        more |= {} if fit_lengths else {"lengths": options.lengths, "shares": options.shares}
        command = asked.command(["sequences", *map(str, files)], str(out), more, Pretraining())
        plan = Plan(
            tokenizer, (train, valid), source.key(options.seed), command, options, start, rows,
            {"name": domain, "options": recipe.adapter.options},
        )  # fmt: skip
        train_checkpoint(work, plan)
    return out


@dataclass(frozen=True, eq=False)
class _Source:
    """The records, and how they become rows of the vocabulary."""

    paths: Sequence[Path]
    recipe: Recipe
    adapter: Adapter
    columns: Columns | None
    mapping: TokenMapping

    @cached_property
    def described(self) -> list[dict[str, Any]]:
        """Name, size and sha256 of each file."""
        return described(self.paths)

    @property
    def encoding(self) -> str:
        """A digest of all that decides the rows of a record."""
        how = {
            "store": STORE, "adapter": fingerprint(self.adapter), "reader": self.recipe.reader_options,
            "columns": self.columns.model_dump() if self.columns else {}, "mapping": self.mapping.sha256,
        }  # fmt: skip
        return hashlib.sha256(json.dumps(how, sort_keys=True).encode()).hexdigest()

    def key(self, seed: int) -> str:
        """A digest of the tokens: the files, how they are encoded, and the `seed` of their order."""
        parts = [self.encoding, str(seed), *(file["sha256"] for file in self.described)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def stored(self, work: WorkFolder, tokenizer: PreTrainedTokenizerFast, seed: int) -> Ragged:
        """The joined records, memory-mapped from the folder of the run; written there if missing."""
        path = work.path / f"tokens-{self.key(seed)[:16]}.arrow"
        if not path.exists():
            reporter().phase("encoding")
            log.info(f"reading {len(self.paths):,} file{'s' if len(self.paths) > 1 else ''}")
            symbols = unlabelled(self.paths, self.recipe, self.adapter, columns=self.columns)
            separator = tokenizer.get_vocab()[str(tokenizer.sep_token)]
            with work.guarded():
                joined(symbols, self.mapping.ids, separator, seed).save(path)
        return Ragged.load(path)


def _recipe(domain: str, overrides: Sequence[str], start: str | None, onto: Mapping[str, Any]) -> Recipe:
    """A recipe that says how records of `domain` are read, and mapped `onto` the rows of a checkpoint."""
    given = {name: value for name, value in onto.items() if value is not None}
    if given and start is None:
        raise RecipeError(f"{next(iter(given))}, but no checkpoint", expected="one whose rows are mapped onto",
                          fix="--from BACKBONE; or no --mapping: then the symbols are the vocabulary")  # fmt: skip
    for change in overrides:
        if not change.lstrip().startswith(HEEDED):
            raise RecipeError(f"--set {change}", expected=f"a change to how records are read: {', '.join(HEEDED)}…",
                              fix="for shape and schedule see xdomain pretrain sequences --help")  # fmt: skip
    if domain == "text":
        raise RecipeError("sequences of the domain text", expected="another domain",
                          fix="xdomain pretrain text FILES, which learns wordpieces")  # fmt: skip
    run = {"backbone": start, **given} if start else {"mapping": "identity"}
    parts = {"name": f"{domain}/pretraining", "title": domain, "source": {"files": {}}, "adapter": {"name": domain},
             "problem": "classification", "run": run}  # fmt: skip
    return recipe_from(parts, where="pretrain", overrides=overrides)


def _mapping(recipe: Recipe, adapter: Adapter, vocabulary: Vocabulary) -> TokenMapping:
    """The row of each symbol.

    Raises
    ------
    RecipeError
        Training makes the mapping, or it gives a symbol the row of a special token, which is never predicted.
    """
    if recipe.run.mapping.partition(":")[0] in MADE:
        raise RecipeError(f"mapping {recipe.run.mapping} for pre-training", expected="one that no training makes",
                          nearest="random")  # fmt: skip
    (mapping,) = mappings_of(recipe, vocabulary, adapter)
    if taken := mapping.special_token_collisions(vocabulary.special):
        raise RecipeError(f"mapping {recipe.run.mapping} gives {', '.join(taken[:5])} the row of a special token",
                          expected="rows of ordinary pieces, which can be masked and predicted",
                          nearest="random")  # fmt: skip
    return mapping


def _typed(columns: Columns | None) -> list[str]:
    return [f"{role}={name}" for role, name in (columns.model_dump() if columns else {}).items() if name is not None]


def _tell(store: Ragged, lengths: np.ndarray, asked: Pretraining, options: Pretraining, held: str) -> None:
    """Log how many records there are and how long, at which lengths they are read, and how often."""
    shortest, median, longest = (int(number) for number in np.quantile(lengths, (0, 0.5, 1), method="nearest"))
    symbols = int(lengths.sum())
    log.info(f"{symbols:,} symbols in {len(store):,} records of {shortest:,} to {longest:,}, median {median:,}; {held}")
    if changed := counted(store.counts):
        log.info(f"changed in encoding: {changed}")
    left = asked.lengths[len(options.lengths) :]
    ends = ", ".join(map(str, options.lengths))
    log.info(f"records are joined with [SEP] between, so all symbols are reached at {ends} positions"
             + (f"; nine of ten records fit, so {', '.join(map(str, left))} are left out" if left else ""))  # fmt: skip
    if (times := options.tokens / symbols) >= MANY:
        log.info(
            f"{options.tokens:,} tokens are {times:,.0f} times what the records hold: a model may know them by heart"
        )
