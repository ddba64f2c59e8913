"""Files as people have them: each is read right, or refused by what it is, with the row and how to mend it."""

import bz2
import gzip
import io
import json
import lzma
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from xdomain.core.errors import DataError, RecipeError, UserError
from xdomain.core.plugins import make_adapter
from xdomain.core.recipe import Recipe, load_recipe
from xdomain.core.recipe_sections import Columns
from xdomain.data.assemble import said as said_of
from xdomain.data.cell_text import natural_order
from xdomain.data.formats.registry import FORMATS, format_of, read
from xdomain.data.infer_columns import guess_columns
from xdomain.data.loading import load_table
from xdomain.data.own_data import own_recipe, task_of
from xdomain.data.splits.assign import assign

ROWS = [("ACGTTGCA", "pos"), ("TTGACGTA", "neg"), ("GGCATTAC", "pos"), ("CATGGTCA", "neg")]
CSV = "sequence,label\n" + "".join(f"{s},{label}\n" for s, label in ROWS)
FASTQ = "".join(f"@r{i} x\n{s}\n+\n{'I' * 8}\n" for i, (s, _) in enumerate(ROWS))
GENBANK = """LOCUS       AB1                        8 bp    DNA     linear   BCT 01-JAN-2000
DEFINITION  made up.
ACCESSION   AB1
SOURCE      Mus musculus
  ORGANISM  Mus musculus
            Eukaryota; Rodentia.
FEATURES             Location/Qualifiers
     source          1..8
                     /organism="Mus musculus"
                     /strain="B6"
ORIGIN
        1 acgttgca
//
"""
EMBL = """ID   X1; SV 1; linear; DNA; STD; MUS; 8 BP.
XX
DE   made up
XX
SQ   Sequence 8 BP; 2 A; 2 C; 2 G; 2 T; 0 other;
     acgttgca                                                                  8
//
"""
PIR = ">P1;CRAB_ANAPL\nALPHA CRYSTALLIN\n  MDITIHNPLI RRPLF*\n>P1;B\nOTHER\n  MKV*\n"
SQUAD = {
    "version": "1.1",
    "data": [{
        "title": "t",
        "paragraphs": [{
            "context": "the cat sat",
            "qas": [{"id": "q1", "question": "who", "answers": [{"text": "cat", "answer_start": 4}]}],
        }],
    }],
}  # fmt: skip


def refusal(read, *args, **options):
    with pytest.raises(UserError) as refused:
        read(*args, **options)
    return refused.value.block()


def labels(table):
    return table.column("label").to_pylist()


def sequences(table):
    return table.column("sequence").to_pylist()


# containers and compression


def zipped(content, *names):
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        for name in names or ("data.csv",):
            archive.writestr(name, content)
    return sink.getvalue()


def zstd(content):
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(content)
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, zstd, zipped])
def test_compressed_files_are_read_whatever_they_are_called(learn, pack):
    assert labels(learn(pack(CSV.encode()))) == [label for _, label in ROWS]
    if pack is not zipped:
        assert "is not a whole" in refusal(learn, pack(CSV.encode() * 50)[:-30], "cut.csv")


def test_an_archive_of_several_files_is_refused_by_name(learn):
    text = refusal(learn, zipped(CSV, "a.csv", "b.csv"))
    assert "data.csv is a zip archive of 2 files: a.csv, b.csv" in text


def parquet(table):
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    return sink.getvalue().to_pybytes()


def arrow(table):
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize("pack", [parquet, arrow])
def test_typed_tables_are_read_as_their_text_would_be(learn, pack):
    table = pa.table({"sequence": [s for s, _ in ROWS], "label": [1.0, 0.0, 1.0, 0.0], "n": [1, 2, 3, None]})
    assert labels(learn(pack(table))) == ["1", "0", "1", "0"]
    assert labels(learn(pack(table.set_column(1, "label", pa.array([0.5, 1.25, 2.0, -3.0]))))) == [0.5, 1.25, 2.0, -3.0]
    assert "cannot be read as" in refusal(learn, pack(table)[:-40])


