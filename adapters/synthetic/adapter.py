"""The corpus of made-up sequences; each is made on request."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa
from tokenizers import Tokenizer, models, pre_tokenizers

from xdomain.core.errors import RecipeError
from xdomain.core.sequences import Alphabet, Ids, Payload, Ragged, offsets_of, path_option

from .frequencies import Distribution, make_law
from .kinds import Part, parse_kind
from .numerals import read_numerals
from .random_streams import LENGTHS, MAX_TOKENS, PARTS, Draws, Integers, below, stream_words, units

CHUNK = 2**17
"""Tokens made at once: more would not fit the cache, fewer would cost more calls."""


@dataclass(frozen=True)
class Synthetic:
    """Integers from 0 to `symbols` - 1, and sequences of them, made on request.

    Sequence i depends only on the options and on i: any number of workers, in any order and in any batches, make the
    same corpus. In a mixture, sequence i of some kind is the sequence i of a corpus of that kind alone.

    Parameters
    ----------
    kind
        uniform: independent draws, all integers alike; unigram: by `law`; bigram:N, flat:N, nesting:P, shuffle:N
        and dyck:K, see `xdomain.adapters.synthetic.structures`; identity, reverse, sort, set:N, union:N, delete:N
        and stack:P, see `xdomain.adapters.synthetic.procedures`; automaton:K and automaton2d:K, see
        `xdomain.adapters.synthetic.automata`. A number may be left out.

        ``flat:64*0.5+uniform*0.5`` mixes kinds by their weights, each sequence being of one kind;
        ``uniform*0.2,flat:64*0.8`` is a curriculum: the first fifth of `total` sequences, then the rest. A stage of
        a curriculum may be a mixture; its share is the sum of its weights.
    symbols
        How many integers the alphabet has, without special tokens.
    law
        How often each integer is drawn: uniform; zipf:S, integer r with a weight of (r + 1) ** -S; or table, by
        `counts`.
    counts
        For ``law: table``: a text file with one count a line, or the counts.
    lengths
        Tokens of the shortest and of the longest sequence; all lengths in between are equally likely. Chiang & Lee
        2022 (arXiv 2109.03537) use 100 to 120. Where the length is odd, kinds made of pairs or brackets have one token
        less; procedures may, too.
    distinct
        Whether flat and nesting draw different tokens for all pairs of a sequence, so that each token comes exactly
        twice. None: true for the uniform law, else false. True flattens any other law, so set it to false for all laws
        when you compare them.
    total
        Sequences that a curriculum is spread over; all later ones are of its last stage.
    seed
        Seed of all draws, 0 or more.
    """

    reads_lines: ClassVar[bool] = True
    kind: str = "flat:128"
    symbols: int = 29_995
    law: str = "uniform"
    counts: str | tuple[float, ...] = path_option()
    lengths: tuple[int, int] = (100, 120)
    distinct: bool | None = None
    total: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "lengths", tuple(self.lengths))
        if not isinstance(self.counts, str):
            object.__setattr__(self, "counts", tuple(float(count) for count in self.counts))
        self._check_options()
        for part in self._parts:
            self._check_needs(part)
        for part in self._parts:
            self._check_law(part)
            if (self.kind, self.lengths) != (type(self).kind, type(self).lengths):  # else it may be meant to read alone
                self._check_lengths(part, *self.lengths)

    def _check_options(self) -> None:
        for option, least, limit in (("symbols", 1, 2**32), ("total", 0, 2**63), ("seed", 0, 2**64)):
            value: object = getattr(self, option)
            if type(value) is not int or not least <= value < limit:
                raise RecipeError(f"{option}={value!r}", expected=f"a whole number from {least} to {limit - 1:,}")
        for option in ("kind", "law"):
            value = getattr(self, option)
            if not isinstance(value, str):
                raise RecipeError(f"{option}={value!r}", expected="a word, such as flat:64 or zipf:1")
        if self.distinct not in (None, False, True):
            raise RecipeError(f"distinct={self.distinct!r}", expected="true or false")
        whole = all(type(length) is int for length in self.lengths)
        if not whole or len(self.lengths) != 2 or self.lengths[0] > self.lengths[1]:
            raise RecipeError(f"lengths={self.lengths}", expected="the shortest and the longest, such as [100, 120]")
        if len(self._stages) > 1 and not self.total:
            raise RecipeError(
                f"kind {self.kind!r} is a curriculum without an end",
                expected="total=N, the sequences over which its stages are spread",
            )

    def _check_needs(self, part: Part) -> None:
        if part.needs > self.symbols:
            raise RecipeError(
                f"kind {part.text} needs {part.needs:,} integers, but the alphabet has {self.symbols:,}",
                expected=f"symbols={part.needs} or more, or a smaller number in {part.form.expected}"
                if part.form.number
                else f"symbols={part.needs} or more",
            )

    def _check_law(self, part: Part) -> None:
        if not self._laws[part.text].possible:
            within = self._laws[part.text].size
            raise RecipeError(
                f"the counts give none of the integers from 0 to {within - 1:,}, all that {part.text} draws from",
                expected=f"a count above 0 among the first {within:,}",
            )
        if part.form.apart and self._laws[part.text].possible < part.needs:
            raise RecipeError(
                f"the counts give {self._laws[part.text].possible} integers, too few for the states of {part.text}",
                expected=f"counts above 0 for {part.needs} integers or more",
            )
        if part.name == "uniform" and self.law != "uniform":
            raise RecipeError(
                f"kind uniform with the law {self.law}",
                expected="the law uniform; draws by another law are of the kind unigram",
                nearest=self.kind.replace("uniform", "unigram"),
            )
        if part.name == "unigram" and self.law == "uniform":
            raise RecipeError(
                "kind unigram without a law",
                expected="law=zipf:S, or law=table and counts=FILE; with all integers alike it is the kind uniform",
                nearest=self.kind.replace("unigram", "uniform"),
            )

    def _check_lengths(self, part: Part, shortest: int, longest: int) -> None:
        if shortest < part.form.shortest or longest > MAX_TOKENS:
            raise RecipeError(
                f"sequences of {shortest if shortest < part.form.shortest else longest:,} tokens for {part.text}",
                expected=f"from {part.form.shortest} to {MAX_TOKENS:,} tokens",
            )
        possible = self._laws[part.text].possible
        if part.form.paired and self._distinct and longest // 2 > possible:
            raise RecipeError(
                f"{longest // 2:,} different pairs from the {possible:,} integers that can be drawn",
                expected="more symbols, shorter sequences, or distinct=false: tokens may come in several pairs",
            )

    @property
    def name(self) -> str:
        """The domain."""
        return "synthetic"

    @cached_property
    def alphabet(self) -> Alphabet:
        """The integers in decimal."""
        return Alphabet(tuple(map(str, range(self.symbols))), "integer")

    @cached_property
    def _stages(self) -> tuple[tuple[Part, ...], ...]:
        return parse_kind(self.kind)

    @cached_property
    def _parts(self) -> tuple[Part, ...]:
        return tuple(part for stage in self._stages for part in stage)

    @cached_property
    def _law(self) -> Distribution:
        return make_law(self.law, self.symbols, self.counts)

    @cached_property
    def _laws(self) -> Mapping[str, Distribution]:
        """The law of what each part draws, by the part's text."""
        return {part.text: part.law(self._law) for part in self._parts}

    @property
    def _distinct(self) -> bool:
        return self._law.edges is None if self.distinct is None else self.distinct

    def sequences(self, first: int, count: int, *, length: int | None = None) -> Ragged:
        """Sequences ``first`` to ``first + count`` of the corpus.

        Parameters
        ----------
        first, count
            The number of the first sequence, 0 or more, and how many sequences to make.
        length
            Exact number of tokens of each sequence, instead of `lengths`: the values then have ``count * length``
            entries. Where a sequence of the kind may be one token short, a longer one is made and cut off after
            `length` tokens: ``flat`` then lacks the last token of a pair where `length` is odd, and procedures lack the
            last token of the result. Sequence i of one length differs from sequence i of another.

        Raises
        ------
        RecipeError
            `first` or `count` is negative, or the kind has no sequences of `length` tokens.
        """
        if first < 0 or count < 0:
            raise RecipeError(f"{count} sequences from number {first} on", expected="both 0 or more")
        for part in self._parts:
            if length is None:
                self._check_lengths(part, *self.lengths)
            else:
                self._check_lengths(part, length, length + (length % 2 if part.form.paired else 0))
        step = max(1, CHUNK // (length or self.lengths[1]))
        starts = range(first, first + count, step)
        chunks = [self._chunk(start, min(step, first + count - start), length) for start in starts]
        kind = np.uint16 if self.symbols <= 2**16 else np.uint32
        values = np.concatenate([np.empty(0, kind), *(chunk.values.astype(kind) for chunk in chunks)])
        return Ragged(values, offsets_of(np.concatenate([np.empty(0, np.int64), *(c.lengths for c in chunks)])))

    def _chunk(self, first: int, count: int, length: int | None) -> Ragged:
        shortest, longest = self.lengths
        lengths = shortest + below(stream_words(LENGTHS, self.seed, 1, first, count)[:, 0], longest - shortest + 1)
        places: list[Integers] = []
        values: list[Ids] = []
        sizes: list[Integers] = []
        for part, rows in self._shared_out(first, count):
            width = longest if length is None else length + part.form.short
            wanted = lengths[rows] if length is None else np.full(len(rows), width)
            draws = Draws(self.seed, first, count, rows, wanted, width, self._distinct)
            grid = part.make(draws, self._laws[part.text])
            used = grid.used
            if length is not None and part.form.short:
                used = used & (np.cumsum(used, axis=1) <= length)
            places.append(rows)
            values.append(grid.values[used])
            sizes.append(used.sum(axis=1))
        made = Ragged(np.concatenate(values), offsets_of(np.concatenate(sizes)))
        return made if len(places) == 1 else made.take(np.argsort(np.concatenate(places)))

    def _shared_out(self, first: int, count: int) -> list[tuple[Part, Integers]]:
        """Each part that occurs among these sequences, and the numbers of its sequences, counted from `first`."""
        rows = np.arange(count)
        if len(self._parts) == 1:
            return [(self._parts[0], rows)]
        weights = [np.cumsum([part.weight for part in stage]) for stage in self._stages]
        shares = np.cumsum([stage[-1] for stage in weights])
        ends = np.rint(shares[:-1] / shares[-1] * self.total)
        stages = np.searchsorted(ends, first + rows, side="right")
        ticket = units(stream_words(PARTS, self.seed, 1, first, count)[:, 0])
        shared: list[tuple[Part, Integers]] = []
        for number, (stage, edges) in enumerate(zip(self._stages, weights, strict=True)):
            chosen = np.searchsorted(edges, ticket * edges[-1], side="right")
            for place, part in enumerate(stage):
                here = np.flatnonzero((stages == number) & (chosen == place))
                shared += [(part, here)] if len(here) else []
        return shared

    def encode(self, payloads: Sequence[Payload] | pa.Array) -> Ragged:
        """Read the integers of the texts `payloads`, in bulk.

        Raises
        ------
        DataError
            A word is not in the alphabet; the message names the record and the place in it, both from 1.
        """
        return read_numerals(payloads, self.symbols)

    def decode(self, ids: Ids) -> str:
        """The integers `ids` with spaces between."""
        return " ".join(map(str, ids.tolist()))

    def stock_tokenizer(self, vocabulary: Mapping[str, int], unk_token: str) -> Tokenizer:
        """One token an integer, at its row in `vocabulary`, else `unk_token`; the text is split at white space."""
        tokenizer = Tokenizer(models.WordLevel(dict(vocabulary), unk_token))
        tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        return tokenizer

    def export_assets(self, folder: Path) -> None:
        """Copy the file of counts."""
        if isinstance(self.counts, str) and self.counts:
            shutil.copy(self.counts, folder / "counts.txt")
