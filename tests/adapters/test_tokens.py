"""Tokens of any kind: what parts them, the alphabet that the data give, and the plain tokenizer beside it."""

import json
from typing import Any

import pyarrow as pa
import pytest
from command_line import told
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer

import xdomain
from xdomain.adapters.tokens import Tokens
from xdomain.core.errors import DataError, RecipeError
from xdomain.core.plugins import make_adapter
from xdomain.data.formats.lines import has_plain_lines
from xdomain.data.own_data import own_recipe
from xdomain.training.preparation import adapter_of

SPECIAL = {"[CLS]": 0, "[SEP]": 1, "[UNK]": 2}
STEPS = ["walk run walk jump", "run  run\tjump ", "walk"]
RECORDS = st.lists(
    st.text(st.sampled_from("ab,;|[CLSEP] \t\n\r\x0b\x1f\x85\xa0\u2003\u200b\u3000é🎵é"), max_size=12), min_size=1
)


def tokens(data, **options):
    return Tokens(**options).fitted([data])


def read(adapter, record):
    return [adapter.alphabet.symbols[i] for i in adapter.encode([record])[0]]


def test_the_alphabet_is_what_occurs():
    adapter = tokens(STEPS)
    assert adapter.alphabet.symbols == ("jump", "run", "walk", "<unknown>")
    assert read(adapter, STEPS[1]) == ["run", "run", "jump"]
    assert tokens(["10 9", "2"]).alphabet.symbols[:3] == ("2", "9", "10")


def test_tokens_that_are_not_in_it_are_counted():
    encoded = tokens(STEPS).encode(["walk hop walk", "skip"])
    assert [list(one) for one in encoded] == [[2, 3, 2], [3]]
    assert encoded.counts == {"unknown": 2}


@pytest.mark.parametrize(
    ("between", "record", "expected"),
    [
        ("blanks", " a  b,\u3000c ", ["a", "b,", "c"]),
        (",", " yarn over , knit,, purl ", ["yarn over", "knit", "purl"]),
        ("characters", "né 🎵n", ["n", "é", "🎵", "n"]),
        ("->", "a->b -> c", ["a", "b", "c"]),
    ],
)  # fmt: skip
def test_what_parts_tokens(between, record, expected):
    assert read(tokens([record], between=between), record) == expected


@given(data=RECORDS, other=RECORDS)
@pytest.mark.parametrize("between", ["blanks", "characters", ",", "|"])
def test_the_plain_tokenizer_reads_alike(between, data, other):
    adapter = tokens([*data, "z"], between=between)
    vocabulary = SPECIAL | {symbol: 3 + i for i, symbol in enumerate(adapter.alphabet.symbols) if symbol not in SPECIAL}
    plain = adapter.stock_tokenizer(vocabulary, "[UNK]")
    for record in [*data, *other]:
        expected = [vocabulary[symbol] for symbol in read(adapter, record)]
        assert plain.encode(record, add_special_tokens=False).ids == expected, record


@given(data=RECORDS)
def test_blanks_are_those_of_unicode(data):
    texts = [one.replace("\x1f", "#") for one in data]  # which is a blank to Python alone
    adapter = tokens([*texts, "z"])
    assert [read(adapter, one) for one in texts] == [one.split() for one in texts]


@given(data=RECORDS)
@pytest.mark.parametrize("between", ["blanks", "characters", ","])
def test_decoded_and_encoded_again(between, data):
    adapter = tokens([*data, "z"], between=between)
    for ids in adapter.encode(data):
        assert list(adapter.encode([adapter.decode(ids)])[0]) == list(ids)


@given(data=RECORDS)
@pytest.mark.parametrize("between", ["blanks", "characters", ",", "|"])
def test_places_are_those_of_the_tokens(between, data):
    adapter = tokens([*data, "z"], between=between)
    for record in data:
        places = adapter.spans([record]).astype(int)
        assert [record[start:end] for start, end in places] == read(adapter, record)


def test_records_may_be_bytes_or_a_slice_of_a_column():
    adapter = tokens(STEPS)
    column = pa.array(["hop", *STEPS]).slice(1)
    assert [list(one) for one in adapter.encode(column)] == [list(one) for one in adapter.encode(STEPS)]
    assert list(adapter.encode([b"walk"])[0]) == [2]
    with pytest.raises(DataError, match="record 2: byte 0xff, its number 3, is not UTF-8"):
        adapter.encode([b"walk", b"a \xff"])


