"""Runs that were opened: their names, their starts, and what is refused before or when nothing is asked."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from xdomain.analysis.analyze import ANALYSES, analyze, analyze_parallel
from xdomain.analysis.loaded_run import open_runs
from xdomain.analysis.result import Options
from xdomain.core.errors import BackboneError, RecipeError
from xdomain.data.known_labels import IGNORED
from xdomain.model.backbone import load_backbone


def test_runs_of_one_arm_are_told_apart_by_their_folders(looked_at, tmp_path):
    folders = [tmp_path / name / "run" for name in "ab"]
    for folder in folders:
        shutil.copytree(looked_at[0], folder)
    assert [run.label for run in open_runs(folders)] == [f"pretrained m0 s0 ({folder})" for folder in folders]
    other = shutil.copytree(looked_at[0], tmp_path / "other")
    assert [run.label for run in open_runs([folders[0], other])] == [
        "pretrained m0 s0 (run)",
        "pretrained m0 s0 (other)",
    ]
    with pytest.raises(BackboneError, match="comes twice"):
        open_runs([other, tmp_path / "a" / ".." / "other"])


@pytest.mark.parametrize("name", ["embeddings", "probes"])
def test_a_split_without_records_is_a_clear_error(looked_at, name):
    (run,) = open_runs(looked_at[:1])
    split = np.where(run.examples.split == "valid", "test", run.examples.split)
    analysis = next(analysis for analysis in ANALYSES if analysis.name == name)
    with pytest.raises(RecipeError, match="no valid records"):
        analysis.find([replace(run, examples=replace(run.examples, split=split))], Options())


def test_records_without_a_tag_that_is_scored_cannot_be_probed(tiny_run):
    (run,) = open_runs([tiny_run("toy/dna-tagging")])
    examples = replace(run.examples, labels=np.full_like(run.examples.labels, IGNORED))
    probes = next(analysis for analysis in ANALYSES if analysis.name == "probes")
    with pytest.raises(RecipeError, match="none of the 4 train records"):
        probes.find([replace(run, examples=examples)], Options(records=4))


def words_of(model) -> torch.Tensor:
    return model.get_input_embeddings().weight


def test_a_learned_mapping_starts_as_mixtures(looked_at):
    (run,) = open_runs(looked_at[:1])
    options = run.recipe.run.model_copy(update={"mapping": "learned"})
    learned = replace(run, recipe=run.recipe.model_copy(update={"run": options}))
    backbone = load_backbone(run.recipe.run.backbone)
    words, own = words_of(run.start), run.saved.mapping.ids.astype(np.int64)
    told = words_of(learned.start)
    ordinary = set(run.saved.mapping.ids.tolist()) | {
        row for row in range(len(words)) if row not in backbone.tokenizer.all_special_ids
        and not backbone.tokenizer.convert_ids_to_tokens([row])[0].startswith("[unused")
    }  # fmt: skip
    for row in own.tolist():
        rest = words[sorted(ordinary - {row})]
        torch.testing.assert_close(told[row], 0.9 * words[row] + 0.1 * rest.mean(0), atol=1e-6, rtol=1e-4)
    others = sorted(set(range(len(words))) - set(own.tolist()))
    assert torch.equal(told[others], words[others])


def test_a_look_that_asks_nothing_is_refused(looked_at, tmp_path):
    with pytest.raises(RecipeError, match="no analysis is named"):
        analyze(looked_at[0], only=[], out=tmp_path / "out")
    lines = tmp_path / "lines.txt"
    lines.write_text("".join(f"the river and the seven {i}\n" for i in range(30)))
    with pytest.raises(RecipeError, match="motif changes nothing here"):
        analyze_parallel(looked_at[0], lines, lines, options=Options(motif="GT"), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_found_does_not_stop_the_rest(looked_at, tmp_path, monkeypatch, said):
    def too_few(*_):
        raise RecipeError("G occurs 1 times before A in the records that are read")

    broken = replace(ANALYSES[0], find=too_few)
    other = next(analysis for analysis in ANALYSES if analysis.name == "mutagenesis")
    monkeypatch.setattr("xdomain.analysis.analyze.ANALYSES", (broken, other))
    found = analyze(looked_at[0], options=Options(records=8), out=tmp_path)
    assert [finding.name for finding in found] == ["mutagenesis"]
    assert "without embeddings: G occurs 1 times before A in the records that are read" in said
    for only, options in ((["embeddings"], Options()), (None, Options(symbol="G"))):
        with pytest.raises(RecipeError, match="G occurs"):
            analyze(looked_at[0], only=only, options=options, out=tmp_path)
    monkeypatch.setattr("xdomain.analysis.analyze.ANALYSES", (broken,))
    with pytest.raises(RecipeError, match="nothing can be asked"):
        analyze(looked_at[0], out=tmp_path)
