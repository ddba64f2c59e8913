"""How threads of torch wait for one another, on quiet cores and beside as many busy processes as there are cores.

    python benchmarks/waiting.py

prints the seconds of training steps of a 4 x 256 encoder for each way, taken in turns, and their ratio to the default.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys

STEP = """
import time, torch
torch.manual_seed(0)
layer = torch.nn.TransformerEncoderLayer(256, 4, 1024, batch_first=True)
model, x = torch.nn.TransformerEncoder(layer, 4, enable_nested_tensor=False), torch.randn(16, 62, 256)
model(x).sum().backward()
begun = time.perf_counter()
for _ in range(8):
    model(x).sum().backward()
print(time.perf_counter() - begun)
"""
WAYS = {"as libgomp does": {}, "GOMP_SPINCOUNT=1000": {"GOMP_SPINCOUNT": "1000"},
        "OMP_WAIT_POLICY=passive": {"OMP_WAIT_POLICY": "passive"}, "one thread": {"OMP_NUM_THREADS": "1"}}  # fmt: skip
TURNS = 5


def seconds(way: dict[str, str]) -> float:
    """Of some training steps in a fresh process."""
    kept = {k: v for k, v in os.environ.items() if k not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY", "OMP_NUM_THREADS")}
    done = subprocess.run([sys.executable, "-c", STEP], env=kept | way, capture_output=True, text=True, check=True)
    return float(done.stdout)


def main() -> None:
    """Measure on quiet cores, then beside busy processes."""
    for busy in (0, os.cpu_count() or 1):
        others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(busy)]
        try:
            taken = {name: [] for name in WAYS}
            for _ in range(TURNS):
                for name, way in WAYS.items():
                    taken[name].append(seconds(way))
        finally:
            for other in others:
                other.kill()
        first = statistics.median(taken["as libgomp does"])
        print(f"beside {busy} busy processes:")
        for name, times in taken.items():
            middle = statistics.median(times)
            print(f"  {name:24} {middle:6.2f} s, {first / middle:5.2f} times as fast as libgomp's default")


if __name__ == "__main__":
    main()
