"""Means, spreads and rank tests of the grid of models (Fig. 2c-g): tables in, tidy tables out.

A grid table has the columns dataset, dim, heads, blocks, head, seed, r, perhaps more, and a row per run; the published
table has no seeds. The unit of every test is a grid point, the mean over its seeds, so that seeds do not inflate n.
An undefined r (a constant prediction: the model has collapsed) counts as 0; `n_undefined` counts these,
and the runs whose `collapsed` is set because their r was written as 0 for that reason.
"""

from itertools import combinations, product

import numpy as np
import pandas as pd

from proformer.errors import InputError
from proformer.evaluation import PUBLISHED
from proformer.evaluation.heads import head_order
from proformer.files import read_table

POINT = ["dataset", "dim", "heads", "blocks", "head"]
FACTORS = ("blocks", "dim", "head")
SINGLE = ("AP", "1")  # left out of the comparisons of blocks, widths and heads, as in the paper
GREATER, TWO_SIDED = "b greater than a", "two-sided"
RANKSUM, MANN_WHITNEY = "Wilcoxon rank-sum", "exact Mann-Whitney U"
COLUMNS = ["dataset", "family", "a", "b", "n_a", "n_b", "mean_a", "mean_b", "test", "alternative"]
COLUMNS += ["statistic", "p", "p_holm", "n_undefined"]


def published_grid(dataset: str | None = None) -> pd.DataFrame:
    """Return the paper's own grid, Fig. 2c (`dream`) and Fig. 3b (`atac`); see `published/README.md`."""
    table = read_table(PUBLISHED / "grid.tsv")
    return checked(table if dataset is None else table[table["dataset"] == dataset])


def checked(grid: pd.DataFrame, where: str = "grid table") -> pd.DataFrame:
    """Return a copy with `head` as text and a `seed` column.

    Raises InputError for missing columns, no rows, text where numbers belong, and a run that is there twice.
    """
    if missing := [column for column in [*POINT, "r"] if column not in grid]:
        raise InputError(f"{where}: found no column {', '.join(missing)}, expected {', '.join([*POINT, 'seed', 'r'])}")
    if grid.empty:
        raise InputError(f"{where}: found no rows, expected at least one grid point")
    for column in ("dim", "heads", "blocks", "r"):
        wrong = grid[column][pd.to_numeric(grid[column], errors="coerce").isna() & grid[column].notna()]
        if len(wrong):
            raise InputError(f"{where}, column {column}: found {wrong.iloc[0]!r}, expected a number")
    grid = grid.assign(head=grid["head"].astype(str), seed=grid.get("seed", np.nan))
    twice = grid[grid.duplicated([*POINT, "seed"])]
    if len(twice):
        run = ", ".join(f"{name} {twice.iloc[0][name]}" for name in [*POINT, "seed"])
        raise InputError(f"{where}: found a run twice ({run}), expected each once")
    return grid


def levels(grid: pd.DataFrame, factor: str) -> list:
    """Return the levels of a factor that are in the table, in order."""
    return head_order(grid[factor]) if factor == "head" else sorted(grid[factor].unique())


def average_seeds(grid: pd.DataFrame) -> pd.DataFrame:
    """Return one row per grid point: r and every other numeric column averaged over seeds, n_seeds, n_undefined."""
    grid = _defined(grid)
    others = [name for name in grid.select_dtypes("number") if name not in [*POINT, "seed", "undefined"]]
    groups = grid.groupby(POINT, sort=False)
    table = groups[others].mean()
    table["n_seeds"] = groups.size()
    table["n_undefined"] = groups["undefined"].sum()
    return table.reset_index()


def spread(grid: pd.DataFrame) -> pd.DataFrame:
    """Return mean, sd (n - 1; NaN for one seed), min, max and n of r over the seeds of each grid point."""
    groups = _defined(grid).groupby(POINT, sort=False)
    table = groups["r"].agg(mean="mean", sd="std", min="min", max="max", n="size")
    table["n_undefined"] = groups["undefined"].sum()
    return table.reset_index()


