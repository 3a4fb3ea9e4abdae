"""The grid of all combinations of blocks: its tables, tests, claims and figures, on a grid whose truth is known."""

import re
from itertools import product

import numpy as np
import pandas as pd
import pytest
from drawn import assert_no_two_texts_overlap, assert_nothing_is_cut, texts
from scipy import stats

from proformer.datasets.store import open_store
from proformer.evaluation.collect import collect
from proformer.evaluation.prix_fixe import ROLES, combinations, importance, module_tests
from proformer.evaluation.prix_fixe_claims import report_card
from proformer.figures import prix_fixe as figures
from proformer.models import blocks
from proformer.planning.configuration import read_configuration
from proformer.points import training_jobs
from proformer.training.run import train

TEAMS = ("autosome", "bhi", "unlock_dna")
FAILED = ("bhi", "bhi", "unlock_dna", "bhi")
EFFECT = {"processor": (0.2, 0.1, 0.0), "first": (0, 0.004, 0.008), "core": (0, 0.02, 0.01), "final": (0.01, 0, 0.005)}


def tables(seeds=(1,)):
    """Grid, epochs and scores in which the processor matters most, and one combination fails."""
    random = np.random.default_rng(0)
    grid, epochs, scores = [], [], []
    for names in product(TEAMS, repeat=4):
        if (names[0] == "unlock_dna") != (names[3] == "unlock_dna"):
            continue
        r = 0.5 + sum(EFFECT[role][TEAMS.index(name)] for role, name in zip(ROLES, names, strict=True))
        for seed in seeds:
            found = 0.02 if names == FAILED else r + random.normal(0, 0.002)
            key = {"dataset": "dream", "run": "prixfixe", **dict(zip(ROLES, names, strict=True)), "seed": seed}
            size = {"parameters": int(1e6 * (1 + TEAMS.index(names[2]) + 0.5 * TEAMS.index(names[3])))}
            grid.append(key | size | {"r": found, "best_epoch": 2, "epochs": 2})
            epochs += [key | {"epoch": epoch, "validation_r": found * share} for epoch, share in ((1, 0.8), (2, 1))]
            for measure, value in (("pearson_score", found**2), ("spearman_score", found), ("r2", found)):
                scores.append({"model": f"{' '.join(names)} {seed}", "measure": measure, "value": value})
    return tuple(map(pd.DataFrame, (grid, epochs, scores)))


@pytest.fixture(scope="module")
def table():
    return combinations(*tables(seeds=(1, 2, 3)))


def test_combinations_know_their_scores_and_which_failed(table):
    assert len(table) == 3 * 45
    assert table[~table["converged"]][ROLES].drop_duplicates().to_numpy().tolist() == [[*FAILED]]
    assert table["pearson_score"].to_numpy() == pytest.approx(table["r"].to_numpy() ** 2)
    assert set(table[table["original"]]["processor"]) == set(TEAMS)
    best = table[table["best"]]
    assert best.groupby(["core", "seed"]).size().eq(1).all()
    assert (best["processor"] == "autosome").all()


def test_a_training_that_goes_astray_has_not_converged():
    grid, epochs, _ = tables()
    epochs.loc[epochs.index[1], "validation_r"] = 0.5 * grid["r"][0]  # the last epoch of the first combination
    table = combinations(grid, epochs)
    assert table.loc[0, ["converged", "reason"]].tolist() == [False, "the last epoch is worse than the best"]
    assert "pearson_score" not in table


def test_a_training_whose_last_epoch_is_undefined_has_not_converged():
    grid, epochs, _ = tables()
    epochs.loc[epochs.index[1], "validation_r"] = np.nan  # constant predictions
    table = combinations(grid, epochs)
    assert table.loc[0, ["last_r", "converged"]].tolist() == [0.0, False]
    assert not table.loc[0, "best"]


