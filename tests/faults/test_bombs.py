"""Small inputs that ask for much: each is refused within seconds, before the memory is taken."""

import bz2
import gzip
import io
import lzma
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from judging import judge

from xdomain.core.bounded_yaml import load_yaml
from xdomain.core.errors import DataError, RecipeError, UserError
from xdomain.core.plugins import find_recipe, task_names
from xdomain.core.recipe import load_recipe, parse_recipe
from xdomain.data.formats.blocks import after_rows, text_blocks
from xdomain.data.formats.decompress import MAX_UNPACKED
from xdomain.data.formats.read_file import read_content, read_head
from xdomain.data.formats.registry import read
from xdomain.data.loading import load_table
from xdomain.model.make_mapping import load_given
from xdomain.study.config import load_grid
from xdomain.study.plan import plan_study

PIECE = b"sequence,label\n" + b"A" * (1 << 22)
TIMES = MAX_UNPACKED // len(PIECE) + 2


def zipped(pieces):
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("data.csv", "w") as file:
        for piece in pieces:
            file.write(piece)
    return sink.getvalue()


def members(compress):
    """A file of many members, each a piece: all of these formats may be joined."""
    return lambda pieces: b"".join([compress(next(iter(pieces)))] * TIMES)


PACKED = {
    "gz": members(gzip.compress), "bz2": members(bz2.compress), "xz": members(lzma.compress),
    "zst": lambda pieces: pa.compress(b"".join(pieces), "zstd", asbytes=True), "zip": zipped,
}  # fmt: skip


@pytest.mark.parametrize("kind", PACKED)
def test_what_unpacks_to_far_more_than_data_does(kind, tmp_path):
    path = tmp_path / f"data.csv.{kind}"
    path.write_bytes(PACKED[kind](PIECE for _ in range(TIMES)))
    assert path.stat().st_size < MAX_UNPACKED // 100
    with pytest.raises(DataError, match=rf"data\.csv\.{kind} unpacks to more than 128 MB(?s:.*)unpack it first"):
        read_content(path)
    assert read_head(path, 15) == b"sequence,label\n"
    with pytest.raises(DataError, match="unpacks to more than 128 MB"):
        list(text_blocks(path, after_rows))


def test_what_shrinks_as_data_does_may_have_any_size(tmp_path, monkeypatch):
    monkeypatch.setattr("xdomain.data.formats.decompress.MAX_UNPACKED", 1000)
    content = b"sequence,label\n" + b"".join(b"%s,%d\n" % (bytes(b"ACGT"[i >> k & 3] for k in range(0, 16, 2)), i % 2)
                                             for i in range(9000))  # fmt: skip
    path = tmp_path / "data.csv.gz"
    path.write_bytes(gzip.compress(content))
    assert read_content(path) == content
    monkeypatch.setattr("xdomain.data.formats.decompress.MAX_TIMES", 2)
    with pytest.raises(DataError, match="unpacks to more than"):
        read_content(path)


def test_a_parquet_file_of_a_billion_equal_cells(tmp_path):
    path = tmp_path / "data.parquet"
    same = pa.DictionaryArray.from_arrays(pa.array([0] * 4_000_000, pa.int8()), ["ACGT"])
    pq.write_table(pa.table({"sequence": same, "label": same, "more": same}), path)
    with pytest.raises(DataError, match=r"data\.parquet unpacks to more than 128 MB"):
        read("parquet", {"data": path})


def test_a_workbook_that_claims_all_cells_there_can_be(tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in (("sequence", "label"), *((f"ACGT{'ACGT'[i % 4]}", "ab"[i % 2]) for i in range(8))):
        book.active.append(row)
    book.save(tmp_path / "small.xlsx")
    with zipfile.ZipFile(tmp_path / "small.xlsx") as old, zipfile.ZipFile(tmp_path / "data.xlsx", "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name).replace(b"A1:B9", b"A1:XFD1048576"))
    verdicts = judge(lambda _: read("excel", {"data": tmp_path / "data.xlsx"}), [b""])
    assert verdicts.counts["accepted"] == 1, verdicts.faults


ALIASES = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 9)
)
CHAIN = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 400))
YAML = {
    "aliases of aliases": (ALIASES, "more than 80,000 keys and values"),
    "a chain of aliases": (CHAIN, "nested more than 50 deep"),
    "an alias in itself": ("title: &a [*a]", r"the alias \*a stands within what it names"),
    "a mapping in itself": ("title: &a {b: *a}", r"the alias \*a stands within what it names"),
    "brackets": ("title: " + "[" * 3000, "nested more than 50 deep"),
    "mappings": ("{a: " * 800, "nested more than 50 deep"),
    "lists": ("title:\n" + "".join(" " * i + "- \n" for i in range(900)), "nested more than 50 deep"),
    "a very long text": ("title: " + "a" * 2_000_001, "more than 2,000,000 characters"),
}


@pytest.mark.parametrize("case", YAML)
@pytest.mark.parametrize("reads", [load_recipe, load_grid, load_given])
def test_yaml_that_is_small_and_stands_for_much(case, reads, tmp_path):
    text, told = YAML[case]
    path = tmp_path / "task.yaml"
    path.write_text(text)
    found = judge(lambda _: reads(path), [text.encode()])
    assert found.counts["refused"] == 1, found.faults
    with pytest.raises(UserError, match=told):
        reads(path)


