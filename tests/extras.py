"""Marks of tests that need an extra, which is not there in the environment of the core."""

from importlib.util import find_spec

import pytest

needs_genome = pytest.mark.skipif(find_spec("pyfaidx") is None, reason="pyfaidx, the extra genome, is not installed")
