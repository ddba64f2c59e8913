"""Numbers as a person reads them."""

from __future__ import annotations

import math


def number(value: float | None) -> str:
    """Four digits, or a dash where a metric is undefined."""
    return f"{value:.4f}" if value is not None and math.isfinite(value) else "–"


def duration(seconds: float) -> str:
    """As a person says it: 40 s, 12 min, 3 h 05 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"
