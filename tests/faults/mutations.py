"""Damage to inputs, the same for the same seed: what editors, transfers, spreadsheets and ill will do to files."""

import random
from collections.abc import Callable, Iterator, Sequence

ODD_BYTES = (b"\0", b"\xff", b"\xf6", b"\x80", b"\x1a", b"\r", b"\t", b'"', b"'", b"\\", b"\xef\xbb\xbf", b"\xff\xfe")
ODD_TEXTS = (
    "", " ", "nan", "-inf", "inf", "1e999", "-1", "0", "1e308", "9" * 25, "9" * 5000, "0x1F", "1_000", "1,5", "1.2.3",
    "true", "None", "null", "NA", "?", "=1+1", "@x", "-", ".", "..", "/", "~", "~nobody/x", "../../x", "[]", "[[]]",
    "{}",
    "[1, 2", "{'a': 1}", '{"start": [1e400]}', "'", '"', '""', "<b>", "%s", "{0}", "\N{SNOWMAN}",
    "\N{ZERO WIDTH SPACE}",
    "\N{RIGHT-TO-LEFT OVERRIDE}", "\N{DNA DOUBLE HELIX}", "e\N{COMBINING ACUTE ACCENT}", "A" * 3000, "a" * 300,
    "ACGT;ACGT",
    "1;2", "a|b", "[" * 60, "(" * 1200, "!!timestamp x", "&a [*a]", "*a", "2020-13-45", "a.wav", "b.mid", "#",
    "# x", ">",
    "a: b", "- a", "|", ">-", "test", "train", "\u2028", "\x0c",
)  # fmt: skip
SEPARATORS = (b",", b"\t", b";", b"|", b" ", b":", b"=")

Mutation = Callable[[bytes, random.Random, Sequence[bytes]], bytes]


def place_in(data: bytes, rng: random.Random) -> int:
    return rng.randrange(len(data) + 1)


def flip(data, rng, others):
    place = rng.randrange(max(1, len(data)))
    return data[:place] + bytes([data[place] ^ (1 << rng.randrange(8))]) + data[place + 1 :] if data else data


def insert(data, rng, others):
    place = place_in(data, rng)
    return data[:place] + rng.choice(ODD_BYTES) * rng.choice((1, 1, 2, 50)) + data[place:]


def delete(data, rng, others):
    place = place_in(data, rng)
    return data[:place] + data[place + rng.choice((1, 2, 10, 100)) :]


def duplicate(data, rng, others):
    first, last = sorted((place_in(data, rng), place_in(data, rng)))
    return data[:last] + data[first:last] * rng.choice((1, 1, 3)) + data[last:]


def truncate(data, rng, others):
    return data[: place_in(data, rng)]


def behead(data, rng, others):
    return data[place_in(data, rng) :]


def splice(data, rng, others):
    other = rng.choice(others)
    return data[: place_in(data, rng)] + other[place_in(other, rng) :]


def odd_bytes(data, rng, others):
    place = place_in(data, rng)
    return data[:place] + rng.randbytes(rng.choice((1, 4, 40))) + data[place + rng.choice((0, 4)) :]


def huge_integer(data, rng, others):
    """Four or two bytes, as of a length in a binary header, at an extreme."""
    place = place_in(data, rng)
    extreme = rng.choice((b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\0", b"\xff\xff\xff\x7f", b"\xff\xff"))
    return data[:place] + extreme + data[place + len(extreme) :]


def bom(data, rng, others):
    mark = rng.choice((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"))
    text = data.decode("utf-8", "replace")
    return rng.choice((mark + data, text.encode("utf-16"), text.encode("latin-1", "replace")))


def line_ends(data, rng, others):
    return data.replace(b"\n", rng.choice((b"\r\n", b"\r", b"\n\n", b"\n\r", b" \n", b"")))


def lines(data, rng, others):
    """Lines left out, repeated, swapped, blank or cut."""
    parts = data.split(b"\n")
    place = rng.randrange(len(parts))
    match rng.randrange(6):
        case 0:
            del parts[place]
        case 1:
            parts.insert(place, parts[place])
        case 2:
            rng.shuffle(parts)
        case 3:
            parts.insert(place, b"")
        case 4:
            parts[place] = parts[place][: place_in(parts[place], rng)]
        case _:
            del parts[1:]
    return b"\n".join(parts)


def separators(data, rng, others):
    """Another mark between cells, everywhere or in one place."""
    old, new = rng.choice(SEPARATORS), rng.choice((*SEPARATORS, b"", b",,"))
    return data.replace(old, new) if rng.random() < 0.5 else data.replace(old, new, rng.randrange(1, 4))


def cells(data, rng, others):
    """A cell, value or word replaced by something odd."""
    text = data.decode("utf-8", "surrogateescape")
    marks = [i for i, letter in enumerate(text) if letter in ",\t;|\n :=[]{}"]
    if not marks:
        return rng.choice(ODD_TEXTS).encode()
    at = rng.randrange(len(marks))
    first, last = marks[at] + 1, marks[at + 1] if at + 1 < len(marks) else len(text)
    return (text[:first] + rng.choice(ODD_TEXTS) + text[max(first, last) :]).encode("utf-8", "surrogateescape")


def columns(data, rng, others):
    """A column left out or emptied: all cells between two separators."""
    mark = max(SEPARATORS[:4], key=data.count)
    rows = [line.split(mark) for line in data.split(b"\n")]
    place, value = rng.randrange(max(map(len, rows))), rng.choice((None, b"", b"1", b"x", b"nan"))
    start = rng.randrange(2)  # the header stays, or goes too
    for row in rows[start:]:
        if place < len(row):
            row[place : place + 1] = [] if value is None else [value]
    return b"\n".join(mark.join(row) for row in rows)


def nested(data, rng, others):
    place = place_in(data, rng)
    return data[:place] + rng.choice((b"[", b"{", b"(", b'{"a":', b"- ")) * rng.choice((60, 900, 3000)) + data[place:]


MUTATIONS: tuple[Mutation, ...] = (
    flip, insert, delete, duplicate, truncate, behead, splice, odd_bytes, huge_integer, bom, line_ends, lines,
    separators, cells, cells, cells, columns, nested,
)  # fmt: skip
BINARY: tuple[Mutation, ...] = (
    flip, flip, insert, delete, duplicate, truncate, behead, splice, odd_bytes, odd_bytes, huge_integer, huge_integer,
)  # fmt: skip
SMALL = (
    b"",
    b"\n",
    b" ",
    b"\0",
    b">",
    b"{}",
    b"[]",
    b"x",
    b"\xff",
    b"a,b\n",
    b"null",
    b"- ",
    b"PK\x03\x04",
    b"\x1f\x8b",
)


def mutants(seeds: Sequence[bytes], count: int, *, seed: str, binary: bool = False) -> Iterator[bytes]:
    """Yield `count` inputs: first the seeds and the very small ones, then seeds with one to four faults each."""
    rng = random.Random(seed)
    given = [*seeds, *SMALL][: max(1, count // 3)]
    yield from given
    for _ in range(count - len(given)):
        data = rng.choice(seeds)
        for _ in range(rng.choice((1, 1, 1, 2, 4))):
            data = rng.choice(BINARY if binary else MUTATIONS)(data, rng, seeds)
        yield data[:200_000]
