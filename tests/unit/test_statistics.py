from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

from proformer.errors import InputError
from proformer.evaluation.heads import head_order
from proformer.evaluation.statistics import (
    GREATER,
    TWO_SIDED,
    all_tests,
    average_seeds,
    means,
    published_grid,
    spread,
)

DREAM = published_grid("dream")


def of_family(grid: pd.DataFrame, family: str) -> pd.DataFrame:
    return all_tests(grid).query("family == @family")


def truncated(value: float, digits: int) -> float:
    """The paper prints its p values and means cut, not rounded."""
    return np.floor(value * 10**digits) / 10**digits


def test_published_table():
    assert published_grid().groupby("dataset").size().to_dict() == {"dream": 72, "atac": 48}
    assert DREAM["seed"].isna().all()
    best = DREAM.loc[DREAM["r"].idxmax()]
    assert (best["dim"], best["blocks"], best["head"], best["r"]) == (128, 8, "64", 0.7226)


def test_mann_whitney_as_printed_in_the_paper():
    tests = of_family(DREAM, "pooling").set_index("b")
    printed = {"1": (0.0715, 4), "8": (0.0102, 4), "16": (0.0142, 4), "32": (0.0224, 4), "64": (0.00604, 5)}
    assert list(tests.index) == list(printed)
    for head, (p, digits) in printed.items():
        assert truncated(tests.loc[head, "p"], digits) == pytest.approx(p), head
    assert round(tests.loc["64", "p"], 5) == 0.00605
    assert (tests[["n_a", "n_b"]] == 12).all(axis=None)
    assert (tests["alternative"] == GREATER).all()


@pytest.mark.parametrize(
    ("factor", "a", "b", "two_sided"),
    [
        ("blocks", "1", "2", 0.0008),
        ("blocks", "2", "4", 0.0120),
        ("blocks", "4", "8", 0.2987),
        ("dim", "64", "128", 0.1051),
        ("dim", "64", "256", 0.0765),
        ("dim", "128", "256", 0.7487),
    ],
)
def test_rank_sums_on_the_published_table(factor, a, b, two_sided):
    tests = of_family(DREAM, factor).set_index(["a", "b", "alternative"])
    assert round(tests.loc[(a, b, TWO_SIDED), "p"], 4) == two_sided
    assert tests.loc[(a, b, GREATER), "p"] == pytest.approx(tests.loc[(a, b, TWO_SIDED), "p"] / 2)


def test_width_is_significant_one_sided_only():
    tests = of_family(DREAM, "dim").set_index(["a", "b", "alternative"])
    assert round(tests.loc[("64", "256", GREATER), "p"], 3) == 0.038
    assert (of_family(DREAM, "head").query("alternative == @TWO_SIDED")["p"] > 0.5).all()


def test_means_as_printed():
    table = means(DREAM).set_index(["factor", "level"])["mean"]
    assert [round(table["blocks", level], 4) for level in "12"] == [0.7056, 0.7158]
    assert [truncated(table["blocks", level], 4) for level in "48"] == [0.7192, 0.7199]
    dims = [truncated(table["dim", level], 4) for level in ("64", "128", "256")]
    assert dims == pytest.approx([0.7117, 0.7162, 0.7175])


def test_holm_by_hand():
    tests = of_family(DREAM, "dim").query("alternative == @TWO_SIDED").set_index(["a", "b"])
    p, holm = tests["p"], tests["p_holm"]
    assert holm["64", "256"] == pytest.approx(3 * p["64", "256"])
    assert holm["64", "128"] == pytest.approx(max(2 * p["64", "128"], 3 * p["64", "256"]))  # kept monotone
    assert holm["128", "256"] == pytest.approx(p["128", "256"])
    assert (of_family(DREAM, "head")["p_holm"] <= 1).all()