def test_excel_workbooks(learn, write, tmp_path):
    openpyxl = pytest.importorskip("openpyxl", reason="pip install openpyxl")
    book = openpyxl.Workbook()
    for row in [("sequence", "label"), *ROWS]:
        book.active.append(row)
    book.create_sheet("notes")
    book.save(tmp_path / "data.xlsx")
    table = read("excel", {"data": tmp_path / "data.xlsx"})
    assert labels(table) == [label for _, label in ROWS]
    said = "sheet: 'Sheet', the first (overrule with --set reader_options.sheet=NAME); not read: 'notes'"
    assert said in said_of(table)


def test_the_sheet_that_holds_a_table_is_read_or_the_one_that_is_named(tmp_path, refusal):
    openpyxl = pytest.importorskip("openpyxl", reason="pip install openpyxl")
    book = openpyxl.Workbook()
    book.active.append(("Project X",))
    book.active.append(("see the next sheet",))
    for name, rows in (("data", ROWS), ("more", ROWS[:2])):
        sheet = book.create_sheet(name)
        for row in [("sequence", "label"), *rows]:
            sheet.append(row)
    book.save(tmp_path / "data.xlsx")
    table = read("excel", {"data": tmp_path / "data.xlsx"})
    assert labels(table) == [label for _, label in ROWS]
    assert any("sheet: 'data', the first of several columns" in line for line in said_of(table))
    table = read("excel", {"data": tmp_path / "data.xlsx"}, sheet="more")
    assert labels(table) == [label for _, label in ROWS[:2]]
    assert not any(line.startswith("sheet: ") for line in said_of(table))
    with pytest.raises(RecipeError, match="unknown sheet 'mor'"):
        read("excel", {"data": tmp_path / "data.xlsx"}, sheet="mor")


def test_json_lines_and_a_list_of_objects(learn):
    objects = [{"sequence": s, "label": label} for s, label in ROWS]
    lines = "\n".join(map(json.dumps, objects))
    for content in (lines, json.dumps(objects)):
        assert labels(learn(content, "data.jsonl")) == [label for _, label in ROWS]
    assert "line 3 is no JSON" in refusal(learn, lines.replace('{"sequence": "GG', '{"sequence: "GG'), "data.jsonl")


def test_squads_own_json(write):
    table = read("squad", {"data": write(json.dumps(SQUAD), "train.json")})
    assert table.column("answers").to_pylist() == [[{"start": 4.0, "end": 7.0}]]
    assert table.column("sequence_b").to_pylist() == ["the cat sat"]
    one = '[{"text": "cat", "answer_start": 4}]'
    for several, expected in (
        ("[]", []),
        (one.replace("]", ', {"text": "the \\"cat\\"", "answer_start": 0}]'), None),
        (one.replace("]", ', {"text": "cat sat", "answer_start": 4}]'), [(4.0, 7.0), (4.0, 11.0)]),
        (one + ', "is_impossible": true', []),
    ):
        path = write(json.dumps(SQUAD).replace(one, several), "train.json")
        if expected is None:
            assert "not the answer 'the \"cat\"'" in refusal(read, "squad", {"data": path})
            continue
        (answers,) = read("squad", {"data": path}).column("answers").to_pylist()
        assert [(answer["start"], answer["end"]) for answer in answers] == expected
    assert "not in the form of SQuAD" in refusal(read, "squad", {"data": write('{"data": [1]}', "train.json")})


# files of sequences


@pytest.mark.parametrize(
    ("content", "name", "ids", "letters"),
    [
        (FASTQ, "fastq", ["r0", "r1", "r2", "r3"], [s for s, _ in ROWS]),
        (GENBANK, "genbank", ["AB1"], ["ACGTTGCA"]),
        (EMBL, "embl", ["X1.1"], ["ACGTTGCA"]),
        (PIR, "pir", ["CRAB_ANAPL", "B"], ["MDITIHNPLIRRPLF", "MKV"]),
    ],
)
def test_files_of_sequences_are_recognised_and_read(write, content, name, ids, letters):
    path = write(content, "data.txt")
    assert format_of(path) == name
    table = read(name, {"data": path}, labelled=False)
    assert table.column("id").to_pylist() == ids
    assert [s.upper() for s in sequences(table)] == letters
    assert "hold no labels" in refusal(own_recipe, path, "dna") or name in ("genbank", "embl")