def test_none_is_the_best_of_a_core_of_which_none_has_converged():
    grid, epochs, scores = tables()
    epochs.loc[(epochs["core"] == "bhi") & (epochs["epoch"] == 2), "validation_r"] = 0.0
    table = combinations(grid, epochs, scores)
    assert table.groupby("core")["best"].sum().to_dict() == {"autosome": 1, "bhi": 0, "unlock_dna": 1}
    card = report_card(table).set_index("claim")
    assert card.loc["3.2", "reason"] == "the team's own combination was not trained, or has not converged"


def test_blocks_are_compared_where_nothing_else_differs(table):
    tests = module_tests(table).set_index(["role", "a", "b"])
    row = tests.loc["processor", "autosome", "bhi"]
    points = table[table["converged"]].groupby(ROLES)["pearson_score"].mean()
    a, b = points["autosome"].align(points["bhi"], join="inner")
    assert (row["pairs"], row["mean_a"], row["mean_b"]) == (17, pytest.approx(a.mean()), pytest.approx(b.mean()))
    assert row["p"] == stats.wilcoxon(a, b).pvalue < 1e-3
    assert tests.loc["processor", "autosome", "unlock_dna"]["pairs"] == 0
    assert np.isnan(tests.loc["processor", "autosome", "unlock_dna"]["p"])


def test_the_spread_is_shared_out_as_in_a_balanced_design():
    grid, epochs, _ = tables()
    grid.loc[grid["r"] < 0.1, "r"] = (
        0.6  # none fails: the sums of squares of the levels' means are the additive model's
    )
    epochs["validation_r"] = 1.0
    found = importance(combinations(grid, epochs)).set_index("role")
    points = grid[(grid["processor"] != "unlock_dna") & (grid["final"] != "unlock_dna")]
    for role in ROLES:
        means = points.groupby(role)["r"].transform("mean")
        share = ((means - points["r"].mean()) ** 2).sum() / ((points["r"] - points["r"].mean()) ** 2).sum()
        assert found.loc[role, "share"] == pytest.approx(share)
    assert found["share"].idxmax() == "processor"
    assert found["df"].tolist() == [1, 2, 2, 1]


def test_few_combinations_or_none_that_converged_decide_nothing():
    grid, epochs, scores = tables()
    few = [table[(table[["processor", "first"]] == "autosome").all(axis=1)] for table in (grid, epochs)]
    table = combinations(*few, scores)
    assert importance(table)["f"].isna().tolist() == [True, True, False, False]
    nothing = table.assign(converged=False, best=False)
    assert importance(nothing).empty
    for each in (table, nothing):
        card = report_card(each).set_index("claim")
        assert card.loc[["2.1", "2.2", "4.1", "5"], "verdict"].eq("cannot decide").all()
        for figure, _ in (figures.draw(each), figures.modules(each), figures.best(each)):
            assert_nothing_is_cut(figure)


def test_claims_are_judged_by_seeds_and_tests(table):
    card = report_card(table).set_index("claim")
    assert card.loc[["1", "2.1", "2.2", "4.1", "5"], "verdict"].eq("supports").all()
    assert card.loc["1", "run"] == "132 of 135 trainings"
    assert card.loc["2.1", "run"].startswith("BHI's blocks 0.3")
    assert card.loc["4.3", "verdict"] == "contradicts"  # BHI's core is planted as the best
    one = report_card(combinations(*tables())).set_index("claim")
    assert one.loc[["2.1", "3.1"], "verdict"].eq("cannot decide").all()
    assert one.loc["2.1", "reason"].startswith("fewer than 3 seeds")
    assert set(report_card(table, simulated=True)["verdict"]) <= {
        "as simulated: yes", "as simulated: no", "as simulated: cannot decide"}  # fmt: skip


@pytest.mark.parametrize(
    ("gap", "verdict", "reason"),
    [
        (0.1, "supports", "paired signed-rank tests"),
        (0.0, "cannot decide", "not significantly, by paired signed-rank tests"),
        (-0.1, "contradicts", "BHI's is better, by a paired signed-rank test"),
    ],
)
def test_the_verdict_on_a_block_follows_the_planted_difference(gap, verdict, reason):
    grid, epochs, _ = tables()
    random = np.random.default_rng(1)
    r = 0.5 + gap * (grid["processor"] == "autosome") + random.normal(0, 0.002, len(grid))
    table = combinations(grid.assign(r=r), epochs.assign(validation_r=1.0))
    assert report_card(table).set_index("claim").loc["4.1", ["verdict", "reason"]].tolist() == [verdict, reason]


