"""What would be uploaded: a wheel, made of the source distribution, that runs where no source is."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BUILD = "import sys, setuptools.build_meta as build; print(getattr(build, 'build_' + sys.argv[1])(sys.argv[2]))"
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST"))}
PARTS = ("xdomain", "adapters", "tasks")
pytestmark = pytest.mark.slow


def built(kind: str, source: Path, out: Path) -> Path:
    done = subprocess.run([sys.executable, "-c", BUILD, kind, out], cwd=source, env=ENVIRONMENT, check=True,
                          capture_output=True, text=True)  # fmt: skip
    return out / done.stdout.strip().split("\n")[-1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """From the source distribution, from a copy of the source without what earlier builds left."""
    folder = tmp_path_factory.mktemp("package")
    for part in PARTS:
        shutil.copytree(ROOT / part, folder / "source" / part, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE", "MANIFEST.in", "CHANGELOG.md", "CITATION.cff"):
        shutil.copy(ROOT / name, folder / "source")
    with tarfile.open(built("sdist", folder / "source", folder)) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    (source,) = (folder / "unpacked").iterdir()
    assert {"CHANGELOG.md", "CITATION.cff", "LICENSE", "README.md"} <= {path.name for path in source.iterdir()}
    return built("wheel", source, folder)


def test_the_wheel_holds_every_file_of_the_packages_and_no_other(wheel):
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    files = {path.relative_to(ROOT) for part in PARTS for path in (ROOT / part).rglob("*") if path.is_file()}
    assert held == {
        str(path) if path.parts[0] == "xdomain" else f"xdomain/{path}"
        for path in files if "__pycache__" not in path.parts
    }  # fmt: skip


def test_the_wheel_runs_in_an_environment_without_the_source(wheel, tmp_path):
    def ran(*command: str | Path) -> str:
        done = subprocess.run(command, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    ran(sys.executable, "-m", "venv", "--without-pip", "venv")
    packages = next((tmp_path / "venv/lib").glob("python*/site-packages"))
    # what others wrote is found there; the .pth files in it, one of which leads to the source, are not read
    (packages / "others.pth").write_text(sysconfig.get_path("purelib"))
    python, xdomain = tmp_path / "venv/bin/python", tmp_path / "venv/bin/xdomain"
    ran(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel)
    assert ran(xdomain, "--version").startswith("xdomain ")
    assert "dna/splice" in ran(xdomain, "ls")
    assert "accuracy" in ran(xdomain, "run", "toy/dna-classification", "--set", "train.max_steps=2")
    places = ran(python, "-c", "import xdomain, xdomain.adapters.dna as dna; print(xdomain.__file__, dna.__file__)")
    assert all(str(tmp_path) in place for place in places.split())