def test_a_genbank_record_tells_of_its_organism(write):
    table = FORMATS["genbank"].raw(write(GENBANK))
    assert table.column("organism").to_pylist() == ["Mus musculus"]
    assert table.column("strain").to_pylist() == ["B6"]


def test_a_record_that_is_cut_off_is_named(write):
    assert "record 4 is no FASTQ" in refusal(read, "fastq", {"data": write(FASTQ[:-4])}, labelled=False)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ("##fileformat=VCFv4.2\n#CHROM\tPOS\n", "a VCF file of variants"),
        ("@HD\tVN:1.6\n", "a SAM file"),
        ("##gff-version 3\n", "an annotation"),
        ("chr1\t10\t20\n", "a BED file of intervals"),
    ],
)
def test_what_holds_no_sequences_is_refused_by_what_it_is(write, content, kind):
    assert kind in refusal(own_recipe, write(content), "dna")


def test_a_table_of_intervals_is_no_dna(write):
    text = refusal(own_recipe, write("chrom,start,end,label\nchr1,10,20,a\nchr2,5,9,b\n"), "dna")
    assert "intervals of a genome and no sequences" in text
    assert "--genome" in text


# FASTA headers


def test_values_in_headers_keep_their_blanks(learn):
    headers = ["OS=Mus musculus OX=10090", "OS=Mus spretus OX=10096"] * 2
    content = "".join(f">sp|P{i}|X_Y Some protein {h} GN=A\nACGT{'ACGT'[i]}\n" for i, h in enumerate(headers))
    table = learn(content, "data.fasta", columns=Columns(label="OS"))
    assert labels(table) == ["Mus musculus", "Mus spretus"] * 2
    values = ["class A", "class B", "0,75", "a;b"]
    content = "".join(f">s{i} label={value}\nACGT\n" for i, value in enumerate(values * 2))
    assert labels(learn(content, "data.fasta")) == values * 2


def test_ids_leave_out_what_is_the_label(learn):
    table = learn(">ACP_1|1\nACGT\n>ACP_2|0\nACCT\n>ACP_3|1\nACGG\n", "data.fasta", domain="protein")
    assert table.column("id").to_pylist() == ["ACP_1", "ACP_2", "ACP_3"]
    assert labels(table) == ["1", "0", "1"]


# cells


def test_whole_numbers_in_two_spellings_are_one_class(learn, said):
    assert labels(learn("sequence,label\nAC,0\nAG,1.0\nAT,0\nAA,1\n")) == ["0", "1", "0", "1"]
    assert any("whole numbers written as 1 and 1.0" in line for line in said)
    assert any("has 2 distinct values" in line for line in said)


def test_decimal_commas(learn, said):
    rows = "".join(f"ACGT{'ACGT'[i % 4]};{-i},{176 + i}\n" for i in range(30))
    assert labels(learn("sequence;label\n" + rows))[:2] == [0.176, -1.177]
    assert any("decimal commas" in line for line in said)


@pytest.mark.parametrize("mark", ["nan", "NaN", "", "<NA>"])
def test_a_missing_label_is_named_or_left_out(learn, said, mark):
    content = f"sequence,label\nAC,0\nAG,{mark}\nAT,0\nAA,1\n"
    text = refusal(learn, content)
    assert "row 2" in text
    assert "--drop-incomplete" in text
    table = learn(content, drop_incomplete=True)
    assert table.column("id").to_pylist() == ["1", "3", "4"]  # rows keep their numbers
    assert any("1 of 4 rows left out without a sequence or a label (rows 2)" in line for line in said)


def test_excels_line_that_names_the_separator(learn):
    assert labels(learn("sep=;\nsequence;label\nAC;a\nAG;b\n")) == ["a", "b"]


def test_what_r_writes(learn):
    plain = '"sequence"\t"label"\n"ACGT"\t"a"\n"AGGT"\t"b"\n'
    named = '"sequence"\t"label"\n"1"\t"ACGT"\t"a"\n"2"\t"AGGT"\t"b"\n'
    for content in (plain, named):
        table = learn(content, "data.tsv")
        assert (sequences(table), labels(table)) == (["ACGT", "AGGT"], ["a", "b"])


