"""Folders with a text for each record, below a folder for each class (genomic_benchmarks, IMDB)."""

import pytest

from xdomain.data.own_data import own_recipe


@pytest.fixture
def folder(write, tmp_path):
    def folder(texts):
        for name, text in texts.items():
            write(text, f"mine/{name}")
        return tmp_path / "mine"

    return folder


def layout(text="{}\n"):
    return {
        f"{split}/{name}/{i}.txt": text.format("ACGT" * (i + 1) + "ACGT"["pn".index(name[0])])
        for split in ("train", "test")
        for name in ("positive", "negative")
        for i in range(3)
    }


def test_one_sequence_a_file(learn, folder):
    table = learn(folder(layout()))
    rows = list(zip(*(table.column(name).to_pylist() for name in ("id", "sequence", "label", "split")), strict=True))
    assert len(rows) == 12
    assert rows[0] == ("test/negative/0.txt", "ACGTC", "negative", "test")
    assert rows[-1] == ("train/positive/2.txt", "ACGTACGTACGTA", "positive", "train")


def test_wrapped_sequences_are_joined_and_others_refused(learn, folder, refusal):
    texts = layout()
    texts["train/positive/0.txt"] = "ACGT\nACGT\r\nAC\n"
    assert "ACGTACGTAC" in learn(folder(texts)).column("sequence").to_pylist()
    texts["train/positive/0.txt"] = "ACGT\nACGTACGT\nAC\n"
    text = refusal(learn, folder(texts))
    assert "0.txt holds several lines, the first is 'ACGT'" in text
    assert "pos.fasta" in text


def test_texts_keep_their_blanks(learn, folder):
    table = learn(folder(layout("A good\n\nfilm {}\n")), domain="text")
    assert table.column("sequence").to_pylist()[0] == "A good film ACGTC"


def test_a_pdf_beside_a_folder_of_music_does_no_harm(write, tmp_path):
    for name in ("a/1.mid", "b/1.mid"):
        write(b"MThd", f"mine/{name}")
    for name in ("paper.pdf", "notes.pdf"):
        write(b"%PDF-1.7", f"mine/{name}")
    assert own_recipe(tmp_path / "mine", "music").columns.label == "label"


def columns(table):
    return list(zip(*(table.column(name).to_pylist() for name in ("id", "sequence", "label")), strict=True))


def test_a_list_of_sequences_a_class(learn, folder, refusal):
    texts = {"pos.txt": "ACGT\n\nACG\r\n", "neg.txt": "TTT\n"}
    assert columns(learn(folder(texts))) == [("neg/1", "TTT", "neg"), ("pos/1", "ACGT", "pos"), ("pos/3", "ACG", "pos")]
    folder({"neg.txt": "TTT A\n"})
    assert "neg.txt, line 1: 'TTT A'" in refusal(learn, folder({}))
    assert learn(folder({}), domain="text").column("sequence").to_pylist() == ["TTT A", "ACGT", "ACG"]


def test_a_folder_of_fasta_a_class(learn, folder):
    texts = {f"{name}/{i}.fa": f">x\n{'ACGT' * i}\n>y\nAC\n" for name in ("pos", "neg") for i in (1, 2)}
    table = learn(folder({**texts, "README.md": "About *these*.\n"}))
    assert columns(table)[:3] == [("neg/1/x", "ACGT", "neg"), ("neg/1/y", "AC", "neg"), ("neg/2/x", "ACGTACGT", "neg")]
    assert table.column("label").to_pylist() == ["neg"] * 4 + ["pos"] * 4


def test_an_empty_folder_is_none_of_the_classes(refusal, folder, learn, tmp_path):
    mine = folder({"a/1.fa": ">x\nAC\n"})
    (mine / "b").mkdir()
    assert "a folder without such files" in refusal(learn, mine)
