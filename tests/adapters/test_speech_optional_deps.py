"""Optional libraries: what is said where one is missing or broken, and what works without torchaudio."""

import sys

import forked
import numpy as np
import pytest

from xdomain.adapters.speech.named_features import make_features
from xdomain.adapters.speech.optional_deps import library
from xdomain.core.errors import MissingError


def missing(name):
    with pytest.raises(MissingError) as caught:
        library(name)
    return caught.value


@pytest.fixture
def forget_torchaudio(monkeypatch):
    """Imports torchaudio anew, if at all, and leaves what is imported as it was."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchaudio"]:
        monkeypatch.delitem(sys.modules, name)
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchaudio"]:
        monkeypatch.delitem(sys.modules, name)


def test_a_library_that_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "soundfile", None)
    found = missing("soundfile")
    assert found.what == "soundfile, needed to read sound files, is not installed"
    assert found.fix == "pip install 'xdomain[speech]'"


def test_a_library_of_the_core_that_is_not_there():
    found = missing("torch_of_tomorrow")
    assert found.what == "torch_of_tomorrow is not installed"
    assert "xdomain doctor" in str(found.fix)


class NoTorchaudio:
    """A finder by which torchaudio is not installed."""

    @staticmethod
    def find_spec(name, *_):
        if name.partition(".")[0] == "torchaudio":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


@pytest.mark.usefixtures("forget_torchaudio")
def test_pipelines_without_torchaudio(monkeypatch):
    monkeypatch.setattr(sys, "meta_path", [NoTorchaudio, *sys.meta_path])
    with pytest.raises(MissingError) as caught:
        make_features("torchaudio:HUBERT_BASE:6")
    assert caught.value.what == "torchaudio, needed for features torchaudio:PIPELINE:LAYER, is not installed"
    assert caught.value.fix == "pip install 'xdomain[torchaudio]'"


@pytest.mark.usefixtures("forget_torchaudio")
def test_a_torchaudio_that_does_not_fit_torch(monkeypatch, tmp_path):
    (tmp_path / "torchaudio.py").write_text("raise OSError('undefined symbol: torch_list_push_back\\nat 0x0')\n")
    monkeypatch.syspath_prepend(tmp_path)
    found = missing("torchaudio.pipelines")
    assert found.what.endswith(" cannot be imported (undefined symbol: torch_list_push_back)")
    assert found.expected.startswith("torchaudio 2.11.0 with torch 2.11.0")
    assert found.fix == "pip install 'xdomain[torchaudio]'"


WORDS = (
    ["fit", "a.wav", "--units", "5", "--out", "book"],
    ["encode", "a.wav", "--codebook", "book", "--out", "units.csv"],
)
RUN = f"""
from pathlib import Path
import xdomain
from xdomain.cli.main import main
for words in {WORDS}:
    try:
        main(["units", *words])
    except SystemExit as end:
        assert not end.code
print(Path("imported").exists())
try:
    import torchaudio  # it would have been noticed
except OSError:
    print(Path("imported").exists())
"""


def test_units_of_mfcc_import_no_torchaudio(tmp_path):
    soundfile = pytest.importorskip("soundfile")
    (tmp_path / "torchaudio.py").write_text("open('imported', 'w').close()\nraise OSError('broken')\n")
    soundfile.write(tmp_path / "a.wav", np.random.default_rng(0).normal(0, 0.1, 16000), 16000)
    script = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{RUN}"
    done = forked.run(script, cwd=tmp_path, forget=("xdomain", "transformers", "torchaudio"))
    assert done.stdout.splitlines()[-2:] == ["False", "True"], done.stderr
    assert len((tmp_path / "units.csv").read_text().splitlines()) == 2
