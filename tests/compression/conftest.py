"""What tests of compression share: models are timed in two turns, not in eight."""

from __future__ import annotations

import pytest

from xdomain.compression import measure


@pytest.fixture(autouse=True)
def timed_briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    """The turns take half of the time of a compression; how many there are changes no other result."""
    monkeypatch.setattr(measure, "REPEATS", 1)
