"""The library outside a checkout: its wheel, with what pyproject.toml says that it needs and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import venv
import zipfile
from collections.abc import Callable
from importlib.metadata import distribution
from pathlib import Path

import pytest
from checkouts import checkout
from needs import closure

Run = Callable[..., subprocess.CompletedProcess[str]]
CONFIG = "{model: {dim: 8, heads: 1, blocks: 1}, training: {epochs: 1, batch_size: 32}}"


def link_packages(requirements: list[str], folder: Path) -> None:
    """Put the installed packages that these requirements come to into `folder`, without copying."""
    for found in map(distribution, closure(requirements)):
        for name in {file.parts[0] for file in found.files or [] if file.suffix != ".pth"} - {"..", "__pycache__"}:
            if not (folder / name).exists():
                (folder / name).symlink_to(Path(str(found.locate_file(name))))


def pip(*arguments: object) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def source(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkout(root, tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, source)
    return next(folder.glob("proformer-*.whl"))


@pytest.fixture(scope="module", params=["wheel", "folder"])
def installed(request, source: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run `proformer` in an environment of its own, where the wheel, or the folder, was installed."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True)
    packages = next(folder.glob("lib/python*/site-packages"))
    link_packages(tomllib.loads((source / "pyproject.toml").read_text())["project"]["dependencies"], packages)
    what = request.getfixturevalue("wheel") if request.param == "wheel" else source
    pip("--python", folder / "bin/python", "install", "--no-deps", "--no-index", "--no-build-isolation", what)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}

    def run(*arguments: object, program: str = "proformer") -> subprocess.CompletedProcess[str]:
        command = [str(folder / "bin" / program), *map(str, arguments)]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    run.folder = folder
    return run


def test_wheel_holds_every_file_of_the_source(root: Path, source: Path, wheel: Path) -> None:
    listed = subprocess.run(["git", "-C", str(root), "ls-files", "src"], capture_output=True, text=True, check=True)
    wanted = {name.removeprefix("src/") for name in listed.stdout.splitlines() if (root / name).is_file()}
    assert wanted - {*zipfile.ZipFile(wheel).namelist()} == set()


def test_train_predict_and_score(installed, promoter_file: Path, stores: tuple[Path, Path], tmp_path: Path) -> None:
    place = installed("-c", "import proformer; print(proformer.__file__)", program="python").stdout.strip()
    assert Path(place).is_relative_to(installed.folder)
    model, predictions, scores = (tmp_path / name for name in ("model", "predictions.tsv", "scores.tsv"))
    train = ("train", "--train", stores[0], "--validation", stores[1], "--out", model, "--device", "cpu")
    installed(*train, "--config", CONFIG)
    installed("predict", "--model", model, "--sequences", promoter_file, "--out", predictions)
    assert len(predictions.read_text().splitlines()) == 1 + len(promoter_file.read_text().splitlines())
    installed("score", "--predictions", predictions, "--truth", promoter_file, "--part", "all", "--out", scores)
    assert "pearson" in scores.read_text()
    assert "dream-train-sample" in installed("fetch", "--list").stdout  # reads a file that comes with the package
