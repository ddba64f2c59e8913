"""Messages name options as the command line has them; here they become the keywords that Python has for them."""

from __future__ import annotations

import re

FLAGS = ("drop-incomplete", "overwrite", "resume", "retry-failed", "reverse-complement", "unlike")
WORDED = ("baseline", "domain", "init", "mapping", "negatives", "objective", "pooling", "positions", "problem",
          "transfer", "tune")  # fmt: skip
"""Options whose values are words in lower case; behind another option such a word is not its value."""
APOSTROPHE = "'"
RENAMED = {"set": "overrides", "column": "columns"}
VALUE = r"(?:\{[^}]*\}|'[^']*'|[^\s;,.()]|[.,](?=\S))+"
CHANGE = rf"[\w.]+={VALUE}"
OPTION = re.compile(
    r"(?P<code>`[^`]*`)"
    rf"|(?P<set>--set {CHANGE}(?: --set {CHANGE})*)"
    rf"|(?P<column>--column {CHANGE}(?: --column {CHANGE})*)"
    rf"|(?<![\w-])--(?P<name>[a-z][a-z-]*)(?:[ =](?P<value>[A-Z]{{2,}}\b|\d{VALUE}|\d|{VALUE}))?"
)


def in_python(text: str) -> str:
    """The `text` of a message with keywords in place of options; commands, in backticks, stay as they are."""
    return OPTION.sub(_keyword, text) if "--" in text else text


def _keyword(found: re.Match[str]) -> str:
    if found["code"]:
        return found["code"]
    if found["set"]:
        changes = found["set"].removeprefix("--set ").split(" --set ")
        return f"overrides=[{', '.join(map(_quoted, changes))}]"
    if found["column"]:
        roles = [change.partition("=") for change in found["column"].removeprefix("--column ").split(" --column ")]
        return f"columns={{{', '.join(f'{_quoted(role)}: {_quoted(name)}' for role, _, name in roles)}}}"
    name, value = found["name"], found["value"]
    keyword = RENAMED.get(name, name).replace("-", "_")
    if name in FLAGS:
        return f"{keyword}=True" + (f" {value}" if value else "")
    if value is None:
        return keyword
    if re.fullmatch(r"[\d.]+(e-?\d+)?", value):
        return f"{keyword}={value}"
    if value.isupper() or name in WORDED:
        return f"{keyword}={_quoted(value)}"
    return f"{keyword} {value}"


def _quoted(text: str) -> str:
    return f'"{text.strip(APOSTROPHE)}"'
