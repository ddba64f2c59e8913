"""Late imports of third-party packages, and error messages for imports that fail."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from importlib import import_module, metadata
from typing import Any

from xdomain.core.errors import MissingError

OURS = ("xdomain", "__main__")
ENTRY_POINTS = ("xdomain.adapters", "xdomain.commands", "xdomain.tasks")
"""Groups of packages that plug into xdomain. Their errors, like ours, are shown with a traceback, for their authors."""
INSTALLED_AS = {"Bio": "biopython", "sklearn": "scikit-learn", "yaml": "pyyaml", "dateutil": "python-dateutil"}
"""Import name to install name, for packages where the two differ."""
KNOWN_FIXES = {
    "torchaudio": "pip uninstall torchaudio; or, to use its pipelines: pip install torch==2.11.0 torchaudio==2.11.0"
}
"""Better advice than to reinstall a package. torchaudio can be imported only with the torch version that it was built
for, and `transformers` imports it whenever it is installed."""


def import_failure(error: BaseException) -> MissingError | None:
    """The message for the user if `error` was raised while a third-party package was imported.

    Parameters
    ----------
    error
        Any exception. Its chain of causes is followed to the first one.

    Returns
    -------
    MissingError or None
        Names the package at fault, its version and how to repair it. None if `error` was not raised in an import, or
        was raised in the code of xdomain or of a package that plugs into it: such errors deserve a traceback.
    """
    chain = list(_causes(error))
    if not any(_in_an_import(one) for one in chain):
        return None
    root = chain[-1]
    package = _package_at_fault(root)
    if package is None:
        return None
    reason = (str(root).strip() or type(root).__name__).splitlines()[0][:200]
    version = _version(package)
    if version is None:
        return MissingError(f"{package} is not installed ({reason})", fix=f"pip install {_installed_as(package)}")
    name = _installed_as(package)
    fix = f"pip install --force-reinstall {name}; where nothing else needs it: pip uninstall {name}"
    return MissingError(
        f"{package} {version} is installed but cannot be imported ({reason})",
        expected="packages that fit each other; `xdomain doctor` lists their versions",
        fix=KNOWN_FIXES.get(package, fix),
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """`error`, what caused it, what caused that, and so on."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        yield current
        seen.add(id(current))
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)


def _in_an_import(error: BaseException) -> bool:
    """Whether `error` is an ImportError or passed through the body of a third-party module, which only imports run."""
    bodies = (
        frame.f_globals.get("__name__", "")
        for frame, _ in traceback.walk_tb(error.__traceback__)
        if frame.f_code.co_name == "<module>"
    )
    return isinstance(error, ImportError) or any(body.split(".")[0] not in OURS for body in bodies)


def _modules(error: BaseException) -> list[str]:
    """The names of the modules that `error` passed through, outermost first."""
    return [frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(error.__traceback__)]


def _package_at_fault(root: BaseException) -> str | None:
    """The innermost third-party package that `root` passed through, or the one that is not installed.

    None if the innermost package is xdomain itself or plugs into it.
    """
    absent = (root.name or "").split(".")[0] if isinstance(root, ModuleNotFoundError) else ""
    if absent and _version(absent) is None and absent not in sys.stdlib_module_names:
        return None if absent == "xdomain" else absent
    own = {*OURS, *(one.module.split(".")[0] for group in ENTRY_POINTS for one in metadata.entry_points(group=group))}
    for module in reversed(_modules(root)):
        package = module.split(".")[0]
        if package and package not in sys.stdlib_module_names:
            return None if package in own else package
    return None


def _installed_as(package: str) -> str:
    """The name of the distribution that has a package, by the name it is imported under."""
    return metadata.packages_distributions().get(package, [INSTALLED_AS.get(package, package)])[0]


def _version(package: str) -> str | None:
    """The version of the package with this import name; None if it is not installed."""
    try:
        return metadata.version(_installed_as(package))
    except metadata.PackageNotFoundError:
        return None


class LazyModule:
    """A stand-in for a module that imports it when one of its attributes is first used.

    Parameters
    ----------
    name
        The full name of the module, such as ``sklearn.metrics``.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(import_module(self._name), attribute)
