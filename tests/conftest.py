"""Fixtures shared by all tests."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from contextlib import chdir, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from random import Random

import numpy as np
import pytest

from proformer.cli import main

ROOT = Path(__file__).parents[1]
# The environment's own programs (macs2, snakemake) are found whether it is activated or not.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
FLANKS = ("TGCATTTTTTTCACATC", "GGTTACGGCTGTT")


def pytest_addoption(parser):
    parser.addoption("--seeds", type=int, default=1, help="do each test of learning with so many seeds (default: 1)")
    parser.addoption("--order", help="of the tests: reversed, or shuffled by this number")


def pytest_generate_tests(metafunc):
    if metafunc.definition.get_closest_marker("learns"):
        metafunc.parametrize("seed", range(1, metafunc.config.getoption("seeds") + 1))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    order = config.getoption("order")
    if order == "reversed":
        items.reverse()
    elif order:
        Random(int(order)).shuffle(items)


@pytest.fixture
def reaches(record_property):
    """Asserts that a number of a trained model is above a limit; with `--seeds`, the end names the least of all."""

    def check(name: str, value: float, limit: float) -> None:
        record_property(f"{name} > {limit}", value)
        assert value > limit, name

    return check


def pytest_terminal_summary(terminalreporter, config):
    if config.getoption("seeds") == 1:
        return
    found = defaultdict(list)
    for report in (*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")):
        for name, value in report.user_properties:
            found[report.nodeid.partition("[")[0], name].append(value)
    terminalreporter.section("least of all seeds")
    for (test, name), values in sorted(found.items()):
        terminalreporter.write_line(f"{test}: {name}: {min(values):.3f}, {len(values)} seeds")


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def promoters() -> list[tuple[str, float]]:
    """300 constructs whose value is driven by their GC content."""
    random = np.random.default_rng(0)
    rows = []
    for _ in range(300):
        share = random.uniform(0.2, 0.8)
        insert = "".join(random.choice(list("ACGT"), 80, p=[(1 - share) / 2, share / 2, share / 2, (1 - share) / 2]))
        rows.append((FLANKS[0] + insert + FLANKS[1], 10 + 4 * (insert.count("G") + insert.count("C")) / 80))
    return rows


@pytest.fixture(scope="session")
def promoter_file(promoters, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("promoters") / "train.txt"
    path.write_text("".join(f"{sequence}\t{value}\n" for sequence, value in promoters))
    return path


@pytest.fixture(scope="session")
def stores(promoter_file) -> tuple[Path, Path]:
    """A training and a validation store made from `promoter_file`."""
    from proformer.datasets.parts import split
    from proformer.datasets.prepare import Layout, prepare

    folder = promoter_file.parent
    prepare(promoter_file, folder / "all.safetensors", Layout(length=100, flanks=FLANKS))
    parts = (folder / "train.safetensors", folder / "validation.safetensors")
    split(folder / "all.safetensors", parts, (0.8, 0.2), seed=1)
    return parts


@pytest.fixture(scope="session")
def proformer() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a verb in this process, which has imported what it needs; with `preexec_fn` or `timeout`, in its own."""

    def run(*arguments: object, cwd: Path = Path(), **limits: object) -> subprocess.CompletedProcess[str]:
        words = [*map(str, arguments)]
        if limits:
            environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
            command = [sys.executable, "-m", "proformer", *words]
            return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=cwd, **limits)
        out, error = StringIO(), StringIO()
        with chdir(cwd), redirect_stdout(out), redirect_stderr(error):
            try:
                code = main(words)
            except SystemExit as end:  # argparse's
                code = end.code
        return subprocess.CompletedProcess(words, code, out.getvalue(), error.getvalue())

    return run