def test_rare_tokens_are_left_out():
    assert tokens(STEPS, min_count=3).alphabet.symbols == ("run", "walk", "<unknown>")
    with pytest.raises(RecipeError, match="none of 3 tokens occurs 9 times"):
        tokens(STEPS, min_count=9)


def test_a_file_names_the_alphabet(tmp_path):
    file = tmp_path / "steps.txt"
    file.write_bytes(b"walk\r\nhop\r\n")
    adapter = tokens(STEPS, vocabulary=str(file))
    assert adapter.alphabet.symbols == ("walk", "hop", "<unknown>")
    adapter.export_assets(tmp_path)
    assert (tmp_path / "vocabulary.txt").read_text("utf-8") == "walk\nhop\n"
    assert make_adapter("tokens", {"symbols": ["walk", "hop"]}).alphabet == adapter.alphabet


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"between": " "}, "tokens with nothing between"),
        ({"min_count": 0}, "min_count 0"),
        ({"symbols": ["a", "a"]}, "the token 'a' is named twice"),
        ({"vocabulary": "none.txt"}, "none.txt cannot be read"),
        ({"vocabulary": "empty.txt"}, "empty.txt is empty"),
        ({}, "no alphabet without data"),
    ],
)
def test_options_that_cannot_be(options, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.txt").write_text("\n", "utf-8")
    with pytest.raises(RecipeError, match=message):
        make_adapter("tokens", options).alphabet  # noqa: B018


@pytest.mark.parametrize(
    ("records", "sentence"),
    [
        (["a, b, c", "c, a"], "most tokens end with ',', such as 'a,': --set adapter.options.between=','"),
        (["abba", "baab"], "every record is a single token"),
        (STEPS, None),
    ],
)
def test_what_parts_them_is_doubted(records, sentence):
    adapter = tokens(records)
    told = adapter.other_domain(adapter.encode(records))
    assert (told is None) if sentence is None else sentence in told


def test_unknown_ones_are_doubted():
    adapter = tokens(STEPS)
    assert adapter.other_domain(adapter.encode(["a b walk"])) == "67% of tokens are none of the 3 of the alphabet"


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.txt", "12 7 7\n", True),
        ("a.txt", "knit, purl, knit\n", True),
        ("a.txt", "The text was long.\n", True),
        ("a", "\nHEC\n", True),
        ("a.csv", "12 7 7\n", False),
        ("a.tsv.gz", "12 7 7\n", False),
        ("a.txt", "sequence\nHEC\n", False),
        ("a.txt", "number, sequence\n1,HEC\n", False),
        ("a.txt", "id label\nr1 a\n", False),
        ("a.txt", "r1\ta b\n", False),
    ],
)
def test_lines_or_a_table(tmp_path, name, text, expected):
    (tmp_path / name).write_text(text, "utf-8")
    if name.endswith(".gz"):
        import gzip

        (tmp_path / name).write_bytes(gzip.compress(text.encode()))
    assert has_plain_lines(tmp_path / name) is expected


def dances(path, records=60):
    rows = [f"walk {'run jump' if i % 2 else 'jump run'} {'walk ' * (i % 7)}hop,{'ab'[i % 2]}" for i in range(records)]
    path.write_text("\n".join(["steps,kind", *rows]) + "\n", "utf-8")
    return path


def test_a_run_keeps_the_alphabet(tmp_path, tiny_bert, capsys, caplog):
    caplog.set_level("INFO", "xdomain")
    data = dances(tmp_path / "dances.csv")
    run = tmp_path / "run"
    result = xdomain.run(data=data, domain="tokens", out=run, backbone=str(tiny_bert), overrides=["train.max_steps=2"])
    assert result.metrics
    assert "alphabet: 4 symbols, those of the data: hop, jump, run, walk" in caplog.messages
    assert (run / "adapter" / "vocabulary.txt").read_text("utf-8").split() == ["hop", "jump", "run", "walk"]
    mapping = json.loads((run / "mapping.json").read_text("utf-8"))
    plain = AutoTokenizer.from_pretrained(run / "model")
    assert plain("walk skip", add_special_tokens=False)["input_ids"] == [mapping["ids"][3], mapping["ids"][4]]
    other = tmp_path / "others.txt"
    other.write_text("skip skip walk\n\nrun skip skip\n", "utf-8")
    code, _, said = told(capsys, "predict", run, other, "--out", tmp_path / "out.csv")
    assert (code, "67% of tokens are none of the 4 of the alphabet" in said) == (0, True), said
    assert [row.split(",")[0].strip('"') for row in (tmp_path / "out.csv").read_text("utf-8").split("\n")[1:3]] == [
        "others:1", "others:3"]  # fmt: skip


