"""The README's walk-through for a model and a data set of one's own, done to the letter."""

import random
import re
import shlex
import shutil

import pandas as pd
from checkouts import snakemake_in

from proformer.cli import main


def test_a_model_and_data_of_ones_own_enter_the_comparison(root, finished, tmp_path, capsys, monkeypatch):
    text = (root / "README.md").read_text().partition("## Your own data, your own model")[2]
    folder = shutil.copytree(finished[0], tmp_path / "own", symlinks=True)
    blocks = re.findall(r"```(\w+)\n(.*?)```", text, re.S)[:3]
    assert [language for language, _ in blocks] == ["python", "yaml", "bash"]
    for _, block in blocks[:2]:
        (folder / re.search(r"# (\S+)", block)[1]).write_text(block)
    draw = random.Random(1)
    sequences = ["".join(draw.choices("ACGT", k=draw.randint(90, 150))) for _ in range(120)]
    (folder / "mine.tsv").write_text("".join(f"{s}\t{10 * s.count('G') / len(s):.2f}\n" for s in sequences))
    commands = [shlex.split(line) for line in blocks[2][1].splitlines()]
    done = snakemake_in(folder)("--configfile", "tiny.yaml", *commands[0][commands[0].index("--configfile") + 1 :])
    assert done.returncode == 0, done.stdout + done.stderr
    table = pd.read_csv(folder / "results/tables/comparison.tsv", sep="\t")
    tiny = table[(table["model"] == "tiny") & (table["metric"] == "pearson")]
    found = set(tiny[["dataset", "evaluation"]].itertuples(index=False, name=None))
    assert found >= {("dream", "validation"), ("dream", "test"), ("dream", "dream all"), ("mine", "validation")}
    assert table["ceiling"].isna().eq(table["dataset"] == "mine").all()  # all others are simulated
    trained = re.findall(r"rule train:\n(?:.*\n)*?.*wildcards: point=(\S+)", done.stderr)
    assert set(trained) == {f"dataset~{name}/model~tiny_seed~1" for name in ("dream", "mine")}  # and no other again
    assert (table["model"] == "proformer-meh").any()
    monkeypatch.chdir(folder)
    assert main(commands[1][1:]) == 0
    assert re.search(r"mine +tiny +1 +validation", capsys.readouterr().out)
