"""One Slurm and one checkout for all tests here: an undisturbed run, and its training again, with faults."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cluster import Cluster, slurm, why_not
from project import POINTS, TABLES, Project


@dataclass
class Undisturbed:
    """What a run without faults has left."""

    project: Project
    results: dict[str, bytes]
    jobs: list[dict[str, str]]
    files: dict[str, int]  # size by path


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    if reason := why_not():
        pytest.skip(reason)
    with slurm() as running:
        yield running


@pytest.fixture(scope="session")
def undisturbed(root: Path, tmp_path_factory: pytest.TempPathFactory, cluster: Cluster) -> Undisturbed:
    """The literal command has made the tables of a small grid."""
    project = Project.fresh(root, tmp_path_factory.mktemp("lab"), cluster)
    try:
        project.run("--", *TABLES)
    finally:
        project.stop()
    paths = [path for path in (project.folder / "results").rglob("*") if path.is_file()]
    files = {str(path.relative_to(project.folder)): path.stat().st_size for path in paths}
    return Undisturbed(project, project.results(), project.jobs(), files)


@pytest.fixture
def project(undisturbed: Undisturbed) -> Iterator[Project]:
    """The checkout before its training, all at one time; no job of it outlives the test."""
    undisturbed.project.untrain()
    undisturbed.project.edit_profile({}, resources=[f"gpu={POINTS}"])
    yield undisturbed.project
    undisturbed.project.stop()
