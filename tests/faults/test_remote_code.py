"""A checkpoint may bring code (``auto_map``). It never runs, whatever a person types, and is told in one message."""

import io
import json
import re
import shutil
from pathlib import Path

import pytest
from command_line import told

from xdomain.adapters.speech.pretrained_features import load_checkpoint
from xdomain.adapters.text import Text
from xdomain.core.errors import BackboneError
from xdomain.core.safe_loading import load
from xdomain.data.corpus import load_tokenizer
from xdomain.model.backbone import load_backbone

ROOT = Path(__file__).resolve().parents[2]
CLASSES = {
    "AutoConfig": "evil.EvilConfig",
    "AutoModel": "evil.EvilModel",
    "AutoModelForMaskedLM": "evil.EvilModel",
    "AutoModelForSequenceClassification": "evil.EvilModel",
}
CODE = """
from pathlib import Path
from transformers import BertConfig, BertModel, BertTokenizerFast, SequenceFeatureExtractor

Path({mark!r}).touch()

class EvilConfig(BertConfig):
    model_type = "evil"

class EvilModel(BertModel):
    config_class = EvilConfig

class EvilTokenizer(BertTokenizerFast):
    pass

class EvilExtractor(SequenceFeatureExtractor):
    pass
"""


@pytest.fixture
def mark(tmp_path):
    return tmp_path / "the-code-ran"


@pytest.fixture
def evil(tiny_bert, tmp_path, mark, monkeypatch):
    """A checkpoint of an architecture of its own, whose code leaves a mark, and a person who says yes to all."""
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))
    folder = tmp_path / "evil"
    shutil.copytree(tiny_bert, folder)
    (folder / "evil.py").write_text(CODE.format(mark=str(mark)))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "evil", "auto_map": CLASSES}))
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    settings |= {"tokenizer_class": "EvilTokenizer", "auto_map": {"AutoTokenizer": [None, "evil.EvilTokenizer"]}}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    extractor = {"feature_extractor_type": "EvilExtractor", "auto_map": {"AutoFeatureExtractor": "evil.EvilExtractor"}}
    (folder / "preprocessor_config.json").write_text(json.dumps(extractor))
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n" * 100))
    return folder


def test_the_code_would_run_where_it_is_trusted(evil, mark):
    from transformers import AutoConfig

    AutoConfig.from_pretrained(evil, trust_remote_code=True)
    assert mark.exists()


@pytest.mark.parametrize("kind", [*CLASSES, "AutoTokenizer", "AutoFeatureExtractor"])
def test_no_class_of_transformers_runs_it(evil, mark, kind):
    try:
        load(kind, evil)
    except BackboneError as error:
        assert "auto_map" in str(error)
    assert not mark.exists()


@pytest.mark.parametrize(
    "read", [load_backbone, lambda folder: load_checkpoint(folder, 1)], ids=["backbone", "speech features"]
)
def test_a_checkpoint_with_code_gets_one_clear_message(evil, mark, read):
    with pytest.raises(BackboneError) as refused:
        read(str(evil))
    assert str(refused.value).startswith(f"{evil} can be loaded only by code that it brings (auto_map), which xdomain")
    assert not mark.exists()


@pytest.mark.parametrize("read", [load_tokenizer, lambda folder: Text(folder).alphabet], ids=["corpus", "text"])
def test_a_tokenizer_with_code_is_read_without_it_or_refused(evil, mark, read):
    try:
        read(str(evil))
    except BackboneError as error:
        assert "auto_map" in str(error)
    assert not mark.exists()


def test_the_command_line_asks_nothing(evil, mark, capsys):
    code, out, err = told(capsys, "run", "toy/dna-classification", "--backbone", evil, "--out", evil.parent / "run")
    assert code == 2
    assert "auto_map" in err
    assert "trust_remote_code" not in err + out
    assert not mark.exists()


def test_all_loading_goes_through_one_function():
    files = [path for folder in ("xdomain", "adapters", "tasks") for path in (ROOT / folder).rglob("*.py")]
    calls = {
        str(path.relative_to(ROOT)): lines
        for path in files
        if (lines := [line for line in path.read_text("utf-8").splitlines() if re.search(r"from_pretrained\(", line)])
    }
    cards = {"xdomain/pretraining/model_card.py"}  # text for those who load it
    assert set(calls) == {*cards, "xdomain/core/safe_loading.py"}
    assert len(calls["xdomain/core/safe_loading.py"]) == 1
    pickles = r"torch\.load\(|import pickle|torch\.hub\.load"
    assert not [path for path in files if re.search(pickles, path.read_text("utf-8"))]
