"""Spoken question answering without speech: NMSQA's real questions and answers, spoken by a simulator of units."""

from __future__ import annotations

import zlib
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa

from xdomain.core.errors import RecipeError, unknown
from xdomain.data.run_length import units_as_text

from ..tables import required_files, table_of_questions
from .lexicon import phonemes as pronounce
from .nmsqa import Question, by_title
from .simulator import RATE, Ints, Simulator
from .words import Word, sentences, spoken_words, with_errors

FORMS = ("units", "text")
PASSAGES = ("whole", "sentences")
SOUNDS = ("graphemes", "espeak")
Span = tuple[float, float]


@dataclass(frozen=True)
class Sentence:
    """A sentence as it was said.

    Parameters
    ----------
    words
        The words that were heard.
    origins
        Shape (words,): the place of each among the passage's words as written, not decreasing.
    units, runs
        Shape (n,): the units of the words and the frames of each; empty where the form is text.
    edges
        Shape (words, 2): where each word lies in the sentence, half-open: frames, or characters.
    length
        Length of the sentence: frames, or characters.
    """

    words: list[Word]
    origins: list[int]
    units: Ints
    runs: Ints
    edges: Ints
    length: int


def read_simulated_nmsqa(
    files: Mapping[str, Path],
    *,
    units: int = 100,
    noise: float = 0.0,
    seed: int = 0,
    form: str = "units",
    passage: str = "whole",
    sentences: int = 1,
    phonemes: str = "graphemes",
    limit: int | None = None,
) -> pa.Table:
    """Questions and passages of NMSQA as simulated units, or as the text of a recogniser with the same errors.

    Parameters
    ----------
    files
        ``all``: a parquet file of NMSQA.
    units
        Size of the alphabet of units.
    noise
        Probability of an error at each word, 0 to 1, in questions, passages and answers alike: another word, no word,
        or one more (8 : 1 : 1).
    seed
        Seed of the lexicon, the errors and every utterance.
    form
        ``units``: answers in seconds. ``text``: the same words with the same errors, in small letters without
        punctuation, like a transcript; answers in characters.
    passage
        ``whole``, or ``sentences``: the sentence of the answer and up to `sentences` neighbours, as many as the
        passage has. The passage is treated as a ring, so that the answer's sentence is first, second, … equally often.
    sentences
        For the passage ``sentences``: how many neighbours, 0 or more.
    phonemes
        ``graphemes``: a letter is a sound. ``espeak``: sounds are the phonemes of espeak-ng.
    limit
        How many questions to keep, from all articles; they are the same records as without a limit. None: all.

    The group of a question is its article, so that no passage gets into two splits. The answer of a misheard word lies
    where that word was said. A passage is spoken once for all its questions.
    """
    (path,) = required_files(files, "all")
    for kind, value, known in (("form", form, FORMS), ("passage", passage, PASSAGES), ("phonemes", phonemes, SOUNDS)):
        if value not in known:
            raise unknown(f"reader_options.{kind}", value, known)
    if not 0 <= noise <= 1:
        raise RecipeError(f"reader_options.noise={noise}", expected="word errors a word, from 0 to 1")
    if limit is not None and limit < 1:
        raise RecipeError(f"reader_options.limit={limit}", expected="1 or more questions")
    if sentences < 0:
        raise RecipeError(f"reader_options.sentences={sentences}", expected="neighbouring sentences, 0 or more")
    articles = by_title(path)
    asked_about = {text: None for each in articles.values() for q in each for text in (q.passage, q.text)}
    spoken = {text: spoken_words(text) for text in asked_about}  # each text once, in order
    vocabulary = [word.text for words in spoken.values() for word in words]
    sounds = pronounce(sorted(set(vocabulary))) if phonemes == "espeak" and form == "units" else None
    speaker = Speaker(
        Simulator(units=units, seed=seed, pronounced=sounds), form, noise, seed, vocabulary,
        None if passage == "whole" else sentences,
    )  # fmt: skip
    chosen = _chosen([question.id for each in articles.values() for question in each], limit)
    rows: list[dict[str, object]] = []
    left_out = {"no answer that can be spoken": 0, "references outside the sentences shown": 0}
    for title, questions in articles.items():
        of_passage: dict[str, list[Question]] = {}
        for question in questions:
            of_passage.setdefault(question.passage, []).append(question)
        for text, asked in of_passage.items():
            if not any(question.id in chosen for question in asked):
                continue
            places = [_places(question, spoken[text]) for question in asked]
            said = speaker.passage(text, spoken[text], [span for spans in places for span in spans])
            whole = speaker.as_text(said)
            for question, spans in zip(asked, places, strict=True):
                if question.id not in chosen:
                    continue
                if not spans or not spoken[question.text]:
                    left_out["no answer that can be spoken"] += 1
                    continue
                row, lost = speaker.question(question, spoken[question.text], said, spans, whole)
                left_out["references outside the sentences shown"] += lost
                rows.append(row | {"group": title})
    notes = [f"{count:,} left out: {why}" for why, count in left_out.items() if count]
    if form == "units":
        notes.insert(0, f"the units are simulated (seed {seed}, {noise:.0%} word errors): no speech was heard")
    return table_of_questions(rows, notes)