def test_a_team_s_own_combination_is_not_its_own_rival():
    """BHI's own is the best of its core: no other combination has improved it."""
    grid, epochs, _ = tables(seeds=(1, 2, 3))
    own = (grid[ROLES] == "bhi").all(axis=1)
    grid.loc[own, "r"] = 0.9
    epochs.loc[(epochs[ROLES] == "bhi").all(axis=1), "validation_r"] = 0.9
    card = report_card(combinations(grid, epochs)).set_index("claim")
    assert card.loc["3.2", ["verdict", "reason"]].tolist() == ["contradicts", "in 0 of 3 seeds"]
    assert card.loc["3.1", "verdict"] == "supports"
    assert card.loc["3.1", "run"].startswith("autosome unlock_dna autosome autosome: 0.7")
    grid.loc[(grid["core"] == "autosome") & ~(grid[ROLES] == "autosome").all(axis=1), "parameters"] = 10**8
    assert report_card(combinations(grid, epochs)).set_index("claim").loc["3.1", "verdict"] == "contradicts"  # larger


def test_the_verb_writes_why_combinations_cannot_be_trained(tmp_path, proformer):
    options = []
    for each, table in zip(("grid", "epochs", "scores"), tables(), strict=True):
        table.to_csv(tmp_path / f"{each}.tsv", sep="\t", index=False)
        options += [f"--{each}", tmp_path / f"{each}.tsv"]
    for each in ("out", "tests", "importance", "card", "html", "reasons"):
        options += [f"--{each}", tmp_path / f"{each}.out"]
    done = proformer("prix-fixe", *options, "--left-out", "{unlock_dna bhi bhi bhi: 'it masks, and does not predict'}")
    assert done.returncode == 0, done.stderr
    rows = pd.read_csv(tmp_path / "reasons.out", sep="\t")
    assert rows.to_numpy().tolist() == [["unlock_dna", "bhi", "bhi", "bhi", "it masks, and does not predict"]]
    assert proformer("prix-fixe", *options).returncode == 0
    assert pd.read_csv(tmp_path / "reasons.out", sep="\t").empty
    done = proformer("prix-fixe", *options, "--left-out", "{bhi: no}")
    assert done.returncode == 2
    assert "--left-out: found 'bhi', expected the names of four blocks" in done.stderr


@pytest.mark.parametrize(("name", "column"), [("grid", "core"), ("epochs", "validation_r"), ("scores", "measure")])
def test_tables_of_other_models_are_refused(tmp_path, proformer, name, column):
    options = []
    for each, table in zip(("grid", "epochs", "scores"), tables(), strict=True):
        table.drop(columns=column if each == name else []).to_csv(tmp_path / f"{each}.tsv", sep="\t", index=False)
        options += [f"--{each}", tmp_path / f"{each}.tsv"]
    for each in ("out", "tests", "importance", "card", "html"):
        options += [f"--{each}", tmp_path / f"{each}.out"]
    done = proformer("prix-fixe", *options)
    assert done.returncode == 2
    assert f"{name}.tsv" in done.stderr
    assert column in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob("*.out"))


@pytest.mark.parametrize("keys", [{}, {"measure": "spearman_score"}, {"gain": True}])
def test_every_combination_has_a_cell(table, keys):
    figure, drawn = figures.draw(table, letter="b", **keys)
    assert_nothing_is_cut(figure)
    assert_no_two_texts_overlap(figure)
    assert len(drawn) == 45
    assert texts(figure).count("–") == 81 - 45
    assert texts(figure).count("×") == 1
    if keys.get("gain"):
        assert texts(figure).count("+0.000") == 3


