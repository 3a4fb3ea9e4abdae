"""The page over the ATAC-seq tools' logs: MultiQC's where it is installed, one that says how to get it where not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

PAGE = "results/atac/multiqc.html"


def test_without_multiqc_the_page_says_how_to_get_it(finished, tmp_path):
    folder = tmp_path / "checkout"
    shutil.copytree(finished[0], folder, symlinks=True)
    (tmp_path / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (tmp_path / "python").chmod(0o755)
    places = [place for place in os.environ["PATH"].split(os.pathsep) if not Path(place, "multiqc").exists()]
    with_it = os.environ | {"PYTHONPATH": str(folder / "src")}
    without = with_it | {"PATH": os.pathsep.join([str(tmp_path), *places])}

    def make(environment: dict[str, str]) -> str:
        command = [sys.executable, "-m", "snakemake", "--cores", "1", "--configfile", "tiny.yaml", "--", PAGE]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return (folder / PAGE).read_text(encoding="utf-8")

    assert "make multiqc" in make(without)
    if shutil.which("multiqc"):  # as soon as it is installed, the page is its own
        page = make(with_it)
        assert "make multiqc" not in page
        assert "MACS2" in page
