"""A domain and a task in a package of their own, through entry points alone."""

import json

import forked

MORSE = '''
from dataclasses import dataclass
from functools import cached_property
import typer
from xdomain.data.char_encoder import ByteTable
from xdomain.core.sequences import Alphabet

@dataclass(frozen=True)
class Morse:
    """Dots and dashes."""
    @property
    def name(self): return "morse"
    @cached_property
    def alphabet(self): return Alphabet((".", "-", "/"), "sign")
    @cached_property
    def _table(self): return ByteTable(self.alphabet)
    def encode(self, payloads): return self._table.encode(payloads)
    def decode(self, ids): return self._table.decode(ids)
    def stock_tokenizer(self, vocabulary, unk_token): return self._table.stock_tokenizer(vocabulary, unk_token)
    media = (".key",)
    def encode_files(self, paths): return [path.read_text() for path in paths]

app = typer.Typer()

@app.command("tap")
def tap(text: str):
    from xdomain.core.printing import print_rows
    print_rows([{"signs": len(text)}])

@app.command("rest")
def rest():
    """Nothing."""
'''
TASKS = """
import numpy as np
import pyarrow as pa

def read_keys(files, *, records=80):
    rng = np.random.default_rng(0)
    rows = []
    for i in range(records):
        label = "sos" if i % 2 else "noise"
        signs = list(rng.choice(list(".-/"), 20))
        if label == "sos":
            signs[4:13] = "...---..."
        rows.append({"id": str(i), "sequence": "".join(signs), "label": label})
    return pa.Table.from_pylist(rows)

READERS = {"keys": read_keys}
"""
RECIPE = """
title: Distress calls
source: {licence: none, citation: made up}
reader: keys
adapter: {name: morse}
problem: classification
metrics: [accuracy]
train: {max_steps: 2}
"""
SCRIPT = """
import json, sys, xdomain
assert "morse/distress" in xdomain.task_names()
result = xdomain.run("morse/distress", backbone=sys.argv[1], out=sys.argv[2])
from xdomain.cli.main import main
from xdomain.inference.prediction_file import predict
try:
    main(["morse", "tap", "sos"])
except SystemExit as end:
    assert not end.code
table = predict(sys.argv[2], sys.argv[3], sys.argv[3])
assert table.column("id").to_pylist() == ["a.key"] * 2
assert table.column("prediction")[0].as_py() in ("sos", "noise")
print(json.dumps(result.values["n"]))
"""


def test_a_made_up_domain_needs_no_change_to_the_core(tiny_bert, tmp_path):
    site = tmp_path / "site"
    (site / "morse_tasks" / "morse").mkdir(parents=True)
    (site / "morse_domain.py").write_text(MORSE)
    (site / "morse_tasks" / "__init__.py").write_text(TASKS)
    (site / "morse_tasks" / "morse" / "distress.yaml").write_text(RECIPE)
    info = site / "morse-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: morse\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[xdomain.adapters]\nmorse = morse_domain:Morse\n\n[xdomain.tasks]\nmorse = morse_tasks\n\n"
        "[xdomain.commands]\nmorse = morse_domain:app\n"
    )
    (tmp_path / "a.key").write_text("...---.../-")
    script = f"import sys; sys.path.insert(0, {str(site)!r})\n{SCRIPT}"
    done = forked.run(script, tiny_bert, tmp_path / "run", tmp_path / "a.key")
    assert done.returncode == 0, done.stderr[-2000:]
    *tapped, sizes = done.stdout.splitlines()
    assert tapped == ["signs", "3"]
    assert json.loads(sizes) == {"train": 64, "valid": 8, "test": 8}