def seeds(grid: pd.DataFrame, n: int, sd: float = 0.0) -> pd.DataFrame:
    noise = np.random.default_rng(3)
    return pd.concat([grid.assign(seed=k, r=grid["r"] + sd * noise.normal(size=len(grid))) for k in range(n)])


def test_seeds_do_not_inflate_n():
    pd.testing.assert_frame_equal(all_tests(seeds(DREAM, 5)), all_tests(DREAM))
    table = spread(seeds(DREAM, 5, sd=0.01))
    assert (table["n"] == 5).all()
    assert table["sd"].mean() == pytest.approx(0.01, rel=0.2)
    assert ((table["min"] < table["mean"]) & (table["mean"] < table["max"])).all()
    assert spread(DREAM)["sd"].isna().all()


def test_undefined_r_counts_as_zero_and_is_counted():
    grid = seeds(DREAM, 2)
    grid.loc[(grid["head"] == "64") & (grid["seed"] == 0), "r"] = np.nan
    marked = grid.assign(collapsed=grid["r"].isna(), r=grid["r"].fillna(0))  # as collected from trained models
    pd.testing.assert_frame_equal(average_seeds(marked), average_seeds(grid))
    points = average_seeds(grid.assign(rho=0.5)).set_index(["dim", "blocks", "head"])
    row = points.loc[(64, 1, "64")]
    assert (row["r"], row["n_seeds"], row["n_undefined"], row["rho"]) == (0.6943 / 2, 2, 1, 0.5)
    assert of_family(grid, "pooling").set_index("b")["n_undefined"].to_dict() == {
        "1": 0,
        "8": 0,
        "16": 0,
        "32": 0,
        "64": 12,
    }


def test_datasets_are_never_mixed():
    both = all_tests(published_grid())
    for dataset in ("dream", "atac"):
        alone = all_tests(published_grid(dataset))
        rows = both[both["dataset"] == dataset].reset_index(drop=True)
        assert rows["p"].tolist() == pytest.approx(rows.merge(alone, on=["family", "a", "b", "alternative"])["p_y"])
        assert len(rows) == len(alone)


@pytest.mark.parametrize(
    "rows",
    [
        DREAM.head(1),  # AP alone
        DREAM[(DREAM["dim"] == 64) & (DREAM["blocks"] == 1)],  # one point per group
        DREAM[DREAM["head"] != "AP"],
        DREAM[DREAM["head"].isin(["AP", "1"])],
        DREAM.assign(r=np.nan),
        DREAM.assign(r=0.5),
    ],
    ids=["one row", "one point", "no AP", "no MEH", "all undefined", "all equal"],
)
def test_degenerate_grids(rows):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tests, averages = all_tests(rows), means(rows)
    few = tests[["n_a", "n_b"]].min(axis=1) < 2
    assert tests.loc[few, ["p", "p_holm", "statistic"]].isna().all(axis=None)
    assert tests.loc[~few, "p"].between(0, 1).all()
    assert not ((averages["n"] < 2) & averages["sd"].notna()).any()


def test_heads_sort_by_number_and_variants_follow():
    assert head_order(["64", "8", "32+GLU", "AP", "1", "32", "8"]) == ["AP", "1", "8", "32", "32+GLU", "64"]
    grid = pd.concat([DREAM, DREAM[DREAM["head"] == "32"].assign(head="32+GLU")])
    assert list(of_family(grid, "pooling")["b"]) == ["1", "8", "16", "32", "32+GLU", "64"]


def test_bad_input():
    with pytest.raises(InputError, match="no column blocks, r"):
        means(DREAM.drop(columns=["blocks", "r"]))
    with pytest.raises(InputError, match="column r: found 'high', expected a number"):
        means(DREAM.assign(r="high"))
    with pytest.raises(InputError, match="a run twice"):
        spread(pd.concat([DREAM, DREAM]))
    with pytest.raises(InputError, match="no rows"):
        spread(DREAM.iloc[:0])
