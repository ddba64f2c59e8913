"""How fast raw sequences become symbols: the adapters' bulk path beside the plain tokenizer, one thread each.

python benchmarks/adapters.py [--megabytes 8]

Both are first shown to give the same symbols. The plain tokenizer gets the 64th part of the sequences, and of
k-mers the text with spaces, whose making is not timed.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from typing import Any

os.environ["TOKENIZERS_PARALLELISM"] = "false"  # read when the library is first used

import numpy as np
import pyarrow as pa

from xdomain.core.plugins import make_adapter

LENGTH = 500
PART = 64
CASES: list[tuple[str, str, dict[str, Any], str]] = [
    ("nucleotides", "dna", {}, "ACGT"),
    ("nucleotides, half of them lower case, N, gaps", "dna", {}, "ACGTacgtACGTacgtN-"),
    ("6-mers", "dna", {"tokens": "kmer", "k": 6}, "ACGT"),
    ("residues", "protein", {}, "ACDEFGHIKLMNPQRSTVWY"),
]


def best(work: Callable[[], object], times: int) -> float:
    """Seconds of the fastest of several calls: others use this machine too."""
    found = float("inf")
    for _ in range(times):
        started = time.perf_counter()
        work()
        found = min(found, time.perf_counter() - started)
    return found


def measure(domain: str, options: dict[str, Any], letters: str, megabytes: float) -> tuple[float, float]:
    """MB/s of raw sequence: of the bulk path, of the plain tokenizer."""
    rng = np.random.default_rng(0)
    number = int(megabytes * 1e6 / LENGTH)
    drawn = np.frombuffer(letters.encode(), np.uint8)[rng.integers(len(letters), size=number * LENGTH)].tobytes()
    texts = [drawn[i : i + LENGTH].decode() for i in range(0, len(drawn), LENGTH)]
    few = texts[: max(1, number // PART)]
    adapter = make_adapter(domain, options)
    rows = {symbol: i for i, symbol in enumerate(adapter.alphabet.symbols)} | {"[UNK]": len(adapter.alphabet)}
    tokenizer = adapter.stock_tokenizer(rows, "[UNK]")
    to_tokenizer_text = getattr(adapter, "spaced", lambda text: text)
    readable = [to_tokenizer_text(text) for text in few]
    for ids, told in zip(adapter.encode(few), tokenizer.encode_batch_fast(readable), strict=True):
        if ids.tolist() != told.ids:
            raise SystemExit(f"{domain} {options}: the two disagree")
    column = pa.array(texts)
    bulk = len(drawn) / best(lambda: adapter.encode(column), 5) / 1e6
    plain = len(few) * LENGTH / best(lambda: tokenizer.encode_batch_fast(readable), 3) / 1e6
    return bulk, plain


def main() -> None:
    """Print one line a case."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--megabytes", type=float, default=8, help="raw sequence that the bulk path gets")
    megabytes = parser.parse_args().megabytes
    print(f"{'symbols':46} {'bulk MB/s':>10} {'plain MB/s':>11} {'ratio':>7}")
    for title, domain, options, letters in CASES:
        bulk, plain = measure(domain, options, letters, megabytes)
        print(f"{title:46} {bulk:10.0f} {plain:11.2f} {bulk / plain:6.0f}x")


if __name__ == "__main__":
    main()
