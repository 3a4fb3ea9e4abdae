"""What the grid table of one data set holds: its runs, points and tests, and the words for them."""

from functools import cached_property

import pandas as pd

from proformer.evaluation import statistics
from proformer.evaluation.statistics import GREATER


class Evidence:
    """The grid table of one dataset with its averages and tests, each computed once."""

    def __init__(self, grid: pd.DataFrame, dataset: str):
        grid = statistics.checked(grid)
        grid = statistics.checked(grid[grid["dataset"] == dataset], f"grid table, dataset {dataset}")
        self.runs = grid.fillna({"r": 0.0})
        self.points = statistics.average_seeds(grid)
        self.median = float(self.points["r"].median())
        known = self.runs["n_train"].dropna() if "n_train" in self.runs else ()
        self.n_train = int(min(known)) if len(known) else None

    @cached_property
    def tests(self) -> pd.DataFrame:
        """Every test of the grid."""
        return statistics.all_tests(self.runs)

    def test(self, family: str, a: str, b: str, alternative: str) -> pd.Series | None:
        """Return one row of `tests`, or None when the grid lacks a level."""
        keys = self.tests[["family", "a", "b", "alternative"]]
        found = self.tests[(keys == [family, a, b, alternative]).all(axis=1) & (self.tests["n_a"] > 0)]
        return found.iloc[0] if len(found) else None

    def reverse(self, test: pd.Series) -> float:
        """Return the one-sided p of "a greater than b"."""
        points, factor, name = statistics.tested(self.points, test["family"])
        a, b = (points.loc[points[factor].astype(str) == test[side], "r"] for side in "ab")
        return statistics.rank_test(b, a, name, GREATER)[1]

    @property
    def sample(self) -> str:
        """The size of the sample in words."""
        low, high = self.points["n_seeds"].min(), self.points["n_seeds"].max()
        widths, blocks = (", ".join(map(str, statistics.levels(self.points, factor))) for factor in ("dim", "blocks"))
        size = "an unstated number of" if self.n_train is None else f"{self.n_train:,}"
        seeds = f"{low if low == high else f'{low} to {high}'} run{'s' if high > 1 else ''} each"
        return f"{len(self.points)} points (widths {widths}; blocks {blocks}), {seeds}, {size} training sequences"


def fewest(tests: pd.DataFrame | pd.Series) -> int:
    """The number of points in the smallest group of one or several tests."""
    return int(tests[["n_a", "n_b"]].to_numpy().min())


def count_heads(heads: pd.Series) -> pd.Series:
    """Return the number of expression heads; 0 for average pooling."""
    return pd.to_numeric(heads.str.extract(r"^(\d+)", expand=False)).fillna(0)


def point_name(point: pd.Series) -> str:
    """A grid point in words."""
    return f"width {point['dim']}, {point['blocks']} blocks, head {point['head']}"


def numbers_of(test: pd.Series) -> str:
    """A test in words: means, p, points."""
    side = "one-sided" if test["alternative"] == GREATER else "two-sided"
    return (
        f"mean r {test['mean_a']:.4f} → {test['mean_b']:.4f}; p = {p_text(test['p'])} "
        f"({side} {test['test']}; Holm {p_text(test['p_holm'])}); n = {test['n_a']} + {test['n_b']} points"
    )


def p_text(p: float) -> str:
    """A p value in words."""
    return "undefined" if pd.isna(p) else f"{p:.1e}" if p < 0.0001 else f"{p:.4f}"
