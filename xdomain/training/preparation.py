"""From a recipe to encoded records: read, split, encode, and look for what is wrong. Does not load torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from xdomain.core.adapter_protocols import LearnsAlphabet, ReverseComplements
from xdomain.core.errors import DataError
from xdomain.core.plugins import make_adapter
from xdomain.core.progress import log, muted, reporter
from xdomain.core.recipe import Recipe
from xdomain.core.recipe_sections import AdapterChoice
from xdomain.core.sequences import Adapter
from xdomain.data.checks.contradictions import contradictions
from xdomain.data.checks.leakage import leakage
from xdomain.data.checks.shortcuts import shortcuts
from xdomain.data.dataset import Examples, check_symbols, encode_examples, warn_of_other_domain, with_positive
from xdomain.data.known_labels import is_known
from xdomain.data.loading import load_table
from xdomain.data.media_files import files_skipped
from xdomain.data.negatives.make import count_negatives, own_class, split_with_negatives
from xdomain.model.checkpoints import locate_backbone, shipped_folder

JUDGED = ("valid", "test")
READ = ("sequence", "sequence_b")
"""The columns of a raw table that the adapter encodes."""
FINDINGS = ("leakage", "pair_members", "contradictions", "duplicates", "shortcuts")
"""What is looked for in a data set, by its name in the counts of `prepare`; docs/checks.md."""


def adapter_of(recipe: Recipe) -> Adapter:
    """Make the adapter that `recipe` names.

    One for text gets the backbone's tokenizer unless options name another; one that takes its alphabet from the data
    reads them, unless options name one.
    """
    return _fitted(bare_adapter_of(recipe), recipe, (*READ, *(("label",) if recipe.problem == "sequence" else ())))


def target_of(recipe: Recipe, adapter: Adapter) -> Adapter:
    """Make the adapter of what comes out of a `recipe` for sequence, as `adapter_of` does; by default `adapter`."""
    return _fitted(_made(recipe.target, recipe), recipe, ("label",)) if recipe.target else adapter


def bare_adapter_of(recipe: Recipe) -> Adapter:
    """Make the adapter that `recipe` names; one that takes its alphabet from the data has none yet."""
    return _made(recipe.adapter, recipe)


def _fitted(adapter: Adapter, recipe: Recipe, columns: Sequence[str]) -> Adapter:
    """The `adapter` with the symbols in `columns` of the data, if it takes its alphabet from there."""
    return with_symbols_of(_columns(recipe, columns), adapter)


def with_symbols_of(payloads: Iterable[pa.Array], adapter: Adapter) -> Adapter:
    """The `adapter` with the symbols of the raw records `payloads`, which is logged, if it takes them from the data."""
    if not isinstance(adapter, LearnsAlphabet):
        return adapter
    with muted():  # what the reader says is said when they are encoded
        known = adapter.fitted(payloads)
    if known is not adapter:
        names = [name for name in known.alphabet.symbols if name != known.alphabet.unknown]
        log.info(f"alphabet: {len(names):,} symbols, those of the data: {', '.join(names[:8])}"
                 + (", …" if len(names) > 8 else ""))  # fmt: skip
    return known


def _columns(recipe: Recipe, names: Sequence[str]) -> Iterator[pa.Array]:
    table = load_table(recipe)
    yield from (table.column(name).combine_chunks() for name in names if name in table.column_names)


def _made(choice: AdapterChoice, recipe: Recipe) -> Adapter:
    options = dict(choice.options)
    if isinstance(named := options.get("tokenizer"), str):
        options["tokenizer"] = shipped_folder(named)
    return make_adapter(choice.name, options, tokenizer=locate_backbone(recipe.run.backbone))


def _check_targets(examples: Examples, name: str) -> None:
    """Refuse a target that is unknown in all records to train on: nothing could be learned of it."""
    if examples.problem != "multioutput":
        return
    known = is_known(examples.labels_of(examples.indices("train"))).any(axis=0)
    if not known.all():
        raise DataError(
            f"{name}: {examples.classes[int(known.argmin())]} is unknown in all training records",
            expected="a number in some of them for each target",
            fix="another split, or leave the column out: --column label=NAME,NAME",
        )


def prepare(recipe: Recipe, adapter: Adapter) -> tuple[Examples, dict[str, Any]]:
    """Read, split and encode the records of a task.

    Parameters
    ----------
    recipe
        Where the records are, and how they are split.
    adapter
        Encodes them; see `adapter_of`.

    Returns
    -------
    tuple
        The records of train, valid and test. Counts for the result: what encoding changed, and what was found
        (`FINDINGS`), which is logged as well.

    Raises
    ------
    DataError
        Records cannot be read as the recipe says, or a split has none.
    """
    reporter().phase("reading")
    loaded = load_table(recipe, adapter=adapter)
    table, split = split_with_negatives(loaded, recipe.split, recipe.problem)
    kept = np.flatnonzero(split != "")
    target = target_of(recipe, adapter) if recipe.problem == "sequence" else None
    examples = encode_examples(table.take(kept), adapter, recipe.problem, split[kept], target=target)
    examples = with_positive(examples, own_class(loaded) if recipe.positive is None else recipe.positive)
    for name, records in examples.sizes().items():
        if not records:
            raise DataError(
                f"{recipe.name} has no {name} records", expected="records to train on, to choose by and to judge by",
                fix=f"--set split.{name}=0.1" if name in JUDGED else None,
            )  # fmt: skip
    check_symbols(examples)
    _check_targets(examples, recipe.name)
    counts: dict[str, Any] = {
        **examples.symbols.counts, **count_negatives(loaded), **_without_answer(examples), **_weighted(examples),
    }  # fmt: skip
    if len(kept) < len(split):
        counts["left_out"] = len(split) - len(kept)
    if skipped := files_skipped(table):
        counts["files_skipped"] = skipped
    second = examples.symbols_b or (examples.outputs.symbols if examples.outputs else None)
    for name, count in (second.counts if second else {}).items():
        counts[name] = counts.get(name, 0) + count
    log.info(f"{recipe.name}: " + ", ".join(f"{n:,} {name}" for name, n in examples.sizes().items()))
    warn_of_other_domain(examples, adapter)
    return examples, {**counts, **_findings(examples, adapter)}


def _without_answer(examples: Examples) -> dict[str, int]:
    """How many questions have no answer, which is logged as well; empty where all have one.

    Raises
    ------
    DataError
        No training question has an answer.
    """
    if examples.answers is None or not examples.answers.lacking.any():
        return {}
    lacking = {split: examples.answers.lacking[examples.indices(split)] for split in ("train", *JUDGED)}
    number = sum(int(one.sum()) for one in lacking.values())
    log.info(f"{number:,} of {len(examples):,} questions have no answer: "
             + ", ".join(f"{int(one.sum()):,} of {split}" for split, one in lacking.items()))  # fmt: skip
    if lacking["train"].all():
        raise DataError(
            "no training question has an answer",
            expected="a start and an end where the passage holds one",
            fix="check that --column start=NAME and end=NAME (or answer=NAME) name the right columns",
        )
    if not lacking["train"].any():
        log.warning("every training question has an answer: the model will give one to every question")
    elif not lacking["valid"].any():
        log.warning("every question of valid has an answer: none is given where that is likelier than not")
    return {"questions_without_an_answer": number}


def _weighted(examples: Examples) -> dict[str, int]:
    """How many training records weigh nothing, where records have weights, of which a sentence is logged.

    Raises
    ------
    DataError
        All training records weigh nothing.
    """
    if examples.weights is None:
        return {}
    own = examples.weights[examples.indices("train")]
    if not own.any():
        raise DataError("the weight of every training record is 0", expected="some above 0",
                        fix="check that --column weight=NAME names the right column")  # fmt: skip
    log.info(
        f"training records weigh {own.min() / own.mean():.3g} to {own.max() / own.mean():.3g} times their mean; "
        "in the metrics all records count alike"
    )
    lost = _classes_without_weight(examples)
    if lost:
        log.warning(f"all training records of {', '.join(lost[:5])} weigh 0: what tells them apart is not learned")
    return {"records_of_weight_0": int((own == 0).sum())}


def _classes_without_weight(examples: Examples) -> list[str]:
    if examples.weights is None or examples.problem not in ("classification", "pair"):
        return []
    train = examples.indices("train")
    there = examples.labels_of(train)
    learned = there[examples.weights[train] > 0]
    return [examples.classes[one] for one in np.setdiff1d(there, learned)]


def _findings(examples: Examples, adapter: Adapter) -> dict[str, Any]:
    """What is strange about the records as a data set, by the names of `FINDINGS`; the strange is logged, too."""
    flip = adapter.reverse_complement if isinstance(adapter, ReverseComplements) else None
    read = (examples.symbols, examples.symbols_b)
    if examples.problem == "span" and examples.symbols_b:  # a known passage is a leak, whatever is asked about it
        read = (examples.symbols_b, None)
    leaks = leakage(*read, examples.split, flip, ids=examples.ids)
    conflicts = contradictions(examples)
    known = {shortcut.by: shortcut for shortcut in shortcuts(examples)}
    kind = "pair" if examples.symbols_b else "record"
    for line in [*leaks.lines(), *conflicts.lines(), *(one.line(kind) for one in known.values() if one.striking)]:
        log.warning(line)
    for line in [*leaks.member_lines(), *conflicts.duplicate_lines()]:
        log.info(line)
    told = (
        leaks.as_dict(), leaks.members_as_dict(), conflicts.as_dict(), conflicts.duplicates_as_dict(),
        {name: one.as_dict() for name, one in known.items()},
    )  # fmt: skip
    return dict(zip(FINDINGS, told, strict=True))
