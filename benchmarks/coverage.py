"""Whether the study engine's intervals and tests hold what they promise, by simulation.

python benchmarks/coverage.py [REPEATS]   (4,000 take about three minutes of one core)

Cells are normal: a mapping's part, a training seed's, a residual, and a part of the test examples that all cells share.
An interval should cover the truth in 95 % of the studies, and is the better the narrower; its width is told as a
multiple of that of an oracle who knows all variances, 1.96 standard errors to each side (with n seeds that dominate
nobody can do better than Student's t, 1.9 times as wide at 3 seeds). Tests should find an effect where there is none
in at most 5 % of the studies, and one of the size called detectable in 80 %. With the 4,000 repeats that are the
default, a rate of 95 % is known to ± 0.7; components and sign flips have half of them, families of tests a tenth.
"""

from __future__ import annotations

import math
import sys
import time
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, stdtrit

from xdomain.metrics.bootstrap import Interval, Rows, resample
from xdomain.study.arm_results import standard_error_of
from xdomain.study.stats.components import components
from xdomain.study.stats.estimate import mean_with_interval
from xdomain.study.stats.significance import benjamini_hochberg, mcnemar, sign_flip

Values = NDArray[np.float64]
RNG = np.random.Generator(np.random.PCG64(2026))
RESAMPLES = 400
SIZES = (3, 5, 10)
NONE = f"{'–':>6}"


@dataclass(frozen=True)
class Regime:
    """Standard deviations of what moves a value, for n x n cells or n paired ones (`mapping` is then in `residual`)."""

    name: str
    mapping: float
    seed: float
    residual: float
    examples: float

    def variance(self, mappings: int, seeds: int) -> float:
        """Of the mean over crossed cells."""
        return (
            self.mapping**2 / mappings + self.seed**2 / seeds + self.residual**2 / (mappings * seeds) + self.examples**2
        )


PAIRED = (
    Regime("seeds dominate", 0, 0, 1, 0.03),
    Regime("examples dominate", 0, 0, 0.1, 1),
    Regime("equal", 0, 0, 1, 0.4),
)
CROSSED = (
    Regime("mapping dominates", 1, 0.1, 0.1, 0.03),
    Regime("seed dominates", 0.1, 1, 0.1, 0.03),
    Regime("residual dominates", 0, 0, 1, 0.01),
    Regime("examples dominate", 0.1, 0.1, 0.1, 1),
    Regime("mapping = seed", 1, 1, 0, 0.03),
    Regime("all equal", 1, 1, 1, 0.5),
)


def crossed(regime: Regime, mappings: int, seeds: int) -> Values:
    """A study without effect, shape (M, S)."""
    shared = regime.examples * RNG.standard_normal()
    rows, columns = RNG.standard_normal((mappings, 1)), RNG.standard_normal((1, seeds))
    rest = RNG.standard_normal((mappings, seeds))
    return shared + regime.mapping * rows + regime.seed * columns + regime.residual * rest


def paired(regime: Regime, n: int) -> Values:
    """A study without effect with one seed a mapping, shape (n, n)."""
    values = np.full((n, n), np.nan)
    np.fill_diagonal(values, regime.examples * RNG.standard_normal() + regime.residual * RNG.standard_normal(n))
    return values


def with_holes(values: Values) -> Values:
    """A fifth of the cells gone."""
    holes = RNG.permutation(values.size)[: round(values.size / 5)]
    found = values.copy()
    found.flat[holes] = np.nan
    return found


def draw(design: str, regime: Regime, mappings: int, seeds: int) -> Values:
    """A study without effect."""
    if "paired" in design:
        return paired(regime, mappings)
    values = crossed(regime, mappings, seeds)
    return with_holes(values) if "-20 %" in design else values


def bootstrapped(values: Values, examples: float) -> Interval:
    """The percentile interval where rows, columns (or paired cells) and examples are resampled."""
    noise = examples * RNG.standard_normal(RESAMPLES)
    if np.isnan(values).any():
        cells = np.diag(values)
        means = cells[RNG.integers(len(cells), size=(RESAMPLES, len(cells)))].mean(axis=1) + noise
    else:
        rows, columns = (RNG.multinomial(n, np.full(n, 1 / n), RESAMPLES) / n for n in values.shape)
        means = ((rows @ values) * columns).sum(axis=1) + noise
    low, high = np.quantile(means, (0.025, 0.975))
    return Interval(float(values[np.isfinite(values)].mean()), float(low), float(high))


