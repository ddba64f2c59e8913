"""What reads inputs of users, and good inputs for each to begin with; all are made here, and small."""

import io
import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from xdomain.core.plugins import find_recipe, make_adapter
from xdomain.core.recipe import dump_recipe, load_recipe
from xdomain.core.recipe_sections import Columns
from xdomain.data.loading import load_file, load_table
from xdomain.data.own_data import own_recipe

RECORDS = 40
PROTEIN = "ACDEFGHIKLMNPQRSTVWY"
rng = random.Random(7)


@dataclass(frozen=True)
class Target:
    """A reader.

    Parameters
    ----------
    call
        Reads one input, given the bytes and a folder for its files.
    seeds
        Good inputs.
    binary
        Whether they are no text.
    weight
        How many inputs, compared with others, it gets.
    """

    call: Callable[[bytes, Path], object]
    seeds: tuple[bytes, ...]
    binary: bool = False
    weight: float = 1.0


def drawn(letters="ACGT", low=20, high=40):
    return "".join(rng.choices(letters, k=rng.randrange(low, high)))


def table(header, row, mark=","):
    return "\n".join([mark.join(header), *(mark.join(map(str, row(i))) for i in range(RECORDS))]).encode() + b"\n"


def written(name, data, folder):
    path = folder / name
    path.write_bytes(data)
    return path


def checked(data, folder, *, name, domain, **options):
    """Read a file of one's own and prepare it, as a run does."""
    from xdomain.inspection import check

    return check(own_recipe(written(name, data, folder), domain, **options))


def loaded(data, folder, *, name, domain, **options):
    """The same, but without a tokenizer."""
    return load_table(own_recipe(written(name, data, folder), domain, **options))


def unlabelled(data, folder, *, name, task):
    """Read a file for a trained model."""
    recipe = find_recipe(task)
    adapter = make_adapter(recipe.adapter.name, recipe.adapter.options)
    return adapter.encode(load_file(written(name, data, folder), recipe, adapter)["sequence"].combine_chunks())


# Tables and sequences

