"""What tests of pre-training share: they are validated on few tokens."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _validated_briefly(validated_briefly: None) -> None:
    """See `validated_briefly` of the folder above."""