def test_a_quote_that_swallows_records(learn, write):
    lines = [f"pos,sentence number {i} is here" for i in range(40)]
    for closed in (False, True):
        broken = list(lines)
        broken[20] = 'neg,"sentence number 20'
        if closed:
            broken[30] += '"'
        text = refusal(learn, "label,sequence\n" + "\n".join(broken) + "\n")
        assert "the quote opened in row 21, column 'sequence'" in text
    fine = 'label,sequence\na,"one\ntwo, three"\nb,"x\ny"\n'  # cells of several lines are none of that
    assert labels(read("table", {"data": write(fine)})) == ["a", "b"]


def test_a_quoted_cell_of_any_length(learn):
    content = '"sequence","label"\n"' + "ACGT" * 40_000 + '","a"\n"ACGG","b"\n'
    assert [len(s) for s in sequences(learn(content))] == [160_000, 4]


def test_overlapping_kmers_are_put_together(learn, said):
    cut = [" ".join(s[i : i + 3] for i in range(6)) for s, _ in ROWS]
    content = "sequence\tlabel\n" + "".join(f"{s}\t{i % 2}\n" for i, s in enumerate(cut))
    assert sequences(learn(content, "train.tsv")) == [s for s, _ in ROWS]
    assert any("overlapping 3-mers" in line for line in said)
    table = learn("sequence,label\nACG TTA,a\nACG GGT,b\n")  # pieces that do not overlap
    assert sequences(table) == ["ACG TTA", "ACG GGT"]


def test_several_labels_in_a_cell(learn, said):
    content = "sequence,label\n" + "".join(f"ACG,{x}\n" for x in ["a;b", "b", "a", "b;c", "c"])
    assert labels(learn(content)) == [["a", "b"], ["b"], ["a"], ["b", "c"], ["c"]]
    assert "problem: multilabel, as 'label' holds several labels a row, as in 'a;b'" in "\n".join(said)
    assert labels(learn(content, problem="classification"))[0] == "a;b"
    assert labels(learn("sequence,label\nAC,x;y\nAG,z\nAT,x;y\n")) == ["x;y", "z", "x;y"]  # a name with a semicolon


def test_a_number_for_each_symbol_is_no_tag(learn, said):
    rows = "".join(f"ACGTACGTAC,{' '.join(f'0.{i}{j}' for j in range(10))}\n" for i in range(1, 6))
    table = learn("sequence,values\n" + rows)
    assert table.column("tags").to_pylist()[0][:2] == [0.10, 0.11]
    assert "problem: profile, as 'values' holds a number for each symbol" in "\n".join(said)
    assert learn("sequence,values\n" + rows, problem="tagging").column("tags").to_pylist()[0][:2] == ["0.10", "0.11"]


def test_tags_of_another_length_are_named(learn):
    rows = [("ACGTACGT", "HHHHEEEE"), ("ACGTACGA", "HHHEEEEE"), ("ACCTACGA", "HHHE"), ("ACGTACCC", "HHEEEEEE")]
    text = refusal(learn, "sequence,tags\n" + "".join(f"{s},{t}\n" for s, t in rows), domain="protein")
    assert "row 3: 4 tags for a sequence of 8 symbols" in text


def test_classes_that_are_numbers_are_in_their_order():
    assert natural_order(["10", "9", "1", "2"]) == ["1", "2", "9", "10"]
    assert natural_order(["b", "10", "9"]) == ["10", "9", "b"]
    assert natural_order(["0.5", "-1", "1e1"]) == ["-1", "0.5", "1e1"]


# splits


@pytest.mark.parametrize("strange", ["trian", "holdout"])
def test_an_unknown_split_is_never_a_random_one(learn, strange):
    names = ["train"] * 6 + ["test", strange]
    content = "sequence,label,split\n" + "".join(f"AC{'ACGT'[i % 4]},{i % 2},{n}\n" for i, n in enumerate(names))
    assert f"row 8: unknown split {strange!r}" in refusal(learn, content)


