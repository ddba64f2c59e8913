"""What units cost and what they tell: time, memory over long files, agreement with labels.

python benchmarks/units.py RECORDINGS [--units 100] [--minutes 1 6 60]

RECORDINGS is a folder of wavs named LABEL_SPEAKER_NUMBER.wav, such as the Free Spoken Digit Dataset's.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from xdomain.adapters.speech.codebook import SAMPLE, Codebook, fit_codebook, sample_frames
from xdomain.adapters.speech.encode import encode_files
from xdomain.adapters.speech.files import find_audio
from xdomain.adapters.speech.frame_reader import ReadLog, frames_of_files
from xdomain.adapters.speech.labels import agreement
from xdomain.adapters.speech.named_features import make_features

RATE = 44100  # so that long files are resampled too


def clock() -> tuple[float, float]:
    """Seconds on the wall, seconds of this process: others use this machine too."""
    return time.perf_counter(), time.process_time()


def told(what: str, begun: tuple[float, float]) -> None:
    """Print what something took."""
    wall, own = (now - then for now, then in zip(clock(), begun, strict=True))
    print(f"{what}: {wall:.1f} s, of which {own:.1f} s computing")


def fit_and_encode(folder: Path, units: int) -> Codebook:
    """Print the time of both, and how well the units tell the labels in the files' names."""
    paths = find_audio([folder])
    mfcc = make_features("mfcc")
    mfcc(np.zeros(16000, np.float32))  # loads what it needs
    begun = clock()
    sample, total = sample_frames(frames_of_files(paths, mfcc, ReadLog()), SAMPLE, width=mfcc.width)
    book, _ = fit_codebook(sample, units, features=mfcc)
    told(f"fit {units} units to {total:,} frames of {len(paths):,} files", begun)
    begun = clock()
    found = list(encode_files(paths, book, features=mfcc))
    told("encode them", begun)
    seen, runs = (np.concatenate(parts) for parts in zip(*((one.units, one.runs) for one in found), strict=True))
    for place, kind in enumerate(("label", "speaker")):
        labels = np.repeat([one.id.split("_")[place] for one in found], [len(one.units) for one in found])
        it = agreement(seen, labels, runs)
        print(
            f"{kind}: purity {it.purity:.3f} (chance {it.chance:.3f}), cluster purity {it.cluster_purity:.3f}, "
            f"normalised mutual information {it.nmi:.3f}"
        )
    return book


def write_noise(path: Path, minutes: float) -> None:
    """A wav of noise that swells and fades."""
    import soundfile

    generator = np.random.default_rng(0)
    with soundfile.SoundFile(path, "w", RATE, 1, "PCM_16") as file:
        for second in range(round(60 * minutes)):
            file.write(generator.normal(0, 0.05 * (1 + np.sin(second)) + 0.001, RATE))


def peak(path: Path, codebook: Path) -> tuple[int, float]:
    """Highest memory, MB, and seconds, of a process that encodes one file."""
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, __file__, "--one", path, codebook], capture_output=True, text=True, check=True
    )
    return int(done.stdout), time.perf_counter() - begun


def encode_one(path: Path, codebook: Path) -> None:
    """Encode a file and print this process's highest memory in MB."""
    list(encode_files([path], Codebook.load(codebook)))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)


def main() -> None:
    """Print a line a figure."""
    if sys.argv[1:2] == ["--one"]:
        return encode_one(Path(sys.argv[2]), Path(sys.argv[3]))
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("recordings", type=Path)
    parser.add_argument("--units", type=int, default=100)
    parser.add_argument("--minutes", type=float, nargs="*", default=[1, 6, 60], help="lengths of the long files")
    options = parser.parse_args()
    book = fit_and_encode(options.recordings, options.units)
    with tempfile.TemporaryDirectory() as place:
        book.save(Path(place) / "book")
        for minutes in options.minutes:
            write_noise(Path(place) / "long.wav", minutes)
            memory, seconds = peak(Path(place) / "long.wav", Path(place) / "book")
            print(f"a wav of {minutes:g} minutes at {RATE:,} Hz: {memory} MB at most, {seconds:.0f} s")
    return None


if __name__ == "__main__":
    main()
