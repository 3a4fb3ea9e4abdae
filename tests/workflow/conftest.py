"""A checkout where nothing has run, and one in which a tiny configuration has."""

from __future__ import annotations

from pathlib import Path

import pytest
from checkouts import Snakemake, checkout, snakemake_in


@pytest.fixture(scope="session")
def fresh(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Snakemake:
    """Snakemake in a checkout where nothing has run."""
    return snakemake_in(checkout(root, tmp_path_factory.mktemp("fresh")))


@pytest.fixture(scope="session")
def paper(fresh: Snakemake) -> str:
    """What a dry run of the paper's configuration says."""
    done = fresh("--configfile", "config/paper.yaml", "--dry-run")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="session")
def finished(root: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Snakemake]:
    """A checkout in which the tiny configuration has run undisturbed."""
    folder = checkout(root, tmp_path_factory.mktemp("finished"))
    run = snakemake_in(folder)
    done = run("--configfile", "tiny.yaml", "--logger", "progress")
    assert done.returncode == 0, done.stdout + done.stderr
    (folder / "progress.txt").write_text(done.stderr + done.stdout)
    return folder, run
