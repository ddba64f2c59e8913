"""Where motifs lie, and how much attention they get."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from xdomain.adapters.dna import DNA
from xdomain.adapters.protein import Protein
from xdomain.analysis.attention import ANALYSIS, lift_of, paid
from xdomain.analysis.loaded_run import open_runs
from xdomain.analysis.motifs import landmarks_of, ordinary, parse_motif
from xdomain.analysis.result import Options, write_finding
from xdomain.core.errors import RecipeError


def starts(motif, text, adapter=None):
    adapter = adapter or DNA()
    return parse_motif(motif, adapter).starts(adapter.encode([text])[0]).tolist()


def test_places_of_a_motif_by_hand():
    assert starts("GTRAGT", "AGTAAGTGTGAGTGTCAGT") == [1, 7]
    assert starts("GT", "GTGT") == [0, 2]
    assert starts("AA", "AAAA") == [0, 1, 2]
    assert starts("ACGTA", "ACG") == []
    assert starts("gu", "AGTC") == [1]  # RNA, lower case
    assert starts("DW", "AGATCA") == [1, 2]  # not C first: D is A, G or T
    assert starts("NV", "ATCA") == [1, 2]


def test_an_unknown_nucleotide_fits_only_n():
    assert starts("AN", "ANAC") == [0, 2]
    assert starts("AR", "ANAG") == [2]
    kept = DNA(ambiguous="keep")
    assert starts("AB", "AYAR", kept) == [0]  # Y is C or T, which B allows; R may be A


def test_residues_and_k_mers():
    assert starts("BX", "DKNAEK", Protein()) == [0, 2]
    kmers = DNA(tokens="kmer", k=3)
    assert starts("ACG CGT", "TACGT", kmers) == [1]
    assert starts("ACG", "TACGT", kmers) == [1]


@pytest.mark.parametrize(("motif", "adapter"), [("GTZ", DNA()), ("", DNA()), ("ACG TTTT", DNA(tokens="kmer", k=3))])
def test_what_is_no_motif_is_refused(motif, adapter):
    with pytest.raises(RecipeError, match="motif"):
        parse_motif(motif, adapter)


def test_covered_positions():
    dna = DNA()
    inside = parse_motif("ATA", dna).covered(dna.encode(["ATATACC"])[0])
    assert inside.tolist() == [True] * 5 + [False] * 2


def test_ordinary_symbols():
    assert ordinary(DNA(ambiguous="keep")).tolist() == [0, 1, 2, 3]
    assert len(ordinary(Protein(ambiguous="keep"))) == 20
    assert len(ordinary(DNA(tokens="kmer", k=2))) == 16


def test_attention_paid_by_hand():
    weights = torch.tensor([[[[1.0, 0, 0], [0.2, 0.5, 0.3], [0.1, 0.2, 0.7]]]])
    asking, asked = torch.tensor([[False, True, True]]), torch.tensor([[False, False, True]])
    assert paid(weights, asking, asked).tolist() == [[pytest.approx(0.5)]]


def test_attention_paid_is_what_a_slow_twin_counts():
    rng = torch.Generator().manual_seed(0)
    weights = torch.rand(3, 2, 7, 7, generator=rng).softmax(-1)
    asking = torch.rand(3, 7, generator=rng) < 0.5
    asking[:, 0] = True
    asked = torch.rand(3, 7, generator=rng) < 0.4
    told = paid(weights, asking, asked)
    for record in range(3):
        for head in range(2):
            rows = [weights[record, head, q][asked[record]].sum() for q in range(7) if asking[record, q]]
            assert float(told[record, head]) == pytest.approx(float(sum(rows)) / len(rows), rel=1e-5)


@pytest.fixture(scope="module")
def opened(looked_at):
    return open_runs(looked_at)


def test_even_attention_has_no_lift(opened):
    run = opened[0]
    even = copy.deepcopy(run.model)
    for layer in even.base_model.encoder.layer:  # queries of zeros: all scores alike
        layer.attention.self.query.weight.zero_()
        layer.attention.self.query.bias.zero_()
    inside = {int(r): np.array([3, 9, 10]) for r in run.examples.indices("valid")[:5]}
    lift = lift_of(run, even, "even", inside)
    assert lift.expected == pytest.approx(3 / 62)  # [CLS], 60 nt, [SEP]
    assert np.abs(lift.log2).max() < 1e-5


def test_landmarks_are_looked_for_in_records_of_their_class(opened, tmp_path):
    findings = ANALYSIS.find(opened, Options(records=6))
    assert [f.name for f in findings] == ["attention-donor", "attention-acceptor"]
    for finding, positions in zip(findings, (9, 15), strict=True):
        write_finding(finding, tmp_path)
        rows = finding.table.to_pylist()
        assert len(rows) == 2 * 3 * 2 * 2  # runs, states, layers, heads
        assert {row["state"] for row in rows} == {"at the start", "fine-tuned", "fine-tuned, other classes"}
        for row in rows:
            assert row["expected"] == pytest.approx(positions / 62)
            assert row["log2_lift"] == pytest.approx(np.log2(row["attention"] / row["expected"]))
            assert row["records"] <= 6
        assert "1902.10186" in finding.caption
    assert "records of class EI" in findings[0].caption


def test_the_start_is_that_of_the_run(opened):
    run = opened[1]
    inside = {int(r): np.arange(27, 36) for r in run.examples.indices("valid")[:5]}
    assert np.abs(lift_of(run, run.start, "", inside).log2).max() < 0.05  # small random weights look everywhere alike


def test_a_motif_is_sought_anywhere(opened):
    (finding,) = ANALYSIS.find(opened, Options(records=6, motif="gtragt"))
    assert finding.name == "attention"
    assert "validation records that have it" in finding.caption
    with pytest.raises(RecipeError, match="in none of the 32 validation records"):
        ANALYSIS.find(opened, Options(motif="ACGTACGTACGTACGT"))


@pytest.mark.parametrize("task", ["toy/dna-tagging", "toy/dna-pair"])
def test_without_landmarks_a_motif_is_needed(tiny_run, task):
    runs = open_runs([tiny_run(task)])
    assert landmarks_of(runs[0]) == []
    assert "--motif" in str(ANALYSIS.refuses(runs, Options()))
    with pytest.raises(RecipeError, match="no landmarks"):
        ANALYSIS.find(runs, Options())
    assert ANALYSIS.refuses(runs, Options(motif="CG")) is None
    (finding,) = ANALYSIS.find(runs, Options(motif="CG", records=4))
    assert all(0 < row["attention"] <= 1 for row in finding.table.to_pylist())


def test_of_runs_with_differing_windows_only_what_all_hold_is_asked_about(opened):
    run = opened[0]
    train = run.recipe.train.model_copy(update={"max_length": 42, "max_windows": 9})
    short = replace(run, label="short", recipe=run.recipe.model_copy(update={"train": train}))
    findings = ANALYSIS.find([run, short], Options(records=6))
    expected = {row["run"]: row["expected"] for row in findings[0].table.to_pylist()}
    assert expected == {run.label: pytest.approx(9 / 62), "short": pytest.approx(9 / 42)}
    (motif,) = ANALYSIS.find([run, short], Options(records=6, motif="GTR"))
    assert "only the first window is read" in motif.caption
