"""Inputs with faults of all kinds: each gives a result or one clear error, quickly and in little memory."""

import os

import pytest
from judging import judge
from mutations import mutants
from targets import all_targets

TARGETS = all_targets()
SAMPLE = 15
"""Inputs for each target of weight 1, in the usual tests."""
ALL = int(os.environ.get("FAULTS", "24000"))
"""Inputs over all targets, in the slow test."""


@pytest.fixture(autouse=True)
def own_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("XDOMAIN_DATA", str(tmp_path / "home"))


def verdicts_of(name, count, folder, seed):
    target = TARGETS[name]
    target.call(target.seeds[0], folder)  # loads what it needs, which takes longer than an input may
    inputs = mutants(target.seeds, count, seed=f"{seed} {name}", binary=target.binary)
    return judge(lambda data: target.call(data, folder), inputs)


@pytest.mark.parametrize("name", TARGETS)
def test_a_sample_of_inputs(name, tmp_path):
    found = verdicts_of(name, max(10, round(SAMPLE * TARGETS[name].weight)), tmp_path, "sample")
    assert not found.faults, "\n".join(found.faults[:5])


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_all_inputs(name, tmp_path):
    share = TARGETS[name].weight / sum(target.weight for target in TARGETS.values())
    found = verdicts_of(name, round(ALL * share) + 1, tmp_path, "all")
    print(found.row(name))
    assert not found.faults, "\n".join(found.faults[:20])
