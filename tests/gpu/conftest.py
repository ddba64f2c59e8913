"""Where tests of the CUDA paths run. Elsewhere they skip themselves with the reason."""

from __future__ import annotations

import os

import pytest
import torch


@pytest.fixture(scope="session")
def device() -> str:
    """Name the device under test: ``cuda``, or what XDOMAIN_TEST_DEVICE says (``cpu`` tries the tests themselves)."""
    if named := os.environ.get("XDOMAIN_TEST_DEVICE"):
        return named
    if not torch.cuda.is_available():
        pytest.skip("torch sees no CUDA device here (XDOMAIN_TEST_DEVICE=cpu tries these tests on the CPU)")
    return "cuda"