def test_figures_of_blocks_sizes_and_curves(table):
    epochs = tables()[1]
    for figure, drawn in (figures.modules(table), figures.best(table), figures.curves(epochs, table)):
        assert_nothing_is_cut(figure)
        assert_no_two_texts_overlap(figure)
        assert len(drawn) in (44, 90)
    assert figures.best(table)[1]["best"].sum() == 3


def test_curves_show_trainings_that_became_undefined_and_those_that_have_not_converged():
    grid, epochs, scores = tables()
    bhi = (epochs[ROLES] == "bhi").all(axis=1)
    epochs.loc[bhi & (epochs["epoch"] == 2), "validation_r"] = np.nan
    figure, drawn = figures.curves(epochs, combinations(grid, epochs, scores))
    assert drawn.loc[drawn["undefined"], [*ROLES, "epoch", "validation_r"]].to_numpy().tolist() == [
        ["bhi"] * 4 + [2, 0]
    ]
    lost = drawn.loc[~drawn["converged"], ROLES].drop_duplicates().to_numpy().tolist()
    assert lost == [["bhi"] * 4, [*FAILED]]
    marks = [points.get_offsets() for axes in figure.axes for points in axes.collections if len(points.get_offsets())]
    assert sorted(float(y) for (mark,) in marks for y in mark[1:]) == pytest.approx([0, 0, 0.02])  # a circle and two ×
    assert all(mark[0][0] == 2 for mark in marks)
    assert {"undefined, drawn at 0", "has not converged"} <= {text.get_text() for text in figure.legends[0].get_texts()}
    assert_nothing_is_cut(figure)


def test_the_demo_trains_the_45_that_fit(root):
    from proformer.workflow.results import Results

    results = Results(read_configuration([], root)[0], root)
    (grid,) = results.block_grids
    jobs = results.jobs_of(grid)
    assert len(jobs) == 45
    left_out = results.left_out(grid)
    assert len(left_out) == 36
    reason = "data processor bhi does not mask nucleotides; final block unlock_dna predicts masked nucleotides"
    assert left_out["bhi autosome bhi unlock_dna"] == f"model composed: {reason}"
    names = {" ".join(job.axes.values()): job.config for job in jobs}
    assert names["autosome bhi bhi autosome"]["recipe"] == "autosome"
    bhi = names["bhi bhi bhi autosome"]  # its trainer, on bins
    assert (bhi["recipe"], bhi["training"]["target_mean"], bhi["training"]["target_sd"]) == ("bhi", 0, 1)
    assert "target_mean" not in names["bhi bhi bhi bhi"]["training"]
    assert set(bhi["model"]["options"]) == {"processor", "first", "core"}
    assert {job.config["diverged"] for job in jobs} == {"keep"}


def test_the_block_of_the_documentation_stands_in_the_grid(root, stores, tmp_path, monkeypatch):
    page = (root / "docs/composed.md").read_text()
    code = re.search(r"```python\n# src/proformer/models/blocks/pooled.py\n(.*?)```", page, re.S)[1]
    (tmp_path / "pooled.py").write_text(code)
    monkeypatch.setattr(blocks, "__path__", [*blocks.__path__, str(tmp_path)])
    off = "{bhi: null, unlock_dna: null}"
    level = re.search(r"`(pooled: \{keys: .*?\})`", page)[1]
    vary = f"{{processor: {off}, first: {{bhi: null, unlock_dna: null, {level}}}, core: {off}, final: {off}}}"
    (tmp_path / "own.yaml").write_text(f"runs: {{prixfixe: {{training: {{epochs: 1}}, vary: {vary}}}}}")
    config, _ = read_configuration([tmp_path / "own.yaml"], root)
    jobs = [job for job in training_jobs(config) if job.run == "prixfixe"]
    for job in jobs:
        train(job.config, *stores, tmp_path / job.path, tmp_path / "c.pt", device="cpu", threads=1)
    grid, epochs = collect("dream", [tmp_path / job.path for job in jobs], open_store(stores[1]))
    assert combinations(grid, epochs)["first"].tolist() == ["autosome", "pooled"]
