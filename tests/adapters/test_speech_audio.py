"""Sound files of every kind read as the same samples, and told apart from what is none."""

import numpy as np
import pytest

soundfile = pytest.importorskip("soundfile")
pytest.importorskip("soxr")

from xdomain.adapters.speech.audio import blocks, cut_audio, describe, is_silent, read_audio  # noqa: E402
from xdomain.adapters.speech.files import find_audio, ids_of  # noqa: E402
from xdomain.adapters.speech.frame_reader import ReadLog, frames_of_files  # noqa: E402
from xdomain.adapters.speech.mfcc import Mfcc  # noqa: E402
from xdomain.core.errors import DataError, OutputError  # noqa: E402

RATE = 16000
TONE = (0.4 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)).astype(np.float32)


def cut(path, share=0.5):
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])


def fault(path, rate=RATE):
    with pytest.raises(DataError) as caught:
        read_audio(path, rate=rate)
    assert str(path) in caught.value.what
    return caught.value


def test_samples_by_hand(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, np.array([0, 1, -1, 16384, -32768, 32767], np.int16), RATE)
    found = read_audio(path, rate=RATE)
    assert found.dtype == np.float32
    assert (found * 32768).tolist() == [0, 1, -1, 16384, -32768, 32767]
    sound = describe(path)
    assert (sound.rate, sound.channels, sound.samples, sound.duration) == (RATE, 1, 6, 6 / RATE)


@pytest.mark.parametrize(
    ("subtype", "step"),
    [("PCM_U8", 2**-7), ("PCM_16", 2**-15), ("PCM_24", 2**-23), ("PCM_32", 2**-24), ("FLOAT", 0), ("DOUBLE", 0)],
)
def test_every_width_of_a_sample(tmp_path, subtype, step):
    path = tmp_path / "a.wav"
    soundfile.write(path, TONE, RATE, subtype=subtype)
    assert np.abs(read_audio(path, rate=RATE) - TONE).max() <= step


@pytest.mark.parametrize(
    ("name", "options", "off"),
    [
        ("a.flac", {}, 2**-15),
        ("a.ogg", {}, 0.02),
        ("a.opus", {"format": "OGG", "subtype": "OPUS"}, 0.05),
        ("a.mp3", {}, 0.05),
    ],
)
def test_every_kind_of_file(tmp_path, name, options, off):
    soundfile.write(tmp_path / name, TONE, RATE, **options)
    found = read_audio(tmp_path / name, rate=RATE)
    assert len(found) == len(TONE)
    assert np.abs(found - TONE)[1000:-1000].max() <= off


def test_channels_become_their_mean(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.array([[0.5, -0.25], [0.25, 0.25]]), RATE, subtype="FLOAT")
    assert read_audio(tmp_path / "a.wav", rate=RATE).tolist() == [0.125, 0.25]
    assert describe(tmp_path / "a.wav").channels == 2


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000])
def test_resampled_alike_whole_and_streamed(tmp_path, rate):
    noise = np.random.default_rng(0).normal(0, 0.1, rate + 13).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", noise, rate, subtype="FLOAT")
    whole = read_audio(tmp_path / "a.wav", rate=RATE)
    assert abs(len(whole) - len(noise) * RATE / rate) <= 1
    for seconds in (0.0101, 0.1, 0.37):
        assert np.array_equal(np.concatenate(list(blocks(tmp_path / "a.wav", rate=RATE, seconds=seconds))), whole)


def test_a_resampled_tone_is_the_tone(tmp_path):
    slow = 0.4 * np.sin(2 * np.pi * 440 * np.arange(8000) / 8000)
    soundfile.write(tmp_path / "a.wav", slow, 8000, subtype="FLOAT")
    assert np.abs(read_audio(tmp_path / "a.wav", rate=RATE) - TONE)[500:-500].max() < 1e-4


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3"])
def test_pieces_of_a_compressed_file_are_those_of_the_whole(tmp_path, name):
    soundfile.write(tmp_path / name, np.tile(TONE, 3), RATE)  # a tone: mp3 frames borrow bits of those before them
    whole = read_audio(tmp_path / name, rate=RATE)
    assert np.abs(whole - np.tile(TONE, 3))[1000:-1000].max() < 0.05
    for seconds in (0.1, 0.72):
        found = np.concatenate(list(blocks(tmp_path / name, rate=RATE, seconds=seconds)))
        np.testing.assert_allclose(found, whole, atol=1e-6)


