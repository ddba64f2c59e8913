"""Choose the occurrences of one symbol to compare: at a known place and elsewhere, or before different neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xdomain.analysis.layers import held_by_all
from xdomain.analysis.loaded_run import OpenedRun
from xdomain.analysis.motifs import class_of, landmarks_of_records, of_class
from xdomain.analysis.result import Options
from xdomain.core.errors import RecipeError, unknown
from xdomain.core.recipe_sections import Landmark
from xdomain.core.sequences import Ids

MAX_OCCURRENCES = 100  # occurrences per group
LEAST = 2  # occurrences: fewer have no similarity within the group
MAX_LABEL_LENGTH = 10  # characters of a symbol in a label
Place = tuple[int, int]  # a record, and a position in its sequence


@dataclass(frozen=True)
class Group:
    """Occurrences of the symbol in one kind of context, at most one a record."""

    name: str
    places: tuple[Place, ...]


@dataclass(frozen=True)
class Contexts:
    """One symbol, and the two or three kinds of context in which it is compared.

    Parameters
    ----------
    symbol
        As the alphabet writes it.
    chosen
        What was chosen and why, for the caption.
    groups
        The occurrences, one group per kind of context.
    """

    symbol: str
    chosen: str
    groups: tuple[Group, ...]


@dataclass(frozen=True)
class Pool:
    """The sequences to choose from.

    Parameters
    ----------
    run
        The first of the runs.
    records
        Shape (n,): the places of the records in ``run.examples``.
    sequences
        For each record, the symbols that the first windows of all runs hold: of a pair the first sequence, of a
        question and its passage the passage.
    rng
        Draws the occurrences.
    """

    run: OpenedRun
    records: NDArray[np.int64]
    sequences: dict[int, Ids]
    rng: np.random.Generator

    @property
    def symbols(self) -> tuple[str, ...]:
        """The alphabet."""
        return self.run.adapter.alphabet.symbols


def choose(runs: Sequence[OpenedRun], records: NDArray[np.int64], options: Options) -> Contexts:
    """Choose a symbol and its occurrences by the options, else by the recipe's first landmark, else by frequency.

    Parameters
    ----------
    runs
        The runs to compare; the first decides.
    records
        Shape (n,): places in ``runs[0].examples``.
    options
        `symbol` and `at` choose; `seed` draws the occurrences.

    Raises
    ------
    RecipeError
        The symbol does not exist, or does not occur often enough in the records.
    """
    run = runs[0]
    pool = Pool(run, records, read_sequences(runs, records), np.random.Generator(np.random.PCG64(options.seed)))
    if options.symbol is not None and options.symbol not in pool.symbols:
        raise unknown("symbol", options.symbol, pool.symbols[:200])
    given = None if options.symbol is None else run.adapter.alphabet.id(options.symbol)
    if options.at is not None:
        return _at(pool, options.at, given)
    landmark = next(iter(landmarks_of_records(run)), None)
    if given is None and landmark is not None:
        return _landmark(pool, landmark)
    return _neighbours(pool, given)


def sequence_number(run: OpenedRun) -> int:
    """Which sequence of a record of `run` is analysed: 1, the passage, for span; else 0, the first."""
    return int(run.recipe.problem == "span")


def read_sequences(runs: Sequence[OpenedRun], records: NDArray[np.int64]) -> dict[int, Ids]:
    """The sequences of `records`, by record number, as far as the first windows of all `runs` hold them."""
    which = sequence_number(runs[0])
    second = runs[0].examples.symbols_b
    symbols = second if which and second is not None else runs[0].examples.symbols
    reach = held_by_all(runs, records)[:, which]
    return {int(r): symbols[r][:m] for r, m in zip(records, reach, strict=True)}


def label(symbols: Sequence[str], sequence: Ids, at: int) -> str:
    """Write the symbol at position `at` of `sequence` with its neighbours, such as ``…CAG[G]TAA…``.

    `symbols` are those of the alphabet, by id.
    """
    single = all(len(symbol) == 1 for symbol in symbols)
    around, blank = (3, "") if single else (1, " ")
    before, after = sequence[max(0, at - around) : at], sequence[at + 1 : at + 1 + around]
    left, right = (blank.join(_short(symbols[int(s)]) for s in side) for side in (before, after))
    more = ("…" if at > around else "", "…" if at + 1 + around < len(sequence) else "")
    return f"{more[0]}{left}{blank}[{_short(symbols[int(sequence[at])])}]{blank}{right}{more[1]}"


def _landmark(pool: Pool, landmark: Landmark) -> Contexts:
    """Choose the place of the landmark where the train records of its class agree the most; of equals the first."""
    run = pool.run
    train = of_class(run, "train", landmark.label)
    counts = np.zeros((len(landmark.symbols), len(pool.symbols)), np.int64)
    for sequence in read_sequences([run], train).values():
        piece = sequence[landmark.at : landmark.at + len(landmark.symbols)]
        counts[np.arange(len(piece)), piece] += 1
    if not counts.any():
        raise RecipeError(f"{run.recipe.name}: no train record reaches the landmark {landmark.name} at {landmark.at}")
    place, symbol = (int(i) for i in np.unravel_index(counts.argmax(), counts.shape))
    at, share = landmark.at + place, counts[place, symbol] / counts[place].sum()
    which = f" of class {landmark.label}" if landmark.label else ""
    chosen = (
        f"{pool.symbols[symbol]} at {at} (counted from 0), where the {len(train):,} train records{which} agree the "
        f"most ({share:.1%}) within the {landmark.name} ({landmark.symbols} from {landmark.at})"
    )
    members = np.array([r for r in pool.records if landmark.label in (None, class_of(run, int(r)))], np.int64)
    name = f"{landmark.name}{f' ({landmark.label})' if landmark.label else ''}"
    return _placed(pool, symbol, at, members, name, chosen)


def _at(pool: Pool, at: int, symbol: int | None) -> Contexts:
    column = [s[at] for s in pool.sequences.values() if 0 <= at < len(s)]
    if not column:
        longest = max(map(len, pool.sequences.values()))
        raise RecipeError(f"no record that is read has a symbol at {at}", expected=f"from 0 to {longest - 1}")
    why = "as asked"
    if symbol is None:
        symbol, why = int(np.bincount(column).argmax()), "the most frequent there"
    chosen = f"{pool.symbols[symbol]} at {at} (counted from 0), {why}"
    return _placed(pool, symbol, at, pool.records, f"at {at}", chosen)


def _placed(pool: Pool, symbol: int, at: int, members: NDArray[np.int64], name: str, chosen: str) -> Contexts:
    """Group the symbol at the place in `members`, at the same place in other records, and elsewhere in `members`."""
    inside = set(members.tolist())
    there = [(r, at) for r, s in pool.sequences.items() if at < len(s) and s[at] == symbol]
    here = [place for place in there if place[0] in inside]
    other = [place for place in there if place[0] not in inside]
    elsewhere: list[Place] = []
    for record, _ in here:
        places = np.flatnonzero(pool.sequences[record] == symbol)
        if len(places := places[places != at]):
            elsewhere.append((record, int(pool.rng.choice(places))))
    groups = [_group(pool, name, here), _group(pool, "elsewhere", elsewhere)]
    if len(other) >= LEAST:
        groups.insert(1, _group(pool, "same place, other classes", other))
    return Contexts(pool.symbols[symbol], chosen, _checked(pool.symbols[symbol], groups))


def _neighbours(pool: Pool, symbol: int | None) -> Contexts:
    """Group the symbol before its most frequent right-hand neighbour, and before the second most frequent."""
    counts = np.bincount(np.concatenate(list(pool.sequences.values())), minlength=len(pool.symbols))
    why = "as asked"
    if symbol is None:
        symbol, why = int(counts.argmax()), "the most frequent symbol"
    name = pool.symbols[symbol]
    spots = {r: np.flatnonzero(s[:-1] == symbol) for r, s in pool.sequences.items()}
    after = np.concatenate([pool.sequences[r][places + 1] for r, places in spots.items()])
    ranked = np.argsort(-np.bincount(after, minlength=len(pool.symbols)), kind="stable")[:2]
    order = pool.rng.permutation(list(spots)).tolist()
    groups: list[Group] = []
    for turn, neighbour in enumerate(ranked.tolist()):
        places: list[Place] = []
        for record in order[turn::2]:  # so that a record is in one group only
            fitting = spots[record][pool.sequences[record][spots[record] + 1] == neighbour]
            if len(fitting):
                places.append((record, int(pool.rng.choice(fitting))))
        groups.append(_group(pool, f"before {pool.symbols[neighbour]}", places))
    chosen = f"{name}, {why}, before each of the two symbols that follow it most often"
    return Contexts(name, chosen, _checked(name, groups))


def _group(pool: Pool, name: str, places: list[Place]) -> Group:
    """Make a group of at most `MAX_OCCURRENCES` of `places`, drawn at random."""
    order = pool.rng.permutation(len(places))[:MAX_OCCURRENCES]
    return Group(name, tuple(places[i] for i in order))


def _checked(symbol: str, groups: list[Group]) -> tuple[Group, ...]:
    for group in groups:
        if len(group.places) < LEAST:
            raise RecipeError(
                f"{symbol} occurs {len(group.places)} times {group.name} in the records that are read",
                expected=f"{LEAST} or more, to compare them", fix="more --records, or another --symbol or --at",
            )  # fmt: skip
    return tuple(groups)


def _short(symbol: str) -> str:
    return symbol if len(symbol) <= MAX_LABEL_LENGTH else symbol[: MAX_LABEL_LENGTH - 1] + "…"
