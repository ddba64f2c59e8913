"""Environments by name: `nox -s locked`, `newest`, `oldest`, `core`. `nox -s lock` renews the lock files.

Each session makes an environment of its own below .nox and runs the tests that an environment can break.
"""

import os
import shutil
from pathlib import Path

import nox

os.environ.setdefault("UV_COMPILE_BYTECODE", "1")  # else the first command in each environment compiles all it imports
nox.needs_version = ">=2025.2"
nox.options.default_venv_backend = "uv"
nox.options.sessions = ["locked"]

DIST = Path(__file__).parent / "dist"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
CORE, DEV = "requirements/core.txt", "requirements/dev.txt"
SAMPLE = (
    "tests/adapters",
    "tests/baselines",
    "tests/cli",
    "tests/core",
    "tests/data",
    "tests/metrics",
    "tests/model",
    "tests/pretraining",
    "tests/training",
    "tests/inference",
    "tests/runs",
)
"""What calls other people's packages; studies and analyses only call these."""


@nox.session
def lock(session: nox.Session) -> None:
    """Write the newest versions that fit pyproject.toml, with hashes, for every Python and platform."""
    session.install("uv")
    options = ("--universal", "--python-version", PYTHONS[0], "--generate-hashes", "--upgrade", "--quiet")
    said = ("--custom-compile-command", "nox -s lock")
    compile_ = ("uv", "pip", "compile", "pyproject.toml", *options, *said)
    session.run(*compile_, "--extra", "dev", "--output-file", DEV)
    session.run(*compile_, "--constraint", DEV, "--output-file", CORE)


@nox.session(python=PYTHONS[:3])
def locked(session: nox.Session) -> None:
    """Run the whole suite with the versions of the lock."""
    session.install("--require-hashes", "-r", DEV)
    session.install("--no-deps", "-e", ".")
    session.run("pytest", "-q", *session.posargs)


@nox.session(python=PYTHONS[0])
def newest(session: nox.Session) -> None:
    """Run the sample with today's newest version of everything."""
    session.install("--upgrade", "-e", ".[dev]")
    session.run("pytest", "-q", *(session.posargs or SAMPLE))


@nox.session(python=PYTHONS[0])
def oldest(session: nox.Session) -> None:
    """Run the sample with the lower bounds of pyproject.toml, torchaudio among them."""
    session.install("--resolution", "lowest-direct", "-e", ".[dev,torchaudio]")
    session.run("pytest", "-q", *(session.posargs or SAMPLE))


@nox.session(python=PYTHONS[0])
def core(session: nox.Session) -> None:
    """Run the sample without any extra: tests of what an extra brings are skipped."""
    session.install("--require-hashes", "-r", CORE)
    session.install("--constraint", DEV, "pytest", "pytest-xdist", "hypothesis")
    session.install("--no-deps", "-e", ".")
    session.run("pytest", "-q", *(session.posargs or SAMPLE))


@nox.session(python=PYTHONS[0])
def lint(session: nox.Session) -> None:
    """Check style and types."""
    session.install("--require-hashes", "-r", DEV)
    session.install("--no-deps", "-e", ".")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("pyright")


@nox.session(python=PYTHONS[0])
def docs(session: nox.Session) -> None:
    """Build the site of docs/ into site/; a broken link, or a page in no menu, is an error."""
    session.install("--require-hashes", "-r", DEV)
    session.install("--no-deps", "-e", ".")
    session.run("mkdocs", "build", "--strict", *session.posargs)


@nox.session(python=PYTHONS[:3])
def package(session: nox.Session) -> None:
    """Build the source distribution and the wheel into dist/, and run the wheel in an empty environment."""
    session.install("build")
    shutil.rmtree(DIST, ignore_errors=True)
    session.run("python", "-m", "build", "--outdir", str(DIST), ".")
    (wheel,) = DIST.glob("*.whl")
    session.install("--constraint", CORE, str(wheel))
    session.chdir(session.create_tmp())  # where no source is
    session.run("xdomain", "run", "toy/dna-classification", "--set", "train.max_steps=20", "--overwrite")
    session.run("xdomain", "doctor")


@nox.session(python=PYTHONS[0])
def audit(session: nox.Session) -> None:
    """Look up the packages of the lock among known vulnerabilities."""
    session.install("pip-audit")
    session.run("pip-audit", "--require-hashes", "--disable-pip", "-r", DEV, *session.posargs)


@nox.session(python=PYTHONS[0])
def coverage(session: nox.Session) -> None:
    """Run the whole suite and list the lines that it does not reach."""
    session.install("--require-hashes", "-r", DEV)
    session.install("--no-deps", "-e", ".")
    session.run("pytest", "-q", "--cov", *session.posargs)