def test_silence(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(100), RATE, subtype="PCM_U8")
    assert is_silent(read_audio(tmp_path / "a.wav", rate=RATE))
    assert is_silent(np.empty(0, np.float32))
    assert not is_silent(TONE)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "it is empty"),
        (b"version https://git-lfs.github.com/spec/v1\n", "it holds text, 'version https://git-lfs.github.com/spec/"),
        ("größer als Töne\n".encode(), "it holds text, 'größer als Töne' …"),
        (bytes(range(256)) * 4, "Format not recognised"),
    ],
)
def test_what_is_no_sound(tmp_path, content, what):
    (tmp_path / "a.wav").write_bytes(content)
    assert what in fault(tmp_path / "a.wav").what


def test_a_headerless_file_a_folder_and_a_missing_one(tmp_path):
    (tmp_path / "a.raw").write_bytes(b"\1\2" * 50)
    assert "is no sound file" in fault(tmp_path / "a.raw").what
    assert fault(tmp_path).what == f"{tmp_path} is a folder"
    missing = fault(tmp_path / "b.raw")
    assert missing.what == f"{tmp_path / 'b.raw'} does not exist"
    assert missing.nearest == "a.raw"


def test_no_samples(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.empty(0), RATE)
    assert fault(tmp_path / "a.wav").what == f"{tmp_path / 'a.wav'} holds no samples"


@pytest.mark.parametrize(
    ("value", "told"), [(np.nan, "nan"), (np.inf, "inf"), (1e20, "1e+20"), (-101, "-101"), (32767, "32767")]
)
def test_a_number_that_is_none_is_placed(tmp_path, value, told):
    sound = np.stack([TONE, TONE], 1)
    sound[12000, 1] = value
    soundfile.write(tmp_path / "a.wav", sound, RATE, subtype="FLOAT")
    assert fault(tmp_path / "a.wav", rate=8000).what == f"{tmp_path / 'a.wav'}: the sample at 0.7500 s is {told}"
    with pytest.raises(DataError, match=r"0\.7500 s"):
        list(blocks(tmp_path / "a.wav", rate=RATE, seconds=0.2))


def test_loud_floats_are_sound(tmp_path):
    soundfile.write(tmp_path / "a.wav", 99 * TONE / 0.4, RATE, subtype="FLOAT")
    assert read_audio(tmp_path / "a.wav", rate=RATE).max() == pytest.approx(99, abs=0.1)


def test_a_bad_sample_is_found_before_any_frame(tmp_path):
    for name in ("a.wav", "b.wav"):
        soundfile.write(tmp_path / name, np.r_[np.tile(TONE, 15), [1e20 if name == "b.wav" else 0]], RATE, "FLOAT")
    frames = frames_of_files([tmp_path / "a.wav", tmp_path / "b.wav"], Mfcc(), notes := ReadLog())
    with pytest.raises(DataError, match=r"b\.wav: the sample at 15\.0000 s is 1e\+20"):
        next(frames)
    assert notes.done == 0
    kept = list(frames_of_files([tmp_path / "b.wav", tmp_path / "a.wav"], Mfcc(), notes, skip_bad=True))
    assert (notes.heard, len(notes.skipped)) == (1, 1)
    assert sum(map(len, kept)) == (15 * RATE + 1 - 400) // 160 + 1


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("a.wav", "its header tells 32,000 bytes of sound, it holds 15,978"),
        ("a.flac", "its header tells 16,000 samples (1.00 s), "),
        ("a.mp3", "its header tells 16,000 samples (1.00 s), "),
        ("a.ogg", "its last page is missing"),
    ],
)
def test_a_file_that_is_cut_off(tmp_path, name, told):
    noise = np.random.default_rng(0).normal(0, 0.1, RATE)
    soundfile.write(tmp_path / name, noise if name != "a.ogg" else np.tile(noise, 9), RATE)
    cut(tmp_path / name)
    found = fault(tmp_path / name)
    assert "is cut off" in found.what
    assert told in found.what
    assert found.fix.startswith("get it again")


