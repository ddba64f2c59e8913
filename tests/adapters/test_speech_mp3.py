"""Whole mp3 files that do not tell their length are read whole, whatever tags they have; cut ones are refused."""

import numpy as np
import pytest

soundfile = pytest.importorskip("soundfile")
pytest.importorskip("soxr")

from xdomain.adapters.speech.audio import describe, read_audio  # noqa: E402
from xdomain.core.errors import DataError  # noqa: E402

RATE = 44100
SOUND = (0.1 * np.random.default_rng(0).normal(size=2 * RATE)).astype(np.float32)
SOUND[:RATE] = 0  # so that a variable bit rate varies
KBITS = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)  # MPEG 1, layer III


def frames(data):
    """The bytes of each frame of an mp3 at 44.1 kHz without tags."""
    place, found = 0, []
    while place < len(data):
        size = 144000 * KBITS[data[place + 2] >> 4] // RATE + (data[place + 2] >> 1 & 1)
        found.append(data[place : place + size])
        place += size
    return found


def encoded(folder, mode, level):
    """An mp3 with the frame that tells its length, and its frames of sound."""
    options = {"format": "MP3", "bitrate_mode": mode, "compression_level": level}
    soundfile.write(folder / "made.mp3", SOUND, RATE, **options)
    whole = (folder / "made.mp3").read_bytes()
    return whole, [frame for frame in frames(whole) if b"Info" not in frame and b"Xing" not in frame]


def id3(size):
    inside = size - 10
    return b"ID3\3\0\0" + bytes(inside >> shift & 127 for shift in (21, 14, 7, 0)) + b"\1" * inside


TAGS = {  # what stands before and behind the frames
    "none": (b"", b""),
    "ID3v2": (id3(3000), b""),
    "a long ID3v2, as with a picture": (id3(30_000), b""),
    "ID3v1": (b"", b"TAG".ljust(128, b" ")),
    "padding": (id3(300) + bytes(5000), bytes(20_000)),
    "APE": (b"", b"APETAGEX" + bytes(4) + (232).to_bytes(4, "little") + bytes(16) + b"x" * 200),
    "lyrics": (b"", b"LYRICSBEGIN" + b"la" * 4000 + b"LYRICS200" + b"TAG".ljust(128, b" ")),
    "the end of a frame before the first": (b"\x55" * 300, b""),
}


@pytest.mark.parametrize("tag", TAGS)
@pytest.mark.parametrize("level", [0.0, 0.5])
def test_tags_are_no_sound(tmp_path, tag, level):
    _, sound = encoded(tmp_path, "CONSTANT", level)
    before, behind = TAGS[tag]
    (tmp_path / "a.mp3").write_bytes(before + b"".join(sound) + behind)
    found, told = read_audio(tmp_path / "a.mp3", rate=RATE), read_audio(tmp_path / "made.mp3", rate=RATE)
    assert len(found) == 1152 * len(sound)
    assert abs(describe(tmp_path / "a.mp3").duration - len(found) / RATE) < 0.1
    assert np.abs(found[576 + 529 :][: len(told)] - told)[1152:-1152].max() < 1e-4  # behind the coders' delays


@pytest.mark.parametrize("before", [b"", id3(3000)])
def test_a_variable_bit_rate_without_a_count_is_read_whole(tmp_path, before):
    _, sound = encoded(tmp_path, "VARIABLE", 0.3)
    assert len({frame[2] >> 4 for frame in sound}) > 1
    (tmp_path / "a.mp3").write_bytes(before + b"".join(sound))
    told = read_audio(tmp_path / "made.mp3", rate=RATE)
    found = read_audio(tmp_path / "a.mp3", rate=RATE)
    assert len(found) == 1152 * len(sound) - 529  # without the decoder's own delay
    assert np.abs(found[576:][: len(told)] - told).max() < 1e-4  # behind the encoder's
    assert len(told) == len(SOUND)


def test_two_files_in_one_are_both_read(tmp_path):
    whole, sound = encoded(tmp_path, "CONSTANT", 0.5)
    (tmp_path / "a.mp3").write_bytes(id3(500) + whole + id3(700) + whole)
    assert len(read_audio(tmp_path / "a.mp3", rate=RATE)) == 2 * 1152 * len(sound)


@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
@pytest.mark.parametrize("before", [b"", id3(3000)])
def test_a_cut_is_found_without_a_count(tmp_path, mode, before):
    _, sound = encoded(tmp_path, mode, 0.5)
    content = before + b"".join(sound[:40]) + sound[40][:100]
    (tmp_path / "a.mp3").write_bytes(content)
    with pytest.raises(DataError, match=rf"is cut off after 1\.04 s: its last frame has 100 of {len(sound[40])} bytes"):
        read_audio(tmp_path / "a.mp3", rate=RATE)


def test_damage_is_placed(tmp_path):
    _, sound = encoded(tmp_path, "CONSTANT", 0.5)
    (tmp_path / "a.mp3").write_bytes(b"".join(sound[:40]) + b"\x77" * 2000 + b"".join(sound[40:]))
    with pytest.raises(DataError, match=r"is damaged at 1\.04 s: byte [\d,]+ begins neither a frame"):
        read_audio(tmp_path / "a.mp3", rate=RATE)


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 48000])
def test_other_rates_and_channels(tmp_path, rate):
    stereo = np.stack([SOUND[: 2 * rate], SOUND[: 2 * rate][::-1]], 1)
    soundfile.write(tmp_path / "a.mp3", stereo, rate)
    assert describe(tmp_path / "a.mp3").samples == len(stereo)
    (tmp_path / "a.mp3").write_bytes(id3(9000) + (tmp_path / "a.mp3").read_bytes())
    assert describe(tmp_path / "a.mp3").samples == len(stereo)
