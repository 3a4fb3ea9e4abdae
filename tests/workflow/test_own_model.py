"""The README's walk-through for a model and a data set of one's own, done to the letter."""

import random
import re
import shlex

import pandas as pd
from checkouts import checkout, snakemake_in

from proformer.cli import main
from proformer.datasets.store import open_store
from proformer.sequences import decode

PARTS = ("train", "validation", "test")


def inserts(path):
    return [decode(codes).strip("N") for codes in open_store(path).codes]


def test_a_model_and_data_of_ones_own_are_compared(root, tmp_path, capsys, monkeypatch):
    text = (root / "README.md").read_text().partition("## Your own data, your own model")[2]
    folder = checkout(root, tmp_path)
    blocks = re.findall(r"```(\w+)\n(.*?)```", text, re.S)[:3]
    assert [language for language, _ in blocks] == ["python", "yaml", "bash"]
    for _, block in blocks[:2]:
        (folder / re.search(r"# (\S+)", block)[1]).write_text(block)
    draw = random.Random(1)
    sequences = ["".join(draw.choices("ACGT", k=draw.randint(90, 150))) for _ in range(120)]
    (folder / "mine.tsv").write_text("".join(f"{s}\t{10 * s.count('G') / len(s):.2f}\n" for s in sequences))
    commands = [shlex.split(line, comments=True) for line in blocks[2][1].splitlines()]
    run = snakemake_in(folder)
    words = commands[0][commands[0].index("--configfile") :]
    dry = run("--dry-run", *words).stdout
    assert int(re.search(r"^total +(\d+)$", dry, re.MULTILINE)[1]) == 9
    done = run(*words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Report: results/own/report.html" in done.stderr
    table = pd.read_csv(folder / "results/own/tables/comparison.tsv", sep="\t")
    assert {*table["run"]} == {"tiny", "proformer", "legnet", "training-mean", "GC-content", "ridge-3-mers"}
    tested = table[(table["evaluation"] == "mine_held_out") & (table["run"] != "training-mean")]  # a constant has no r
    assert (tested["low"] <= tested["value"]).all()
    assert (tested["value"] <= tested["high"]).all()
    sequences = {part: set(inserts(folder / f"results/own/data/mine/seed~1/{part}.safetensors")) for part in PARTS}
    assert sum(map(len, sequences.values())) == len(set.union(*sequences.values())) == 120
    monkeypatch.chdir(folder)
    assert main(commands[1][1:]) == 0
    assert re.search(r"mine +tiny +tiny +1 +mine_held_out", capsys.readouterr().out)
