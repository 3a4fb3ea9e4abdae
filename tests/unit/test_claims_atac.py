"""The claims on Fig. 3, on the paper's own table and on tables made to say something else."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from proformer.cli import main
from proformer.evaluation.claims import CONTRADICTS, SUPPORTS, UNDECIDED, claims_on
from proformer.evaluation.grid_claims import report_card
from proformer.evaluation.statistics import published_grid
from proformer.files import read_table, write_table

ATAC = published_grid("atac")
LARGEST = (ATAC["dim"] == 128) & (ATAC["blocks"] == 8)
SMALL = (ATAC["dim"] == 64) & (ATAC["blocks"] <= 2)


def card(run: pd.DataFrame, dataset: str = "atac") -> pd.DataFrame:
    return report_card(ATAC, run, dataset, "3", "atac").set_index("claim")


def seeded(grid: pd.DataFrame, n: int, **columns: object) -> pd.DataFrame:
    noise = np.random.default_rng(7)
    runs = [grid.assign(seed=seed, r=grid["r"] + 0.001 * noise.normal(size=len(grid)), **columns) for seed in range(n)]
    return pd.concat(runs, ignore_index=True)


def demo(slope: float, seeds: int = 1, pooled: float = 0.0) -> pd.DataFrame:
    """Widths 8 and 16; 1, 2, 4 blocks; AP, 1, 8."""
    rows = [
        ("atac", d, d // 8, b, head, seed, 0.4 + (pooled + slope * np.log2(b * d * d) if head == "AP" else 0.0))
        for d in (8, 16)
        for b in (1, 2, 4)
        for head in ("AP", "1", "8")
        for seed in range(seeds)
    ]
    return pd.DataFrame(rows, columns=["dataset", "dim", "heads", "blocks", "head", "seed", "r"])


def test_the_paper_on_itself():
    """All but one: eight heads fail in the largest model, where the paper speaks of the trends of Fig. 2."""
    found = card(ATAC)
    assert found["verdict"].drop("4.2").eq(SUPPORTS).all(), found[["verdict", "reason"]]
    assert found.loc["4.2", "verdict"] == UNDECIDED
    assert found.loc["4.2", "run"] == "1 of 4 runs fail (r from 0.0335 to 0.4946)"
    assert (found["published_verdict"] == found["verdict"]).all()
    assert (found["published"] == found["run"]).all()
    for claim, p in (("1.1", "0.0325"), ("1.2", "0.0052"), ("1.3", "0.0023"), ("1.4", "0.0035")):
        assert f"p = {p} (one-sided exact Mann-Whitney U" in found.loc[claim, "run"]
    assert "best r = 0.4964: width 128, 4 blocks, head 8" in found.loc["5", "run"]
    assert "Spearman ρ = -0.970" in found.loc["3.1", "run"]


def test_everything_upside_down_contradicts():
    found = card(seeded(ATAC.assign(r=0.9 - ATAC["r"]), 3, n_train=90_000))["verdict"]
    assert {found[claim] for claim in ("1.1", "1.4", "2", "3.1", "3.2")} == {CONTRADICTS}
    assert (found["4.1"], found["4.2"]) == (UNDECIDED, UNDECIDED)


def test_failing_needs_the_papers_scale_to_be_contradicted():
    healthy = ATAC.assign(r=ATAC["r"].clip(lower=0.4))
    found = [card(run)["verdict"]["3.2"] for run in (healthy, *(seeded(healthy, 3, n_train=n) for n in (2000, 90_000)))]
    assert found == [UNDECIDED, UNDECIDED, CONTRADICTS]
    all_fail = ATAC.assign(r=ATAC["r"].where(~LARGEST, 0.01))
    assert card(all_fail)["verdict"][["3.2", "4.1", "4.2"]].tolist() == [SUPPORTS, CONTRADICTS, CONTRADICTS]


def test_pooling_in_small_models_needs_runs_to_be_contradicted():
    worse = ATAC.assign(r=ATAC["r"].where(~(SMALL & (ATAC["head"] == "AP")), 0.42))
    assert card(worse)["verdict"]["2"] == UNDECIDED
    assert card(seeded(worse, 2))["verdict"]["2"] == UNDECIDED
    assert card(seeded(worse, 3))["verdict"]["2"] == CONTRADICTS
    assert card(seeded(ATAC, 3))["verdict"]["2"] == SUPPORTS
    no_pooling = ATAC[~(SMALL & (ATAC["head"] == "AP"))]
    assert card(no_pooling)["verdict"]["2"] == UNDECIDED


def test_size_and_pooling():
    found = {slope: card(demo(slope))["verdict"]["3.1"] for slope in (-0.01, 0.0, 0.01)}
    assert found == {-0.01: SUPPORTS, 0.0: UNDECIDED, 0.01: CONTRADICTS}
    assert card(demo(-0.01).query("dim == 8"))["verdict"]["3.1"] == UNDECIDED


def test_small_run_is_judged_by_analogy_and_not_over_read():
    found = card(demo(-0.01, pooled=0.2))
    assert found["verdict"].drop(["2", "3.1"]).eq(UNDECIDED).sum() >= 6
    assert CONTRADICTS not in found["verdict"].drop("1.1").tolist()
    assert "by analogy, the run's smallest points (width 8, 1 and 2 blocks)" in found.loc["2", "reason"]
    assert "by analogy, the run's largest, deepest points (width 16, 4 blocks)" in found.loc["3.2", "reason"]
    assert found["published_verdict"].drop("4.2").eq(SUPPORTS).all()


@pytest.mark.parametrize("run", [ATAC.head(1), ATAC[SMALL & (ATAC["head"] == "8")], ATAC.assign(r=np.nan)])
def test_degenerate_runs_decide_nothing(run):
    assert set(card(run)["verdict"]) == {UNDECIDED}


def test_verb_judges_either_split_by_the_published_table(tmp_path):
    for dataset in ("atac", "atacchromosome"):
        write_table(tmp_path / "grid.tsv", ATAC.assign(dataset=dataset))
        words = ["--run", tmp_path / "grid.tsv", "--dataset", dataset, "--figure", "3"]
        words += ["--out", tmp_path / "card.tsv", "--html", tmp_path / "card.html"]
        assert main(["report-card", *map(str, words)]) == 0
        found = read_table(tmp_path / "card.tsv")
        assert found["verdict"].eq(SUPPORTS).sum() == len(claims_on("3")) - 1
        assert "the claims on Figure 3" in (tmp_path / "card.html").read_text()
