"""Real HuBERT units beside simulated ones of the same transcripts, and what units cost an answer in seconds.

XDOMAIN_DATA=… python benchmarks/unit_simulator.py

The first table is what the constants of `xdomain.tasks.speech.simulator` were fitted by. The second is the oracle of
NMSQA: gold seconds, made whole frames of 50 a second, and back.
"""

from __future__ import annotations

import json
import math
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from xdomain.data.run_length import Ints, merged
from xdomain.data.sources import data_home
from xdomain.tasks.speech.nmsqa import read_questions
from xdomain.tasks.speech.readers import read_unit_lines
from xdomain.tasks.speech.simulator import RATE, RUNS, Simulator
from xdomain.tasks.speech.words import PAUSE, spoken_words

Merged = tuple[Ints, Ints]


def transcripts() -> dict[str, str]:
    """By the name of the recording."""
    lines = [
        line.partition("|")
        for path in sorted((data_home() / "speech/ljspeech_hubert100").glob("*filelist.txt"))
        for line in path.read_text("utf-8").splitlines()
    ]
    return {name.rsplit("/")[-1].removesuffix(".wav"): text for name, _, text in lines}


def recorded() -> dict[str, Merged]:
    """The real units, by the name of the recording."""
    folder = data_home() / "speech/ljspeech_hubert100"
    table = read_unit_lines({name: folder / f"{name}.txt" for name in ("val", "test")})
    found: dict[str, Merged] = {}
    for name, text in zip(table.column("id").to_pylist(), table.column("sequence").to_pylist(), strict=True):
        pairs = np.array([[*map(int, unit.split(":")), 1][:2] for unit in text.split()])
        found[name.rsplit("/")[-1].removesuffix(".wav")] = (pairs[:, 0], pairs[:, 1])
    return found


def perplexity(counts: Counter[tuple[int, ...]]) -> float:
    """Of the distribution that the counts say."""
    p = np.array(list(counts.values())) / sum(counts.values())
    return float(np.exp(-(p * np.log(p)).sum()))


def statistics(utterances: Sequence[Merged], texts: Sequence[str]) -> dict[str, float]:
    """What is compared, by name; perplexities of higher order are of a unit given those before it."""
    runs = np.concatenate([runs for _, runs in utterances])
    units = np.concatenate([units for units, _ in utterances])
    grams = [
        Counter(gram for units, _ in utterances for gram in zip(*(units[i:].tolist() for i in range(n)), strict=False))
        for n in (1, 2, 3, 4)
    ]
    whole = [perplexity(gram) for gram in grams]
    seconds = runs.sum() / RATE
    means = np.array([runs[units == unit].mean() for unit in np.unique(units)])
    shares = np.bincount(units) / len(units)
    between = (shares[np.unique(units)] * (means - runs.mean()) ** 2).sum() / runs.var()
    ordered = np.sort(shares)[::-1]
    rows, frames = marks(texts), np.array([runs.sum() for _, runs in utterances])
    numbers = np.array([len(units) for units, _ in utterances])
    of_frames, left = least_squares(rows, frames)
    of_units, _ = least_squares(rows, numbers)
    returns = [np.mean(units[2:] == units[:-2]) for units, _ in utterances]
    return {
        "units a second": len(units) / seconds,
        "letters a second": float(rows[:, 0].sum() / seconds),
        "frames a unit": float(runs.mean()),
        **{f"share of runs of {n}": float((runs == n).mean()) for n in (1, 2, 3, 4, 5)},
        "share of runs above 5": float((runs > 5).mean()),
        "share of run variance between units": float(between),
        "perplexity of units": whole[0],
        "share of the most used unit": float(ordered[0]),
        "share of the ten most used": float(ordered[:10].sum()),
        "share of the ten least used of 100": float(ordered[90:100].sum()),
        "perplexity given one before": whole[1] / whole[0],
        "perplexity given two before": whole[2] / whole[1],
        "perplexity given three before": whole[3] / whole[2],
        "different bigrams": len(grams[1]),
        "different trigrams": len(grams[2]),
        "share of units equal to the last but one": float(np.mean(returns)),
        "frames a letter (least squares)": of_frames[0],
        "frames a word, beside its letters": of_frames[1],
        "frames a pause": of_frames[2],
        "frames of both edges": of_frames[3],
        "units a letter": of_units[0],
        "units a pause": of_units[2],
        "units of both edges": of_units[3],
        "deviation of frames from these": left,
    }


