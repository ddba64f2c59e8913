"""What a function tells: its messages while it runs, and its errors in the words of the form."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager

from xdomain.core.errors import UserError
from xdomain.core.import_errors import import_failure
from xdomain.core.memory import memory_failure
from xdomain.core.progress import log

ROLES = {
    "sequence": "Sequences",
    "label": "Label",
    "id": "Names",
    "sequence_b": "Second sequences",
    "split": "Split column",
    "group": "Groups",
    "fold": "Folds",
    "weight": "Weights",
    "tags": "Tags",
    "start": "Start of the answer",
    "end": "End of the answer",
    "answer": "Text of the answer",
}
"""What a column may hold, and the name of its field; the first two are always shown."""
PROBLEMS: Mapping[str, str] = {
    "classification": "a class",
    "multilabel": "any number of labels",
    "regression": "a number",
    "multioutput": "several numbers",
    "tagging": "a class for each symbol",
    "profile": "a number for each symbol",
    "pair": "a class for two sequences",
    "span": "an answer in a passage",
    "sequence": "another sequence",
}
RULES: Mapping[str, str] = {
    "random": "at random",
    "cluster": "by similarity: similar sequences stay together",
    "group": "by the column “Groups”",
    "given": "by the column “Split column”",
    "entity": "by members of pairs: those of test are new",
}
FURTHER = "Other options"
LABELS, GENOME = "Labels in a file of their own", "Genome"
INCOMPLETE = "Leave out rows without a sequence or a label"
WORDS = (
    (r" ?\(overrule with --[^()]*\)", ""),
    (r"--column (\w+)=(?=$|[ ;,.)])", lambda found: f"“none” in the field “{_field(found[1])}”"),
    (r"--column (\w+)='([^']*)'", lambda found: f"“{found[2]}” in the field “{_field(found[1])}”"),
    (r"--column (\w+)=([A-Z]+)\b", lambda found: f"the field “{_field(found[1])}”"),
    (r"--column (\w+)=(\S+?)(?=[;,.)]?(\s|$))", lambda found: f"“{found[2]}” in the field “{_field(found[1])}”"),
    (r"--problem (\w+)", r"“\1” in the field “Problem”"),
    (r"--set (\S+?=(\{[^}]*\}|([^\s;,).]|[,.](?=\S))+))", rf"“\1” in the field “{FURTHER}”"),
    (r"--baseline (\w+)", r"“\1” under “Compare”"),
    (r"--negatives shuffled", "the field for records that are all of one class"),
    (r"--drop-incomplete", f"the field “{INCOMPLETE}”"),
    (r"--domain \w+", "the field “Domain”"),
    (r"--labels \w+", f"the field “{LABELS}”"),
    (r"--genome \S+", f"the field “{GENOME}”"),
    (r"--seeds (\d+)", r"\1 in the field “Seeds”"),
    (r"--minutes (\d+)", r"\1 in the field “Minutes”"),
)
"""Options of the command line, and what they are in the form."""


def _field(role: str) -> str:
    return ROLES.get(role, role)


def in_form(text: str) -> str:
    """The `text` of a message with the names of fields in place of options."""
    for option, field in WORDS:
        text = re.sub(option, field, text)
    return text


@contextmanager
def told() -> Generator[list[logging.LogRecord]]:
    """Within this context, the messages of this thread are collected in the list."""
    records: list[logging.LogRecord] = []
    here = threading.get_ident()

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.thread == here:
                records.append(record)

    collector = Collector()
    log.addHandler(collector)
    try:
        yield records
    finally:
        log.removeHandler(collector)


def for_user(error: Exception) -> UserError:
    """The message for the user about `error`; where it is a fault of xdomain, its traceback is logged."""
    if isinstance(error, UserError):
        return error
    if isinstance(error, MemoryError):
        return UserError("memory ran out", fix="a smaller file, or a machine with more memory")
    known = memory_failure(error) or import_failure(error)
    if known is None:
        log.error("a fault of xdomain", exc_info=error)
        known = UserError(f"a fault of xdomain ({type(error).__name__})", fix="please report what the terminal says")
    return known
