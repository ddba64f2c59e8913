"""The Ray engine, on a real cluster of several nodes on this machine."""

import subprocess
import sys
import threading

import pytest
import yaml

from xdomain.study.api import run_study
from xdomain.study.plan import open_study

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # Ray's own


def wanted(tiny_bert):
    return {
        "name": "ray",
        "tasks": ["toy/dna-classification"],
        "arms": ["pretrained", "scratch", "kmer"],
        "seeds": 4,
        "backbone": str(tiny_bert),
        "set": {"train.max_steps": 10, "split.limit": {"train": 32, "valid": 16, "test": 24}},
    }


def test_a_lost_node_costs_no_cell(tiny_bert, tmp_path, listen):
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    second = cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    begun, said = threading.Event(), []

    def finished(line):
        if line.startswith("["):
            said.append(line)
            begun.set()

    def kill():
        begun.wait()
        cluster.remove_node(second, allow_graceful=False)

    threading.Thread(target=kill, daemon=True).start()
    try:
        with listen(finished):
            found = run_study(wanted(tiny_bert), out=tmp_path, engine="ray", address=cluster.address)
    finally:
        cluster.shutdown()
    assert found.cells == (9, 0, 0)
    assert len(said) == 9
    local = run_study(wanted(tiny_bert), out=tmp_path / "local")
    assert [group.test for group in local.groups] == [group.test for group in found.groups]
    assert len(open_study(tmp_path / "ray").planned_cells()) == 9


def test_two_processes_and_ray_on_one_store_run_every_cell_once(tiny_bert, tmp_path, said):
    (tmp_path / "ray.yaml").write_text(yaml.safe_dump(wanted(tiny_bert), sort_keys=False))
    command = [sys.executable, "-m", "xdomain.cli", "study", str(tmp_path / "ray.yaml"), "--out", str(tmp_path)]
    processes = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    found = run_study(wanted(tiny_bert), out=tmp_path, engine="ray")
    for process in processes:
        said += process.communicate()[1].splitlines()
        assert process.returncode == 0
    told = [line.partition("] ")[2].partition(": ")[0] for line in said if line.startswith("[")]
    assert found.cells == (9, 0, 0)
    assert len(told) == len(set(told)) == 9
