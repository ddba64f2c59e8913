"""The scores of some variants: by a run, or by a backbone that was not fine-tuned."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from xdomain.core.choices import VariantScore
from xdomain.core.errors import DataError
from xdomain.core.sequences import Adapter
from xdomain.data.rows import short
from xdomain.inference.scorer import Scorer
from xdomain.inference.variants.variant import Variant

if TYPE_CHECKING:
    from xdomain.inference.embedding.masked_lm import MaskedLM

Windows = tuple[str, str]
RESIDUES = "ACDEFGHIKLMNPQRSTVWY"


class ScoresVariants(Protocol):
    """What scores variants."""

    def columns(self, variants: Sequence[Variant], *, several: bool, first: bool) -> dict[str, pa.Array]:
        """The columns of `variants` beside those that name them; the last is ``error``.

        `several` and `first` are as for `xdomain.inference.predictor.Predictor.answers`.
        """
        ...


class Readable:
    """Tells letters that an adapter cannot read."""

    def __init__(self, adapter: Adapter) -> None:
        self.adapter = adapter
        self.known: dict[str, bool | None] = {}

    @property
    def reads_residues(self) -> bool:
        """Whether each of the 20 amino acids is a letter."""
        return all(self._reads(letter) for letter in RESIDUES)

    def check(self, text: str) -> None:
        """Refuse a `text` without letters, or with one that cannot be read.

        Raises
        ------
        DataError
            It has such a letter.
        """
        if not text:
            raise DataError("nothing is left of the sequence")
        self._refuse(text, (False,))

    def check_new(self, text: str) -> None:
        """Refuse a `text` of new letters, which may be empty, with one that is read as an unknown one only.

        Raises
        ------
        DataError
            It has such a letter.
        """
        self._refuse(text, (False, None))

    def _refuse(self, text: str, refused: tuple[bool | None, ...]) -> None:
        for letter in sorted(set(text)):
            if letter not in self.known:
                self.known[letter] = self._reads(letter)
            if self.known[letter] in refused:
                but = "" if self.known[letter] is False else ", which reads it as an unknown one"
                raise DataError(f"{short(letter)!r} is no letter of {self.adapter.name}{but}")

    def _reads(self, letter: str) -> bool | None:
        """Whether the adapter reads a `letter`; None if only as an unknown one."""
        try:
            read = self.adapter.encode([letter])
        except DataError:
            return False
        return None if any(read.counts.get(name) for name in ("unknown", "folded")) else len(read[0]) > 0


def windows_of(
    variants: Sequence[Variant], width: int | None, readable: Readable
) -> tuple[list[Windows | None], list[str]]:
    """The windows of each variant, or None and why it has none.

    Parameters
    ----------
    variants
        n of them.
    width
        Letters of a window; None: the whole sequence.
    readable
        Checks their letters.

    Returns
    -------
    tuple
        n windows, and n reasons, which are empty where there are windows.
    """
    found: list[Windows | None] = []
    errors: list[str] = []
    for variant in variants:
        pair, why = None, variant.error
        if not why:
            try:
                for edit in variant.edits:
                    readable.check_new(edit.alt)
                pair = variant.windows(width)
                for text in pair:
                    readable.check(text)
            except DataError as error:
                pair, why = None, error.what
        found.append(pair)
        errors.append(why)
    return found, errors


@dataclass(frozen=True)
class ByRun:
    """Scores by the model of a run: its answer for ALT minus that for REF.

    Parameters
    ----------
    scorer
        The model.
    width
        Letters of a window; None: the whole sequence.
    """

    scorer: Scorer
    width: int | None

    def columns(self, variants: Sequence[Variant], *, several: bool, first: bool) -> dict[str, pa.Array]:
        """The score of `variants`, and the probabilities of REF and ALT and their difference, or the two values.

        `several` and `first` are as for `ScoresVariants`.
        """
        found, errors = windows_of(variants, self.width, Readable(self.scorer.predictor.adapter))
        texts = list(dict.fromkeys(text for pair in found if pair for text in pair))
        names = ("ref_value", "alt_value") if self.scorer.kind is None else ("ref_p", "alt_p", "p_difference")
        if not texts:
            return _filled(found, dict.fromkeys(("score", *names), np.zeros(0)), errors)
        scores = self.scorer.scores(texts, several=several, first=first)
        place = {text: row for row, text in enumerate(texts)}
        ref, alt = (np.array([place[pair[side]] for pair in found if pair]) for side in (0, 1))
        level, shown = self.scorer.level(scores), self.scorer.shown(scores)
        values = (level[alt] - level[ref], shown[ref], shown[alt], shown[alt] - shown[ref])
        return _filled(found, dict(zip(("score", *names), values, strict=False)), errors)


@dataclass(frozen=True)
class ByBackbone:
    """Scores by a masked language model: the log-probability of ALT minus that of REF.

    Parameters
    ----------
    model
        The backbone with its head.
    adapter
        Encodes the windows.
    width
        Letters of a window; None: the whole sequence.
    how
        For changes that only substitute; all others get pseudo-log-likelihoods.
    """

    model: MaskedLM
    adapter: Adapter
    width: int | None
    how: VariantScore

    def columns(self, variants: Sequence[Variant], *, several: bool, first: bool) -> dict[str, pa.Array]:
        """The score of `variants`, and how it was computed; `several` and `first` do not matter."""
        found, errors = windows_of(variants, self.width, Readable(self.adapter))
        symbols = [tuple(self.adapter.encode(list(pair))) if pair else None for pair in found]
        scores: list[float | None] = [None] * len(found)
        hows: list[str | None] = [None] * len(found)
        marginal: list[int] = []
        likelihood = _remembered(self.model.pseudo_log_likelihood)
        for row, both in enumerate(symbols):
            if both is None:
                continue
            longest = max(map(len, both))
            if longest > self.model.room:
                errors[row] = f"{longest:,} symbols, more than the {self.model.room:,} that the backbone reads at once"
                continue
            alike = variants[row].substitutes and len(both[0]) == len(both[1])
            hows[row] = "masked-marginals" if alike and self.how == "masked-marginals" else "pseudo-log-likelihood"
            if hows[row] == "masked-marginals":
                marginal.append(row)
            else:
                scores[row] = likelihood(both[1]) - likelihood(both[0])
        pairs = [both for row in marginal if (both := symbols[row]) is not None]
        if pairs:
            values = self.model.masked_marginal([ref for ref, _ in pairs], [alt for _, alt in pairs])
            for row, value in zip(marginal, values.tolist(), strict=True):
                scores[row] = value
        return {
            "score": pa.array(scores, pa.float64()), "how": pa.array(hows, pa.string()),
            "error": pa.array(errors, pa.string()),
        }  # fmt: skip


def _remembered(likelihood: Callable[[Any], float]) -> Callable[[Any], float]:
    """`likelihood`, computed once for each sequence: several alleles have one REF."""
    known: dict[bytes, float] = {}

    def of(symbols: Any) -> float:
        key = symbols.tobytes()
        if key not in known:
            known[key] = likelihood(symbols)
        return known[key]

    return of


def _filled(
    found: Sequence[Windows | None], values: Mapping[str, NDArray[np.float64]], errors: Sequence[str]
) -> dict[str, pa.Array]:
    """Columns of numbers, null in the rows without windows, and the errors."""
    there = np.array([pair is not None for pair in found])
    columns: dict[str, pa.Array] = {}
    for name, some in values.items():
        whole = np.zeros(len(found))
        whole[there] = some
        columns[name] = pa.array(whole, mask=~there)
    return {**columns, "error": pa.array(errors, pa.string())}
