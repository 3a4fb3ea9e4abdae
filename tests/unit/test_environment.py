"""The lock, the conda file, pyproject.toml and the running environment name the same versions."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import distribution, version
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCK_LINES = [line for line in (ROOT / "requirements.lock").read_text().splitlines() if not line.startswith("#")]
LOCK = {canonicalize_name(name): pin for name, _, pin in (line.partition("==") for line in LOCK_LINES)}
CUDA = re.compile(r"nvidia-|cuda-|triton")  # brought, and pinned, by the CUDA builds of torch


def public(found: str) -> str:
    """The version without the build: 2.13.0+cpu is 2.13.0."""
    return found.partition("+")[0]


def needs(requirements: list[str], extra: str = "") -> set[str]:
    """Names of the packages that ``requirements`` ask for on this machine."""
    parsed = map(Requirement, requirements)
    return {
        canonicalize_name(need.name) for need in parsed if not need.marker or need.marker.evaluate({"extra": extra})
    }


def test_lock_pins_exactly_and_names_no_place_or_build() -> None:
    assert [line for line in LOCK_LINES if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][0-9a-z.]*", line)] == []
    assert len(LOCK) == len(LOCK_LINES)


@pytest.mark.parametrize("package", LOCK)
def test_running_version_is_the_locked_one(package: str) -> None:
    assert public(version(package)) == LOCK[package]


def test_lock_is_complete() -> None:
    wanted = needs([need for group in PROJECT["optional-dependencies"].values() for need in group])
    wanted |= needs(PROJECT["dependencies"])
    wanted.update(*(needs(distribution(package).requires or []) for package in LOCK))
    assert {package for package in wanted - LOCK.keys() if not CUDA.match(package)} == set()


def test_locked_versions_fit_the_project() -> None:
    declared = PROJECT["dependencies"] + [need for group in PROJECT["optional-dependencies"].values() for need in group]
    for need in map(Requirement, declared):
        assert need.specifier.contains(LOCK[canonicalize_name(need.name)]), need


@pytest.mark.parametrize("path", sorted((ROOT / "envs").glob("*.yaml")), ids=lambda path: path.name)
def test_conda_file_pins_exactly_and_as_the_lock(path: Path) -> None:
    dependencies = yaml.safe_load(path.read_text())["dependencies"]
    pip = [pin for entry in dependencies if isinstance(entry, dict) for pin in entry["pip"]]
    conda = [entry for entry in dependencies if isinstance(entry, str) and entry != "pip"]
    assert [entry for entry in conda if not re.fullmatch(r"[a-z0-9_-]+ =[0-9][0-9a-z.]*", entry)] == []
    pins = [entry.split(" =") for entry in conda] + [entry.split("==") for entry in pip]
    assert {name: pin for name, pin in pins if LOCK.get(canonicalize_name(name), pin) != pin} == {}


def test_conda_python_has_what_the_library_needs() -> None:
    dependencies = yaml.safe_load((ROOT / "envs/python.yaml").read_text())["dependencies"]
    assert {name.partition("==")[0] for name in dependencies[-1]["pip"]} == needs(PROJECT["dependencies"])
