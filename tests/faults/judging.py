"""One judgement for all inputs: a result, or one clear error, within bounds of time, memory and length of message."""

import logging
import resource
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field

from xdomain.core.errors import UserError

SECONDS = 10
BYTES = 500 << 20
"""Memory that an input may need beside ten times its own size."""
CHARACTERS = 2000
"""Of a message: a screen."""
SHOWN = 300


class Hang(BaseException):
    """What ends a call that takes too long; no reader may catch it."""


@dataclass
class Verdicts:
    """What became of the inputs of one target."""

    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    slowest: float = 0.0

    def row(self, target: str) -> str:
        numbers = [self.counts.total(), *(self.counts[kind] for kind in ("accepted", "refused", "crashed"))]
        return f"| {target} | {' | '.join(f'{n:,}' for n in numbers)} | {self.slowest:.1f} |"


class Longest(logging.Handler):
    """Keeps the longest message."""

    def __init__(self):
        super().__init__()
        self.message = ""

    def emit(self, record):
        self.message = max(self.message, record.getMessage(), key=len)


@contextmanager
def at_most(seconds):
    """Raise `Hang` in this thread after so many seconds."""

    def stop(*_):
        raise Hang(f"more than {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def judge(call: Callable[[bytes], object], inputs: Iterable[bytes]) -> Verdicts:
    """Call `call` with each of the `inputs`, and count what comes of it."""
    verdicts, log, longest = Verdicts(), logging.getLogger("xdomain"), Longest()
    log.addHandler(longest)
    level, before = log.level, _peak()
    log.setLevel(logging.INFO)
    try:
        for data in inputs:
            longest.message, begun = "", time.monotonic()
            kind, why = _outcome(call, data, longest)
            verdicts.slowest = max(verdicts.slowest, time.monotonic() - begun)
            after = _peak()
            if not why and after - before > BYTES + 10 * len(data):
                kind, why = "crashed", f"{(after - before) >> 20} MB of memory"
            before = max(before, after)
            verdicts.counts[kind] += 1
            if why:
                verdicts.faults.append(f"{why}\n    input ({len(data):,} bytes): {_shown(data)}")
    finally:
        log.removeHandler(longest)
        log.setLevel(level)
    return verdicts


def _outcome(call, data, longest) -> tuple[str, str]:
    message, kind = "", "accepted"
    try:
        with at_most(SECONDS):
            call(data)
    except UserError as error:
        message, kind = str(error), "refused"
    except (Exception, Hang) as error:
        return "crashed", f"{type(error).__name__}: {str(error)[:SHOWN]} at {_place(error)}"
    message = max(message, longest.message, key=len)
    if len(message) > CHARACTERS:
        return "crashed", f"a message of {len(message):,} characters: {message[:SHOWN]}"
    return kind, ""


def _place(error: BaseException) -> str:
    """The innermost lines of our own code."""
    places, trace = [], error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if "site-packages" not in file and "/faults/" not in file:
            places.append(f"{'/'.join(file.split('/')[-3:])}:{trace.tb_lineno}")
        trace = trace.tb_next
    return " < ".join(reversed(places[-4:]))


def _shown(data: bytes) -> str:
    return repr(data) if len(data) <= SHOWN * 2 else f"{data[:SHOWN]!r} … {data[-SHOWN:]!r}"


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
