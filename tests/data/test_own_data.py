"""One's own data: options that are heeded before the guess, errors that name the user's own file, tables in memory."""

import json

import pyarrow as pa
import pytest

from xdomain.core.errors import DataError, UserError
from xdomain.core.plugins import make_adapter
from xdomain.core.recipe_sections import Columns
from xdomain.data.in_memory import display_name
from xdomain.data.loading import load_table
from xdomain.data.own_data import own_recipe, task_of

DNA = ["ACGTTGCA", "TTGACGTA", "GGCATTAC", "CATGGTCA"]


@pytest.fixture(autouse=True)
def own_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("XDOMAIN_DATA", str(tmp_path / "home"))


@pytest.fixture
def write(tmp_path):
    def write(name, content):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def load(data, domain="dna", **options):
    return load_table(own_recipe(data, domain, **options))


def refusal(call, *args, **options):
    with pytest.raises(UserError) as refused:
        call(*args, **options)
    return refused.value.block()


def column(table, name):
    return table.column(name).to_pylist()


# options before the guess


def test_what_biologists_write_for_not_measured_is_no_number(write):
    rows = [
        f"{s}A{'ACGT'[i]},{word}" for i in range(4) for s, word in zip(DNA, ("1.5", "n.d.", "ND", "2.5"), strict=True)
    ]
    path = write("tm.csv", "\n".join(["sequence,Tm", *rows]))
    assert "--drop-incomplete" in refusal(load, path)
    assert load(path, drop_incomplete=True).num_rows == 8


def test_an_accession_with_a_full_stop_names_records(write):
    path = write("d.csv", "Accession no.,sequence,label\n" + "".join(f"P{i},{s},{i % 2}\n" for i, s in enumerate(DNA)))
    assert own_recipe(path, "dna").columns.id == "Accession no."


def test_several_columns_of_labels_are_named_as_a_list(write):
    path = write(
        "d.csv", "sequence,note,kinase,membrane\n" + "".join(f"{s},x,{i % 2},{i // 2}\n" for i, s in enumerate(DNA))
    )
    listed = own_recipe(path, "dna", overrides=["columns.label=[kinase,membrane]"])
    typed = own_recipe(path, "dna", columns=Columns(label=["kinase", "membrane"]))
    assert listed.columns.label == ["kinase", "membrane"]
    assert listed == typed
    assert listed.problem == "multilabel"


@pytest.mark.parametrize("names", ["[sequence, label]", "sequence,label", "sequence, label"])
def test_names_of_columns(write, names):
    path = write("bare.csv", "".join(f"{s},{'ab'[i % 2]}\n" for i, s in enumerate(DNA)))
    assert "--set reader_options.names=sequence,label" in refusal(load, path)
    table = load(path, overrides=[f"reader_options.names={names}"])
    assert column(table, "sequence") == DNA


def test_advice_for_a_file_without_a_header_is_heeded(write):
    path = write("bare.txt", "".join(f"{s} {'ab'[i % 2]}\n" for i, s in enumerate(DNA)))
    advice = refusal(load, path)
    assert "--set reader_options.names=sequence,label --set reader_options.delimiter=space" in advice
    told = ["reader_options.names=sequence,label", "reader_options.delimiter=space"]
    assert column(load(path, overrides=told), "label") == list("abab")
    path = write("uci.data", "".join(f"{'ab'[i % 2]},S{i},{s}\n" for i, s in enumerate(DNA)))
    assert "reader_options.names=label,column2,sequence" in refusal(load, path)


def test_other_options_too(write):
    rows = "".join(f"{s},{'ab'[i % 2]},{'xy'[i // 2]},\n" for i, s in enumerate(DNA))
    path = write("two.csv", "sequence,one,two,empty\n" + rows)
    recipe = own_recipe(path, "dna", overrides=["columns.label=two", "split.seed=3", "reader_options.max_characters=9"])
    assert (recipe.columns.label, recipe.split.seed) == ("two", 3)
    assert recipe.reader_options == {"max_characters": 9}
    assert own_recipe(path, "dna", columns=Columns(label="one"), overrides=["columns.label=two"]).columns.label == "one"
    assert own_recipe(path, "dna", columns=Columns(label="one"), overrides=["problem=tagging"]).problem == "tagging"
    assert "did you mean: delimiter" in refusal(own_recipe, path, "dna", overrides=["reader_options.delimeter=;"])
    assert "did you mean: split" in refusal(own_recipe, path, "dna", overrides=["splt.seed=3"])


def test_a_recipe_that_was_made_so_reads_the_file_again(write):
    path = write("bare.csv", "".join(f"{s},{'ab'[i % 2]}\n" for i, s in enumerate(DNA)))
    recipe = task_of(None, path, "dna", overrides=["reader_options.names=sequence,label", "train.epochs=2"])
    assert (load_table(recipe).num_rows, recipe.train.epochs) == (4, 2)