def test_yaml_of_very_many_keys(monkeypatch):
    monkeypatch.setattr("xdomain.core.bounded_yaml.MAX_NODES", 1000)
    assert len(load_yaml("\n".join(f"k{i}: 1" for i in range(499)))) == 499  # and the mapping itself
    with pytest.raises(RecipeError, match="more than 1,000 keys and values"):
        parse_recipe("\n".join(f"k{i}: 1" for i in range(500)), where="my.yaml")


def test_an_alias_may_stand_for_what_it_names():
    text = """
name: &name mine
title: *name
source: {licence: "", citation: ""}
adapter: {name: dna}
problem: classification
reader_options: {one: &few {a: 1}, two: {<<: *few, b: 2}, three: !!str 5}
"""
    recipe = parse_recipe(text, where="my.yaml")
    assert recipe.title == "mine"
    assert recipe.reader_options == {"one": {"a": 1}, "two": {"a": 1, "b": 2}, "three": "5"}


TAGS = (
    "!!timestamp x",
    "!!bool x",
    "!!int ''",
    "!!float ''",
    "!!set {a}",
    "!!binary x",
    "!x y",
    "!!python/name:os [ls]",
)


@pytest.mark.parametrize("tag", TAGS)
def test_tags_are_no_values(tag):
    with pytest.raises(RecipeError, match=r"the tag .*: plain values have none"):
        parse_recipe(f"title: {tag}", where="my.yaml")
    assert find_recipe("toy/dna-pair", [f"title={tag}"]).title == tag


@pytest.mark.parametrize("number", ["9" * 5000, "0x" + "f" * 5000, "0b" + "1" * 9000])
def test_numbers_of_thousands_of_digits(number):
    with pytest.raises(RecipeError, match=r"a number of [59],00[02] characters"):
        parse_recipe(f"version: {number}", where="my.yaml")
    with pytest.raises(RecipeError, match=r"run\.seed: .*(valid integer|maximum size)"):
        find_recipe("toy/dna-pair", [f"run.seed={number}"])


def study(folder, *lines):
    path = folder / "study.yaml"
    path.write_text("\n".join(("tasks: [toy/dna-pair]", "arms: [pretrained, kmer]", *lines)))
    return path


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["seeds: 1000000000"], "seeds: more than 100,000 of them"),
        (["mapping_seeds: 1000000"], "mapping_seeds: more than 100,000 of them"),
        (["seeds: 99999999999999999999"], "seeds: more than 100,000 of them"),
        (["seeds: 100000"], r"200,000 cells \(1 tasks × 2 arms × 1 fractions × 100,000 seeds"),
        (["seeds: 40000", "mapping_seeds: 40000", "max_cells: 1000000"], "3,200,000,000 cells"),
        (["seeds: 50", "mapping_seeds: 40"], "2,001 cells"),
        ([f"learning_rates: {list(range(1, 20_001))}"], "20,003 cells"),
        (["max_cells: 1000001"], "max_cells: Input should be less than or equal to 1000000"),
        (["seeds: [4294967296]"], "seeds.0: Input should be less than 4294967296"),
        (["seeds: [1, 2, 1]"], "1 comes twice"),
    ],
)
def test_studies_without_an_end(tmp_path, monkeypatch, lines, told):
    monkeypatch.setattr("xdomain.study.digests.Digests.of", lambda *_: pytest.fail("the model is read"))
    path = study(tmp_path, *lines)
    found = judge(lambda _: plan_study(path), [path.read_bytes()])
    assert found.counts["refused"] == 1, found.faults
    with pytest.raises(RecipeError, match=told):
        plan_study(path)


@pytest.mark.parametrize("seed", [-1, 2**32, 99999999999999999999])
def test_a_seed_that_no_generator_takes(seed):
    with pytest.raises(RecipeError, match=r"run\.seed: .*(less than 4294967296|greater than or equal to 0)"):
        find_recipe("toy/dna-pair", [f"run.seed={seed}"])
    assert find_recipe("toy/dna-pair", [f"run.mapping_seed={2**63 - 1}"]).run.mapping_seed == 2**63 - 1


@pytest.mark.parametrize("name", ["batch_size", "max_steps", "max_length", "window_overlap", "evaluations", "patience"])
def test_numbers_of_which_there_are_not_so_many(name):
    with pytest.raises(RecipeError, match=rf"train\.{name}: Input should be less than 2147483648"):
        find_recipe("toy/dna-pair", [f"train.{name}={10**21}"])


@pytest.mark.parametrize("option", ["records=1000000000", "records=0", "records=-1", "seed=-1"])
def test_generated_records_without_an_end(option):
    with pytest.raises(RecipeError, match="expected: 1 to 1,000,000, and 0 or more"):
        load_table(find_recipe("toy/dna-pair", [f"reader_options.{option}"]))


JSON = {
    "brackets": "[" * 3000,
    "objects": '{"a":' * 3000,
    "closed brackets": "[" * 900 + "]" * 900,
    "digits": '{"sequence": ' + "1" * 5000 + "}",
    "half a character": '{"sequence": "\\ud800", "label": 1}',
}


@pytest.mark.parametrize("case", JSON)
def test_json_that_no_program_reads(case, tmp_path):
    path = tmp_path / "data.jsonl"
    path.write_text(JSON[case])
    with pytest.raises(DataError, match=r"data\.jsonl: line 1 is no JSON"):
        read("json", {"data": path})


def test_shipped_recipes_are_within_all_bounds():
    assert all(find_recipe(name) for name in task_names())
