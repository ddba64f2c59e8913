"""The Ray engine, on a real cluster of several nodes on this machine."""

import threading

import pytest

from xdomain.study.conduct import run_study
from xdomain.study.study import open_study

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # Ray's own


def test_a_lost_node_costs_no_cell(tiny_bert, tmp_path, quiet):
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    second = cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    begun, said = threading.Event(), []

    def say(line):
        said.append(line)
        begun.set()

    def kill():
        begun.wait()
        cluster.remove_node(second, allow_graceful=False)

    threading.Thread(target=kill, daemon=True).start()
    wanted = {
        "name": "ray", "tasks": ["toy/dna-classification"], "arms": ["pretrained", "scratch", "kmer"], "seeds": 4,
        "backbone": str(tiny_bert),
        "set": {"train.max_steps": 10, "split.limit": {"train": 32, "valid": 16, "test": 24}},
    }  # fmt: skip
    try:
        found = run_study(wanted, out=tmp_path, engine="ray", address=cluster.address, say=say)
    finally:
        cluster.shutdown()
    assert found.cells == (9, 0, 0)
    assert len(said) == 9
    local = run_study({**wanted}, out=tmp_path / "local", say=quiet)
    assert [group.test for group in local.groups] == [group.test for group in found.groups]
    assert len(open_study(tmp_path / "ray").known()) == 9
