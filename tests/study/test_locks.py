"""Claims: one owner at a time, whose death lets another in."""

import json
import os
import threading
import time
from pathlib import Path

import forked
import pytest

from xdomain.core.errors import OutputError
from xdomain.study.locks import Claim
from xdomain.study.store import Store


@pytest.fixture
def base(tmp_path):
    return tmp_path / "cell"


def race(base, runners):
    """What each of many threads gets that grab at once."""
    barrier, got = threading.Barrier(runners), []

    def grab():
        barrier.wait()
        got.append(Claim(base).acquire())

    threads = [threading.Thread(target=grab) for _ in range(runners)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [mine.name for mine in got if mine]


def acquired(claim: Claim) -> Path:
    mine = claim.acquire()
    assert mine is not None
    return mine


def test_one_of_many_gets_it(base):
    assert race(base, 16) == ["cell.claim-1"]
    assert Claim(base).held()


def test_what_is_released_can_be_taken_again(base):
    claim = Claim(base)
    with claim.holding(acquired(claim), lost=pytest.fail):
        assert claim.held()
        assert Claim(base).acquire() is None
    assert not claim.held()
    assert list(base.parent.iterdir()) == []
    assert Claim(base).acquire() is not None


def test_a_claim_lapses_with_the_process_that_made_it(base):
    code = (
        f"from pathlib import Path; from xdomain.study.locks import Claim; print(Claim(Path({str(base)!r})).acquire())"
    )
    assert forked.run(code).stdout.strip().endswith("cell.claim-1")
    assert not Claim(base).held()
    assert Claim(base).acquire().name == "cell.claim-2"


def test_a_claim_from_another_machine_lapses_by_its_silence(base):
    mine = acquired(Claim(base))
    mine.write_text(json.dumps({"host": "elsewhere", "pid": 1}))
    assert Claim(base).held()
    os.utime(mine, (time.time() - 61, time.time() - 61))
    assert not Claim(base).held()
    assert race(base, 8) == ["cell.claim-2"]


def test_an_owner_gives_signs_of_life(base):
    claim = Claim(base, beat=0.02, lapse=0.3)
    mine = acquired(claim)
    with claim.holding(mine, lost=pytest.fail):
        time.sleep(0.5)
        assert claim.held()


def test_an_owner_that_was_overtaken_is_told(base):
    claim, lost = Claim(base, beat=0.02), threading.Event()
    with claim.holding(acquired(claim), lost=lost.set):
        base.with_name("cell.claim-2").write_text("{}")
        assert lost.wait(5)
    assert [path.name for path in base.parent.iterdir()] == ["cell.claim-2"]


def test_who_is_overtaken_while_writing_a_report_is_told_so_and_lives_on(tmp_path):
    store = Store(tmp_path, beat=0.02, lapse=60)
    with pytest.raises(OutputError, match="taken over"), store.locked("study"):
        (tmp_path / "study.claim-2").write_text("{}")  # as a process does that holds this one for dead
        time.sleep(0.3)
