"""Kinds of file that are not read, told by what they begin with, and how each is made into one that is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from xdomain.core.errors import DataError

READABLE = (
    "a table (CSV, TSV, JSON lines, Parquet, Arrow, Excel) or sequences (FASTA, FASTQ, GenBank, EMBL, PIR, units)"
)
AS_CSV = "export the table that it holds as CSV in UTF-8"
ARRAYS = "write sequences and labels to a table: pandas.DataFrame(…).to_csv('data.csv', index=False)"
OBJECTS = f"load it where it was made, and {ARRAYS}"
PICKLED = f"such files can run code, so that it is not opened; {OBJECTS}"
MIDI = "MIDI files are read: music21.converter.parse(FILE).write('midi', 'piece.mid'), or export it from MuseScore"
STRUCTURE = "convert it to FASTA: Bio.SeqIO.convert(FILE, 'pdb-seqres', 'sequences.fasta', 'fasta')"
ALIGNED = "convert it to FASTA, as with Bio.AlignIO.convert, without gaps"
PAIRED = "make a table of it with columns sequence and tags, such as ( . ) for each base"

BINARY = (
    (rb"\xd0\xcf\x11\xe0", "a file of an old Office, such as an Excel workbook (.xls)", "save it as .xlsx or CSV"),
    (rb"\x89HDF", "an HDF5 file (.h5, .h5ad)", ARRAYS),
    (rb"%PDF", "a PDF", "ask its authors for the table as CSV or Excel"),
    (rb"\x93NUMPY", "a numpy array (.npy)", ARRAYS),
    (rb"\x1f\x8b", "gzipped twice", "gunzip it once"),
    (rb"7z\xbc\xaf", "a 7z archive", "unpack it, and name the file or the folder"),
    (rb"Rar!", "a rar archive", "unpack it, and name the file or the folder"),
    (rb"X\n\0\0\0|RD[AX][23]\n", "an R object (.rds, .RData)", "in R: write.csv(OBJECT, 'data.csv')"),
    (rb"\x80[\x02-\x05]", "a pickle (.pkl, .pt)", PICKLED),
    (rb"SQLite format 3\0", "an SQLite database", "sqlite3 -header -csv FILE 'select * from TABLE' > data.csv"),
    (rb"MATLAB 5\.0 MAT-file", "a MATLAB file (.mat)", "in MATLAB: writetable(TABLE, 'data.csv')"),
    (rb".{16}\xde\xc0\xef\xbe", "an LMDB database", ARRAYS),
    (rb"\x89PNG|\xff\xd8\xff|GIF8[79]a", "a picture", "a table of names of files is for sound and music alone"),
    (rb"BAM\x01|\x1f\x8b\x08\x04.{6}BC", "a BAM file", "samtools fasta FILE > reads.fasta"),
    (rb"CRAM[\x02\x03]", "a CRAM file", "samtools fasta FILE > reads.fasta"),
    (rb"\x26\xfc\x8f\x88|\x88\x8f\xfc\x26", "a bigWig file of values along a genome", "make intervals of it, as BED"),
    (rb"\x43\x27\x41\x1a|\x1a\x41\x27\x43", "a genome as 2bit", "twoBitToFa FILE genome.fasta"),
    (rb"RIFF....WAVE|ID3[\x02-\x04]|fLaC|OggS|\xff\xfb", "a sound file", "name a table or a folder of sound files"),
    (rb"MThd", "a MIDI file", "name a table or a folder of MIDI files"),
    (rb".{257}ustar", "a tar archive", "unpack it, and name the file or the folder"),
)
"""By the bytes that they begin with: what they are, and what to do with them."""
OF_TEXT = (
    (rb"##fileformat=VCF", "a VCF file of variants", "cut sequences out of the genome: bcftools consensus"),
    (rb"@HD\t|@SQ\t", "a SAM file", "samtools fasta FILE > reads.fasta"),
    (rb"##gff-version|#!genome-build|#gtf", "an annotation (GFF or GTF) without sequences", "--genome GENOME.fasta"),
    (rb"(track|browser) \S", "a BED file of intervals without sequences", "--genome GENOME.fasta"),
    (rb"(chr)?\w+\t\d+\t\d+(\t|\r?\n)", "a BED file of intervals without sequences", "--genome GENOME.fasta"),
    (rb"version https://git-lfs", "a pointer of Git LFS, not the file itself", "git lfs pull"),
    (
        rb"\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*<(?i:!doctype html|html|head|script)\b",
        "an HTML page, such as one that asks to log in", "download the file itself: open the address in a browser",
    ),
    (rb"\s*<(.{,2000}<)?score-(partwise|timewise)", "music as MusicXML", MIDI),
    (rb"\s*<\?xml", "XML", AS_CSV),
    (rb"(%[^\n]*\n|\s)*X:[ \t]*\d+[ \t]*\r?\n([A-Za-z]:|%)", "music in ABC notation", MIDI),
    (rb"(!!+[^\n]*\n)*\*\*(kern|dynam|text|harm|recip|mens|silbe)", "music in Humdrum's form (.krn)", MIDI),
    (rb"\{\\rtf", "a document in rich text (RTF)", "save it as plain text"),
    (rb"(HEADER    |TITLE     |ATOM  +\d)", "a structure (PDB)", STRUCTURE),
    (rb"data_\S+\s+(#|loop_|_)", "a structure (mmCIF)", STRUCTURE.replace("pdb-", "cif-")),
    (rb"CLUSTAL[ \t(]|MUSCLE \(", "an alignment (CLUSTAL)", ALIGNED),
    (rb"# STOCKHOLM", "an alignment (Stockholm)", ALIGNED),
    (rb"#NEXUS", "an alignment or trees (NEXUS)", ALIGNED),
    (rb"[ \t]*\d+[ \t]+\d+[ \t]*\r?\n\S+[ \t]+[A-Za-z?\-]{4}", "an alignment (PHYLIP)", ALIGNED),
    (rb"(#[^\n]*\n)*1[ \t]+[ACGTUN][ \t]+\d+[ \t]*\r?\n2[ \t]", "the pairs of an RNA (BPSEQ)", PAIRED),
    (rb"[ \t]*\d+[ \t][^\n]*\n[ \t]*1[ \t]+[ACGTUN][ \t]+0[ \t]+2[ \t]", "the pairs of an RNA (CT)", PAIRED),
    (rb"(%[^\n]*\n|\s)*@(?i:relation)\b", "a table for Weka (ARFF)", "save it as CSV in Weka's viewer"),
    (rb"\d+-\d+-\d+ [A-Z' ]+\r?\n", "the words of recordings, as LibriSpeech has them", "name the folder of sound"),
)  # fmt: skip
"""The same for text, which may be of use to other options (`--genome`)."""
ARCHIVES = (
    ("word/document.xml", "a Word document (.docx)", "copy its table into Excel, or save it as plain text"),
    ("ppt/presentation.xml", "a presentation (.pptx)", "copy its table into Excel"),
    ("META-INF/container.xml", "music as compressed MusicXML (.mxl), or an e-book", MIDI),
    ("mimetype", "an OpenDocument file (.ods, .odt)", "save it as .xlsx or CSV"),
    ("data.pkl", "weights or tensors of PyTorch (.pt)", PICKLED),
    (".npy", "numpy arrays (.npz)", ARRAYS),
)
"""By a part, or the end of its name, that a zip archive of that kind holds."""


def refuse_binary(path: Path, content: bytes) -> None:
    """Refuse the file `path` if its (decompressed) `content` is of a kind that is known and is no text.

    Raises
    ------
    DataError
        With what it is, and what to do.
    """
    _refuse(path, content[:4096], BINARY)


def refuse_text(path: Path, content: bytes, others: Sequence[tuple[bytes, str, str]] = ()) -> None:
    """Refuse the file `path` if the start of its `content` is text that holds no sequences.

    Parameters
    ----------
    path
        The file, for the message.
    content
        What it begins with.
    others
        Further kinds, in the form of `OF_TEXT`.

    Raises
    ------
    DataError
        With what it is, and what to do.
    """
    _refuse(path, content, (*OF_TEXT, *others))


def refused_archive(names: Sequence[str]) -> tuple[str, str] | None:
    """What a zip archive with parts of these `names` is and what to do with it; None for an ordinary archive."""
    for part, kind, fix in ARCHIVES:
        if any(name == part or name.endswith("/" + part) or (part[0] == "." and name.endswith(part)) for name in names):
            return kind, fix
    return None


def _refuse(path: Path, content: bytes, kinds: Sequence[tuple[bytes, str, str]]) -> None:
    for start, kind, fix in kinds:
        if re.match(start, content, re.DOTALL):
            raise DataError(f"{path} is {kind}", expected=READABLE, fix=fix)