def marks(texts: Sequence[str]) -> NDArray[np.float64]:
    """Letters, words, pauses and 1 of each text."""
    return np.array(
        [
            [len(re.sub("[^a-z]", "", t.lower())), len(spoken_words(t)), len(PAUSE.findall(t.rstrip(".,;:!?"))), 1]
            for t in texts
        ],
        float,
    )


def least_squares(rows: NDArray[np.float64], values: Ints) -> tuple[list[float], float]:
    """The weights, and the standard deviation of what they leave."""
    weights = np.linalg.lstsq(rows, values.astype(float), rcond=None)[0]
    return weights.tolist(), float((values - rows @ weights).std())


def simulated(texts: Sequence[str], simulator: Simulator) -> list[Merged]:
    """Each text spoken, with a generator of its own."""
    spoken = [simulator.speak(spoken_words(t), np.random.default_rng([1, i])) for i, t in enumerate(texts)]
    return [merged(each.units, each.runs) for each in spoken]


def oracle(ways: dict[str, Callable[[float, float], tuple[float, float]]]) -> dict[str, tuple[float, float, float]]:
    """FF1 and AOS of gold answers through frames, best over the references, and the share that is exact."""
    found: dict[str, tuple[float, float, float]] = {}
    questions = read_questions(data_home() / "speech/nmsqa/dev.parquet")
    for name, way in ways.items():
        scores = [
            max(overlap(way(*gold), other) for gold in question.seconds[:1] for other in question.seconds)
            for question in questions
            if question.seconds
        ]
        aos = np.array(scores)
        found[name] = float((2 * aos / (1 + aos)).mean()), float(aos.mean()), float((aos > 1 - 1e-9).mean())
    return found


def overlap(predicted: tuple[float, float], gold: tuple[float, float]) -> float:
    """Audio overlapping score: the common part over the covering whole."""
    common = min(predicted[1], gold[1]) - max(predicted[0], gold[0])
    return max(0.0, common) / (max(predicted[1], gold[1]) - min(predicted[0], gold[0]))


def covering(start: float, end: float) -> tuple[float, float]:
    """The frames that an answer touches, in seconds; what lies on a border to a millionth is not touched."""
    return math.floor(start * RATE + 1e-6) / RATE, math.ceil(end * RATE - 1e-6) / RATE


def nearest(start: float, end: float) -> tuple[float, float]:
    """The nearest borders of frames, a frame apart at least, in seconds."""
    first = round(start * RATE)
    return first / RATE, max(first + 1, round(end * RATE)) / RATE


def borders_of_units(start: float, end: float) -> tuple[float, float]:
    """The nearest borders of merged units, in seconds, where run lengths are as those of real units."""
    rng = np.random.default_rng(round(start * 1e6))
    shares = np.array(RUNS) / sum(RUNS)
    borders = np.cumsum(np.append(0, rng.choice(np.arange(1, len(shares) + 1), int(end * RATE) + 20, p=shares))) / RATE
    first = int(np.abs(borders - start).argmin())
    last = max(first + 1, int(np.abs(borders - end).argmin()))
    return float(borders[first]), float(borders[last])


def main() -> None:
    """Print both tables."""
    real, texts = recorded(), transcripts()
    names = sorted(real)
    spoken = [texts[name] for name in names]
    started = time.perf_counter()
    made = simulated(spoken, Simulator(units=100, seed=0))
    print(f"{len(names)} utterances simulated in {time.perf_counter() - started:.1f} s\n")
    sides = statistics([real[name] for name in names], spoken), statistics(made, spoken)
    print("| | real | simulated |\n|---|---|---|")
    for name, value in sides[0].items():
        print(f"| {name} | {value:.4g} | {sides[1][name]:.4g} |")
    runs = np.bincount(np.concatenate([runs for _, runs in real.values()]))[1:]
    print("\nruns:", json.dumps([round(float(share), 4) for share in runs / runs.sum()]))
    ways = {
        "frames that cover": covering,
        "nearest borders of frames": nearest,
        "nearest borders of merged units": borders_of_units,
    }
    print("\n| gold answers of NMSQA dev at 50 frames a second | FF1 | AOS | exact |\n|---|---|---|---|")
    for name, (ff1, aos, exact) in oracle(ways).items():
        print(f"| {name} | {ff1:.4f} | {aos:.4f} | {exact:.3f} |")


if __name__ == "__main__":
    main()
