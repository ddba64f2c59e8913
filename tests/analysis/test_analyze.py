"""The verb: which analyses are asked, what is refused, what lies in the folder afterwards."""

import json
import re
import shutil

import pyarrow.csv as pa_csv
import pytest

from xdomain.analysis.analyze import NAMES, analyze, analyze_parallel
from xdomain.analysis.result import Options
from xdomain.cli.main import main
from xdomain.core.errors import BackboneError, DataError, RecipeError


def typed(*arguments):
    """The exit code of a command."""
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    return stop.value.code or 0


QUICK = Options(records=8, grid=3)


@pytest.mark.usefixtures("drawn")
def test_every_question_that_suits_is_answered_with_a_picture_and_a_table(looked_at, tmp_path, said):
    found = analyze(*looked_at, options=QUICK, out=tmp_path)
    names = {finding.name for finding in found}
    assert {"embeddings", "probes", "similarity-cka", "landscape-line", "mutagenesis", "saliency"} <= names
    assert any(name.startswith("attention") for name in names)
    page = (tmp_path / "README.md").read_text()
    for finding in found:
        assert (tmp_path / f"{finding.name}.png").read_bytes().startswith(b"\x89PNG")
        assert pa_csv.read_csv(tmp_path / f"{finding.name}.csv").num_rows == finding.table.num_rows > 0
        assert f"({finding.name}.png)" in page
        assert finding.reading in page
        assert finding.caption in page
    assert len(said) == len(found)


def test_the_page_keeps_earlier_findings_that_are_still_there(looked_at, tmp_path):
    def shown():
        return re.findall(r"!\[.*\]\((.+).png\)", (tmp_path / "README.md").read_text())

    (tmp_path / "README.md").write_text("# My notes\n\n## Mine\n\n![mine](mine.png)\n")
    (tmp_path / "mine.png").touch()
    analyze(looked_at[0], only=["probes", "embeddings"], options=Options(records=8), out=tmp_path)
    assert shown() == ["embeddings", "probes"]
    (later,) = analyze(looked_at[0], only=["probes"], options=Options(records=9), out=tmp_path)
    assert shown() == ["embeddings", "probes"]
    assert later.caption in (tmp_path / "README.md").read_text()
    (tmp_path / "embeddings.png").unlink()
    analyze(looked_at[0], only=["probes"], options=Options(records=8), out=tmp_path)
    assert shown() == ["probes"]


def test_what_does_not_suit_is_said_and_left_out(tiny_run, tmp_path, said):
    found = analyze(tiny_run("toy/dna-tagging"), options=QUICK, out=tmp_path)
    assert "probes" in {finding.name for finding in found}
    assert any(line.startswith("without mutagenesis: ") for line in said)
    with pytest.raises(RecipeError, match="mutagenesis"):
        analyze(tiny_run("toy/dna-tagging"), only=["mutagenesis"], out=tmp_path)


def test_slips_are_refused_before_anything_is_read(looked_at, tmp_path):
    with pytest.raises(RecipeError, match="did you mean: probes"):
        analyze(*looked_at, only=["probe"])
    with pytest.raises(RecipeError, match="motif changes nothing here"):
        analyze(*looked_at, only=["probes"], options=Options(motif="GT"))
    with pytest.raises(RecipeError, match="no run"):
        analyze()
    with pytest.raises(RecipeError, match="no finished run"):
        analyze(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_baseline_has_nothing_to_look_into(looked_at, tmp_path):
    run = shutil.copytree(looked_at[0], tmp_path / "run")
    recipe = run / "recipe.yaml"
    recipe.write_text(recipe.read_text().replace("baseline: null", "baseline: kmer"))
    with pytest.raises(BackboneError, match="kmer baseline"):
        analyze(run)


def test_every_option_arrives_from_the_command_line(looked_at, tmp_path, capsys):
    given = ["--only", "embeddings,attention,landscape", "--grid", "3", "--records", "8", "--symbol", "T",
             "--at", "31", "--motif", "GTR",
             "--seed", "3", "--out", tmp_path / "out", "--json"]  # fmt: skip
    assert typed("analyze", *looked_at, *given) == 0
    told = json.loads(capsys.readouterr().out)
    assert {one["name"] for one in told} == {path.stem for path in (tmp_path / "out").glob("*.png")}
    captions = " ".join(one["caption"] for one in told)
    assert "T at 31" in captions
    assert "GTR" in captions
    assert pa_csv.read_csv(tmp_path / "out" / "landscape-line.csv").column("alpha").unique().to_pylist() == [0, 1, 2]


def test_a_record_that_is_not_there_is_a_users_slip(looked_at, tmp_path, capsys):
    assert typed("analyze", looked_at[0], "--only", "mutagenesis", "--record", "nobody", "--out", tmp_path) == 2
    assert "no record 'nobody'" in capsys.readouterr().err


def test_two_languages_from_the_command_line(looked_at, tmp_path, capsys):
    a, b = tmp_path / "a.txt", tmp_path / "b.txt"
    a.write_text("".join(f"the river and the seven {i}\n" for i in range(30)))
    b.write_text("".join(f"a way of time often {i}\n" for i in range(30)))
    assert typed("analyze", looked_at[0], "--parallel", a, b, "--out", tmp_path / "out") == 0
    assert (tmp_path / "out" / "alignment-retrieval.png").is_file()
    assert typed("analyze", *looked_at, "--parallel", a, b) == 2
    assert "one checkpoint" in capsys.readouterr().err
    b.write_text("one line\n")
    with pytest.raises(DataError, match="30 lines"):
        analyze_parallel(looked_at[0], a, b, out=tmp_path / "out")


def test_there_is_a_file_a_question():
    assert NAMES == ("embeddings", "probes", "similarity", "landscape", "mutagenesis", "attention", "saliency")
