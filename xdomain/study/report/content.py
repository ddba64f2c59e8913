"""The content of a report: turns findings into blocks, in their order and with their texts."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping

from xdomain.metrics.bootstrap import Interval
from xdomain.study.report.blocks import (
    Block,
    Box,
    Bullets,
    Heading,
    Inline,
    Kind,
    Link,
    Listing,
    Mono,
    Paragraph,
    Picture,
    Strong,
    Table,
    Text,
    Verdict,
    Verdicts,
    table,
)
from xdomain.study.report.conclusions import (
    WORDS,
    alarms,
    kind_of,
    several_shares,
    tasks_of,
    unmeasured,
    verdict,
    warnings,
    word_of,
)
from xdomain.study.report.formats import DASH, chance, clean, count, equals, interval, number, percent, rate, share
from xdomain.study.report.not_learned import not_learned
from xdomain.study.report.sentences import answers
from xdomain.study.report.terms import terms
from xdomain.study.results import Difference, Findings, Group, Missing, Variance

MAX_ABOVE = 10  # missing cells listed above the results; with more, all are listed near the end
MAX_ERROR_LENGTH = 400


def compose(findings: Findings, pictures: Mapping[str, Picture]) -> tuple[Block, ...]:
    """The blocks of the report on `findings`, from top to bottom; `pictures` has the figures by name."""
    return (
        *_opening(findings),
        *_unlearned(findings),
        *_alarm(findings),
        *_answers(findings),
        *_tally(findings),
        *_missing(findings),
        *_verdicts(findings),
        *_warnings(findings),
        *_groups(findings),
        *_differences(findings, pictures),
        *_variances(findings, pictures),
        *_efficiency(findings, pictures),
        *_training(pictures),
        *_published(findings),
        *_measured(findings),
        *_all_missing(findings),
        *_made_with(findings),
    )


def _opening(findings: Findings) -> Iterator[Block]:
    yield Heading(clean(findings.name), 1)
    if findings.question:
        yield Paragraph((clean(findings.question),))


def _unlearned(findings: Findings) -> Iterator[Block]:
    summary = not_learned(findings)
    if summary is None:
        return
    says = (
        "What follows says nothing of the question: arms that have not learned may differ by chance alone."
        if summary.every
        else "A difference between two of them says nothing; a difference to one of them says that the other learned."
    )
    lines = tuple((Strong(place), f" {why}.") for place, why in summary.arms)
    yield Box(
        "alarm" if summary.every else "warning",
        summary.title,
        (Paragraph((says,)), Bullets(lines), *([Paragraph((summary.advice,))] if summary.advice else [])),
    )


def _answers(findings: Findings) -> Iterator[Block]:
    named = several_shares(findings)
    lines = tuple(
        (Strong(clean(task)), f", {share(fraction)} of the training records: " if named else ": ", clean(answer))
        for task, fraction, answer in answers(findings, number)
    )
    if lines:
        yield Bullets(lines)


def _tally(findings: Findings) -> Iterator[Block]:
    done, failed, still_open = findings.cells
    kinds = Counter[Kind](map(kind_of, findings.differences))
    counts = ", ".join(f"{WORDS[kind]}: {kinds[kind]}" for kind in WORDS if kinds[kind])
    yield Paragraph(
        (
            f"{done:,} of {count(done + failed + still_open, 'cell')} (single runs) finished. ",
            f"{count(len(findings.differences), 'difference')} to ",
            Strong(clean(findings.reference)),
            f" ({counts})." if counts else ".",
        )
    )


def _alarm(findings: Findings) -> Iterator[Block]:
    effects = alarms(findings)
    if not effects:
        return
    named = several_shares(findings)
    yield Box(
        "alarm",
        "Something is wrong with this study",
        (
            Paragraph(
                (
                    "Where the embeddings of the words are drawn at random, it cannot matter which word stands for ",
                    "which symbol. Here it does. ",
                    "Believe no difference below before this is explained: look for arms that share a seed, for ",
                    "cells that were mixed up, for data that differ between mappings.",
                )
            ),
            Bullets(
                tuple(
                    (
                        Strong(f"{clean(s.task)}, {clean(s.arm)}{f', {share(s.fraction)}' if named else ''}"),
                        f": the mapping's share of the variance is {percent(part.share)}, ",
                        f"{equals('corrected p', s.q)}",
                    )
                    for s in effects
                    if (part := s.components.of("mapping"))
                )
            ),
        ),
    )


def _missing(findings: Findings) -> Iterator[Block]:
    done, failed, still_open = findings.cells
    lost = failed + still_open
    if not lost and not findings.missing:
        return
    lost = lost or len(findings.missing)
    why = ", ".join(f"{n:,} {word}" for n, word in ((failed, "failed"), (still_open, "not run")) if n)
    title = f"{lost:,} of {count(done + lost, 'cell')} {'is' if lost == 1 else 'are'} missing" + (
        f": {why}" * bool(why)
    )
    says = "What follows is from the finished cells alone, and may change when the others are there."
    first = _failed_first(findings.missing)[:MAX_ABOVE]
    blocks: list[Paragraph | Table] = [Paragraph((says,))]
    blocks += [_cells_table("missing cells", first)] if first else []
    if len(findings.missing) > MAX_ABOVE:
        blocks.append(Paragraph((f"These are {MAX_ABOVE}; all {len(findings.missing):,} are listed near the end.",)))
    yield Box("missing", title, tuple(blocks))


def _all_missing(findings: Findings) -> Iterator[Block]:
    if len(findings.missing) > MAX_ABOVE:
        yield Heading("All missing cells")
        yield _cells_table("all missing cells", _failed_first(findings.missing))


def _failed_first(missing: tuple[Missing, ...]) -> tuple[Missing, ...]:
    return tuple(sorted(missing, key=lambda cell: not cell.error))


def _cells_table(name: str, cells: tuple[Missing, ...]) -> Table:
    rows: list[tuple[Inline, ...]] = [
        (clean(c.task), clean(c.arm), clean(c.what), clean(c.state), _shortened(c.error), Mono(clean(c.key)))
        for c in cells
    ]
    return table(name, ("task", "arm", "cell", "state", "error", "key"), rows, ())


def _shortened(error: str) -> str:
    line = clean(error)
    return (line if len(line) <= MAX_ERROR_LENGTH else f"{line[:MAX_ERROR_LENGTH]} …") or DASH


def _verdicts(findings: Findings) -> Iterator[Block]:
    skipped = unmeasured(findings)
    if not findings.differences and not skipped:
        return
    yield Heading("What was found")
    named = several_shares(findings)
    for task in list(dict.fromkeys([g.task for g in findings.groups] + tasks_of(findings.differences))):
        lines = [
            verdict(difference, of=len(findings.differences), name_share=named)
            for difference in findings.differences
            if difference.task == task
        ]
        for group in (g for g in skipped if g.task == task):
            where = f" with {share(group.fraction)} of the training records" if named else ""
            says = f" against {clean(findings.reference)}{where}: no finished cells that pair with one another."
            lines.append(Verdict(WORDS["unknown"], "unknown", (Strong(clean(group.arm)), says)))
        if lines:
            yield Verdicts(clean(task), tuple(lines))


def _warnings(findings: Findings) -> Iterator[Block]:
    lines = warnings(findings)
    if lines:
        yield Box("warning", "To keep in mind", (Bullets(lines),))


def _groups(findings: Findings) -> Iterator[Block]:
    if not findings.groups:
        return
    yield Heading("Test results")
    named = several_shares(findings)
    known = any(math.isfinite(group.constant) for group in findings.groups)
    constant = ("constant answer",) if known else ()
    columns = ("task", "arm", *_shares_column(named), "metric", "test [95 %]", *constant, "cells", "learning rate")
    rows: list[tuple[Inline, ...]] = []
    for g in findings.groups:
        tried = ", ".join(map(rate, g.rates))
        chosen = DASH if g.rate is None else f"{rate(g.rate)} of {tried}" if len(g.rates) > 1 else rate(g.rate)
        measured = interval(g.test.interval) if g.test else DASH
        lead = (clean(g.task), clean(g.arm), *((share(g.fraction),) if named else ()))
        name = g.metric if g.higher_is_better else f"{g.metric}, lower is better"
        beside = (number(g.constant),) if known else ()
        cells = f"{g.done}/{g.wanted}"
        rows.append((*lead, name, measured, *beside, cells, f"{chosen}{' (edge)' if g.at_edge else ''}"))
    yield table("test results", columns, rows, ("training data", "test [95 %]", "constant answer", "cells"))
    sizes = dict.fromkeys((clean(g.task), _records(g)) for g in findings.groups if g.records)
    if sizes:
        yield Paragraph(("Test records: " + "; ".join(f"{task}, {records}" for task, records in sizes) + ".",))


def _records(group: Group) -> str:
    """The number of test records, and of the groups that they come in."""
    groups = group.record_groups
    splits = f" in each of {group.splits} splits" if group.splits > 1 else ""
    return count(group.records, "record") + ("" if groups is None else f" in {count(groups, 'group')}") + splits


def _shares_column(named: bool) -> tuple[str, ...]:
    return ("training data",) if named else ()


def _differences(findings: Findings, pictures: Mapping[str, Picture]) -> Iterator[Block]:
    if not findings.differences:
        return
    yield Heading(f"Differences to {clean(findings.reference)}")
    if "differences" in pictures:
        yield pictures["differences"]
    named = several_shares(findings)
    numbers = ("difference [95 %]", "corrected p", "pairs", "detectable")
    rows: list[tuple[Inline, ...]] = []
    for d in findings.differences:
        measured = (
            interval(d.estimate.interval, signed=True),
            chance(d.q),
            str(d.pairs),
            number(d.estimate.detectable),
        )
        rows.append((*_place(d, named), d.metric, word_of(d), *measured))
    columns = ("task", "arm", *_shares_column(named), "metric", "verdict", *numbers)
    yield table("differences", columns, rows, ("training data", *numbers))


def _place(one: Difference | Variance, named: bool) -> tuple[str, ...]:
    return (clean(one.task), clean(one.arm), *((share(one.fraction),) if named else ()))


def _other_tests(findings: Findings) -> Iterator[Block]:
    """Tests beside the one that verdicts rest on; nothing where none has a p."""
    tested = [d for d in findings.differences if d.sign_flip is not None or d.mcnemar is not None]
    if not tested:
        return
    named = several_shares(findings)
    numbers = ("sign-flip p", "McNemar p")
    rows: list[tuple[Inline, ...]] = []
    for d in tested:
        least = "" if d.least_sign_flip is None else f" (least {chance(d.least_sign_flip)})"
        rows.append((*_place(d, named), f"{chance(d.sign_flip)}{least}", chance(d.mcnemar)))
    yield Paragraph(("Two other tests of the same differences. No verdict rests on them.",))
    yield table("other tests", ("task", "arm", *_shares_column(named), *numbers), rows, ("training data", *numbers))


def _root(variance: Interval) -> Interval:
    """From a variance to a standard deviation."""
    value, low, high = (
        math.sqrt(max(v, 0.0)) if not math.isnan(v) else v for v in (variance.value, variance.low, variance.high)
    )
    return Interval(value, low, high)


def _variances(findings: Findings, pictures: Mapping[str, Picture]) -> Iterator[Block]:
    if not findings.variances:
        return
    factors = list(dict.fromkeys(part.factor for one in findings.variances for part in one.components.factors))
    others = [f"another {factor}" for factor in factors]
    yield Heading("Where does the variance come from?")
    yield Paragraph(
        (
            f"An arm gives another value with {', '.join(others[:-1])} or {others[-1]}. Standard deviations say how "
            "far, in units of the metric; the residual is what none of them explains alone. Then follow the share of "
            "each in the variance, and p under the hypothesis that it adds nothing.",
        )
    )
    if "variance" in pictures:
        yield pictures["variance"]
    named = several_shares(findings)
    nulls = [one for one in findings.variances if one.null]
    checks = ("null: corrected p",) if nulls else ()
    numbers = ("standard deviation [95 %]", "share of the variance [95 %]", "p", *checks)
    rows: list[tuple[Inline, ...]] = []
    for one in findings.variances:
        lead = _place(one, named)
        for part in one.components.factors:
            check = ((chance(one.q) if one.null and part.factor == "mapping" else "",) if nulls else ())  # fmt: skip
            spread = (interval(_root(part.variance)), percent(part.share), chance(part.p))
            rows.append((*lead, part.factor, *spread, *check))
        rows.append((*lead, "residual", interval(_root(one.components.residual)), *[""] * (len(numbers) - 1)))
    yield table("variance", ("task", "arm", *_shares_column(named), "due to", *numbers), rows, numbers)
    if nulls and not alarms(findings):
        yield Paragraph(
            (
                "Where the embeddings of the words are drawn at random, the mapping cannot matter. "
                f"{count(len(nulls), 'such null')} checked, no alarm (an alarm is a corrected p < .01).",
            )
        )


def _efficiency(findings: Findings, pictures: Mapping[str, Picture]) -> Iterator[Block]:
    if not findings.efficiencies and "efficiency" not in pictures:
        return
    yield Heading("Sample efficiency")
    if "efficiency" in pictures:
        yield pictures["efficiency"]
    if findings.efficiencies:
        yield Paragraph(("The mean test metric over the shares of the training records, on a log2 scale.",))
        rows = [
            (
                clean(e.task),
                clean(e.arm),
                interval(e.area.interval),
                interval(e.difference.interval, signed=True) if e.difference else DASH,
                str(e.area.cells),
            )
            for e in findings.efficiencies
        ]
        numbers = ("mean over shares [95 %]", f"difference to {clean(findings.reference)} [95 %]", "cells")
        yield table("sample efficiency", ("task", "arm", *numbers), rows, numbers)


def _training(pictures: Mapping[str, Picture]) -> Iterator[Block]:
    if "losses" in pictures:
        yield Heading("Training")
        yield pictures["losses"]


def _published(findings: Findings) -> Iterator[Block]:
    if not findings.published:
        return
    yield Heading("Published values beside these")
    rows: list[tuple[Inline | Text, ...]] = []
    for task in dict.fromkeys(task for task, _ in findings.published):
        for value in (value for name, value in findings.published if name == task):
            source: Inline = (
                Link(value.source) if value.source.startswith(("https://", "http://")) else clean(value.source)
            )
            cited: Text = (source, f". {clean(value.note)}") if value.note else (source,)
            rows.append((clean(task), clean(value.model), value.metric, number(value.value), cited))
        ours = [(group, group.test.interval) for group in findings.groups if group.task == task and group.test]
        whole = max((group.fraction for group, _ in ours), default=1.0)
        here = Strong("this study" if whole == 1 else f"this study, {share(whole)} of the training records")
        rows += [(clean(task), clean(g.arm), g.metric, interval(i), here) for g, i in ours if g.fraction == whole]
    yield table("published values", ("task", "model", "metric", "test", "source"), rows, ("test",))
    yield Paragraph(("Published values may come from other splits, backbones or budgets: see their sources.",))


def _measured(findings: Findings) -> Iterator[Block]:
    yield Heading("How it was measured")
    grids = {(group.task, group.rates) for group in findings.groups if group.rates}
    alike = ", by the same search for every arm" if grids and len(grids) == len({task for task, _ in grids}) else ""
    halving = "search:\n  rule: halving" in findings.study
    alike += ", by halving: full runs for the better third of the rates, by runs of a third of the steps" * halving
    chosen = "Learning rates and checkpoints" if any(len(rates) > 1 for _, rates in grids) else "Checkpoints"
    yield Paragraph((f"{chosen} were chosen on validation data{alike}. Test was read once a cell, at the end.",))
    if findings.negatives:
        yield Bullets(tuple((clean(line),) for line in findings.negatives))
    yield Bullets(tuple((Strong(term), f": {says}") for term, says in terms(findings).items()))
    yield from _other_tests(findings)


def _made_with(findings: Findings) -> Iterator[Block]:
    if findings.machine:
        yield Heading("Made with")
        yield Bullets(tuple((clean(line),) for line in findings.machine))
    yield Heading("Study file")
    yield Listing(findings.study, "yaml")