# errors name what the user has


def test_a_table_in_memory(write):
    table = pa.table({"sequence": DNA, "label": ["a", "b", None, "a"]})
    text = refusal(load, table)
    assert text.startswith("the table in memory: row 3: empty label")
    recipe = own_recipe(pa.table({"sequence": DNA, "label": list("abab")}), "dna")
    assert recipe.title == "table in memory"
    assert display_name(next(iter(map(type(write("x", "")), recipe.source.files.values())))) == "the table in memory"


def test_a_folder(write, tmp_path):
    for name in ("a/1.mid", "a/2.mid"):
        write(f"pieces/{name}", b"MThd")
    text = refusal(load, tmp_path / "pieces", "music")
    assert f"{tmp_path / 'pieces'}: only one class, 'a'" in text


# lists


def test_lists_in_memory_are_read_as_those_of_files(write):
    tokens = [["A", "C"], ["G", "T", "A"], ["C", "C"], ["G", "A"]]
    tags = [["x", "y"], ["y", "y", "x"], ["x", "x"], ["y", "x"]]
    lines = "".join(json.dumps({"sequence": s, "tags": t}) + "\n" for s, t in zip(tokens, tags, strict=True))
    for data in (pa.table({"sequence": tokens, "tags": tags}), write("a.jsonl", lines)):
        table = load(data, "text")
        assert column(table, "sequence") == ["A C", "G T A", "C C", "G A"]
        assert column(table, "tags") == tags


def test_several_labels_in_memory_are_read_as_those_of_files():
    labels = [["a", "b"], ["a"], ["b"], ["a", "b"]]
    for data in ((DNA, labels), pa.table({"sequence": DNA, "label": labels})):
        assert column(load(data), "label") == labels


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_tags_that_are_not_known_are_left_out(write, ending):
    tags: list[str | None] = ["a", "b", None, "b", "a", "a", None, "b"]
    if ending == "csv":
        content = "sequence,tags\n" + "".join(f'{s},"{",".join(tag or "" for tag in tags)}"\n' for s in DNA)
    else:
        content = "".join(json.dumps({"sequence": s, "tags": tags}) + "\n" for s in DNA)
    path = write(f"a.{ending}", content)
    assert column(load(path), "tags") == [tags] * 4


def test_lists_of_a_single_entry_are_that_entry(write):
    lines = "".join(json.dumps({"primary": s, "fluorescence": [i * i + 0.5]}) + "\n" for i, s in enumerate(DNA))
    assert column(load(write("tape.jsonl", lines)), "label") == [0.5, 1.5, 4.5, 9.5]  # as TAPE has them
    assert column(load((DNA, [["a"], ["b"], ["a"], ["b"]])), "label") == list("abab")


def test_bracketed_texts_stay_as_they_are():
    texts = ["[user] good day [end]", "[user] bye [end]", "[user] no [end]", "[user] yes [end]"]
    assert column(load((texts, list("abab")), "text"), "sequence") == texts


# columns


def test_numbers_with_commas_and_per_cent(write, said):
    rows = "".join(f'{s},"{1000.5 * (i + 1):,.1f}"\n' for i, s in enumerate(DNA))
    assert column(load(write("k.csv", "sequence,Ki\n" + rows)), "label") == [1000.5, 2001, 3001.5, 4002]
    assert "label: 4 numbers written with commas between thousands, such as 1,000.5, read as 1000.5" in said
    rows = "".join(f"{s},{i * i + 0.5}%\n" for i, s in enumerate(DNA))
    assert column(load(write("p.csv", "sequence,share\n" + rows)), "label") == [0.5, 1.5, 4.5, 9.5]
    assert "label: 4 numbers written as percentages, such as 0.5%, read as 0.5" in said


@pytest.mark.parametrize("written", ["{}.5 nM", ">{}", "{} ± 2", "{} x 10^-3"])
def test_quantities_are_refused_with_the_row(write, written):
    rows = "".join(f"{'ACGT'[i % 4] * 8}{'CA'[i % 2] * i},{i if i == 0 else written.format(i)}\n" for i in range(30))
    path = write("q.csv", "sequence,Ki\n" + rows)
    for problem in (None, "regression"):
        text = refusal(load, path, problem=problem)
        assert f"q.csv: row 2: {written.format(1)!r}" in text or repr(written.format(1)) in text
        assert "write the number alone, all in one unit" in text


def test_thousands_or_decimals_is_not_guessed(write):
    rows = "".join(f'{"ACGT"[i % 4] * 8}{"CA"[i % 2] * i},"{i + 1},{i + 100}"\n' for i in range(30))
    assert "row 1: '1,100' in 'Ki' may be 1100 or 1.100" in refusal(load, write("a.csv", "sequence,Ki\n" + rows))


