"""The Prix Fixe grid: all combinations of the blocks of three teams (Rafi et al. 2024, Fig. 2B-E, Suppl. Fig. 6-9).

A combination is named by its data processor, first, core and final block; `composed` builds it.
"""

from collections.abc import Mapping
from itertools import combinations as pairs_of

import numpy as np
import pandas as pd

from proformer.errors import InputError
from proformer.evaluation.dream import SCORES
from proformer.evaluation.statistics import holm

ROLES = ["processor", "first", "core", "final"]
GRID = ["dataset", "run", *ROLES, "seed", "parameters", "r", "best_epoch", "epochs"]  # columns that are read
EPOCHS, SCORED = [*ROLES, "seed", "epoch", "validation_r"], ["model", "measure", "value"]
TYPES: dict[str, type] = dict.fromkeys(["parameters", "best_epoch", "epochs", "epoch"], int)
TYPES |= dict.fromkeys(["r", "validation_r", "value", "ceiling"], float) | dict.fromkeys(["seed", *ROLES], str)
LEAST_LEARNED = 0.5  # of the grid's median validation r: below, a training has learned too little
LEAST_KEPT = 0.9  # of its own best r in the last epoch: below, a training has gone astray


def combinations(grid: pd.DataFrame, epochs: pd.DataFrame, scores: pd.DataFrame | None = None) -> pd.DataFrame:
    """One row per combination and seed: blocks, parameters, validation r, whether it has converged, and its scores.

    grid, epochs: of `collect`, with a column for each of `ROLES`. scores: of `proformer score`, its models named by the
    four blocks and the seed. converged: the best epoch's validation r is at least half the grid's median, and the last
    epoch's at least nine tenths of the best. original: all blocks are one team's. best: the highest of its core, by
    Pearson Score, or by r where nothing is scored.
    """
    if grid.duplicated([*ROLES, "seed"]).any():
        raise InputError("grid: found a combination and seed twice, expected each once")
    final = epochs.sort_values("epoch").drop_duplicates([*ROLES, "seed"], keep="last")
    last = final.set_index([*ROLES, "seed"])["validation_r"].fillna(0.0)  # 0: constant predictions
    table = grid[[*GRID, *grid.columns.intersection(["ceiling"])]].join(last.rename("last_r"), on=[*ROLES, "seed"])
    learned = table["r"] >= LEAST_LEARNED * table["r"].median()
    kept = table["last_r"] >= LEAST_KEPT * table["r"]
    table["converged"] = learned & kept
    table["reason"] = np.select([~learned, ~kept], ["learned too little", "the last epoch is worse than the best"], "")
    table["original"] = table[ROLES].nunique(axis=1) == 1
    if scores is not None:
        scores = scores[scores["measure"].isin(SCORES)]
        if scores.duplicated(["model", "measure"]).any():
            raise InputError("scores: found a model and measure twice, expected each once")
        wide = scores.pivot(index="model", columns="measure", values="value")
        names = table[[*ROLES, "seed"]].astype(str).agg(" ".join, axis=1)
        table[[*SCORES]] = wide[[*SCORES]].reindex(names).to_numpy()
    ranked = table[measure_of(table)].where(table["converged"], -np.inf)
    table["best"] = table["converged"] & (ranked == ranked.groupby([table["core"], table["seed"]]).transform("max"))
    return table


def left_out(reasons: Mapping[str, object]) -> pd.DataFrame:
    """One row per combination that cannot be trained, by its four blocks, and why."""
    rows = [(*str(name).split(), str(reason)) for name, reason in reasons.items()]
    if wrong := [row for row in rows if len(row) != len(ROLES) + 1]:
        raise InputError(f"found {' '.join(wrong[0][:-1])!r}, expected the names of four blocks")
    return pd.DataFrame(rows, columns=[*ROLES, "reason"])


def measure_of(table: pd.DataFrame) -> str:
    """What combinations are compared by: the challenge's Pearson Score, or the validation r where nothing is scored."""
    return "pearson_score" if "pearson_score" in table else "r"


def module_tests(table: pd.DataFrame) -> pd.DataFrame:
    """Each two blocks of a role, over the combinations that differ in nothing else: paired Wilcoxon signed-rank tests.

    Converged combinations, averaged over seeds. Columns: measure, role, a, b, pairs, mean_a, mean_b, p (two-sided,
    exact; undefined for fewer than two pairs), p_holm (over all rows).
    """
    from scipy import stats

    measure, rows = measure_of(table), []
    points = table[table["converged"]].groupby(ROLES)[measure].mean()
    for role in ROLES:
        wide = points.unstack(role)
        for a, b in pairs_of(sorted(wide), 2):
            both = wide[[a, b]].dropna()
            p = stats.wilcoxon(both[a], both[b]).pvalue if len(both) > 1 and (both[a] != both[b]).any() else np.nan
            rows.append((measure, role, a, b, len(both), both[a].mean(), both[b].mean(), p))
    found = pd.DataFrame(rows, columns=["measure", "role", "a", "b", "pairs", "mean_a", "mean_b", "p"])
    return found.assign(p_holm=holm(found["p"]))


def importance(table: pd.DataFrame) -> pd.DataFrame:
    """How much of the spread between combinations follows from each role: F tests of an additive model.

    Converged combinations, averaged over seeds, without Unlock_DNA's data processor, which trains with its own final
    block alone. Columns: measure, role, df, share (of the sum of squares, the other roles given), f, p.
    """
    from scipy import stats

    measure = measure_of(table)
    points = table[table["converged"] & (table["processor"] != "unlock_dna") & (table["final"] != "unlock_dna")]
    points = points.groupby(ROLES, as_index=False)[measure].mean()
    columns = ["measure", "role", "df", "share", "f", "p"]
    if points.empty:
        return pd.DataFrame(columns=columns)
    y = points[measure].to_numpy(np.float64)
    total = float(((y - y.mean()) ** 2).sum())

    def residual(roles: list[str]) -> tuple[float, int]:
        design = pd.get_dummies(points[roles], drop_first=True).assign(mean=1.0).to_numpy(np.float64)
        fitted, _, rank, _ = np.linalg.lstsq(design, y, rcond=None)
        return float(((y - design @ fitted) ** 2).sum()), len(y) - int(rank)

    whole, free = residual(ROLES)
    rows = []
    for role in ROLES:
        without, more_free = residual([other for other in ROLES if other != role])
        df = more_free - free
        f = (without - whole) / df / (whole / free) if total and df and free > 0 and whole > 0 else np.nan
        rows.append((measure, role, df, (without - whole) / total if total else np.nan, f, stats.f.sf(f, df, free)))
    return pd.DataFrame(rows, columns=columns)
