"""The phonemes of words, by the program espeak-ng."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence

from xdomain.core.errors import DataError, MissingError

STRESS = str.maketrans("", "", "ˈˌ")


def phonemes(words: Sequence[str], *, voice: str = "en") -> dict[str, list[str]]:
    """Each word's phonemes in the International Phonetic Alphabet, without stress; letters where it has none.

    Raises
    ------
    MissingError
        Where espeak-ng is not installed.
    """
    program = shutil.which("espeak-ng")
    if program is None:
        raise MissingError("espeak-ng is not installed", expected="it, for phonemes", mend="apt install espeak-ng")
    told = subprocess.run(
        [program, "-q", "--ipa", "--sep=_", "-v", voice, "--stdin"],
        input="\n\n".join(words) + "\n",  # a blank line ends a clause, so that each word is one
        capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip
    lines = told.stdout.splitlines()
    if told.returncode or len(lines) != len(words):
        raise DataError(
            f"espeak-ng pronounced {len(lines):,} of {len(words):,} words ({told.stderr.strip()[:80]})",
            expected="a line a word",
            mend="reader_options.phonemes=graphemes",
        )
    found = [line.translate(STRESS).replace("_", " ").split() for line in lines]
    return {word: sounds or list(word) for word, sounds in zip(words, found, strict=True)}
