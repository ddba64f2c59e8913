"""A third-party package that cannot be imported is named in one block, with how to repair it."""

import os
import subprocess
import sys
from importlib import metadata

import forked
import pytest

from xdomain.core.import_errors import import_failure

OLD = "undefined symbol: torch_dtype_float4"
TASK = "toy/dna-classification"


def break_package(folder, name, version, code):
    """Install a package below `folder` whose import runs `code`; first on the path it hides the real one."""
    (folder / name).mkdir()
    (folder / name / "__init__.py").write_text(code)
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (info / "top_level.txt").write_text(f"{name}\n")


def xdomain(folder, *arguments):
    """The command where packages are found in `folder` first."""
    script = f"import sys; sys.path.insert(0, {str(folder)!r})\n{forked.XDOMAIN}"
    packages = ("xdomain", "transformers", "accelerate", "peft", "torchaudio")
    return forked.run(script, *arguments, cwd=folder, forget=packages)


@pytest.mark.slow
def test_a_fresh_process_names_a_package_that_does_not_load(tmp_path):
    break_package(tmp_path, "transformers", "5.17.0", f"raise OSError({OLD!r})")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONSAFEPATH": "1"}
    command = [sys.executable, "-m", "xdomain.cli", "run", TASK, "--out", "run"]
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False)
    assert ended.returncode == 2, ended.stderr
    assert ended.stderr.startswith("error: transformers 5.17.0 is installed but cannot be imported")
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("package", "version", "code", "told"),
    [
        ("transformers", "5.17.0", f"raise OSError({OLD!r})", OLD),
        ("transformers", "5.17.0", "import ctypes; ctypes.CDLL('libnowhere.so')", "libnowhere.so"),
        ("accelerate", "1.15.0", "raise RuntimeError('built for another numpy')", "built for another numpy"),
    ],
)
def test_a_package_that_does_not_load_is_named_without_a_traceback(tmp_path, package, version, code, told):
    break_package(tmp_path, package, version, code)
    ended = xdomain(tmp_path, "run", TASK, "--out", "run")
    assert ended.returncode == 2, ended.stderr
    assert ended.stderr.startswith(f"error: {package} {version} is installed but cannot be imported")
    assert told in ended.stderr
    assert f"pip install --force-reinstall {package}" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "run").exists()


def test_what_a_broken_torchaudio_needs_is_said(tmp_path):
    # transformers imports torchaudio in passing; here it does so for certain
    break_package(tmp_path, "torchaudio", "2.11.1", f"raise OSError({OLD!r})")
    break_package(tmp_path, "transformers", "5.17.0", "import torchaudio")
    ended = xdomain(tmp_path, "compare", TASK, "--out", "run")
    assert ended.returncode == 2
    assert "torchaudio 2.11.1 is installed but cannot be imported" in ended.stderr
    assert "pip install torch==2.11.0 torchaudio==2.11.0" in ended.stderr


def test_doctor_names_it_too(tmp_path):
    break_package(tmp_path, "transformers", "5.17.0", f"raise OSError({OLD!r})")
    ended = xdomain(tmp_path, "doctor")
    assert ended.returncode == 1, ended.stderr
    (line,) = [line for line in ended.stdout.splitlines() if line.startswith("models")]
    assert "broken" in line
    assert OLD in line
    assert "transformers 5.17.0" in line


def test_a_missing_package_is_named(tmp_path):
    break_package(tmp_path, "transformers", "5.17.0", "import surely_not_installed.part")
    ended = xdomain(tmp_path, "run", TASK)
    assert ended.returncode == 2
    assert ended.stderr.startswith("error: surely_not_installed is not installed")
    assert "pip install surely_not_installed" in ended.stderr


@pytest.mark.parametrize(("package", "name"), [("sklearn", "scikit-learn"), ("Bio", "biopython"), ("yaml", "pyyaml")])
def test_the_name_to_install_by_is_told(package, name, monkeypatch):
    monkeypatch.setattr(metadata, "packages_distributions", dict)
    monkeypatch.setattr(metadata, "version", not_there)
    error = import_failure(ModuleNotFoundError(f"No module named {package!r}", name=package))
    assert f"{package} is not installed" in str(error)
    assert f"pip install {name}" in str(error)


def not_there(name):
    raise metadata.PackageNotFoundError(name)


def test_a_fault_of_a_plugin_is_shown_to_its_author(tmp_path):
    break_package(tmp_path, "my_domain", "1.0", "raise ValueError('my own mistake')")
    (tmp_path / "my_domain-1.0.dist-info" / "entry_points.txt").write_text(
        "[xdomain.adapters]\nmine = my_domain:Mine\n"
    )
    (tmp_path / "data.csv").write_text("sequence,label\nACGT,a\n")
    ended = xdomain(tmp_path, "check", "data.csv", "--domain", "mine")
    assert "Traceback" in ended.stderr
    assert "my own mistake" in ended.stderr
    assert "force-reinstall" not in ended.stderr


def test_a_fault_of_our_own_is_no_fault_of_a_package():
    with pytest.raises(ZeroDivisionError) as caught:
        divmod(1, 0)
    assert import_failure(caught.value) is None