def test_folds_in_a_column_called_split(learn):
    content = "sequence,label,split\n" + "".join(f"AC{'ACGT'[i % 4]},{i % 2},{i % 5}\n" for i in range(20))
    text = refusal(learn, content)
    assert "column 'split' holds 0, 1, 2, 3, 4" in text
    assert "--column fold=split" in text
    assert learn(content, columns=Columns(split="")).column_names == ["id", "sequence", "label"]


def test_flips_column_of_validation(learn):
    rows = [("train", "False"), ("train", "True"), ("test", "False"), ("train", "")]
    content = "sequence,target,set,validation\n" + "".join(
        f"ACG{'ACGT'[i]},{i % 2},{a},{b}\n" for i, (a, b) in enumerate(rows)
    )
    assert learn(content, domain="protein").column("split").to_pylist() == ["train", "valid", "test", "train"]


def test_records_to_predict_need_no_label(learn, said):
    rows = [("a", "train"), ("b", "train"), ("a", "test"), ("", "pred")]
    content = "".join(f">s{i} TARGET={t} SET={s}\nACG{'ACGT'[i]}\n" for i, (t, s) in enumerate(rows))
    assert learn(content, "data.fasta", domain="protein").column("id").to_pylist() == ["s0", "s1", "s2"]


def test_a_table_sorted_by_its_label_is_guessed_from_all_of_it():
    table = pa.table({"sequence": ["ACGT"] * 3999, "y": [str(i // 2000) for i in range(3999)]})
    assert guess_columns(table, Columns()).problem == "classification"
    values = ["0"] * 2500 + [f"{i / 7:.3f}" for i in range(1499)]
    table = pa.table({"sequence": ["ACGT"] * 3999, "y": values})
    assert guess_columns(table, Columns()).problem == "regression"


@pytest.mark.parametrize("name", ["headline", "description", "Peptides", "sentences", "composer"])
def test_names_of_columns_that_are_ordinary_words(name):
    cells = ["PEPTIDESCALNHR" * 2, "PEPTIDEKLMNVWY" * 2] * 3 if name == "Peptides" else [
        "the headline descriptions of sentences by composers", "description, composer and headline in sentences",
    ] * 3  # fmt: skip
    table = pa.table({name: cells, "label": ["a", "b"] * 3})
    assert guess_columns(table, Columns()).columns.sequence == name


# several files, folders, labels apart


def test_files_for_each_split(write):
    paths = {name: write(CSV.replace("ACGTT", f"ACG{c}T"), f"{name}.csv") for name, c in [("train", "T"), ("dev", "A")]}
    recipe = own_recipe(paths, "dna")
    assert recipe.split.rule == "given"
    table = load_table(recipe)
    assert table.column("split").to_pylist() == ["train"] * 4 + ["valid"] * 4
    assert set(assign(table, recipe.split, "classification")) == {"train", "valid", "test"}
    assert "no train" in refusal(own_recipe, {"test": paths["dev"]}, "dna")
    assert "data for the split 'tset'" in refusal(own_recipe, {"tset": paths["dev"]}, "dna")


def test_a_folder_of_files_for_each_split(write, tmp_path):
    for name in ("train", "dev", "test"):
        write(CSV, f"mine/{name}.csv")
    recipe = task_of(str(tmp_path / "mine"), domain="dna")
    assert isinstance(recipe, Recipe)
    assert recipe.name == "dna/mine"
    assert list(recipe.source.files) == ["valid", "test", "train"]
    write(CSV, "mine/valid.tsv")
    assert "both valid" in refusal(task_of, str(tmp_path / "mine"), domain="dna")
    (tmp_path / "empty").mkdir()
    assert "is a folder" in refusal(task_of, str(tmp_path / "empty"), domain="dna")


def test_labels_in_a_file_of_their_own(write):
    fasta = write("".join(f">s{i} x\n{s}\n" for i, (s, _) in enumerate(ROWS)), "seqs.fasta")
    rows = [f"s{i},{label}" for i, (_, label) in enumerate(ROWS)]
    table = load_table(own_recipe(fasta, "dna", labels=write("name,activity\n" + "\n".join(rows[::-1]), "l.csv")))
    assert labels(table) == [label for _, label in ROWS]
    text = refusal(own_recipe, fasta, "dna", labels=write("name,activity\n" + "\n".join(rows[:2]), "l.csv"))
    assert "has no row for 's2', 's3' of" in text
    tags = write("".join(f">s{i}\n{'H' * i}{'E' * (8 - i)}\n" for i in range(4)), "tags.fasta")
    assert own_recipe(fasta, "protein", labels=tags).problem == "tagging"


def test_a_task_and_data_are_told_apart(write):
    path = write(CSV)
    assert task_of("dna/splice", overrides=["split.seed=7"]).split.seed == 7
    assert task_of(str(path), domain="dna").name == "dna/data"
    assert "what does" in refusal(task_of, str(path))
    assert "a task and data" in refusal(task_of, "dna/splice", str(path))
    assert "neither" in refusal(task_of, None)
    assert "for the task dna/splice" in refusal(task_of, "dna/splice", domain="dna")


def test_what_datasets_saved(tmp_path):
    names = {"label": {"names": ["neg", "pos"], "_type": "ClassLabel"}, "sequence": {"dtype": "string"}}
    for split, n in (("train", 3), ("validation", 2)):
        folder = tmp_path / "saved" / split
        folder.mkdir(parents=True)
        for shard in range(2):
            table = pa.table({"sequence": [f"ACG{'ACGT'[i]}" for i in range(n)], "label": [i % 2 for i in range(n)]})
            (folder / f"data-{shard}.arrow").write_bytes(arrow(table))
        files = [{"filename": f"data-{shard}.arrow"} for shard in range(2)]
        (folder / "state.json").write_text(json.dumps({"_data_files": files}))
        (folder / "dataset_info.json").write_text(json.dumps({"features": names}))
    (tmp_path / "saved" / "dataset_dict.json").write_text(json.dumps({"splits": ["train", "validation"]}))
    recipe = own_recipe(tmp_path / "saved", "dna")
    table = load_table(recipe)
    assert table.column("split").to_pylist() == ["train"] * 6 + ["valid"] * 4
    assert labels(table)[:3] == ["neg", "pos", "neg"]
    (tmp_path / "saved" / "train" / "data-1.arrow").unlink()
    assert "does not exist" in refusal(own_recipe, tmp_path / "saved", "dna")


def test_intervals_of_a_genome(write, said):
    pytest.importorskip("pyfaidx", reason="pip install pyfaidx")
    genome = write(">chr1\nAACCGGTT\nACGT\n>chr2\nTTTTT\n", "genome.fasta")
    bed = write("chr1\t0\t4\tpos\t0\t+\nchr1\t2\t6\tneg\t0\t-\nchr1\t8\t12\tpos\t0\t-\n", "a.bed")
    table = load_table(own_recipe(bed, "dna", genome=genome, columns=Columns(label="name")))
    assert sequences(table) == ["AACC", "CCGG", "ACGT"]
    headed = write("chrom,start,end,label\nchr1,1,5,a\nchr2,0,5,b\n", "a.csv")
    assert sequences(load_table(own_recipe(headed, "dna", genome=genome))) == ["ACCG", "TTTTT"]
    gtf = write('chr1\tx\texon\t1\t4\t.\t-\t.\tgene_id "a"\nchr1\tx\tcds\t5\t8\t.\t+\t.\tgene_id "b"\n', "a.gtf")
    assert sequences(load_table(own_recipe(gtf, "dna", genome=genome, columns=Columns(label="feature")))) == [
        "GGTT",
        "GGTT",
    ]
    for row, fault in [("1\t0\t4", "no chromosome '1'"), ("chr2\t3\t9", "within the 5 bases of chr2")]:
        assert fault in refusal(own_recipe, write(f"chr1\t0\t4\n{row}\n", "b.bed"), "dna", genome=genome)


def test_a_recipe_of_ones_own_finds_files_beside_it_and_needs_no_licence(write, tmp_path):
    write(CSV, "there/data.csv")
    text = "name: mine\ntitle: mine\nsource: {files: {all: data.csv}}\nadapter: {name: dna}\nproblem: classification\n"
    recipe = load_recipe(write(text, "there/mine.yaml"))
    assert recipe.source.files == {"all": str((tmp_path / "there" / "data.csv").resolve())}
    assert recipe.metrics[0] == "accuracy"
    assert labels(load_table(recipe)) == [label for _, label in ROWS]


def test_an_unknown_option_of_a_reader_is_named(write):
    text = refusal(read, "table", {"data": write(CSV)}, delimeter=";")
    assert "did you mean: delimiter" in text


def test_a_column_that_was_asked_for_and_is_missing(write):
    path = write("seq,label\nACGT,a\nACGG,b\n")
    with pytest.raises(DataError, match="no column 'zz'"):
        read("table", {"data": path}, columns=Columns(sequence="zz"), labelled=False)
    known = read("table", {"data": path}, known=Columns(sequence="zz"), labelled=False)
    assert sequences(known) == ["ACGT", "ACGG"]


def test_a_folder_of_music_needs_no_table(tmp_path, write):
    miditoolkit = pytest.importorskip("miditoolkit", reason="pip install 'xdomain[music]'")
    for composer, pitches in (("bach", (60, 62)), ("satie", (64, 67))):
        for piece in range(2):
            midi = miditoolkit.MidiFile()
            midi.instruments.append(miditoolkit.Instrument(0))
            midi.instruments[0].notes = [
                miditoolkit.Note(80, p + piece, 480 * i, 480 * i + 400) for i, p in enumerate(pitches)
            ]
            (tmp_path / "pieces" / composer).mkdir(parents=True, exist_ok=True)
            midi.dump(str(tmp_path / "pieces" / composer / f"{piece}.mid"))
    recipe = own_recipe(tmp_path / "pieces", "music")
    table = load_table(recipe, adapter=make_adapter("music", {}))
    assert table.column("id").to_pylist() == ["bach/0.mid", "bach/1.mid", "satie/0.mid", "satie/1.mid"]
    assert labels(table) == ["bach", "bach", "satie", "satie"]
    assert all(len(sequence) > 3 for sequence in sequences(table))
    names = write("file,era\nbach/0,old\nbach/1,old\nsatie/0,new\nsatie/1,new\n", "eras.csv")
    assert labels(load_table(own_recipe(tmp_path / "pieces", "music", labels=names))) == ["old", "old", "new", "new"]


def test_overlapping_kmers_are_put_together_for_kmer_adapters_and_left_to_units(write):
    cut = write(
        "sequence,label\n" + "".join(f"{' '.join(s[i : i + 3] for i in range(6))},a\n{s},b\n" for s, _ in ROWS[:1])
    )
    whole = "".join(f"{' '.join(s[i : i + 3] for i in range(6))},{i % 2}\n" for i, (s, _) in enumerate(ROWS))
    path = write("sequence,label\n" + whole, "kmers.csv")
    for options in ({}, {"tokens": "kmer", "k": 2}):
        table = load_table(own_recipe(path, "dna"), adapter=make_adapter("dna", options))
        assert sequences(table) == [s for s, _ in ROWS]
    mixed = load_table(own_recipe(cut, "dna"), adapter=make_adapter("dna", {}))
    assert sequences(mixed) == [ROWS[0][0]] * 2  # a whole sequence among them stays as it is
    units = write("sequence,label\n12 21 12,0\n23 32 23,1\n", "units.csv")
    table = load_table(own_recipe(units, "speech"), adapter=make_adapter("speech", {"units": 50}))
    assert sequences(table) == ["12 21 12", "23 32 23"]


def test_a_file_for_each_class(write, tmp_path):
    for name in ("pos", "neg"):
        write("".join(f">s{i}\n{s}\n" for i, (s, _) in enumerate(ROWS)), f"classes/{name}.fasta")
    table = load_table(own_recipe(tmp_path / "classes", "dna"))
    assert labels(table) == ["neg"] * 4 + ["pos"] * 4
    assert table.column("id").to_pylist()[:2] == ["neg/s0", "neg/s1"]
    for split in ("train", "test"):
        for name in ("pos", "neg"):
            write("".join(f">{split}{i}\n{s}\n" for i, (s, _) in enumerate(ROWS)), f"parts/{split}/{name}.fa")
    recipe = own_recipe(tmp_path / "parts", "dna")
    assert recipe.split.rule == "given"
    assert load_table(recipe).column("split").to_pylist() == ["test"] * 8 + ["train"] * 8
    (tmp_path / "parts" / "test" / "pos.fa").rename(tmp_path / "parts" / "test" / "positive.fa")
    assert "has no file for the class" in refusal(own_recipe, tmp_path / "parts", "dna")


def test_lists_in_cells(learn):
    lists = ["[0, 1, 0, 0, 1]", "[1 1 0 0 1]", "['0', '0', '0', '0', '1']", "[0,1,1,1,1]"]
    table = learn("sequence,tags\n" + "".join(f'ACGT{c},"{x}"\n' for c, x in zip("ACGT", lists, strict=True)))
    assert ["".join(tags) for tags in table.column("tags").to_pylist()] == ["01001", "11001", "00001", "01111"]
    cells = "".join(f"ACG{c},\"['a', '{x}']\"\n" for c, x in zip("ACGT", "bcbc", strict=True))
    assert labels(learn("sequence,label\n" + cells)) == [["a", "b"], ["a", "c"]] * 2


def test_classes_that_differ_in_case_are_told(learn, said):
    learn("sequence,label\nAC,Yes\nAG,yes\nAT,no\n")
    assert any("'Yes' and 'yes' differ only in case" in line for line in said)


def test_kmers_some_rows_of_which_are_whole_or_wrong(learn):
    cut = [" ".join(s[i : i + 4] for i in range(0, 5, 2)) for s, _ in ROWS]  # two symbols apart
    rows = [f"{s},{i % 2}" for i, s in enumerate([*cut, *(s for s, _ in ROWS)])]
    assert sequences(learn("sequence,label\n" + "\n".join(rows) + "\n")) == [s for s, _ in ROWS] * 2
    text = refusal(learn, "sequence,label\n" + "\n".join([*rows, "ACG CGT TTT,0"]) + "\n")
    assert "record '9': 'ACG CGT TTT' among overlapping 4-mers" in text


def test_strands_in_several_spellings(write):
    pytest.importorskip("pyfaidx", reason="pip install pyfaidx")
    genome = write(">c\nACGGTTCAGGATCCTA\n", "genome.fasta")
    rows = "".join(f"c,0,8,{strand},{i % 2}\n" for i, strand in enumerate(["+", "-", "1", "-1", "reverse", "."]))
    table = load_table(own_recipe(write("chr,start,end,strand,label\n" + rows), "dna", genome=genome))
    assert sequences(table) == ["ACGGTTCA", "TGAACCGT", "ACGGTTCA", "TGAACCGT", "TGAACCGT", "ACGGTTCA"]
    odd = write("chr,start,end,strand,label\nc,0,8,up,a\n", "odd.csv")
    assert "row 1: strand 'up'" in refusal(own_recipe, odd, "dna", genome=genome)


def test_files_of_several_formats_and_headers_of_which_some_have_labels(write):
    table, fasta = write(CSV, "a.csv"), write(">a|pos\nACGT\n>b|neg\nGGCA\n", "b.fasta")
    text = refusal(own_recipe, {"train": table, "test": fasta}, "dna")
    assert "train is table, test is fasta" in text
    some = write(">a|pos\nACGT\n>b|neg\nGGCA\n>c\nGGTA\n", "c.fasta")
    assert "row 3 (id 'c')" in refusal(load_table, own_recipe(some, "dna"))


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"RIFF\x24\0\0\0WAVEfmt ", "a sound file"),
        (b"MThd\0\0", "a MIDI file"),
        (b"x" * 257 + b"ustar\0", "a tar archive"),
    ],
)
def test_other_kinds_of_file_are_named(write, content, kind):
    assert kind in refusal(own_recipe, write(content, "data.csv"), "dna")


def test_json_of_other_shapes_is_refused(write):
    nested = write('{"sequence": "ACGT", "meta": {"label": "a"}}\n', "a.jsonl")
    assert "the key 'meta' holds an object" in refusal(own_recipe, nested, "dna")
    columns = write('{"sequence": ["ACGT", "ACGG"], "label": ["a", "b"]}', "b.json")
    assert "holds columns, sequence, label" in refusal(own_recipe, columns, "dna")
