"""The notebooks run from the first cell to the last, and the outputs kept in them are of a run like that."""

import re
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
NOTEBOOKS = sorted((Path(__file__).parents[2] / "examples" / "notebooks").glob("*.ipynb"))
MAX_BYTES = 500_000


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def kinds(cell):
    """What its outputs are, leaving warnings and progress out."""
    return [sorted(output.get("data", ["text"])) for output in cell.outputs if output.get("name") != "stderr"]


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def path(request):
    return request.param


def test_it_was_run_in_order_and_keeps_its_outputs(path):
    notebook = nbformat.read(path, 4)
    cells = code_cells(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert not [o for cell in cells for o in cell.outputs if o.output_type == "error" or o.get("name") == "stderr"]
    assert sum(bool(kinds(cell)) for cell in cells) >= len(cells) - 1
    assert path.stat().st_size < MAX_BYTES
    assert not re.search(r"/(?:home|root|tmp|work)/", path.read_text())


@pytest.mark.slow
def test_it_runs(path, tmp_path, monkeypatch):
    client = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")
    monkeypatch.delenv("MPLBACKEND", raising=False)  # else figures are not shown in the notebook
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    kept, ran = (nbformat.read(path, 4) for _ in range(2))
    (tmp_path / "work").mkdir()
    client.NotebookClient(ran, timeout=900, resources={"metadata": {"path": str(tmp_path / "work")}}).execute()
    for before, after in zip(code_cells(kept), code_cells(ran), strict=True):
        assert kinds(after) == kinds(before), before.source
