"""The commands ``xdomain new recipe``, ``adapter`` and ``study``: commented skeletons that work as they are."""

from __future__ import annotations

import json
import keyword
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xdomain.cli import complete
from xdomain.cli.examples import epilog
from xdomain.cli.options import OwnData, takes
from xdomain.core.errors import OutputError, RecipeError

if TYPE_CHECKING:
    from xdomain.core.recipe import Recipe
    from xdomain.core.sequences import Ids

TEMPLATES = Path(__file__).parent / "templates"
YAML = (".yaml", ".yml")
RECORDS, LENGTHS, KINDS = 200, (20, 40), 4
"""Of made-up data: records, their lengths, and how many of the domain's symbols occur."""
MADE_UP = "hop skip step turn"
"""A record of a domain that takes its symbols from the data."""
DOMAIN, SYMBOLS, TASK = "dna", "abcd", "toy/dna-motif-order"
SHOWN = ("title", "source", "reader", "columns", "adapter", "problem", "split", "metrics")
"""Parts of a recipe that its file shows though they may have their default."""

Name = Annotated[str, typer.Argument(help="What it is called: letters, digits, - and _.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the files of an earlier one.")]

new_app = typer.Typer(
    help="Write a commented skeleton of a recipe, a domain of your own, or a study.", no_args_is_help=True
)


@new_app.command("recipe", epilog=epilog("new recipe"))
@takes(own=OwnData)
def new_recipe_command(
    name: Name,
    *,
    own: OwnData,
    out: Annotated[Path | None, typer.Option(help="The file to write; default: NAME.yaml.")] = None,
    overwrite: Overwrite = False,
) -> None:
    """Write the recipe of a task: for your own data, with what is guessed filled in, or for a few made-up records."""
    from xdomain.core.adapter_protocols import LearnsAlphabet
    from xdomain.core.plugins import make_adapter, uses_tokenizer
    from xdomain.core.run_dir import check_new_file

    name = _checked(name, r"\w[\w-]*")
    out = out or Path(f"{name}.yaml")
    check_new_file(out, YAML, overwrite=overwrite)
    made_up: Path | None = None
    if own.data is None and own.train is None:
        made_up, domain = out.with_name(f"{name}-made-up.csv"), own.domain or DOMAIN
        check_new_file(made_up, (".csv",), overwrite=overwrite)
        if uses_tokenizer(domain):
            raise RecipeError(f"no made-up records of {domain}", expected="data of your own", fix="--data FILE")
        adapter = make_adapter(domain)
        if isinstance(adapter, LearnsAlphabet):
            adapter = adapter.fitted([[MADE_UP]])
        _write({made_up: _made_up_records(adapter.decode)})
        own = replace(own, data=[str(made_up)], domain=domain)
    try:
        recipe = own.recipe(None)
        title = f"Made-up records, to try {recipe.adapter.name}" if made_up else _title(recipe, name)
        recipe = recipe.model_copy(update={"name": f"{recipe.adapter.name}/{name}", "title": title})
        _write({out: _recipe_text(recipe, out)})
    except BaseException:
        if made_up:
            made_up.unlink(missing_ok=True)
        raise
    file = shlex.quote(str(out))
    _done(
        [*([made_up] if made_up else []), out],
        (f"xdomain check {file}", "counts, leaks, the first bad record"),
        (f"xdomain run {file} --set train.epochs=1", "a first try"),
        (f"xdomain compare {file}", "does text pre-training help here?"),
    )


def _title(recipe: Recipe, name: str) -> str:
    """What is predicted, of the task `name`, as far as the columns tell."""
    label = recipe.columns.label
    told = label if isinstance(label, str) else ", ".join(label or ())
    return f"{told} of {name}" if told else name


