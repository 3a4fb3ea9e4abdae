"""Figures of what models have learnt: all that a table says is drawn, nothing is cut, no two texts overlap."""

import itertools
from typing import get_args

import numpy as np
import pandas as pd
import pytest
from drawn import assert_no_two_texts_overlap, assert_nothing_is_cut, texts

from proformer.errors import InputError
from proformer.figures import explain
from proformer.settings import Attribution, Designer, Null

RANDOM = np.random.default_rng(1)
FEW = [("perfect model", np.nan), ("legnet", 1), ("a model of a long name", 1)]
MANY = [
    ("perfect model", np.nan),
    *((f"a model of a very long name {number}", seed) for number in "123" for seed in (1, 2)),
]
SUBSETS = ("all", "random", "high", "low", "yeast", "challenging", "motif_perturbation", "motif_tiling")


def tables(models: list[tuple[str, float]], many: bool = False) -> dict[str, pd.DataFrame]:
    """Tables of all figures, of so many models; many: with all methods, null models and subsets."""

    def table(**levels) -> pd.DataFrame:
        """A row for each model and combination of levels."""
        rows = [(*who, *row) for who in models for row in itertools.product(*levels.values())]
        return pd.DataFrame(rows, columns=["run", "seed", *levels])

    def numbers(rows: pd.DataFrame, **columns) -> pd.DataFrame:
        return rows.assign(**{name: scale * RANDOM.random(len(rows)) for name, scale in columns.items()})

    def of_runs(rows: pd.DataFrame) -> pd.DataFrame:
        """Seeds of a run together."""
        return rows.drop(columns="seed").drop_duplicates()

    nulls = get_args(Null) if many else ["dinucleotide"]
    experiments = [
        table(experiment=["positions"], pattern=["GTCTGGCCC +", "GTCTGGCCC -"], x=range(0, 70, 8), null=nulls),
        table(experiment=["copies"], pattern=["GTCTGGCCC"], x=[1, 2, 3, 4], null=nulls),
        table(experiment=["distances"], pattern=["A, C: both", "A, C: interaction"], x=[8, 10], null=nulls),
        table(experiment=["occlusion"], pattern=["GTCTGGCCC"], x=[1, 2], null=[np.nan]),
    ]
    attribution = table(method=get_args(Attribution) if many else ["ism", "gradient", "integrated"], sequences=[10])
    filters = table(filter=[f"filter_{number}" for number in range(4 if many else 2)], position=range(9))
    designers = get_args(Designer) if many else ["greedy"]
    coverage = table(calibrated_on=["all public rows", "public random rows"], width=["constant", "spread", "local"],
                     subset=SUBSETS if many else ["all", "high"], nominal=[0.5, 0.9])  # fmt: skip
    shares = {f"{what}{control}": 1 for what in ("hit_ratio", "mean_q") for control in explain.CONTROLS}
    return {
        "attribution": numbers(attribution, auroc=1, r_truth=1, r_ism=1),
        "logos": numbers(table(sequence=[0, 1], position=range(80)), contribution=1).assign(code=2),
        "motifs": numbers(filters, A=0.5, C=0.5, G=0.5, T=0.5, q=0.1).assign(
            target="MA0363.3 a motif of a long name" if many else "Skn7"
        ),
        "filters": numbers(table(filters=[32]), **shares).assign(trained_on=range(5708, 5708 + len(models))),
        "importance": numbers(pd.concat(experiments), importance=2),
        "design": numbers(table(designer=designers, row=[0, 1], step=range(4), edits=[1]), predicted=9, true=9),
        "coverage": numbers(of_runs(coverage), real=1).assign(models=3, calibration=9041, n=10_100),
        "effects": numbers(
            of_runs(table(subset=["SNVs", "motif_perturbation", "motif_tiling"])), pearson=1, sign=1
        ).assign(n=50),
    }


TABLES, LARGE = tables(FEW), tables(MANY, many=True)


@pytest.mark.parametrize("name", TABLES)
def test_tables_are_drawn_whole(name):
    figure, drawn = getattr(explain, name)(TABLES[name])
    assert len(drawn)
    assert {*drawn["run"]} == {run for run, _ in FEW}
    assert_nothing_is_cut(figure)
    assert_no_two_texts_overlap(figure)


@pytest.mark.parametrize("name", TABLES)
def test_many_models_of_long_names_fit_in(name):
    figure, drawn = getattr(explain, name)(LARGE[name])
    assert {*drawn["run"]} == {run for run, _ in MANY}
    assert_nothing_is_cut(figure)
    assert_no_two_texts_overlap(figure)


def test_coverage_is_drawn_by_run_and_width():
    figure, drawn = explain.coverage(TABLES["coverage"])
    titles = [axes.get_title() for axes in figure.axes]
    assert {*drawn["width"]} == {"constant", "spread"}
    assert len(titles) == 4 * len(FEW)
    assert titles[0] == "all public rows\n(n = 9,041), constant"


def test_null_models_are_beside_each_other():
    table = LARGE["importance"]
    figure, drawn = explain.importance(table)
    assert {*drawn.loc[drawn["experiment"] == "positions", "null"]} == {"dinucleotide"}
    assert {*drawn.loc[drawn["experiment"] == "nulls", "null"]} == {*get_args(Null)}
    assert len([axes for axes in figure.axes if axes.get_xlabel() == "one copy, by null model"]) == 1


def test_figures_of_motifs_say_how_much_models_were_trained_on():
    figure, _ = explain.filters(TABLES["filters"])
    assert "trained on n = 5,708 to 5,710 sequences" in texts(figure)
    figure, _ = explain.motifs(TABLES["motifs"].assign(trained_on=977))
    assert "height of a column: information (bits); trained on n = 977 sequences" in texts(figure)


def test_a_long_name_without_blanks_keeps_its_beginning():
    table = TABLES["motifs"].assign(target="MA0265.3_ABF1_and_what_else_is_known_of_it")
    figure, _ = explain.motifs(table)
    assert any(text.startswith("MA0265.3_ABF1_and_what_el…") for text in texts(figure))


def test_what_could_not_be_designed_is_left_out():
    note = pd.DataFrame([{"run": "legnet", "seed": 1, "designer": "ledidi", "note": "ledidi: not installed"}])
    figure, drawn = explain.design(pd.concat([TABLES["design"], note], ignore_index=True))
    assert {*drawn["designer"]} == {"greedy"}
    assert len(figure.axes) == 1


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
