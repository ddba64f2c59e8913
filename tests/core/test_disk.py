"""A full disk: which errors mean one, and the message that says how to go on."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import SafetensorError

from xdomain.core.disk import AGAIN, disk_failure, explaining_full_disk, is_disk_full, writing
from xdomain.core.errors import OutputError

TOLD = "Error while serializing: I/O error: No space left on device (os error 28)"  # of safetensors 0.7
TORCH_WRITE_ERRORS = "[enforce fail at inline_container.cc:671] . unexpected pos 576 vs 534"  # of torch 2.11
FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/mnt/model.bin")


@pytest.mark.parametrize("error", [
    FULL, OSError(errno.EDQUOT, "Disk quota exceeded"), SafetensorError(TOLD),
    OSError("Not enough free space to write 32000000 bytes after offset 128"),
])  # fmt: skip
def test_what_means_a_full_disk(error, tmp_path):
    assert is_disk_full(error, tmp_path)
    with pytest.raises(OutputError) as told, explaining_full_disk(tmp_path):
        raise error
    assert told.value.what == f"{tmp_path} cannot be written (No space left on device)"
    assert told.value.fix == AGAIN
    assert told.value.__cause__ is error


@pytest.mark.parametrize("error", [
    PermissionError(errno.EACCES, "Permission denied"), FileNotFoundError(errno.ENOENT, "No such file or directory"),
    ValueError("No space left on device"), RuntimeError("No space left on device"), RuntimeError(TORCH_WRITE_ERRORS),
    SafetensorError("Error while deserializing header: InvalidHeader"), KeyError("unexpected pos"),
])  # fmt: skip
def test_what_does_not(error, tmp_path):
    assert not is_disk_full(error, tmp_path)
    assert disk_failure(error) is None
    with pytest.raises(type(error)) as same, explaining_full_disk(tmp_path):
        raise error
    assert same.value is error


def test_torch_does_not_tell_why_so_the_disk_is_asked(tmp_path, monkeypatch):
    monkeypatch.setattr("xdomain.core.disk._has_no_room", lambda place: place == tmp_path / "new")
    assert is_disk_full(RuntimeError(TORCH_WRITE_ERRORS), tmp_path / "new")
    assert not is_disk_full(RuntimeError(TORCH_WRITE_ERRORS), tmp_path)
    assert not is_disk_full(RuntimeError("CUDA error: device-side assert triggered"), tmp_path / "new")


def test_the_place_of_a_disk_need_not_exist(tmp_path):
    assert not is_disk_full(RuntimeError(TORCH_WRITE_ERRORS), tmp_path / "a" / "b")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has it")
def test_libraries_still_say_it_in_these_words(tmp_path):
    writers = {
        "text": lambda path: path.write_text("x"),
        "numpy": lambda path: np.save(path, np.zeros(100_000)),
        "torch": lambda path: torch.save({"a": torch.zeros(100_000)}, path),
    }
    for name, write in writers.items():
        link = tmp_path / f"{name}.npy"
        link.symlink_to("/dev/full")
        with pytest.raises((OSError, RuntimeError)) as caught:
            write(link)
        told = isinstance(caught.value, OSError)
        assert told == (name != "torch")
        if told:
            assert is_disk_full(caught.value, tmp_path), (name, caught.value)


def test_outside_of_a_run_the_file_is_named():
    assert str(disk_failure(FULL)).splitlines() == [
        "/mnt/model.bin cannot be written (No space left on device)", f"  to fix it: {AGAIN}"
    ]  # fmt: skip


def test_writing_names_the_place_and_why(tmp_path):
    with pytest.raises(OutputError) as told, writing(tmp_path / "x", expected="a folder"):
        (tmp_path / "x" / "y").write_text("z")
    assert told.value.block() == (
        f"{tmp_path / 'x'} cannot be written (No such file or directory)\n"
        "  expected: a folder\n  to fix it: another --out"
    )
    with pytest.raises(OutputError) as full, writing(tmp_path):
        raise FULL
    assert full.value.fix == AGAIN
