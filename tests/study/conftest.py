"""What tests of studies share: a finished study."""

from collections.abc import Callable
from pathlib import Path

import pytest
from small_study import cells_run_here, study

from xdomain.study.api import run_study
from xdomain.study.plan import open_study
from xdomain.study.results import Findings
from xdomain.study.summarize import collect


@pytest.fixture(scope="session")
def done(tiny_bert: Path, once: Callable[[str, Callable[[Path], object]], Path]) -> tuple[Path, Findings]:
    """A store with a finished study, and what was found."""

    def run(store: Path) -> None:
        with cells_run_here():
            run_study(study(tiny_bert), out=store)

    store = once("finished-study", run)
    return store, collect(open_study(store / "small"))
