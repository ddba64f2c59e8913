"""Files that people hand in by mistake: each is refused by what it is, and nothing in it is run."""

import gzip
import io
import pickle
import tarfile
import zipfile

import numpy as np
import pytest

from xdomain.data.formats.registry import format_of
from xdomain.data.formats.tables import raw_table


def archive(**parts):
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as made:
        for name in parts.values():
            made.writestr(name, "x")
    return sink.getvalue()


def tar_gz():
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w:gz") as made:
        made.addfile(tarfile.TarInfo("a.csv"), io.BytesIO(b""))
    return sink.getvalue()


def saved(write, *arrays):
    sink = io.BytesIO()
    write(sink, *arrays)
    return sink.getvalue()


SCORE = "<?xml version='1.0'?>\n<!DOCTYPE score-partwise PUBLIC 'x' 'y'>\n<score-partwise version='3.1'/>"
KINDS = [
    ("X:1\nT:Speed the Plough\nK:G\n|:GABc dedB|\n", "music in ABC notation"),
    ("!!!COM: Bach\n**kern\t**kern\n4c\t4e\n*-\t*-\n", "music in Humdrum's form"),
    (SCORE, "music as MusicXML"),
    (archive(a="META-INF/container.xml", b="score.xml"), "music as compressed MusicXML"),
    ("<?xml version='1.0'?>\n<a/>", "is XML"),
    (archive(a="[Content_Types].xml", b="word/document.xml"), "a Word document"),
    (archive(a="mimetype", b="content.xml"), "an OpenDocument file"),
    (b"%PDF-1.7\n", "a PDF"),
    (gzip.compress(b"X\n\0\0\0\3"), "an R object"),
    (gzip.compress(b"RDX3\nX\n\0"), "an R object"),
    (saved(np.save, np.zeros(3)), "a numpy array"),
    (saved(np.savez, np.zeros(3)), "numpy arrays"),
    (archive(a="model/data.pkl", b="model/version"), "tensors of PyTorch"),
    (pickle.dumps([1, 2]), "a pickle"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (b"SQLite format 3\0" + bytes(9), "an SQLite database"),
    (tar_gz(), "a tar archive"),
    ("\n<!doctype html>\n<html><title>Sign in</title>", "an HTML page"),
    ("version https://git-lfs.github.com/spec/v1\noid sha256:a\nsize 1\n", "a pointer of Git LFS"),
    (b"", "is empty"),
    (b"\1\2\0\3", "no gzip"),
    (b"\x89PNG\r\n", "a picture"),
    ("HEADER    HYDROLASE    01-JAN-90   1ABC\n", "a structure (PDB)"),
    ("data_1ABC\n#\nloop_\n", "a structure (mmCIF)"),
    ("CLUSTAL W (1.83)\n\nA  ACD\n", "an alignment (CLUSTAL)"),
    ("# STOCKHOLM 1.0\nA  ACD\n//\n", "an alignment (Stockholm)"),
    (" 2 10\nA   ACGTACGTAC\nB   ACGTACGTAC\n", "an alignment (PHYLIP)"),
    ("# a\n1 A 0\n2 C 0\n", "the pairs of an RNA (BPSEQ)"),
    ("2 ENERGY = -5\n 1 A 0 2 0 1\n 2 C 1 3 0 2\n", "the pairs of an RNA (CT)"),
    ("@RELATION x\n@ATTRIBUTE a numeric\n", "a table for Weka"),
    ("84-121123-0000 GO DO YOU HEAR\n", "as LibriSpeech has them"),
]


@pytest.mark.parametrize(("content", "kind"), KINDS, ids=[kind for _, kind in KINDS])
def test_it_is_refused_by_what_it_is_with_what_to_do(write, learn, refusal, content, kind):
    text = refusal(learn, write(content, "data.csv.gz"))
    assert "data.csv.gz" in text
    assert kind in text
    assert "to fix it" in text or "expected" in text


def test_a_pickle_is_not_opened(write, refusal):
    class Loud:
        def __reduce__(self):
            return print, ("opened",)

    with pytest.raises(Exception, match="such files can run code"):
        raw_table(write(pickle.dumps(Loud())))


@pytest.mark.parametrize("name", ["MATLAB score", "ID3", "CRAM", "GIF8", "**bold**", "X:1"])
def test_tables_that_begin_like_other_kinds_are_tables(write, name):
    assert format_of(write(f"{name},label\nACGT,1\n")) == "table"