def test_a_wav_from_a_pipe_has_no_length_and_is_whole(tmp_path):
    soundfile.write(tmp_path / "a.wav", TONE, RATE)
    content = bytearray((tmp_path / "a.wav").read_bytes())
    content[4:8] = content[40:44] = b"\xff" * 4
    (tmp_path / "a.wav").write_bytes(content)
    assert len(read_audio(tmp_path / "a.wav", rate=RATE)) == RATE


def test_which_files_are_meant(tmp_path):
    for name in ("b.wav", "a.FLAC", "deep/c.mp3", "notes.txt", "._b.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    inside = [tmp_path / name for name in ("a.FLAC", "b.wav", "deep/c.mp3")]
    assert find_audio([tmp_path]) == inside
    assert find_audio([str(tmp_path / "*.wav"), tmp_path / "notes.txt", tmp_path]) == [
        tmp_path / "._b.wav", tmp_path / "b.wav", tmp_path / "notes.txt", inside[0], inside[2],
    ]  # fmt: skip
    assert find_audio([tmp_path / "**" / "?.mp3"]) == [inside[2]]
    (tmp_path / "none").mkdir()
    for name, what in (("none", "holds no sound file"), ("*.au", "no file matches"), ("c.wav", "does not exist")):
        with pytest.raises(DataError, match=what):
            find_audio([tmp_path / name])


def test_files_are_called_by_what_tells_them_apart(tmp_path):
    names = ("x/1.wav", "y/1.wav", "z/1.wav", "z/2.wav", "p/q/3.wav", "r/q/3.wav", "4.wav", "4.flac")
    found = ids_of([tmp_path / name for name in names])
    assert found == ["x/1", "y/1", "z/1", "2", "p/q/3", "r/q/3", "4.wav", "4.flac"]
    assert ids_of([]) == []


@pytest.mark.parametrize(("subtype", "bits"), [("PCM_16", 16), ("PCM_24", 24)])
def test_a_cut_keeps_every_sample(tmp_path, subtype, bits):
    sound = np.random.default_rng(0).integers(-(2**31), 2**31, (8000, 2), np.int32) >> (32 - bits) << (32 - bits)
    soundfile.write(tmp_path / "a.wav", sound, 8000, subtype=subtype)
    cut_audio(tmp_path / "a.wav", 0.25, 0.5, tmp_path / "b.wav")
    found, rate = soundfile.read(tmp_path / "b.wav", dtype="int32")
    assert rate == 8000
    assert soundfile.info(tmp_path / "b.wav").subtype == subtype
    assert np.array_equal(found, sound[2000:4000])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.wav", "b.wav"]


def test_a_cut_of_an_mp3_is_a_plain_wav(tmp_path):
    soundfile.write(tmp_path / "a.mp3", TONE, RATE)
    cut_audio(tmp_path / "a.mp3", 0.5, 0.75, tmp_path / "b.wav")
    assert soundfile.info(tmp_path / "b.wav").subtype == "PCM_16"
    assert np.abs(read_audio(tmp_path / "b.wav", rate=RATE) - TONE[8000:12000]).max() < 0.05


@pytest.mark.parametrize(("start", "end"), [(0.5, 1.001), (-0.1, 0.5), (0.5, 0.5), (0.6, 0.5)])
def test_a_cut_beyond_the_sound_is_refused(tmp_path, start, end):
    soundfile.write(tmp_path / "a.wav", TONE, RATE)
    with pytest.raises(DataError, match=r"a\.wav cannot be cut from") as caught:
        cut_audio(tmp_path / "a.wav", start, end, tmp_path / "b.wav")
    assert caught.value.expected == "a start before the end, both within its 1.000 s"
    assert not (tmp_path / "b.wav").exists()


@pytest.mark.parametrize("name", ["b.txt", "b", "nowhere/b.wav"])
def test_a_cut_that_cannot_be_written(tmp_path, name):
    soundfile.write(tmp_path / "a.wav", TONE, RATE)
    with pytest.raises(OutputError, match="cannot be written"):
        cut_audio(tmp_path / "a.wav", 0, 0.5, tmp_path / name)
    assert [p.name for p in tmp_path.iterdir()] == ["a.wav"]