CLASSES = table(["id", "sequence", "label"], lambda i: (f"s{i}", drawn(), "ab"[i % 2]))
TABLES = {
    "table of classes": (CLASSES, "dna"),
    "table of numbers": (table(["sequence", "value"], lambda i: (drawn(PROTEIN), i / 7), "\t"), "protein"),
    "table with splits": (
        table(["sequence", "label", "split", "group"],
              lambda i: (drawn(), i % 3, ("train", "train", "valid", "test")[i % 4], i // 4), ";"), "dna",
    ),
    "table of label sets": (
        table(["sequence", "labels"], lambda i: (drawn(PROTEIN), ";".join("abc"[: i % 3 + 1]))), "protein",
    ),
    "table of label columns": (
        table(["sequence", "alpha", "beta", "gamma"], lambda i: (drawn(), i % 2, i // 2 % 2, i // 4 % 2)), "dna",
    ),
    "table of pairs": (
        table(["sequence_a", "sequence_b", "label"], lambda i: (drawn(PROTEIN), drawn(PROTEIN), i % 2)), "protein",
    ),
    "table of units": (
        table(["id", "sequence", "speaker"],
              lambda i: (f"u{i}", " ".join(f"{rng.randrange(99)}:{rng.randrange(1, 9)}" for _ in range(9)), i % 2)),
        "speech",
    ),
    "table of notes": (
        table(["sequence", "label"],
              lambda i: (f"ticks=480 tempo=0:500000 {60 + i % 12}:0:480:64 64:480:240:80", "ab"[i % 2])), "music",
    ),
}  # fmt: skip


def of_lengths(alphabet="ACGT"):
    sequence = drawn(alphabet)
    return sequence, "".join(rng.choices("HE", k=len(sequence)))


def targets_table(data, folder):
    columns = Columns(label=["first", "second", "third"])
    return checked(data, folder, name="data.csv", domain="dna", problem="multioutput", columns=columns)


FASTA = "".join(f">s{i} label={'ab'[i % 2]}\n{drawn()}\n{drawn()}\n" for i in range(RECORDS)).encode()
FASTQ = "".join(f"@s{i} x\n{'ACGT' * 6}\n+\n{'I' * 24}\n" for i in range(RECORDS)).encode()
GENBANK = "".join(f"""LOCUS       AB{i:<2}                       8 bp    DNA     linear   BCT 01-JAN-2000
DEFINITION  made up.
ACCESSION   AB{i}
FEATURES             Location/Qualifiers
     source          1..8
                     /organism="{("Mus musculus", "Homo sapiens")[i % 2]}"
ORIGIN
        1 acgttgc{"acgt"[i % 4]}
//
""" for i in range(12)).encode()  # fmt: skip
EMBL = "".join(f"""ID   X{i}; SV 1; linear; DNA; STD; MUS; 8 BP.
XX
DE   made up
XX
FH   Key             Location/Qualifiers
FT   source          1..8
FT                   /organism="{("Mus musculus", "Homo sapiens")[i % 2]}"
XX
SQ   Sequence 8 BP; 2 A; 2 C; 2 G; 2 T; 0 other;
     acgttgc{"acgt"[i % 4]}                                                                  8
//
""" for i in range(12)).encode()  # fmt: skip
PIR = "".join(f">P1;S{i}\n{'CRYSTALLIN' if i % 2 else 'OTHER'}\n  MDITIHNPLI RR{drawn(PROTEIN)}*\n"
              for i in range(RECORDS)).encode()  # fmt: skip
PLAIN_UNITS = "".join(f"a{i}|{i % 9} 3 3 {i}\n" for i in range(RECORDS)).encode()
DICT_UNITS = "".join(f"{{'audio': 'a{i}.wav', 'hubert': '71 71 {i}'}}\n" for i in range(RECORDS)).encode()
TOKEN_UNITS = "".join(json.dumps({"file_name": f"x{i}", "units": [71, i], "duration": [2, 1]}) + "\n"
                      for i in range(RECORDS)).encode()  # fmt: skip
JSON_LINES = "".join(json.dumps({"sequence": drawn(), "label": i % 2}) + "\n" for i in range(RECORDS)).encode()
JSON_LIST = json.dumps([{"sequence": drawn(), "label": "ab"[i % 2]} for i in range(RECORDS)]).encode()
ASKED = [
    {"id": f"q{i}", "question": "who sat", "answers": [{"text": "cat", "answer_start": 4}]} for i in range(RECORDS)
]
PARAGRAPHS = [{"context": "the cat sat on the mat", "qas": ASKED}]
SQUAD = json.dumps({"version": "1.1", "data": [{"title": "t", "paragraphs": PARAGRAPHS}]}).encode()
TYPED = pa.table({
    "id": [f"s{i}" for i in range(RECORDS)],
    "sequence": [drawn() for _ in range(RECORDS)],
    "label": [i % 2 for i in range(RECORDS)],
    "more": [[1.5, None]] * RECORDS,
})  # fmt: skip


def parquet_of(table):
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def arrow_of(table, kind=pa.ipc.new_file):
    sink = io.BytesIO()
    with kind(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def workbook():
    import openpyxl

    book = openpyxl.Workbook()
    for row in (("sequence", "label"), *((drawn(), "ab"[i % 2]) for i in range(RECORDS))):
        book.active.append(row)
    sink = io.BytesIO()
    book.save(sink)
    return sink.getvalue()


def damaged_sheet(data, folder):
    """A workbook that is a whole archive, with `data` for the XML of its sheet."""
    import zipfile

    with zipfile.ZipFile(io.BytesIO(workbook())) as old, zipfile.ZipFile(folder / "data.xlsx", "w") as new:
        for name in old.namelist():
            new.writestr(name, data if name == "xl/worksheets/sheet1.xml" else old.read(name))
    from xdomain.inspection import check

    return check(own_recipe(folder / "data.xlsx", "dna"))


def sheet():
    import zipfile

    with zipfile.ZipFile(io.BytesIO(workbook())) as book:
        return book.read("xl/worksheets/sheet1.xml")


def gzipped():
    import gzip

    return gzip.compress(CLASSES, mtime=0)


TAGS = table(["sequence", "tags"], lambda _: of_lengths(PROTEIN))
PROFILES = table(["sequence", "values"], lambda i: ("ACGTACGT", "[" + "; ".join(f"{i}.{j}" for j in range(8)) + "]"))
TARGETS = table(["sequence", "first", "second", "third"], lambda i: (drawn(), i / 3, i * i, -i))
QUESTIONS = tuple(
    table(header, row)
    for header, row in (
        (["question", "context", "start", "end"], lambda i: ("who sat there", "the cat sat on the mat", 4, 7)),
        (["question", "context", "answer_text", "answer_start"], lambda i: ("who sat", "the cat sat on it", "cat", 4)),
        (["question", "context", "answers"],
         lambda i: ("who", "the cat sat", "\"{'text': ['cat'], 'answer_start': [4]}\"")),
        (["question", "context", "answer_text", "answer_start"],
         lambda i: ("who sat", "the cat sat on it", "\"['cat', 'it']\"", '"[4, 15]"')),
    )
)  # fmt: skip

# Intervals, variants, labels

GENOME = b">chr1\n" + b"ACGTTGCAAC" * 20 + b"\n>chr2\n" + b"GGCCA" * 10 + b"\n"
BED = "".join(
    f"chr1\t{5 * i % 150}\t{5 * i % 150 + 20}\t{'ab'[i % 2]}\t{i}\t{'+-'[i % 2]}\n" for i in range(RECORDS)
).encode()
GTF = "".join(
    f'chr1\tmade\texon\t{5 * i % 150 + 1}\t{5 * i % 150 + 20}\t.\t+\t.\tgene_id "g{i}"; label "{"ab"[i % 2]}";\n'
    for i in range(RECORDS)
).encode()
VCF = b"##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n" + b"".join(
    b"chr1\t%d\tv%d\t%s\tG,<DEL>\t.\t.\t.\n" % (i + 1, i, b"ACGTTGCAAC"[i % 10 : i % 10 + 1]) for i in range(20)
)
LABELS = table(["id", "label"], lambda i: (f"s{i}", "ab"[i % 2]))
UNLABELLED = "".join(f">s{i}\n{'ACGT' * 6}\n" for i in range(RECORDS)).encode()


def intervals(data, folder, *, name):
    columns = Columns(label="name" if name.endswith("bed") else "label")
    return checked(data, folder, name=name, domain="dna", columns=columns, genome=written("g.fa", GENOME, folder))


def genome(data, folder):
    for index in folder.glob("*.fai"):
        index.unlink()
    bed = written("data.bed", BED, folder)
    return load_table(own_recipe(bed, "dna", columns=Columns(label="name"), genome=written("g.fa", data, folder)))


def variants(data, folder):
    from xdomain.data.formats.genome import open_genome
    from xdomain.inference.variants.vcf import read_vcf

    return list(read_vcf(written("data.vcf", data, folder), open_genome(written("g.fa", GENOME, folder), "variants")))


def labels(data, folder):
    return checked(UNLABELLED, folder, name="data.fa", domain="dna", labels=written("labels.csv", data, folder))


# Readers of shipped tasks

ASAP = b"composer,title,folder,midi_score,midi_performance\n" + b"".join(
    b"%s,t,%s/f%d,a.mid,b.mid\n" % (name, name, i) for name in (b"Bach", b"Ravel") for i in range(9)
)
CHORALES = json.dumps(
    {split: [[[60, 64, 67.0]] * 40 + [[62, 65]] * 40] for split in ("train", "valid", "test")}
).encode()
CONLLU = b"# newdoc id = d\n# sent_id = a\n" + b"".join(
    b"%d\tword\tword\tNOUN\tNN\t_\t0\troot\t_\t_\n" % i for i in range(1, 6)
) + b"\n1-2\tdon't\t_\t_\t_\t_\t_\t_\t_\t_\n1\tdo\tdo\tAUX\tVB\t_\t0\troot\t_\t_\n\n"  # fmt: skip
QUESTION = {
    "id": "q", "title": "T", "context": "one two three", "question": "Which?",
    "answers": {
        "answer_start": [4], "text": ["two"], "audio_full_answer_start": [0.1], "audio_full_answer_end": [0.2],
        "audio_segment_answer_start": [0.1], "audio_segment_answer_end": [0.2],
    },
    "content_segment_audio_path": "c-0_0_0.mp3", "content_full_audio_path": "c-0_0.mp3", "question_audio_path": "q.mp3",
    "hubert_100_question_unit": '[{"code": [1, 1, 2]}]', "hubert_100_context_unit": '[{"code": [7, 7, 8, 9]}]',
}  # fmt: skip
FLIP = "".join(
    f">p{i} TARGET={i / 3} SET={('train', 'test')[i % 2]} VALIDATION=False\n{drawn(PROTEIN)}\n" for i in range(20)
)
TASKS = {
    "uci": ("dna/splice", ("".join(f"{['EI', 'IE', 'N'][i % 3]}, n{i}, {drawn()}\n" for i in range(30)).encode(),), {}),
    "class_files": ("protein/localization", (UNLABELLED, FASTA), {}),
    "labelled_splits": ("protein/amp", (UNLABELLED, FASTA), {}),
    "flip_values": ("protein/gb1", (FLIP.encode(),), {}),
    "flip_tags": (
        "protein/secondary-structure", (b">p1 SET=train\nHEHE\n>p2 SET=test\nEEHH\n", b">p1\n1110\n>p2\n1111\n"),
        {"sequences": b">p1\nMKVA\n>p2\nMKLA\n", "labels": b">p1 SET=train\nHEHE\n>p2 SET=test\nEEHH\n",
         "mask": b">p1\n1110\n>p2\n1111\n"},
    ),
    "fluorescence": (
        "protein/fluorescence",
        (table(["sequence", "num_mutations", "log_fluorescence", "has_stop"],
               lambda i: (drawn(PROTEIN), i % 6, i / 4, ("False", "0", "True")[i % 3])),), {},
    ),
    "stability": (
        "protein/stability",
        (table(["name", "sequence", "stabilityscore", "consensus_stability_score"],
               lambda i: (f"n{i}", drawn(PROTEIN), i / 9, ("", i / 7, "na")[i % 3]), "\t"),), {},
    ),
    "asap": ("music/composer", (ASAP,), {}),
    "next_chord": ("music/next-chord", (CHORALES,), {}),
    "conllu": ("text/ud-english-pos", (CONLLU * 3,), {}),
    "labelled_units": (
        "speech/speakers",
        (table(["id", "sequence", "file"],
               lambda i: (f"{i % 3}_{('jackson', 'theo')[i % 2]}_{i}", "3 4:2 5", f"{i}.wav")),), {},
    ),
    "nmsqa_code": ("speech/nmsqa", (parquet_of(pa.Table.from_pylist([QUESTION])),), {}),
    "simulated_nmsqa": ("speech/simulated-qa", (parquet_of(pa.Table.from_pylist([QUESTION])),), {}),
}  # fmt: skip


def of_task(data, folder, *, task, others):
    """Read the files of a shipped task, of which the first (or that which is not among `others`) is `data`."""
    recipe = find_recipe(task)
    names = ["train"] if task == "speech/nmsqa" else recipe.source.files  # whose ids are unique over all files
    files = {name: written(f"{i}.data", others.get(name, data), folder) for i, name in enumerate(names)}
    if task == "music/composer":
        for name in ("a.mid", "b.mid"):
            written(name, b"", folder)
    if others:
        damaged = list(others)[len(data) % len(others)]
        written(files[damaged].name, data, folder)
    source = recipe.source.model_copy(update={"files": {name: str(path) for name, path in files.items()}})
    return load_table(recipe.model_copy(update={"source": source}))


def dual_units(data, folder):
    """Code files of DUAL beside a table of questions."""
    from xdomain.core.plugins import readers

    codes = folder / "codes"
    codes.mkdir(exist_ok=True)
    for name in ("c-0_0_0", "c-0_0", "q"):
        (codes / f"{name}.code").write_bytes(data)
        (codes / f"{name}.cnt").write_bytes(data if len(data) % 2 else b"1\n2\n3\n")
    path = written("train.parquet", parquet_of(pa.Table.from_pylist([QUESTION] * 3)), folder)
    return readers()["dual_units"]({"train": path})


# Recipes, studies, options, mappings


@cache
def recipes():
    names = ("dna/splice", "toy/dna-classification", "protein/secondary-structure", "speech/simulated-qa")
    return tuple(dump_recipe(find_recipe(name)).encode() for name in names)


STUDY = b"""question: Does it help?
tasks: [toy/dna-classification, {data: data.csv, domain: dna, columns: {label: label}}]
arms:
  - pretrained
  - {init: scratch, tune: head, name: mine, set: {train.epochs: 3}}
  - kmer
seeds: 3
mapping_seeds: [0, 1, 2]
design: paired
learning_rates: [1e-4, 3e-4]
fractions: [0.5, 1]
set: {train.epochs: 2}
resources: {cpus: 2}
"""


def recipe(data, folder):
    return dump_recipe(load_recipe(written("task.yaml", data, folder)))


def study(data, folder):
    from xdomain.study.plan import plan_study

    written("data.csv", CLASSES, folder)
    with patch("xdomain.study.digests.Digests._backbone", lambda *_: "backbone"):
        return plan_study(written("study.yaml", data, folder), folder).count()


def option(data, folder):
    change = data.decode("utf-8", "surrogateescape")
    return dump_recipe(find_recipe("toy/dna-classification", [change]))


SETTINGS = tuple(
    f"{key}={value}".encode()
    for key, value in {
        "train.epochs": 3, "train.learning_rate": "1e-4", "split.limit.train": 0.5, "split.limit": "{train: 3}",
        "run.mapping_table": "{A: we}", "columns.label": "[a, b]", "source.files.data": "x.csv", "title": "x y",
        "adapter.options.tokens": "kmer", "metrics": "[accuracy, f1]", "run.seed": 3, "positive": "no",
        "reader_options": "{records: 40}", "published": "[{model: m, metric: f1, value: 1, source: s}]",
    }.items()
)  # fmt: skip


def given_table(data, folder):
    from xdomain.model.make_mapping import load_given, make_mapping
    from xdomain.model.vocabulary import Vocabulary

    pieces = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "we", "you", "he", "she", "the", *"acgtn", *"defhi")
    vocabulary = Vocabulary(pieces, frozenset(range(5)))
    given = load_given(written("given.yaml", data, folder))
    return make_mapping(make_adapter("dna").alphabet, vocabulary, strategy="given", given=given)


def stored_mapping(data, folder):
    from xdomain.model.token_mapping import TokenMapping

    return TokenMapping.load(written("mapping.json", data, folder))


def mapping_json():
    from xdomain.model.token_mapping import TokenMapping

    mapping = TokenMapping(("A", "C"), np.array([5, 6], np.int32), ("we", "you"), "random", 0, "#" * 64)
    return json.dumps({**mapping._contents(), "sha256": mapping.sha256}).encode()


# Sound and music


def event(*numbers):
    return bytes(numbers)


def midi(*tracks, ticks=480):
    head = b"MThd" + (6).to_bytes(4) + (1).to_bytes(2) + len(tracks).to_bytes(2) + ticks.to_bytes(2)
    return head + b"".join(b"MTrk" + len(t).to_bytes(4) + t for t in tracks)


NOTES = b"".join(event(0, 0x90, 60 + i, 64) + event(0x83, 0x60, 0x80, 60 + i, 0) for i in range(8))
ENDED = event(0, 0xFF, 0x2F, 0)
MIDI = (
    midi(event(0, 0xFF, 0x51, 3, 7, 0xA1, 0x20) + event(0, 0xFF, 0x58, 4, 4, 2, 24, 8) + NOTES + ENDED),
    midi(event(0, 0xC0, 5) + NOTES + ENDED, event(0, 0x99, 36, 90, 0x60, 36, 0) + ENDED, ticks=96),
)


def piece(data, folder, **options):
    music: Any = make_adapter("music", options)
    return music.encode(music.encode_files([written("a.mid", data, folder)]))


@cache
def sounds():
    import soundfile

    samples = (0.3 * np.sin(np.arange(4000) / 9)).astype(np.float32)
    found = []
    for kind, subtype in (
        ("WAV", "PCM_16"),
        ("WAV", "FLOAT"),
        ("FLAC", None),
        ("OGG", None),
        ("AIFF", None),
        ("MP3", None),
    ):
        sink = io.BytesIO()
        soundfile.write(sink, samples, 16000, subtype, format=kind)
        found.append(sink.getvalue())
    return tuple(found)


def sound(data, folder):
    from xdomain.adapters.speech.audio import check_samples, describe, read_audio

    path = written("a.wav", data, folder)
    describe(path)
    check_samples(path)
    return read_audio(path, rate=16000)


SOUND_LABELS = table(["id", "label", "start", "end"], lambda i: (f"s{i}", i % 3, 0, i + 1))


def sound_labels(data, folder):
    from xdomain.adapters.speech.labels import read_labels

    return read_labels(written("labels.csv", data, folder), [f"s{i}" for i in range(5)])


def sound_table(data, folder):
    from xdomain.adapters.speech.files import read_sound_table

    written("a.wav", sounds()[0], folder)
    return read_sound_table(written("sounds.csv", data, folder)).paths


def centroids(data, folder):
    from xdomain.adapters.speech.codebook import _read_array

    return _read_array(written("centroids.npy", data, folder))


def array():
    sink = io.BytesIO()
    np.save(sink, np.ones((4, 3), np.float32))
    return sink.getvalue()


# Text


def corpus(data, folder):
    from xdomain.data.corpus import describe_files, documents

    path = written("books.txt", data, folder)
    return describe_files([path]), list(documents([path]))


SENTENCES = table(["sentence", "label"], lambda i: (f"a sentence, number {i}".replace(",", ""), ("good", "bad")[i % 2]))


def all_targets() -> dict[str, Target]:
    """By name, everything that reads inputs."""
    found = {
        name: Target(partial(checked, name="data.csv", domain=domain), (data,), weight=1.5)
        for name, (data, domain) in TABLES.items()
    }
    found |= {
        "table gzipped": Target(partial(checked, name="data.csv.gz", domain="dna"), (gzipped(),), binary=True),
        "table of tags": Target(partial(checked, name="data.csv", domain="protein"), (TAGS,)),
        "table of profiles": Target(partial(checked, name="data.csv", domain="dna"), (PROFILES,)),
        "table of several targets": Target(targets_table, (TARGETS,)),
        "FASTA": Target(partial(checked, name="data.fa", domain="dna"), (FASTA,), weight=1.5),
        "FASTQ": Target(partial(unlabelled, name="data.fq", task="toy/dna-classification"), (FASTQ,)),
        "GenBank": Target(partial(checked, name="data.gb", domain="dna"), (GENBANK,)),
        "EMBL": Target(partial(checked, name="data.embl", domain="dna"), (EMBL,)),
        "PIR": Target(partial(unlabelled, name="data.pir", task="toy/protein-classification"), (PIR,)),
        "units": Target(partial(unlabelled, name="units.txt", task="speech/digits"),
                        (PLAIN_UNITS, DICT_UNITS, TOKEN_UNITS)),
        "JSON": Target(partial(checked, name="data.jsonl", domain="dna"), (JSON_LINES, JSON_LIST), weight=1.5),
        "SQuAD": Target(partial(loaded, name="squad.json", domain="text"), (SQUAD,)),
        "Parquet": Target(partial(checked, name="data.parquet", domain="dna"), (parquet_of(TYPED),), binary=True),
        "Arrow": Target(partial(checked, name="data.arrow", domain="dna"),
                        (arrow_of(TYPED), arrow_of(TYPED, pa.ipc.new_stream)), binary=True),
        "Excel": Target(partial(checked, name="data.xlsx", domain="dna"), (workbook(),), binary=True, weight=0.5),
        "sheet of a workbook": Target(damaged_sheet, (sheet(),), weight=0.3),
        "BED": Target(partial(intervals, name="data.bed"), (BED,)),
        "GTF": Target(partial(intervals, name="data.gtf"), (GTF,)),
        "genome": Target(genome, (GENOME,)),
        "VCF": Target(variants, (VCF,)),
        "labels of records": Target(labels, (LABELS,)),
        "questions": Target(partial(loaded, name="data.csv", domain="text", problem="span"), QUESTIONS, weight=1.5),
        "sentences": Target(partial(loaded, name="data.csv", domain="text"), (SENTENCES,)),
        "text corpus": Target(corpus, (b"A line.\n\nAnother one.\n\x0cA document.\n",)),
        "recipe": Target(recipe, recipes(), weight=1.5),
        "study": Target(study, (STUDY,), weight=0.7),
        "--set": Target(option, SETTINGS, weight=1.5),
        "given mapping": Target(given_table, (b"A: we\nC: you\nG: he\nT: she\n", b'{"A": "we",\n\t"C": "you"}')),
        "mapping.json": Target(stored_mapping, (mapping_json(),)),
        "MIDI": Target(piece, MIDI, binary=True),
        "MIDI by miditoolkit": Target(partial(piece, reader="miditoolkit", symbols="events", bars="file"), MIDI,
                                      binary=True),
        "sound": Target(sound, sounds(), binary=True),
        "labels of sounds": Target(sound_labels, (SOUND_LABELS,)),
        "table of sounds": Target(sound_table, (table(["question", "label"], lambda i: ("a.wav", i % 2)),)),
        "array of centroids": Target(centroids, (array(),)),
        "DUAL's units": Target(dual_units, (b"71\n3\n3\n", b"1\n2\n3\n"), weight=0.5),
    }  # fmt: skip
    binary = ("nmsqa_code", "simulated_nmsqa")
    for name, (task, seeds, others) in TASKS.items():
        found[f"task files: {name}"] = Target(partial(of_task, task=task, others=others), seeds, binary=name in binary)
    return found
