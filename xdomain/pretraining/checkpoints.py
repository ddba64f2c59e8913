"""The folder of a pre-training run: what it was started with, the last state of the model, and the history."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from xdomain.core.disk import explaining_full_disk, unwritable, writing
from xdomain.core.errors import OutputError, UserError
from xdomain.core.run_dir import (
    HISTORY,
    HISTORY_PLOT,
    LOCK,
    MAPPING,
    WRITABLE,
    as_svg,
    finite,
    only_writer,
    write_history,
    write_json,
)
from xdomain.model.checkpoints import PRETRAINING

UNFINISHED, PLAN, STATE = "unfinished", "plan.json", "state.safetensors"
SUMMARY, CARD = PRETRAINING, "README.md"
MODEL = "model.safetensors"
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt")
WRITTEN = (
    UNFINISHED, HISTORY, HISTORY_PLOT, as_svg(HISTORY_PLOT), SUMMARY, CARD, MAPPING, MODEL, "config.json",
    *TOKENIZER_FILES,
)  # fmt: skip
"""All that a pre-training run writes into its folder."""


@dataclass(frozen=True)
class WorkFolder:
    """The folder of an unfinished run, ``OUT/unfinished``, which is removed when the run is done.

    Parameters
    ----------
    out
        Where the finished checkpoint goes.
    """

    out: Path

    @property
    def path(self) -> Path:
        """The folder ``OUT/unfinished``."""
        return self.out / UNFINISHED

    def check(self) -> None:
        """Make sure that a run may begin or go on here; nothing is written.

        Raises
        ------
        OutputError
            A finished checkpoint is in the way, or a file, or something that no pre-training wrote.
        """
        try:
            if self.out.exists() and not self.out.is_dir():
                raise OutputError(f"{self.out} is a file", expected="a folder to write to", fix="another --out")
            holds = sorted(path.name for path in self.out.iterdir()) if self.out.is_dir() else []
        except OSError as error:
            raise unwritable(self.out, error, expected=WRITABLE) from None
        if MODEL in holds and UNFINISHED not in holds:
            raise OutputError(f"{self.out} already holds a checkpoint", fix="name another folder with --out")
        strange = [name for name in holds if name.removesuffix(".part") not in WRITTEN]
        if strange or (holds and UNFINISHED not in holds):
            names = strange or holds
            raise OutputError(
                f"{self.out} holds {', '.join(names[:3])}{' …' if len(names) > 3 else ''}, which no pre-training wrote",
                expected="an empty or new folder",
                fix="another --out",
            )

    @contextmanager
    def opened(self, started_with: Mapping[str, Any]) -> Generator[None]:
        """A context in which a run begins, or goes on if it was started with the same; other processes are kept out.

        Parameters
        ----------
        started_with
            What decides the weights, as JSON: {options: {…}, data: {…}}.

        Raises
        ------
        OutputError
            The folder cannot be written, another process uses it, or the run was started with something else.
        """
        with self.guarded():
            self.path.mkdir(parents=True, exist_ok=True)
        with only_writer(self.path):
            if (self.path / STATE).exists():
                self._check_same(started_with)
            elif self._started_with() != _as_json(started_with):
                self._empty()  # left by a start that saved no state: its wordpieces may be of another text
            self.write(PLAN, started_with)
            try:
                yield
            except UserError:
                if not (self.path / STATE).exists():
                    shutil.rmtree(self.path, ignore_errors=True)
                    with suppress(OSError):
                        self.out.rmdir()
                raise

    def _started_with(self) -> Any:
        path = self.path / PLAN
        return json.loads(path.read_text("utf-8")) if path.exists() else None

    def _empty(self) -> None:
        with self.guarded():
            for entry in self.path.iterdir():
                if entry.name != LOCK:
                    shutil.rmtree(entry) if entry.is_dir() else entry.unlink()

    def _check_same(self, started_with: Mapping[str, Any]) -> None:
        before, now = self._started_with() or {}, _as_json(started_with)
        differing = [
            f"{name.replace('_', ' ')}: {_brief(there)} there, {_brief(here)} now"
            for part in ("options", "data")
            for name in sorted({*before.get(part, {}), *now[part]})
            if (there := before.get(part, {}).get(name)) != (here := now[part].get(name))
        ]
        if differing:
            raise OutputError(
                f"the run in {self.out} was started with something else ({'; '.join(differing)})",
                expected="the same command, to go on from its last state",
                fix=f"another --out, or remove {self.path} to give that run up",
            )

    def write(self, name: str, value: Mapping[str, Any]) -> None:
        """Write `value` as JSON to the file `name` in the folder, whole or not at all."""
        with self.guarded():
            write_json(self.path / name, value)

    @contextmanager
    def guarded(self) -> Generator[None]:
        """A context that turns errors of writing, such as a full disk, into an `OutputError` with one sentence."""
        with explaining_full_disk(self.out), writing(self.out, expected=WRITABLE):
            yield

    def save(self, model: torch.nn.Module, optimizer: torch.optim.Optimizer, step: int, key: str) -> None:
        """Write the state of training, whole or not at all: the last one stays until then.

        Parameters
        ----------
        model, optimizer
            Their parameters and moments are saved.
        step
            How many steps are done.
        key
            Digest of the tokens: `restore` refuses another one.

        Raises
        ------
        OutputError
            The state cannot be written.
        """
        tensors = {f"model.{name}": value.detach().contiguous() for name, value in model.named_parameters()}
        for index, state in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{name}": value for name, value in state.items()}
        part = self.path / (STATE + ".part")
        with self.guarded():
            try:
                save_file(tensors, part, metadata={"step": str(step), "corpus": key})
                with part.open("rb") as file:
                    os.fsync(file.fileno())
            except BaseException:
                with suppress(OSError):
                    part.unlink(missing_ok=True)
                raise
            part.replace(self.path / STATE)

    def restore(self, model: torch.nn.Module, optimizer: torch.optim.Optimizer, key: str) -> int:
        """Load the last state that was saved.

        Parameters
        ----------
        model, optimizer
            Get the parameters and moments of that state, in place.
        key
            Digest of the tokens that training goes on with.

        Returns
        -------
        int
            How many steps were done; 0 if no state was saved, and then nothing is changed.

        Raises
        ------
        OutputError
            The state cannot be read, or was trained on tokens other than those of `key`.
        """
        path = self.path / STATE
        if not path.exists():
            return 0
        try:
            with safe_open(path, "pt") as file:
                metadata = file.metadata()
            tensors = load_file(path)
            step = int(metadata["step"])
        except (SafetensorError, OSError, KeyError, ValueError) as error:
            raise OutputError(f"{path} cannot be read ({error})", fix=f"remove {self.path} to begin anew") from None
        if metadata.get("corpus") != key:
            raise OutputError(
                f"{path} was trained on other tokens than those of this corpus and tokenizer",
                expected="the tokenizer that the run was started with",
                fix=f"remove {self.path} to begin anew",
            )
        named = dict(model.named_parameters())
        optimized: dict[int, dict[str, Tensor]] = {}
        with torch.no_grad():
            for name, value in tensors.items():
                kind, _, rest = name.partition(".")
                if kind == "model":
                    named[rest].copy_(value)
                else:
                    index, _, field = rest.partition(".")
                    optimized.setdefault(int(index), {})[field] = value
        groups = optimizer.state_dict()["param_groups"]
        optimizer.load_state_dict({"state": optimized, "param_groups": groups})
        return step

    def history(self, step: int) -> list[dict[str, Any]]:
        """The rows of the history up to `step`, that of the last state: later steps will be repeated."""
        path = self.path / HISTORY
        lines = path.read_text("utf-8").splitlines() if path.exists() else []
        rows: list[dict[str, Any]] = []
        for line in lines:
            with suppress(ValueError):  # the last line of a process that was killed
                rows.append(json.loads(line))
        return [row for row in rows if row["step"] <= step]

    def keep_history(self, rows: list[dict[str, Any]]) -> None:
        """Replace the history by `rows`."""
        with self.guarded():
            write_history(self.path, rows)

    def add_history(self, row: Mapping[str, Any]) -> None:
        """Append `row` to the history."""
        with self.guarded(), (self.path / HISTORY).open("a", encoding="utf-8") as file:
            file.write(json.dumps(finite(row)) + "\n")

    def publish(self, made: Path) -> None:
        """Move the files of the folder `made` to `out`, the weights last, and remove the unfinished run."""
        with self.guarded():
            for file in sorted(made.iterdir(), key=lambda path: path.name == MODEL):
                file.replace(self.out / file.name)
            shutil.rmtree(self.path)


def _as_json(value: Mapping[str, Any]) -> Any:
    """The value as it is after writing it to JSON and reading it back."""
    return json.loads(json.dumps(finite(value)))


def _brief(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "…"