def multiple_heads(grid: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with more than one expression head: without AP and H = 1."""
    return grid[~grid["head"].isin(SINGLE)]


def means(grid: pd.DataFrame) -> pd.DataFrame:
    """Return mean, sd and n of r over the grid points by blocks, dim and head, without AP and H = 1 (Fig. 2e-g)."""
    points = multiple_heads(average_seeds(grid))
    rows = []
    for dataset, table in points.groupby("dataset", sort=False):
        for factor in FACTORS:
            for level in levels(table, factor):
                r = table.loc[table[factor] == level, "r"]
                rows.append((dataset, factor, str(level), r.mean(), r.std(), len(r)))
    return pd.DataFrame(rows, columns=["dataset", "factor", "level", "mean", "sd", "n"])


def tested(points: pd.DataFrame, family: str) -> tuple[pd.DataFrame, str, str]:
    """Return the points that a family of tests compares, the factor whose levels are its groups, and its test."""
    return (points, "head", MANN_WHITNEY) if family == "pooling" else (multiple_heads(points), family, RANKSUM)


def all_tests(grid: pd.DataFrame) -> pd.DataFrame:
    """Test the grid points of each data set as the paper does; p values as they are, and after Holm.

    "pooling": whether average pooling is lower than each number of expression heads, by one-sided exact Mann-Whitney U
    tests, as printed in the paper's text on Fig. 2c; the exact distribution takes ties as if there were none, which is
    what gives the paper's digits. "blocks", "dim", "head": all pairs of levels by Wilcoxon rank-sum tests, two-sided
    and one-sided (the larger level better), without AP and H = 1 (Fig. 2e-g). Their p is the normal approximation, as
    in the paper: below about five points a group it is too small. p is NaN for a group of one or none. Holm's
    correction is within data set, family and alternative.
    """
    averaged, rows = average_seeds(grid), list[tuple]()
    for family in ("pooling", *FACTORS):
        (points, factor, test), pooling = tested(averaged, family), family == "pooling"
        for dataset, table in points.groupby("dataset", sort=False):
            found = levels(table, factor)
            pairs = [("AP", head) for head in found if head != "AP"] if pooling else [*combinations(found, 2)]
            for alternative, (a, b) in product((GREATER,) if pooling else (TWO_SIDED, GREATER), pairs):
                x, y = (table[table[factor] == level] for level in (a, b))
                groups = (len(x), len(y), x["r"].mean(), y["r"].mean())
                undefined = int(x["n_undefined"].sum() + y["n_undefined"].sum())
                numbers = (*rank_test(x["r"], y["r"], test, alternative), np.nan, undefined)
                rows.append((dataset, family, str(a), str(b), *groups, test, alternative, *numbers))
    table = pd.DataFrame(rows, columns=COLUMNS)
    p = table.groupby(["dataset", "family", "alternative"], sort=False)["p"]
    return table.assign(p_holm=p.transform(holm) if len(table) else table["p_holm"])


def rank_test(a: np.ndarray | pd.Series, b: np.ndarray | pd.Series, test: str, alternative: str) -> tuple[float, float]:
    """Return statistic (of `a`) and p of one of the two tests; NaN for a group of one or none."""
    if min(len(a), len(b)) < 2:
        return np.nan, np.nan
    from scipy import stats  # half a second of every figure's job, which have no test to compute

    side = "less" if alternative == GREATER else "two-sided"
    if test == MANN_WHITNEY:
        result = stats.mannwhitneyu(a, b, alternative=side, method="exact")
    else:
        result = stats.ranksums(a, b, alternative=side)
    return float(result.statistic), float(result.pvalue)


def _defined(grid: pd.DataFrame) -> pd.DataFrame:
    grid = checked(grid)
    undefined = grid["r"].isna() | grid.get("collapsed", pd.Series(False, grid.index)).astype(bool)
    return grid.assign(undefined=undefined.astype(int), r=grid["r"].astype(float).fillna(0.0))


def holm(p: pd.Series) -> pd.Series:
    """p values corrected after Holm (1979); NaN stays and does not count."""
    known = p.dropna().sort_values(kind="stable")
    return (known * np.arange(len(known), 0, -1)).cummax().clip(upper=1.0).reindex(p.index)