@new_app.command("adapter", epilog=epilog("new adapter"))
def new_adapter_command(
    name: Annotated[str, typer.Argument(help="What the domain is called: lower-case letters, digits and _.")],
    *,
    symbols: Annotated[str, typer.Option(help="Its symbols, a character each; they can be changed later.")] = SYMBOLS,
    out: Annotated[Path | None, typer.Option(help="The folder to write; default: NAME.")] = None,
    overwrite: Overwrite = False,
) -> None:
    """Write a package with a domain of your own: the adapter, a few made-up records, their recipe and tests."""
    from xdomain.core.entry_points import entry_points
    from xdomain.core.run_dir import check_new_file

    name = _checked(name, r"[a-z][a-z0-9_]*")
    package = f"xdomain_{name}"
    taken = entry_points("xdomain.adapters").get(name)
    if keyword.iskeyword(name) or (taken and not taken.value.startswith(f"{package}.")):
        raise RecipeError(f"the name {name} is taken", expected="one that is neither a domain nor a word of Python",
                          fix=f"xdomain new adapter my_{name}")  # fmt: skip
    _check_symbols(symbols)
    out = out or Path(name)
    values = {
        "name": name,
        "dashed": name.replace("_", "-"),
        "package": package,
        "class_name": "".join(part.capitalize() for part in name.split("_")),
        "symbols": repr(symbols) if '"' in symbols else json.dumps(symbols),
        "other": json.dumps(next(one for one in "?#~_" + "ABCDE" if one not in symbols)),
    }
    places = {
        "README.md.j2": out / "README.md",
        "pyproject.toml.j2": out / "pyproject.toml",
        "init.py.j2": out / package / "__init__.py",
        "adapter.py.j2": out / package / "adapter.py",
        "test_adapter.py.j2": out / "tests" / f"test_{name}.py",
    }
    records, recipe_file = out / "example.csv", out / "example.yaml"
    texts = {place: _rendered(f"adapter/{template}", **values) for template, place in places.items()}
    texts[records] = _made_up_records(lambda ids: "".join(symbols[i] for i in ids), min(KINDS, len(symbols)))
    texts[recipe_file] = _recipe_text(_example(name, records), recipe_file)
    if out.exists() and not out.is_dir():
        raise OutputError(f"{out} is a file", expected="a folder to write into", fix="another --out")
    for place in texts:
        if place.exists():
            check_new_file(place, (place.suffix,), overwrite=overwrite)
    _write(texts)
    folder = shlex.quote(str(out))
    _done(
        sorted(texts),
        (f"cd {folder}", "where the commands below find their files"),
        ("pip install --no-deps -e .", "into the environment of xdomain, once"),
        ("xdomain check example.yaml", "counts, and the first record that cannot be read"),
        ("xdomain run example.yaml --set train.epochs=1", "a first try"),
    )


