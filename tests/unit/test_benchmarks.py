"""The benchmarks: every script starts, is told of in their README, and has its results beside their figures."""

import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"
SCRIPTS = sorted(path.name for path in FOLDER.glob("*.py") if path.name != "harness.py")


@pytest.mark.parametrize("script", SCRIPTS)
def test_script_starts(script):
    done = subprocess.run([sys.executable, FOLDER / script, "--help"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f"benchmarks/{script}" in done.stdout  # how it is called


def test_readme_tells_of_every_script_and_no_other():
    told = re.findall(r"^\| `(\w+\.py)` \|", (FOLDER / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(told) == SCRIPTS


COUNTED = {"gopher_growth.tsv"}  # of the models, on any machine alike


@pytest.mark.parametrize("table", sorted(path.name for path in (FOLDER / "results").glob("*.tsv")))
def test_results_name_their_machine_and_have_a_figure(table):
    path = FOLDER / "results" / table
    assert table in COUNTED or pd.read_csv(path, sep="\t")["machine"].notna().all()
    assert path.with_suffix(".png").is_file()