def t_alone(values: Values) -> Interval:
    """Student's t over the cells as if they were independent, examples left out."""
    cells = values[np.isfinite(values)]
    mean, half = cells.mean(), -stdtrit(len(cells) - 1, 0.025) * cells.std(ddof=1) / math.sqrt(len(cells))
    return Interval(float(mean), float(mean - half), float(mean + half))


def covers(found: Interval, truth: float = 0.0) -> bool:
    """Whether the truth is in it."""
    return found.low <= truth <= found.high


def percent(hits: list[bool]) -> str:
    """A rate, for a table."""
    return f"{100 * float(np.mean(hits)):6.1f}"


def show_estimates(repeats: int) -> None:
    """Coverage, width, errors, power of `mean_with_interval`; its rivals' coverage; errors of `sign_flip`."""
    print(
        "\nestimate: coverage (%) of it, the percentile bootstrap and t alone; width / oracle's; rates (%) of p < .05"
    )
    print(f"{'design':15}{'regime':20}{'estim':>7}{'boots':>7}{'t':>7}{'width':>7}{'null':>7}{'power':>7}{'flip':>7}")
    designs = [(f"paired {n}", regime, n, n) for n in SIZES for regime in PAIRED]
    designs += [(f"{n} x {n}", regime, n, n) for n in SIZES for regime in CROSSED]
    designs += [(f"{m} x {s}", regime, m, s) for m, s in ((3, 10), (5, 3)) for regime in (*CROSSED[:3], *CROSSED[4:])]
    designs += [(f"{n} x {n} -20 %", regime, n, n) for n in SIZES for regime in (*CROSSED[:3], *CROSSED[4:])]
    for design, regime, m, s in designs:
        studies = [draw(design, regime, m, s) for _ in range(repeats)]
        truth = math.sqrt(regime.variance(m, 1 if "paired" in design else s))
        found = [mean_with_interval(values, regime.examples) for values in studies]
        effect = math.sqrt(np.mean([one.detectable**2 for one in found]))
        width = np.mean([one.interval.high - one.interval.low for one in found]) / (2 * 1.96 * truth)
        rival = NONE
        if "-20 %" not in design:
            rival = percent([covers(bootstrapped(values, regime.examples)) for values in studies])
        without = replace(regime, examples=0.0)  # sign_flip is a test over seeds and mappings alone
        flips = [sign_flip(draw(design, without, m, s))[0] < 0.05 for _ in range(repeats // 2)]
        print(
            f"{design:15}{regime.name:20}",
            percent([covers(one.interval) for one in found]),
            rival,
            percent([covers(t_alone(values)) for values in studies]),
            f"{width:6.2f}",
            percent([one.p < 0.05 for one in found]),
            percent([not covers(one.interval, -effect) for one in found]),  # the same as shifting all values
            percent(flips) if min(m, s) > 5 else NONE,  # with 5 it cannot reach .05
        )


def rights(cells: int, n: int, of_seed: float) -> NDArray[np.int64]:
    """Right answers of an arm less those of another as good, shape (cells, n), on examples of unlike difficulty.

    `of_seed` is by how much runs differ, in logits; runs of both arms find the same examples hard.
    """
    difficulty = RNG.normal(1.0, 1.5, n)
    chances = 1 / (1 + np.exp(-difficulty - of_seed * RNG.standard_normal((2, cells, 1))))
    answers = RNG.random((2, cells, n)) < chances
    return answers[0].astype(np.int64) - answers[1]


def show_rights(repeats: int) -> None:
    """False positives on right and wrong answers of two arms that are equally good."""
    print(
        "\naccuracies of two equal arms: rate (%) of p < .05; examples' standard error from the predictions themselves"
    )
    print(f"{'cells':>5}{'records':>9}  {'runs':20}{'estimate':>9}{'mcnemar':>9}")
    for cells, n, of_seed in (
        (1, 30, 0),
        (1, 100, 0),
        (1, 500, 0),
        (3, 30, 0),
        (3, 500, 0),
        (10, 500, 0),
        (3, 500, 0.3),
        (10, 500, 0.3),
    ):
        p: list[tuple[float, float]] = []
        for _ in range(repeats):
            found = rights(cells, n, of_seed)
            examples = float(found.mean(axis=0).std() / math.sqrt(n))
            known = mean_with_interval(
                found.mean(axis=1, keepdims=True), examples, units=n, fixed=True
            )  # a run is all there is
            p.append((known.p, mcnemar(found)))
        rates = [percent([row[i] < 0.05 for row in p]) for i in (0, 1)]
        runs = "differ (see mcnemar)" if of_seed else "are all as good"
        print(f"{cells:5}{n:9}  {runs:20}", *(f"{rate:>8}" for rate in rates))


def show_families(repeats: int) -> None:
    """False discoveries among 12 differences from one reference, all without effect or half of them with one."""
    print(
        "\n12 differences from one reference, paired seeds: rate (%) of p < .05, and of q < .05 where there is nothing"
    )
    print(f"{'seeds':>5}  {'regime':20}{'p':>7}{'any q':>7}{'false share of q < .05, 6 true effects':>42}")
    for n in SIZES:
        for regime in PAIRED:
            single, some, share = [], [], []
            for _ in range(repeats // 10):
                arms = np.hstack(
                    [RNG.standard_normal((13, 1)) * regime.examples, RNG.standard_normal((13, n)) * regime.residual]
                )
                values = arms[:, 1:] + arms[:, :1]
                less = (values[1:] - values[0])[:, None, :]
                examples = regime.examples * math.sqrt(2)
                found = [mean_with_interval(one, examples) for one in less]
                single += [one.p < 0.05 for one in found]
                some.append(min(benjamini_hochberg([one.p for one in found])) < 0.05)
                p = [mean_with_interval(v + d.detectable, examples).p for v, d in zip(less[:6], found, strict=False)]
                called = np.array(benjamini_hochberg([*p, *(one.p for one in found[6:])])) < 0.05
                share.append(called[6:].sum() / max(1, called.sum()))
            print(f"{n:5}  {regime.name:20}", percent(single), percent(some), f"{percent(share):>42}")


def show_components(repeats: int) -> None:
    """Coverage of the variance components, and false positives of the mapping's F test."""
    print("\ncomponents: coverage (%) of the 95 % intervals; rate (%) of mapping_p < .05; median width of the share's")
    print(f"{'design':15}{'variances m, s, r':20}{'map':>7}{'seed':>7}{'resid':>7}{'share':>7}{'p':>7}{'width':>7}")
    parts = ((1, 0.01, 0.01), (0.01, 1, 0.01), (0, 0, 1), (0, 1, 1), (1, 0, 1), (1, 1, 1), (0.1, 0.1, 1), (0.1, 1, 0.1))
    for m, s in ((3, 3), (5, 5), (10, 10), (10, 3), (3, 10)):
        for variances in parts:
            regime = Regime("", *(math.sqrt(one) for one in variances), 0.0)
            found = [components(crossed(regime, m, s)) for _ in range(repeats // 2)]
            share = variances[0] / sum(variances)
            mapping, seed = ([one.factors[axis] for one in found] for axis in (0, 1))
            widths = [one.share.high - one.share.low for one in mapping]
            print(
                f"{f'{m} x {s}':15}{', '.join(map(str, variances)):20}",
                percent([covers(one.variance, variances[0]) for one in mapping]),
                percent([covers(one.variance, variances[1]) for one in seed]),
                percent([covers(one.residual, variances[2]) for one in found]),
                percent([covers(one.share, share) for one in mapping]),
                percent([one.p < 0.05 for one in mapping]),
                f"{np.median(widths):6.2f}",
            )


def show_groups(repeats: int) -> None:
    """Coverage of the interval of an accuracy whose records come in groups, by record and by group."""
    print("\nrecords in groups (one run): coverage (%) of the 95 % interval where records or groups are resampled")
    print(f"{'groups':>6}{'records each':>14}{'correlation':>13}{'by record':>11}{'by group':>10}")
    cases = ((5, 10, 2.0), (10, 10, 2.0), (20, 10, 2.0), (50, 10, 2.0), (50, 10, 0.0), (20, 40, 1.0))
    for groups, size, alike in cases:
        many = 1 / (1 + np.exp(-alike * RNG.standard_normal(100_000)))
        truth, correlation = float(many.mean()), float(many.var() / (many.mean() * (1 - many.mean())))
        by_record, by_group = [], []
        for _ in range(repeats // 10):
            chances = 1 / (1 + np.exp(-alike * RNG.standard_normal(groups)))
            unit = np.repeat(np.arange(groups), size)
            right = (RNG.random(groups * size) < chances[unit]).astype(np.int64)
            labels, scores = np.ones(len(right), np.int64), np.eye(2)[right]
            for found, units, own in ((by_record, len(unit), np.arange(len(unit))), (by_group, groups, unit)):
                drawn = resample("accuracy", Rows("classification", labels, scores, own, units), draws=RESAMPLES)
                values = np.array([[drawn.value]])
                found.append(
                    covers(
                        mean_with_interval(values, standard_error_of(drawn.draws, units), units=units).interval, truth
                    )
                )
        print(f"{groups:6}{size:14}{correlation:13.2f}{percent(by_record):>11}{percent(by_group):>10}")


def centroids(x: Values, y: NDArray[np.int64]) -> tuple[Values, float]:
    """Weights and bias of a nearest-centroid classifier."""
    one, other = x[y == 1].mean(axis=0), x[y == 0].mean(axis=0)
    return one - other, float((other @ other - one @ one) / 2)


def show_splits(repeats: int) -> None:
    """Coverage of the interval of an accuracy over several splits of one data set, by what is taken as its error."""
    print("\nsplits drawn anew: coverage (%) of the 95 % interval for models of as many records, median width")
    print(f"{'records':>7}{'test':>6}{'splits':>8}{'as independent':>16}{'width':>7}{'as overlapping':>16}{'width':>7}")
    width, signal = 20, 0.25
    for n, share, splits in (
        (200, 0.1, 3),
        (200, 0.1, 5),
        (200, 0.1, 10),
        (200, 0.2, 5),
        (1000, 0.1, 3),
        (1000, 0.1, 10),
    ):
        tested = round(share * n)
        trained, found = n - tested, {0.0: list[Interval](), tested / (n - tested): list[Interval]()}
        truths: list[float] = []
        for study in range(repeats // 4):
            y = RNG.integers(2, size=n)
            x = RNG.normal(size=(n, width)) + signal * (2 * y[:, None] - 1)
            if study < 200:  # what models of `trained` other records are right in, of all there could be
                w, b = centroids(x[:trained], y[:trained])
                sides = ((signal * w.sum() + b), (signal * w.sum() - b))
                truths.append(float(np.mean([ndtr(side / np.sqrt(w @ w)) for side in sides])))
            values: list[float] = []
            for _ in range(splits):
                order = RNG.permutation(n)
                test, train = order[:tested], order[tested:]
                w, b = centroids(x[train], y[train])
                values.append(float(np.mean((x[test] @ w + b > 0) == (y[test] == 1))))
            for overlap, intervals in found.items():
                intervals.append(mean_with_interval(np.array([[values]]), overlap=overlap).interval)
        truth, parts = float(np.mean(truths)), []
        for intervals in found.values():
            widths = [one.high - one.low for one in intervals if math.isfinite(one.low)]
            parts.append(f"{percent([covers(one, truth) for one in intervals]):>16}{np.median(widths):7.3f}")
        print(f"{n:7}{share:6.1f}{splits:8}{''.join(parts)}")


if __name__ == "__main__":
    started = time.perf_counter()
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 4000
    for show in (show_estimates, show_rights, show_families, show_components, show_groups, show_splits):
        show(wanted)
    print(f"\n{wanted} repeats, {time.perf_counter() - started:.0f} s")