@new_app.command("study", epilog=epilog("new study"))
def new_study_command(
    name: Name,
    *,
    task: Annotated[
        list[str] | None,
        typer.Option(
            help=f"A shipped task or a recipe file. Repeatable; default: {TASK}.", autocompletion=complete.tasks
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The file to write; default: NAME.yaml.")] = None,
    overwrite: Overwrite = False,
) -> None:
    """Write a study: tasks, arms, seeds, learning rates and their search, each with what it is for."""
    from xdomain.core.plugins import find_recipe, task_names
    from xdomain.core.run_dir import check_new_file
    from xdomain.core.yaml_config import dump_yaml
    from xdomain.data.sources import is_data

    name = _checked(name, r"\w[\w-]*")
    out = out or Path(f"{name}.yaml")
    check_new_file(out, YAML, overwrite=overwrite)
    tasks: list[str] = []
    for one in task or [TASK]:
        if not one.endswith(YAML) and one not in task_names() and is_data(one):
            raise RecipeError(
                f"{one} is a file of records", expected="a task, or a recipe",
                fix=f"xdomain new recipe NAME --data {shlex.quote(one)} --domain DOMAIN, which writes one; or in a "
                f"study: tasks: [{{data: {one}, domain: DOMAIN}}]",
            )  # fmt: skip
        find_recipe(one)
        tasks.append(_beside(Path(one), out) if one.endswith(YAML) else one)
    question = json.dumps("Does text pre-training help here?")
    _write({out: _rendered("study.yaml.j2", file=shlex.quote(str(out)), name=out.stem, question=question,
                           tasks=dump_yaml(tasks))})  # fmt: skip
    file = shlex.quote(str(out))
    _done(
        [out],
        (f"xdomain study {file} --plan", "the runs, and how long they take"),
        (f"xdomain study {file}", "run them; the same command again goes on"),
    )


def _checked(name: str, pattern: str) -> str:
    """The `name` without the ending of a file.

    Raises
    ------
    RecipeError
        It does not match `pattern`.
    """
    stem = name.removesuffix(".yaml")
    if not re.fullmatch(pattern, stem) or len(stem) > 80:
        lower = "a-z" in pattern
        raise RecipeError(f"{name!r} as a name", expected="lower-case letters, digits and _, a letter first" if lower
                          else "letters, digits, - and _, at most 80; --out names a file elsewhere")  # fmt: skip
    return stem


def _check_symbols(symbols: str) -> None:
    odd = next((one for one in symbols if not (one.isascii() and one.isprintable()) or one.isspace()), None)
    if odd is not None or len(symbols) < 2 or len(set(symbols)) < len(symbols) or len(symbols) > 80:
        raise RecipeError(
            f"--symbols {symbols!r}",
            expected="2 to 80 different characters of ASCII, without blanks",
            fix="give any here, and see docs/how-to/own-domain.md for symbols that are not single characters",
        )


def _made_up_records(spell: Callable[[Ids], str], kinds: int = KINDS) -> str:
    """A CSV of records of two classes, which differ in how often they have each of the first `kinds` symbols.

    `spell` writes symbols, given by their ids, as a record has them.
    """
    import csv
    import io

    import numpy as np

    rng = np.random.default_rng(0)
    falling = np.arange(kinds, 0, -1) / sum(range(kinds + 1))
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["id", "sequence", "label"])
    for number in range(RECORDS):
        first = number % 2 == 0
        weights = falling if first else falling[::-1]
        ids = rng.choice(kinds, rng.integers(*LENGTHS), p=weights).astype(np.uint16)
        table.writerow([f"r{number + 1}", spell(ids), "mostly first symbols" if first else "mostly last symbols"])
    return text.getvalue()


def _example(domain: str, records: Path) -> Recipe:
    """The recipe of made-up `records` of a `domain` that is not installed yet."""
    from xdomain.core.choices import DEFAULT_METRICS
    from xdomain.core.recipe import recipe_from

    tree: dict[str, Any] = {
        "name": f"{domain}/example",
        "title": f"Made-up records, to try {domain}",
        "source": {"files": {"data": str(records.absolute())}, "licence": "none", "citation": "Made up."},
        "columns": {"id": "id", "sequence": "sequence", "label": "label"},
        "adapter": {"name": domain},
        "problem": "classification",
        "metrics": DEFAULT_METRICS["classification"],
    }
    return recipe_from(tree, where=domain)


def _recipe_text(recipe: Recipe, out: Path) -> str:
    """The file `out` of a `recipe`: what differs from the defaults, and what one should know of anyway."""
    from xdomain.core.yaml_config import dump_yaml

    whole, told = recipe.model_dump(mode="json"), recipe.model_dump(mode="json", exclude_defaults=True)
    tree = {key: value if key in told or key in SHOWN else None for key, value in whole.items()}
    for key in ("reader_options", "negatives", "train", "run"):
        tree[key] = told.get(key)
    tree["columns"] = {role: name for role, name in whole["columns"].items() if name is not None}
    files = {name: _beside(Path(path), out) for name, path in recipe.source.files.items()}
    tree["source"] = {"files": files, "licence": recipe.source.licence, "citation": recipe.source.citation}
    tree["split"] = {key: whole["split"][key] for key in ("rule", "valid", "test", "seed")} | told.get("split", {})
    parts = {key: dump_yaml({key: value}) for key, value in tree.items() if value}
    return _rendered("recipe.yaml.j2", parts=parts, file=shlex.quote(out.name), metric=recipe.metrics[0],
                     problem=recipe.problem)  # fmt: skip


def _beside(path: Path, out: Path) -> str:
    """How the file `out` names the file `path`: from its own folder if `path` lies there or below, else in full."""
    path, folder = path.absolute(), out.absolute().parent
    for place, home in ((path, folder), (path.resolve(), folder.resolve())):
        if place.is_relative_to(home):
            return place.relative_to(home).as_posix()
    return str(path)


def _rendered(template: str, **values: Any) -> str:
    from xdomain.core.templates import templates_in

    return templates_in(TEMPLATES).get_template(template).render(**values)


def _write(texts: Mapping[Path, str]) -> None:
    from xdomain.core.disk import writing
    from xdomain.core.run_dir import write_text

    for place, text in texts.items():
        with writing(place):
            place.parent.mkdir(parents=True, exist_ok=True)
            write_text(place, text)


def _done(files: list[Path], *commands: tuple[str, str]) -> None:
    from xdomain.cli.console import print_next

    for file in files:
        print(f"written: {file}")
    print_next(*commands)