def test_columns_that_could_be_the_label_are_all_named(write):
    rows = "".join(f"{s},{i % 2},{(5, 1, 9, 5)[i]},{i % 2}\n" for i, s in enumerate(DNA))
    text = refusal(load, write("a.csv", "sequence,t1,own score,t3\n" + rows))
    assert "say which: --column label=t1 or --column label='own score' or --column label=t3" in text
    assert "; or several numbers at once: --column label='t1,own score,t3'" in text


def test_objects_of_json_in_a_column(write):
    cells = [json.dumps({"sequence": s, "label": i}).replace('"', '""') for i, s in enumerate(DNA)]
    path = write("a.csv", "id,record\n" + "".join(f'{i},"{cell}"\n' for i, cell in enumerate(cells)))
    assert "column 'record' holds objects of JSON" in refusal(load, path)


def test_several_columns_of_files_are_named(write):
    lines = [f"Bach,{i}/score.mid,{i}/played.mid" for i in range(4)] + ["Liszt,5/score.mid,5/played.mid"]
    path = write("pieces.csv", "\n".join(["composer,notation,performance", *lines]))
    said = refusal(own_recipe, path, "music")
    assert "2 columns name files: notation, performance" in said
    assert "--column sequence=notation or --column sequence=performance" in said
    assert own_recipe(path, "music", columns=Columns(sequence="performance")).columns.label == "composer"


def test_a_column_of_files_is_taken_before_a_text(write):
    rows = "".join(f"{i}.wav\tgood day\t{'ab'[i % 2]}\n" for i in range(4))
    path = write("validated.tsv", "path\tsentence\tgender\n" + rows)
    assert own_recipe(path, "speech", columns=Columns(label="gender")).columns.sequence == "path"
    assert own_recipe(path, "text", columns=Columns(label="gender")).columns.sequence == "sentence"
    write("clips/0.wav", b"")
    recipe = own_recipe(path, "speech", columns=Columns(label="gender"))
    with pytest.raises(DataError, match=r"did you mean: clips/0\.wav"):
        load_table(recipe, adapter=make_adapter("speech", {}))


def test_names_of_proteins_are_no_sequences(write):
    rows = "".join(f"P{i},MKV{'ACDE'[i]}A,{i % 2}\n" for i in range(4))
    recipe = own_recipe(write("ddg.csv", "protein,wildtype,label\n" + rows), "protein")
    assert recipe.columns.sequence == "wildtype"


def test_masks_are_longer_than_the_sequences_that_they_are_of(write):
    rows = "".join(f"{s[i:]},{'HEHEHCCE'[i:]},{' '.join(['1.0'] * (8 - i))}\n" for i, s in enumerate(DNA))
    recipe = own_recipe(write("cb513.csv", "aa,dssp3,disorder\n" + rows), "dna")
    assert (recipe.columns.sequence, recipe.columns.tags) == ("aa", "dssp3")


def test_names_that_are_ids_must_be_so_in_every_file(tmp_path):
    train, test = tmp_path / "train.csv", tmp_path / "test.csv"
    train.write_text("Name,sequence,label\na,ACGT,x\nb,ACGG,y\n")
    for other, known in (("Name,sequence,label\na,ACCT,x\nc,AGGG,y\n", "Name"),
                         ("Name,sequence,label\nc,ACCT,x\nc,AGGG,y\n", None),
                         ("sequence,label\nACCT,x\nAGGG,y\n", None)):  # fmt: skip
        test.write_text(other)
        recipe = own_recipe({"train": train, "test": test}, "dna")
        assert recipe.columns.id == known
        assert len(load_table(recipe)) == 4


def test_a_misspelt_problem_is_named(tmp_path):
    (tmp_path / "x.csv").write_text("sequence,label\nACGT,1.5\nACGA,2.5\n")
    assert "did you mean: regression" in refusal(own_recipe, tmp_path / "x.csv", "dna", problem="regresion")


@pytest.mark.parametrize("typed", ["mine.csv", "{here}/mine.csv"])
def test_a_file_below_the_working_directory_is_named_as_it_would_be_typed(typed, tmp_path, monkeypatch):
    (tmp_path / "sub").mkdir()
    rows = "".join(f"ACGT{'ACGT'[i % 4]},{'' if i == 3 else i % 2}\n" for i in range(20))
    (tmp_path / "sub" / "mine.csv").write_text("sequence,label\n" + rows)
    monkeypatch.chdir(tmp_path / "sub")
    recipe = own_recipe(typed.format(here=tmp_path / "sub"), "dna")
    with pytest.raises(DataError) as told:
        load_table(recipe)
    assert told.value.what.startswith("mine.csv: row 4")
    monkeypatch.chdir(tmp_path / "sub" / "..")
    with pytest.raises(DataError) as told:
        load_table(recipe)
    assert told.value.what.startswith("sub/mine.csv: row 4")
