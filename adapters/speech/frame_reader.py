"""Read files one after another into frames of features, note problems and skip bad files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from xdomain.core.errors import DataError

from .audio import Samples, blocks, check_samples, is_silent
from .features import Features, Frames, stream


@dataclass
class ReadLog:
    """What happened to the files read so far; it grows as they are read.

    Parameters
    ----------
    report
        Called with this log after every chunk and every file; None: nothing is called.
    heard, seconds
        How many files were read to their end, and seconds of audio so far.
    skipped, silent, mixed
        The errors of files left out; the names of files without sound, and of files with several channels.
    """

    report: Callable[[ReadLog], None] | None = None
    heard: int = 0
    seconds: float = 0.0
    skipped: list[DataError] = field(default_factory=list[DataError])
    silent: list[str] = field(default_factory=list[str])
    mixed: list[str] = field(default_factory=list[str])

    @property
    def done(self) -> int:
        """How many files were read or skipped."""
        return self.heard + len(self.skipped)

    def tell(self) -> None:
        """Call `report`, if there is one."""
        if self.report:
            self.report(self)

    def skip(self, error: DataError, *, skip_bad: bool) -> None:
        """Note the `error` of a file that cannot be read; raise it unless `skip_bad` is set."""
        if not skip_bad:
            raise error
        self.skipped.append(error)
        self.tell()

    def check_any(self) -> None:
        """Raise a `DataError` with the first problem if every file was skipped."""
        if self.skipped and not self.heard:
            first = self.skipped[0]
            raise DataError(f"none of {len(self.skipped):,} files can be read; the first: {first.what}", fix=first.fix)

    def lines(self) -> list[str]:
        """A line for each kind of problem: how many files, and the first names."""
        problems = {
            "skipped": [error.what for error in self.skipped],
            "silent, and got units all the same": self.silent,
            "of several channels, whose mean was taken": self.mixed,
        }
        return [_line(names, self.done, what) for what, names in problems.items() if names]


def frames_of(path: Path, features: Features, notes: ReadLog) -> Iterator[Frames]:
    """Yield the frames of one file, chunk by chunk.

    Parameters
    ----------
    path
        A sound file.
    features
        What computes frames from samples.
    notes
        Gets what happens to the file, and reports after every chunk.

    Raises
    ------
    DataError
        The file cannot be read, or is shorter than a frame.
    """
    sound = check_samples(path)
    loud = False

    def listening() -> Iterator[Samples]:
        nonlocal loud
        for block in blocks(path, rate=features.sample_rate):
            loud = loud or not is_silent(block)
            yield block

    count = 0
    for frames in stream(features, listening()):
        count += len(frames)
        notes.seconds += len(frames) * features.hop / features.sample_rate
        yield frames
        notes.tell()
    if not count:
        least = features.window / features.sample_rate
        raise DataError(
            f"{path} is {1000 * sound.duration:.1f} ms long, shorter than a frame",
            expected=f"at least {1000 * least:g} ms of sound",
        )
    notes.heard += 1
    notes.seconds += sound.duration - count * features.hop / features.sample_rate
    notes.silent += [] if loud else [str(path)]
    notes.mixed += [str(path)] if sound.channels > 1 else []
    notes.tell()


def frames_of_files(
    paths: Iterable[Path], features: Features, notes: ReadLog, *, skip_bad: bool = False
) -> Iterator[Frames]:
    """Yield the frames of many files, chunk by chunk.

    Parameters
    ----------
    paths
        Sound files.
    features
        What computes frames from samples.
    notes
        Gets what happens to the files, and reports after every chunk.
    skip_bad
        Whether to leave out files that cannot be read. Of a file that is damaged half-way, the frames up to there
        have been yielded.

    Raises
    ------
    DataError
        A file cannot be read and `skip_bad` is not set; or none can be read.
    """
    paths = list(paths)
    check_all(paths, skip_bad=skip_bad)
    for path in paths:
        try:
            yield from frames_of(path, features, notes)
        except DataError as error:
            notes.skip(error, skip_bad=skip_bad)
    notes.check_any()


def check_all(paths: Iterable[Path], *, skip_bad: bool) -> None:
    """Refuse the first of `paths` whose header or floats are bad, before work is done on any; not if `skip_bad`."""
    for path in () if skip_bad else paths:
        check_samples(path)


def _line(names: list[str], files: int, what: str) -> str:
    shown = "; ".join(names[:3]) + (" …" if len(names) > 3 else "")
    many = f"{len(names):,} of {files:,} file{'' if files == 1 else 's'}"
    return f"{many} {'is' if len(names) == 1 else 'are'} {what}: {shown}"
