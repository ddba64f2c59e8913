"""How fast MIDI files become notes: symusic beside miditoolkit, the same notes from both.

python benchmarks/midi.py [FOLDER] [--files 500]

FOLDER is looked through for .mid and .midi files, and so many of them are taken evenly spread; left out, the ASAP
data set below XDOMAIN_DATA. Seconds are of this process's CPU, so that neither the disk nor others count.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

from xdomain.adapters.music import Music
from xdomain.adapters.music.midi import SUFFIXES, Reader, read_midi
from xdomain.adapters.music.notes import Piece, written
from xdomain.core.errors import UserError

LIBRARIES: tuple[Reader, ...] = ("symusic", "miditoolkit")


def chosen(folder: Path, number: int) -> list[Path]:
    """So many of the MIDI files below a folder, evenly spread."""
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not files:
        raise SystemExit(f"{folder} holds no MIDI files; name another folder, or set XDOMAIN_DATA")
    return [files[i * len(files) // min(number, len(files))] for i in range(min(number, len(files)))]


def read_all(files: list[Path], library: Reader) -> tuple[list[Piece | None], float]:
    """The piece of each file, None where it is refused, and the seconds that it took."""
    pieces: list[Piece | None] = []
    started = time.process_time()
    for path in files:
        try:
            pieces.append(read_midi(path, reader=library))
        except UserError as error:
            print(f"{library} refuses: {error.what}")
            pieces.append(None)
    return pieces, time.process_time() - started


def main() -> None:
    """Print one line a library, whether the notes are the same, and how fast lines of notes become symbols."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    default = Path(os.environ.get("XDOMAIN_DATA", "~/.cache/xdomain-data")).expanduser() / "music" / "asap"
    parser.add_argument("folder", type=Path, nargs="?", default=default)
    parser.add_argument("--files", type=int, default=500)
    options = parser.parse_args()
    files = chosen(options.folder, options.files)
    size = sum(len(path.read_bytes()) for path in files)
    print(f"{len(files)} files, {size / 1e6:.1f} MB")
    found: dict[str, list[str | None]] = {}
    pieces: list[Piece | None] = []
    for library in LIBRARIES:
        read_midi(files[0], reader=library)  # the import
        pieces, seconds = read_all(files, library)
        notes = sum(len(piece) for piece in pieces if piece)
        found[library] = [written(piece) if piece else None for piece in pieces]
        each = 1e3 * seconds / len(files)
        speed = (
            f"{len(files) / seconds:8.1f} files/s  {notes / seconds:12,.0f} notes/s  {size / seconds / 1e6:7.2f} MB/s"
        )
        print(f"{library:12} {seconds:8.2f} s  {each:8.2f} ms a file  {speed}", flush=True)
    differ = [path for path, one, other in zip(files, *found.values(), strict=True) if one != other]
    print(f"the same notes, parts and tempos in {len(files) - len(differ)} of {len(files)} files")
    for path in differ[:10]:
        print(f"  not in {path}")
    lines = [line for line in found["symusic"] if line]
    for symbols in ("pitch", "events"):
        started = time.process_time()
        many = len(Music(symbols=symbols).encode(lines).values)
        print(f"lines to {symbols:7} {many / (time.process_time() - started):12,.0f} symbols/s")
    raise SystemExit(bool(differ))


if __name__ == "__main__":
    main()
