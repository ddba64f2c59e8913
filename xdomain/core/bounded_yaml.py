"""Read YAML of which nobody knows who wrote it: bounded in size and nesting, each key once, and no tags but ``!!str``.

PyYAML's safe loader runs no code, but a few lines can still stop a program: aliases that stand for millions of values,
brackets a thousand deep, numbers of a million digits.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from yaml.composer import Composer, ComposerError
from yaml.constructor import ConstructorError

MAX_CHARACTERS = 2_000_000
MAX_NODES = 80_000
"""Keys and values, each alias counted as all that it stands for."""
MAX_DEEP = 50
MAX_DIGITS = 400
"""Characters of a number: Python does not print those of more than 4,300."""
STR = "tag:yaml.org,2002:str"


class _Bounded(Composer):
    """Counts what it composes; to be mixed into a loader, before it."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)  # pyright: ignore[reportCallIssue]
        self._nodes = self._depth = 0
        self._measured: dict[int, tuple[int, int]] = {}  # by the id of a node: all nodes in it, and its depth

    def compose_node(self, parent: Any, index: Any) -> Any:
        """See `yaml.composer.Composer`."""
        event: Any = self.peek_event()  # pyright: ignore
        before, self._depth = self._nodes, self._depth + 1
        self._check(event, self._depth)
        _refuse_tag(event)
        node = super().compose_node(parent, index)
        if isinstance(event, yaml.AliasEvent):
            if id(node) not in self._measured:
                raise _fault(f"the alias *{event.anchor} stands within what it names", event)
            size, depth = self._measured[id(node)]
        else:
            inner = node.value if isinstance(node, yaml.CollectionNode) else ()
            parts = [part for entry in inner for part in (entry if isinstance(entry, tuple) else (entry,))]
            size, depth = 1, 1 + max((self._measured[id(part)][1] for part in parts), default=0)
        self._nodes += size
        self._check(event, self._depth - 1 + depth)
        self._measured[id(node)] = self._nodes - before, depth
        self._depth -= 1
        return node

    def _check(self, event: Any, depth: int) -> None:
        if depth > MAX_DEEP:
            raise _fault(f"nested more than {MAX_DEEP} deep", event)
        if self._nodes > MAX_NODES:
            raise _fault(f"more than {MAX_NODES:,} keys and values, aliases counted as what they stand for", event)


class _Loader(_Bounded, yaml.SafeLoader):
    """Makes Python objects; refuses a mapping in which a key comes twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise ConstructorError(None, None, f"the key {key.value} comes twice",
                                                            node.start_mark)  # fmt: skip
                seen.add(key.value)
        return super().construct_mapping(node, deep)

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        """As PyYAML does, but not of any length."""
        if len(node.value) > MAX_DIGITS:
            raise ConstructorError(None, None, f"a number of {len(node.value):,} characters",
                                                    node.start_mark)  # fmt: skip
        return super().construct_yaml_int(node)


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)


class _TextLoader(_Bounded, yaml.BaseLoader):
    """Composes nodes whose scalars are all text."""


def load_yaml(text: str) -> Any:
    """The Python object that `text` describes.

    Raises
    ------
    yaml.YAMLError
        It is not YAML, is larger or deeper than `MAX_CHARACTERS`, `MAX_NODES` and `MAX_DEEP`, has a key twice or a
        tag.
    ValueError
        It has a date such as 2020-13-45.
    """
    return yaml.load(_short(text), Loader=_Loader)


def compose_texts(text: str) -> yaml.Node | None:
    """The nodes of `text`, with every scalar as text; None if it is empty.

    Raises
    ------
    yaml.YAMLError
        It is not YAML, or is larger or deeper than `MAX_CHARACTERS`, `MAX_NODES` and `MAX_DEEP`.
    """
    node: yaml.Node | None = yaml.compose(_short(text), Loader=_TextLoader)  # pyright: ignore
    return node


def read_bounded(path: Path) -> str:
    """The text of the file `path` if that is not too long for YAML.

    Raises
    ------
    OSError, UnicodeDecodeError
        It cannot be read.
    yaml.YAMLError
        It has more than `MAX_CHARACTERS`.
    """
    with path.open(encoding="utf-8") as file:
        return _short(file.read(MAX_CHARACTERS + 1))


def _short(text: str) -> str:
    if len(text) > MAX_CHARACTERS:
        raise yaml.YAMLError(f"more than {MAX_CHARACTERS:,} characters")
    return text


def _refuse_tag(event: Any) -> None:
    tag = getattr(event, "tag", None)
    if tag not in (None, "!", STR):
        raise _fault(f"the tag {tag[:60]}: plain values have none", event)


def _fault(what: str, event: Any) -> yaml.YAMLError:
    return ComposerError(None, None, what, event.start_mark)
