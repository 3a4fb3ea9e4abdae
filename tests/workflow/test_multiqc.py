"""The page over the ATAC-seq tools' logs: MultiQC's where it is installed, one that says how to get it where not."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from checkouts import checkout

PAGE = "results/atac/multiqc.html"
BOWTIE2 = """1000 reads; of these:
  1000 (100.00%) were paired; of these:
    100 (10.00%) aligned concordantly 0 times
    900 (90.00%) aligned concordantly exactly 1 time
    0 (0.00%) aligned concordantly >1 times
90.00% overall alignment rate
"""


def test_without_multiqc_the_page_says_how_to_get_it(root, tmp_path):
    folder = checkout(root, tmp_path / "checkout")
    (tmp_path / "python").symlink_to(Path(sys.executable).resolve())  # the same packages, no programs beside it
    places = [place for place in os.environ["PATH"].split(os.pathsep) if not Path(place, "multiqc").exists()]
    with_it = os.environ | {"PYTHONPATH": str(folder / "src")}
    packages = os.pathsep.join([str(folder / "src"), sysconfig.get_path("purelib")])
    without = with_it | {"PATH": os.pathsep.join([str(tmp_path), *places]), "PYTHONPATH": packages}

    def snakemake(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
        python = str(tmp_path / "python") if environment is without else sys.executable
        command = [python, "-m", "snakemake", "--cores", "1", "--configfile", "tiny.yaml", *arguments]
        command += ["--allowed-rules", "atac_multiqc", "--", PAGE]
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)

    def page(environment: dict[str, str]) -> str:
        done = snakemake(environment)
        assert done.returncode == 0, done.stdout + done.stderr
        return (folder / PAGE).read_text(encoding="utf-8")

    lacks = snakemake(without)  # only this rule may run: the logs that it reads are named as missing
    for name in set(re.findall(r"results/atac/(?:qc|peaks)/[^\s,]+", lacks.stdout + lacks.stderr)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(BOWTIE2 if name.endswith("bowtie2.txt") else "{}\n")
    assert "make multiqc" in page(without)
    if shutil.which("multiqc"):  # as soon as it is installed, the page is its own
        own = page(with_it)
        assert "make multiqc" not in own
        assert "MultiQC" in own
        assert "Bowtie 2" in own