def test_unknown_tokens_of_predictions_are_counted(tmp_path, tiny_bert, capsys):
    data = dances(tmp_path / "dances.csv")
    run = tmp_path / "run"
    xdomain.run(data=data, domain="tokens", out=run, backbone=str(tiny_bert), overrides=["train.max_steps=1"])
    (tmp_path / "new.txt").write_text("walk skip run\nwalk hop\n", "utf-8")
    _, _, said = told(capsys, "predict", run, tmp_path / "new.txt", "--out", tmp_path / "new.csv")
    assert "1 of 5 symbols are unknown to the model (20%); --unlike tells in which records" in said
    assert f"2 predictions -> {tmp_path / 'new.csv'}" in said


def test_pre_training_and_the_rows_of_a_tokens_own(tmp_path, capsys, caplog):
    stream, out = tmp_path / "steps.txt", tmp_path / "steps-bert"
    stream.write_text("".join(f"{i % 5} {i % 3} {i % 3} {i % 7} {i}\n" for i in range(300)), "utf-8")
    small = ["--layers", "1", "--width", "16", "--heads", "2", "--tokens", "3000", "--lengths", "16", "--shares", "1"]
    _, _, said = told(capsys, "pretrain", "sequences", stream, "--domain", "tokens", "--out", out, *small)
    vocabulary = AutoTokenizer.from_pretrained(out).get_vocab()
    assert len(vocabulary) == 5 + 300 + 1  # special tokens, integers, the unknown one: repeated units are not merged
    assert "1,500 symbols in 300 records of 5 to 5" in said
    data = tmp_path / "own.csv"
    data.write_text("x,y\n" + "".join(f"{i % 5} {i % 2} {i % 300},{'ab'[i % 2]}\n" for i in range(60)), "utf-8")
    run = tmp_path / "run"
    xdomain.run(data=data, domain="tokens", out=run, backbone=str(out), mapping="own", overrides=["train.max_steps=2"])
    mapping = json.loads((run / "mapping.json").read_text("utf-8"))
    assert dict(zip(mapping["symbols"], mapping["ids"], strict=True))["7"] == vocabulary["7"]
    assert f"next: xdomain run FILE --domain tokens --backbone {out} --mapping own" in said
    with pytest.raises(RecipeError, match="no pieces for 4 of 5 symbols"):
        xdomain.run(
            data=dances(tmp_path / "d.csv"), domain="tokens", out=tmp_path / "no", backbone=str(out), mapping="own"
        )
    assert not any("--mapping own" in line for line in caplog.messages)
    xdomain.run(data=data, domain="tokens", out=tmp_path / "r", backbone=str(out), overrides=["train.max_steps=1"])
    assert any("get random rows: --mapping own reads each" in line for line in caplog.messages)


def test_named_units_are_not_merged(tmp_path):
    (tmp_path / "named.txt").write_text("a.wav|7 7 3\nb.wav|3:2 7\n", "utf-8")
    (tmp_path / "labels.csv").write_text("id,label\na.wav,x\nb.wav,y\n", "utf-8")
    recipe = own_recipe(tmp_path / "named.txt", "tokens", labels=tmp_path / "labels.csv")
    assert adapter_of(recipe).alphabet.symbols == ("3", "7", "<unknown>")


def test_an_item_of_a_list_is_one_symbol(tmp_path, caplog):
    caplog.set_level("INFO", "xdomain")
    rows = [{"steps": ["turn left", "clap"], "label": "a"}, {"steps": ["walk"], "label": "b"}] * 8
    data = tmp_path / "steps.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    xdomain.check(own_recipe(data, "tokens"))
    assert "alphabet: 3 symbols, those of the data: clap, turn_left, walk" in caplog.messages
    assert "lists: each item is one symbol, so that 'turn left' is written 'turn_left'" in caplog.messages


def test_lists_in_memory_are_read_alike(tmp_path, tiny_bert):
    rows = [["turn left", "clap"], ["walk"]] * 20
    result = xdomain.run(data=(rows, ["a", "b"] * 20), domain="tokens", backbone=str(tiny_bert), out=tmp_path / "run",
                         overrides={"train.max_steps": 1})  # fmt: skip
    assert (tmp_path / "run/adapter/vocabulary.txt").read_text("utf-8").split() == ["clap", "turn_left", "walk"]
    model = result.model()
    records: Any = [["turn left", "walk"], "turn_left walk"]
    proba = model.predict_proba(records)
    assert proba[0] == pytest.approx(proba[1], abs=1e-6)
