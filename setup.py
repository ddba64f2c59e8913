"""Find the packages: those below xdomain, and the two wings that are installed into it."""

from setuptools import find_packages, setup

wings = find_packages(include=["adapters*", "tasks*"])
setup(packages=find_packages(include=["xdomain*"]) + [f"xdomain.{name}" for name in wings])
