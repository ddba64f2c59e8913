"""Memory that a run needed, where the process's high-water mark can be set back and where not."""

from pathlib import Path

import numpy as np
import pytest

from xdomain.training import provenance
from xdomain.training.device import Device
from xdomain.training.provenance import PeakMemory

CPU = Device("cpu", False, "a test")
GIB = 2**30

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks Linux what is resident")


def hold(gib):
    assert np.ones(int(gib * GIB) // 8).nbytes == gib * GIB


@pytest.fixture(params=[True, False], ids=["set back", "kept"])
def can_set_back(request, monkeypatch):
    if not provenance._set_back():  # also what tests before this one held
        pytest.skip("/proc/self/clear_refs cannot be written here")
    if not request.param:
        monkeypatch.setattr(provenance, "_set_back", lambda: False)
    return request.param


def test_a_later_smaller_run_does_not_report_the_one_before(can_set_back):
    first = PeakMemory()
    hold(1)
    large = first.read(CPU)
    second = PeakMemory()
    hold(0.25)
    small = second.read(CPU)
    assert large >= GIB
    if can_set_back:
        assert large is not None
        assert small is not None
        assert GIB / 4 <= small < large - GIB / 2
    else:
        assert small is None  # the mark is the first run's: no number rather than a wrong one


def test_a_later_larger_run_is_measured_in_any_case(can_set_back):
    hold(0.25)
    second = PeakMemory()
    hold(1)
    assert second.read(CPU) >= GIB


def test_a_mark_that_nothing_tells_is_unknown(monkeypatch):
    monkeypatch.setattr(provenance, "_set_back", lambda: False)
    monkeypatch.setattr(provenance, "_high_water_mark", lambda: None)
    assert PeakMemory().read(CPU) is None
