"""The part ``compression`` of a result: what a model cost before and after it was made smaller, and what is lost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from xdomain.compression.measure import lost
from xdomain.compression.original import Original
from xdomain.core.formatting import number
from xdomain.metrics.heldout import HeldOutPredictions, resampled_metric
from xdomain.training.device import Device
from xdomain.training.provenance import device_name


def section_of(
    original: Original,
    how: str,
    options: Mapping[str, Any],
    costs: Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any]]],
    device: Device,
    held_out: HeldOutPredictions,
) -> dict[str, Any]:
    """The part ``compression`` of a result.

    Parameters
    ----------
    original
        The run that was made smaller.
    how, options
        The method, and the options that it was given.
    costs
        By name (size, weights, milliseconds) what was measured before and after.
    device
        Where time was measured.
    held_out
        The test predictions of the smaller model.
    """
    first = original.recipe.metrics[0]
    before, after = costs["size"]
    earlier = original.values.get("compression", {}).get("points")
    points = earlier or [_point("the run", before, first, original.held_out)]
    return {
        "how": how,
        "options": dict(options),
        "of": str(original.folder),
        **{name: {"before": one, "after": other} for name, (one, other) in costs.items()},
        "device": device_name(device),
        "threads": torch.get_num_threads(),
        "metrics": lost(original, held_out, exact=how == "vocabulary"),
        "points": [*points, _point(how, after, first, held_out)],
    }


def _point(label: str, size: Mapping[str, int], metric: str, held_out: HeldOutPredictions) -> dict[str, Any]:
    return {"label": label, "bytes": size["bytes"], **vars(resampled_metric(metric, held_out).interval())}


def describe(section: Mapping[str, Any], metric: str) -> str:
    """Say in one line what was won and lost, from the `section` ``compression`` of a result; `metric` is the first."""
    before, after = section["size"]["before"], section["size"]["after"]
    times = section["milliseconds"]
    parts = [
        f"{before['bytes'] / 1e6:.1f} MB to {after['bytes'] / 1e6:.1f} MB ({after['bytes'] / before['bytes']:.0%}), "
        f"deflated {before['deflated'] / 1e6:.1f} MB to {after['deflated'] / 1e6:.1f} MB",
        f"{times['before']['batch']:.2f} ms to {times['after']['batch']:.2f} ms a record",
    ]
    if told := section["metrics"].get(metric):
        change = told["lost"]
        parts.append(f"{metric} lost {number(change['value'])} [{number(change['low'])}, {number(change['high'])}]")
    return "; ".join(parts)