@dataclass(frozen=True)
class Speaker:
    """Speaks, or writes down, questions and passages.

    Parameters
    ----------
    simulator
        Turns words into units; not used for text.
    form, noise, seed
        See `read_simulated_nmsqa`.
    vocabulary
        The words that errors are drawn from.
    neighbours
        How many sentences to show beside that of the answer; None: whole passages.
    """

    simulator: Simulator
    form: str
    noise: float
    seed: int
    vocabulary: Sequence[str]
    neighbours: int | None

    def passage(self, text: str, words: Sequence[Word], kept: Sequence[tuple[int, int]]) -> list[Sentence]:
        """Speak the sentences of a passage; sentences without words are left out.

        Parameters
        ----------
        text
            The passage as written.
        words
            Its spoken words.
        kept
            Runs of words, half-open, that errors must not remove entirely: the answers.
        """
        rng = self._rng("words", text)
        heard, origins = with_errors(words, self.noise, rng, self.vocabulary, kept)
        starts = [bisect_left(words, start, key=lambda word: word.start) for start, _ in sentences(text)]
        borders = [bisect_left(origins, start) for start in (*starts, len(words))]
        return [
            self._sentence(heard[a:b], origins[a:b], self._rng(f"units {number}", text))
            for number, (a, b) in enumerate(pairwise(borders))
            if a < b
        ]

    def question(
        self,
        question: Question,
        words: Sequence[Word],
        passage: Sequence[Sentence],
        spans: Sequence[tuple[int, int]],
        whole: str,
    ) -> tuple[dict[str, object], int]:
        """Speak a question.

        Parameters
        ----------
        question
            The question.
        words
            Its spoken words.
        passage
            All sentences of its passage, as the method `passage` returns them.
        spans
            The words of each reference answer in the passage as written, half-open; at least one.
        whole
            The text of the whole passage.

        Returns
        -------
        tuple
            A row of the table, and how many reference answers lie outside the sentences that it shows.
        """
        heard, origins = with_errors(words, self.noise, self._rng("words", question.id), self.vocabulary)
        asked = self._sentence(heard, origins, self._rng("units", question.id))
        shown = self._shown(question.id, passage, spans)
        answers = [span for span in (_answer(shown, *span) for span in spans) if span is not None]
        scale = RATE if self.form == "units" else 1
        row: dict[str, object] = {
            "id": question.id,
            "sequence": self.as_text([asked]),
            "sequence_b": whole if self.neighbours is None else self.as_text(shown),
            "answers": [(start / scale, end / scale) for start, end in answers],
        }
        return row, len(spans) - len(answers)

    def _shown(self, name: str, passage: Sequence[Sentence], spans: Sequence[tuple[int, int]]) -> Sequence[Sentence]:
        if self.neighbours is None:
            return passage
        start, end = max(spans, key=spans.count)  # of equals the first
        holding = [n for n, s in enumerate(passage) if s.origins[0] < end and s.origins[-1] >= start]
        spare = min(self.neighbours, len(passage) - len(holding))
        before = int(self._rng("sentences", name).integers(0, spare + 1))
        return [passage[(holding[0] - before + i) % len(passage)] for i in range(len(holding) + spare)]

    def _sentence(self, words: list[Word], origins: list[int], rng: np.random.Generator) -> Sentence:
        if self.form == "units":
            said = self.simulator.speak(words, rng)
            return Sentence(words, origins, said.units, said.runs, said.edges, int(said.runs.sum()))
        lengths = np.array([len(word.text) for word in words], np.int64)
        ends = np.cumsum(lengths + 1)
        edges = np.column_stack([ends - 1 - lengths, ends - 1])
        none = np.empty(0, np.int64)
        return Sentence(words, origins, none, none, edges, int(ends[-1]))

    def as_text(self, said: Sequence[Sentence]) -> str:
        """The sentences `said` as one text: units or words."""
        if self.form == "text":
            return " ".join(word.text for sentence in said for word in sentence.words)
        return units_as_text(np.concatenate([s.units for s in said]), np.concatenate([s.runs for s in said]))

    def _rng(self, *about: str) -> np.random.Generator:
        return np.random.Generator(np.random.PCG64([self.seed, *(zlib.crc32(part.encode()) for part in about)]))


def _chosen(ids: Sequence[str], limit: int | None) -> set[str]:
    """At most `limit` of the names, pseudo-random but always the same."""
    return set(sorted(ids, key=lambda name: zlib.crc32(name.encode()))[:limit])


def _places(question: Question, words: Sequence[Word]) -> list[tuple[int, int]]:
    """The words of each reference answer, half-open; references without a word are left out."""
    places: list[tuple[int, int]] = []
    for start, end in question.characters:
        first = bisect_left(words, start + 1, key=lambda word: word.end)
        last = bisect_left(words, end, key=lambda word: word.start)
        if first < last:
            places.append((first, last))
    return places


def _answer(shown: Sequence[Sentence], start: int, end: int) -> Span | None:
    """Where words `start` to `end` of the passage as written lie in `shown`; None unless all are there, in one run."""
    offset, first, last = 0, None, None
    covered = 0
    for sentence in shown:
        a, b = bisect_left(sentence.origins, start), bisect_left(sentence.origins, end)
        if a < b:
            if first is None:
                first = offset + int(sentence.edges[a, 0])
            elif last is not None and covered != offset:
                return None  # another sentence lies between, where the ring closes
            last = offset + int(sentence.edges[b - 1, 1])
            covered = offset + sentence.length
        offset += sentence.length
    return None if first is None or last is None else (float(first), float(last))


READERS = {"simulated_nmsqa": read_simulated_nmsqa}
