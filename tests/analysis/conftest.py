"""Tiny finished runs to look into."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

import xdomain
from xdomain.core.plugins import find_recipe

TINY = ("train.epochs=1", "train.precision=fp32", "train.learning_rate=1e-3", "split.limit.train=96",
        "split.limit.valid=32", "split.limit.test=8")  # fmt: skip


@pytest.fixture(scope="session")
def tiny_run(tiny_bert, tmp_path_factory) -> Callable[..., Path]:
    """A finished run of a toy task by its name and init, made once."""

    @cache
    def run(task: str, init: str = "pretrained") -> Path:
        recipe = find_recipe(task, TINY)
        out = tmp_path_factory.mktemp("looked-at") / f"{task.replace('/', '-')}-{init}"
        return xdomain.run(recipe, backbone=str(tiny_bert), init=init, out=out).folder

    return run


@pytest.fixture(scope="session")
def looked_at(tiny_run) -> list[Path]:
    """Two finished runs on 60 nt with or without a splice site: pretrained and scratch."""
    return [tiny_run("toy/dna-classification", init) for init in ("pretrained", "scratch")]
