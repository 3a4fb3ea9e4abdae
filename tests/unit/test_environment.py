"""The locks, the conda files, pyproject.toml and the running environment name the same versions."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import version
from importlib.util import find_spec
from itertools import combinations
from pathlib import Path

import pytest
import yaml
from needs import closure, needs
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PARTS = {"": "requirements.lock", "dev": "requirements-test.lock"}
PARTS |= {part: f"requirements-{part}.lock" for part in ("multiqc", "explain")}


def pins(file: str) -> dict[str, str]:
    lines = (line for line in (ROOT / file).read_text().splitlines() if not line.startswith("#"))
    return {canonicalize_name(name): pin for name, _, pin in (line.partition("==") for line in lines)}


LOCKS = {part: pins(file) for part, file in PARTS.items()}
LOCK = LOCKS["explain"] | LOCKS["multiqc"] | LOCKS["dev"] | LOCKS[""]
EXTRAS = PROJECT["optional-dependencies"]
ELSEWHERE = {"tzdata"}  # pandas needs it on systems without time zones
# ChromBPNet's reference, 40 kB. What its command line needs besides (macs3, bam2bw, and modisco, whose files are those
# of modisco-lite) stays out; tangermeme is in the lock of `make explain`, which `make test` installs as well.
ALONE = {"bpnet-lite"}
BUILDS = {"setuptools"}  # builds MACS2 and the project
PROGRAMS = {"multiqc": "multiqc", "explain": "modiscolite"}  # of parts that are not always installed
MISSING = {part for part, name in PROGRAMS.items() if find_spec(name) is None}
CUDA = re.compile(r"nvidia-|cuda-|triton")  # brought, and pinned, by the CUDA builds of torch


def public(found: str) -> str:
    """The version without the build: 2.13.0+cpu is 2.13.0."""
    return found.partition("+")[0]


def declared(part: str) -> list[str]:
    """What pyproject.toml asks for in a part; the first holds all that the analysis needs."""
    return EXTRAS[part] if part else PROJECT["dependencies"] + EXTRAS["atac"] + EXTRAS["workflow"]


def test_every_extra_has_its_lock() -> None:
    assert {*PARTS} == {*EXTRAS} - {"atac", "workflow"} | {""}


@pytest.mark.parametrize("file", PARTS.values())
def test_lock_pins_exactly_and_names_no_place_or_build(file: str) -> None:
    lines = [line for line in (ROOT / file).read_text().splitlines() if not line.startswith("#")]
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][0-9a-z.]*", line)] == []
    assert len(pins(file)) == len(lines)


def test_a_package_has_one_pin() -> None:
    main, *others = LOCKS.values()
    assert main.keys() & {name for part in others for name in part} == set()
    for one, other in combinations(others, 2):
        assert {name for name in one.keys() & other.keys() if one[name] != other[name]} == set()


@pytest.mark.parametrize("package", LOCK)
def test_running_version_is_the_locked_one(package: str) -> None:
    parts = {part for part, lock in LOCKS.items() if package in lock}
    if parts <= MISSING:
        pytest.skip(f"{package} is not installed (make {min(parts)})")
    assert public(version(package)) == LOCK[package]


@pytest.mark.parametrize("part", PARTS)
def test_lock_holds_what_its_part_needs_and_nothing_else(part: str) -> None:
    if part in MISSING:
        pytest.skip(f"not installed (make {part})")
    locked = LOCKS[""] | LOCKS[part]
    wanted = {package for package in closure(declared(part)) if not CUDA.match(package)}
    assert wanted - locked.keys() == set()
    assert LOCKS[part].keys() - wanted - {*ELSEWHERE, *BUILDS, *ALONE} == set()


@pytest.mark.parametrize("part", PARTS)
def test_locked_versions_fit_the_project(part: str) -> None:
    for need in map(Requirement, declared(part)):
        assert need.specifier.contains(LOCK[canonicalize_name(need.name)]), need


@pytest.mark.parametrize("path", sorted((ROOT / "envs").glob("*.yaml")), ids=lambda path: path.name)
def test_conda_file_pins_exactly_and_as_the_lock(path: Path) -> None:
    dependencies = yaml.safe_load(path.read_text())["dependencies"]
    pip = [pin for entry in dependencies if isinstance(entry, dict) for pin in entry["pip"]]
    conda = [entry for entry in dependencies if isinstance(entry, str) and entry != "pip"]
    assert [entry for entry in conda if not re.fullmatch(r"[a-z0-9_-]+ =[0-9][0-9a-z.]*", entry)] == []
    pinned = [entry.split(" =") for entry in conda] + [entry.split("==") for entry in pip]
    assert {name: pin for name, pin in pinned if LOCK.get(canonicalize_name(name), pin) != pin} == {}


def test_conda_python_has_what_the_library_needs() -> None:
    dependencies = yaml.safe_load((ROOT / "envs/python.yaml").read_text())["dependencies"]
    wanted = {name for name, _ in needs(PROJECT["dependencies"])}
    assert {name.partition("==")[0] for name in dependencies[-1]["pip"]} == wanted
