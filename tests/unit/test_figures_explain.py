"""Figures of what models have learnt: all that a table says is drawn, nothing is cut, no two texts overlap."""

import itertools

import numpy as np
import pandas as pd
import pytest
from drawn import assert_no_two_texts_overlap, assert_nothing_is_cut

from proformer.errors import InputError
from proformer.figures import explain

RANDOM = np.random.default_rng(1)
MODELS = [("perfect model", np.nan), ("legnet", 1), ("a model of a long name", 1)]


def table(**levels) -> pd.DataFrame:
    """A row for each model and combination of levels."""
    rows = [(*who, *row) for who in MODELS for row in itertools.product(*levels.values())]
    return pd.DataFrame(rows, columns=["run", "seed", *levels])


def numbers(rows: pd.DataFrame, **columns) -> pd.DataFrame:
    return rows.assign(**{name: scale * RANDOM.random(len(rows)) for name, scale in columns.items()})


ATTRIBUTION = table(method=["ism", "gradient", "integrated"], sequences=[10])
FILTERS = table(filter=["filter_0", "filter_1"], position=range(9))
EXPERIMENTS = [
    table(experiment=["positions"], pattern=["GTCTGGCCC +", "GTCTGGCCC -"], x=range(0, 70, 8)),
    table(experiment=["copies"], pattern=["GTCTGGCCC"], x=[1, 2, 3, 4]),
    table(experiment=["distances"], pattern=["A, C: both", "A, C: interaction"], x=[8, 10]),
]
COVERAGE = table(calibrated_on=["all", "random"], subset=["all", "high"], nominal=[0.5, 0.9])
TABLES = {
    "attribution": numbers(ATTRIBUTION, auroc=1, r_truth=1, r_ism=1),
    "logos": numbers(table(sequence=[0, 1], position=range(80)), contribution=1).assign(code=2),
    "motifs": numbers(FILTERS, A=0.5, C=0.5, G=0.5, T=0.5, q=0.1).assign(target="Skn7"),
    "filters": numbers(table(filters=[32]), hit_ratio=1, mean_q=1),
    "importance": numbers(pd.concat(EXPERIMENTS), importance=2),
    "design": numbers(table(row=[0, 1], step=range(4), edits=[1]), predicted=9, true=9),
    "coverage": numbers(COVERAGE, real=1).assign(width="constant", n=100),
    "effects": numbers(table(subset=["SNVs", "motif_tiling"]), pearson=1, sign=1).assign(n=50),
}


@pytest.mark.parametrize("name", TABLES)
def test_tables_are_drawn_whole(name):
    figure, drawn = getattr(explain, name)(TABLES[name])
    assert len(drawn)
    assert {*drawn["run"]} == {run for run, _ in MODELS} if "run" in drawn else drawn["models"].eq(len(MODELS)).all()
    assert_nothing_is_cut(figure)
    assert_no_two_texts_overlap(figure)


@pytest.mark.parametrize("name", TABLES)
def test_a_table_without_its_columns_is_refused(name):
    with pytest.raises(InputError, match="run"):
        getattr(explain, name)(TABLES[name].drop(columns="run"))


def test_of_two_patterns_the_interaction_is_drawn():
    _, drawn = explain.importance(TABLES["importance"])
    assert {*drawn.loc[drawn["experiment"] == "distances", "pattern"]} == {"A, C: interaction"}


@pytest.mark.parametrize("seeds", [[np.nan, 1.0, 2.0], ["", "1", "2"]], ids=["from a file", "from the command line"])
def test_seeds_of_a_run_are_named(seeds):
    rows = TABLES["logos"].assign(run="legnet", seed=np.repeat(seeds, len(TABLES["logos"]) // 3))
    figure, _ = explain.logos(rows)
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert [title for title in titles if title] == ["legnet", "legnet, seed 1", "legnet, seed 2"]
