"""A run as ONNX: the logits of the run, from onnxruntime and tokenizers alone."""

import json
import re
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from families import CONFIGS, POSITIONS, drawn, records, save_backbone, save_run, table_of
from tokenizers import Tokenizer

import xdomain
from xdomain.core.errors import BackboneError, MissingError, OutputError, RecipeError
from xdomain.data.dataset import encode_examples
from xdomain.export import onnx as module
from xdomain.export.onnx import export_onnx
from xdomain.inference.predictor import finished_run
from xdomain.inference.saved_model import keep_temperature, load_saved, saved_adapter
from xdomain.model.families import TESTED, problems_of
from xdomain.training.saved_encoder import SavedModel

onnxruntime = pytest.importorskip("onnxruntime")
EXPORTED = [
    (family, problem)
    for family in TESTED
    if family not in module.UNSUPPORTED
    for problem in problems_of(CONFIGS[family])
    if problem != "sequence"  # which is refused
]


def read(folder, given):
    """The output of the exported model, and the numbers of positions of each record."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_padding(pad_id=json.loads((folder / "config.json").read_text())["pad_token_id"])
    batch = tokenizer.encode_batch(given)
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"))
    columns = {"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}
    inputs = {one.name: np.array([getattr(e, columns[one.name]) for e in batch]) for one in session.get_inputs()}
    return session.run(None, inputs), [sum(one.attention_mask) for one in batch]


def one_window(problem):
    """Records that fit one window, of several lengths."""
    fit = {"pair": 10, "span": 12}.get(problem, POSITIONS - 2)
    return [one for one in records(problem) if max(map(len, one) if isinstance(one, tuple) else [len(one)]) <= fit]


def check_logits(folder, out, problem):
    given = one_window(problem)
    saved: Any = load_saved(folder)
    outputs, lengths = read(out, given)
    if problem == "span":
        # the run's own model, record by record, as its scores are spans and no logits
        from transformers import AutoTokenizer

        assert isinstance(saved, SavedModel)
        tokenizer = AutoTokenizer.from_pretrained(folder / "model")
        for row, (one, length) in enumerate(zip(given, lengths, strict=True)):
            expected = saved.model(**tokenizer(*one, return_tensors="pt"))
            for found, name in zip(outputs, ("start_logits", "end_logits"), strict=True):
                np.testing.assert_allclose(found[row, :length], expected[name][0].detach().numpy(), atol=1e-5)
        return
    adapter = saved_adapter(folder, saved.recipe)
    examples = encode_examples(table_of(problem, given), adapter, problem, np.full(len(given), "test"))
    expected = saved.scores(examples, np.arange(len(given)))
    found = outputs[0]
    before, after = len(saved.layout.start), len(saved.layout.end)
    if problem in ("tagging", "profile"):
        found = np.concatenate([row[before : length - after] for row, length in zip(found, lengths, strict=True)])
    if problem in ("regression", "profile"):
        found = found[:, 0]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.ptp(found, axis=0).max() > 0.1


def export_and_check(family, problem, folder):
    run = save_run(save_backbone(family, folder / "backbone"), problem, folder / "run")
    export_onnx(run, folder / "out")
    check_logits(run, folder / "out", problem)


@pytest.mark.parametrize(
    ("family", "problem"),
    [
        ("distilbert", "tagging"),  # whose tokens have no types
        ("roberta", "span"),
        ("bert", "pair"),
        ("gpt2", "pair"),  # a decoder, whose head reads the last token
    ],
)
def test_the_logits_are_those_of_the_run(family, problem, tmp_path):
    export_and_check(family, problem, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(("family", "problem"), EXPORTED)
def test_the_logits_of_every_family_are_those_of_the_run(family, problem, tmp_path):
    export_and_check(family, problem, tmp_path)


@pytest.fixture(scope="module")
def mixed(tiny_bert, tmp_path_factory, listen):
    """A run with a mix of layers, which no stock checkpoint holds, its export, its records, and what was said of it."""
    lines: list[str] = []
    folder = tmp_path_factory.mktemp("mixed")
    given = drawn(np.random.default_rng(0).integers(5, 40, 60), 0)
    xdomain.run(data=(given, ["yes", "no"] * 30), domain="dna", backbone=str(tiny_bert), tune="mix", mapping="learned",
                overrides=("train.max_steps=2",), out=folder / "run")  # fmt: skip
    with listen(lines.append):
        out = export_onnx(folder / "run", folder / "out")
    return folder / "run", out, given, lines


def test_a_mix_of_layers_and_a_learned_mapping_are_part_of_the_export(mixed):
    run, out, given, _ = mixed
    (logits,), _ = read(out, given)
    chances = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(chances, xdomain.load(run).predict_proba(given), atol=1e-5)
    assert sorted(path.name for path in out.iterdir()) == ["README.md", "config.json", "model.onnx", "tokenizer.json"]


def test_the_page_shows_what_runs_without_torch(mixed):
    run, out, *_ = mixed
    (snippet,) = re.findall(r"```python\n(.*?)```", (out / "README.md").read_text(), re.DOTALL)
    told = subprocess.run(
        [sys.executable, "-c", snippet + "import sys\nassert not {'torch', 'transformers'} & set(sys.modules)\n"],
        cwd=out, capture_output=True, text=True, check=True,
    )  # fmt: skip
    (sequence,) = re.findall(r'encode_batch\(\["(\w+)"\]\)', snippet)
    assert told.stdout.strip() == str(xdomain.load(run).predict([sequence]).tolist())


def test_an_export_is_replaced_only_when_asked(mixed, tmp_path):
    out = mixed[1]
    with pytest.raises(OutputError, match="holds an export"):
        module.check_folder(out, overwrite=False)
    module.check_folder(out, overwrite=True)
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(OutputError, match=r"thesis\.tex, which no export wrote"):
        module.check_folder(tmp_path, overwrite=True)


def test_what_cannot_be_exported_is_refused(tmp_path, monkeypatch, mixed):
    run = save_run(save_backbone("longformer", tmp_path / "backbone"), "classification", tmp_path / "run")
    with pytest.raises(BackboneError, match="longformer"):
        export_onnx(run, tmp_path / "out")
    counts = xdomain.run(data=(mixed[2], ["a", "b"] * 30), domain="dna", baseline="kmer", out=tmp_path / "kmer")
    with pytest.raises(RecipeError, match="ONNX of a kmer baseline"):
        export_onnx(counts.folder, tmp_path / "out")
    monkeypatch.setattr(module, "PACKAGES", ("onnx", "no_such_package"))
    with pytest.raises(MissingError, match=r"no_such_package\n.*xdomain\[onnx\]"):
        export_onnx(run, tmp_path / "out")
    assert not list(tmp_path.glob("out*"))


def test_a_calibrated_run_says_how_to_divide(mixed, tmp_path, said):
    _, plain, _, told_of_plain = mixed
    assert "The run is calibrated" not in (plain / "README.md").read_text()
    assert not [line for line in told_of_plain if "the run is calibrated" in line]
    run = save_run(save_backbone("bert", tmp_path / "backbone"), "classification", tmp_path / "run")
    keep_temperature(2.345678901234, run)
    out = export_onnx(run, tmp_path / "out")
    assert said[-1] == (
        "the run is calibrated: the logits of model.onnx are those before its temperature, so divide them by 2.3457, "
        "as README.md shows"
    )
    page = (out / "README.md").read_text()
    assert "Its temperature, 2.345678901234, is no part of the model, whose logits are those before it" in page
    (snippet,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (sequence,) = re.findall(r'encode_batch\(\["(\w+)"\]\)', snippet)
    told = subprocess.run([sys.executable, "-c", snippet + "print(*probabilities[0].tolist())"], cwd=out,
                          capture_output=True, text=True, check=True).stdout.splitlines()[-1]  # fmt: skip
    adapter = saved_adapter(run, load_saved(run).recipe)
    examples = encode_examples(table_of("classification", [sequence]), adapter, "classification", np.array(["test"]))
    scores = load_saved(run).scores(examples, np.arange(1))[0]  # which are divided
    np.testing.assert_allclose([float(one) for one in told.split()], np.exp(scores) / np.exp(scores).sum(), atol=1e-5)


def test_blanks_are_told_where_the_example_has_them(mixed, tiny_bert, tmp_path):
    assert "blanks" not in (mixed[1] / "README.md").read_text()
    kmers = ("adapter.options.tokens=kmer", "adapter.options.k=3", "train.max_steps=1")
    run = xdomain.run(data=(mixed[2], ["yes", "no"] * 30), domain="dna", backbone=str(tiny_bert), overrides=kmers,
                      out=tmp_path / "run")  # fmt: skip
    saved, adapter, values = finished_run(run.folder)
    assert isinstance(saved, SavedModel)
    page = module._page(saved, adapter, values, module._Graph(saved))
    assert "The tokenizer reads symbols with blanks between them, as in the example." in page
    assert re.search(r'encode_batch\(\["[ACGT]{3}( [ACGT]{3})+"\]\)', page)
