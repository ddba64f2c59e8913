"""The result of a run in Python: its metrics, predictions, plot and model."""

from __future__ import annotations

import html
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xdomain.core.formatting import as_frame, number
from xdomain.core.python_words import in_python
from xdomain.core.result_file import metric_rows
from xdomain.core.run_dir import PREDICTIONS, StoredResult, read_history, read_result
from xdomain.inference.trained_model import Model, load
from xdomain.metrics.scoring import read_predictions

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Result(StoredResult):
    """A finished run, as `xdomain.run` returns it.

    Parameters
    ----------
    folder
        The run folder.
    values
        The contents of its ``result.json``.
    """

    @property
    def metrics(self) -> dict[str, float]:
        """The test value of every metric by name, the one that chose the checkpoint first. NaN: not defined."""
        return {name: self.metric(name) for name in self.values["metrics"]["test"]}

    def predictions(self) -> Any:
        """Read the predictions for validation and test records.

        Returns
        -------
        pandas.DataFrame or pyarrow.Table
            One row per record: ``id``, ``split``, ``label``, ``prediction``, ``score``, and ``p(NAME)`` for each
            class. A DataFrame if pandas is installed.
        """
        return as_frame(read_predictions(self.folder / PREDICTIONS, self.values["classes"]))

    def model(self) -> Model:
        """Read the trained model, to predict other sequences."""
        return load(self.folder)

    def plot(self) -> Figure:
        """Draw the training loss and the validation metric over steps."""
        from xdomain.training.plots import draw_history

        first = next(iter(self.values["metrics"]["test"]))
        return draw_history(
            read_history(self.folder), metric=first, title=f"{self.values['task']}, {self.values['arm']['label']}"
        )

    def __repr__(self) -> str:
        metrics = ", ".join(f"{name} {number(value)}" for name, value in self.metrics.items()) if self.values else ""
        return f"Result({str(self.folder)!r}" + (f": test {metrics})" if metrics else ")")

    def _repr_html_(self) -> str:
        """A table of the metrics, for notebooks."""
        names = ("metric", "valid", "test [95 %]")
        cells = ("".join(f"<td>{html.escape(row[name])}</td>" for name in names) for row in metric_rows(self.values))
        rows = "".join(f"<tr>{row}</tr>" for row in cells)
        titles = "".join(f"<th>{name}</th>" for name in names)
        notes = "".join(f"<p>{html.escape(in_python(note))}</p>" for note in self.values.get("notes", ()))
        head = f"<p>{html.escape(self.values['task'])}, {html.escape(self.values['arm']['label'])}</p>"
        return f"{head}{notes}<table><tr>{titles}</tr>{rows}</table>"


def load_result(folder: str | Path) -> Result:
    """Read the result of the finished run in `folder`.

    Raises
    ------
    RecipeError
        It holds no finished run.
    """
    result = read_result(folder)
    return Result(result.folder, result.values)
