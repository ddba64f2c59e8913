"""The log-odds of a class, by hand."""

import numpy as np
import pytest

from xdomain.metrics.log_odds import log_odds


def test_log_odds_by_hand():
    logits = np.log([[3.0, 1, 1], [2.0, 1, 1]])
    assert log_odds(logits, 0) == pytest.approx([np.log(1.5), 0])
    assert log_odds(np.array([[60.0, 0]], np.float32), 0) == pytest.approx([60])  # 1 - p would be 0
