"""Figures of all models of a data set: learning curves, and one metric on every evaluation set and task."""

import numpy as np
import pandas as pd
import pytest
from drawn import assert_no_two_texts_overlap, assert_nothing_is_cut, texts

from proformer.errors import InputError
from proformer.figures import curves, models

NAMES = ["proformer-meh", "convolutional-repaired", "danq", "legnet", "crmnet", "deepsea", "bhi"]


def epochs(names=NAMES, seeds=(1, 2)):
    levels = [names, seeds, (1, 2, 3), ("training", "validation")]
    index = pd.MultiIndex.from_product(levels, names=["model", "seed", "epoch", "part"])
    table = index.to_frame(index=False).assign(dataset="toy", metric="pearson", run=lambda t: t["model"])
    value = 0.1 * table["epoch"] + 0.01 * table["seed"] - 0.02 * (table["part"] == "validation")
    return table.assign(value=value)


def comparison(names=NAMES, seeds=(1, 2), tasks=("leaf", "root"), sets=("native", "validation")):
    index = pd.MultiIndex.from_product([names, seeds, sets, tasks], names=["model", "seed", "evaluation", "task"])
    table = index.to_frame(index=False).assign(dataset="toy", metric="pearson", over="all", run=lambda t: t["model"])
    table["value"] = np.linspace(-0.2, 0.9, len(table))
    return table.assign(low=table["value"] - 0.05, high=table["value"] + 0.05)


@pytest.mark.parametrize("seeds", [(1,), (1, 2, 3)])
@pytest.mark.parametrize("names", [NAMES, NAMES[:1], [f"model {i}" for i in range(26)]])
def test_any_number_of_models_and_seeds_is_drawn_whole(names, seeds):
    figures = [curves.learning(epochs(names, seeds))[0], models.draw(comparison(names, seeds))[0]]
    figures.append(models.draw(comparison(names, seeds, tasks=("expression",)).assign(low=np.nan, ceiling=0.95))[0])
    for figure in figures:
        assert_nothing_is_cut(figure)
        assert_no_two_texts_overlap(figure)


def test_curves_hold_every_seed_and_their_mean():
    drawn = curves.learning(epochs())[1]
    mine = drawn[(drawn["model"] == "danq") & (drawn["part"] == "validation") & (drawn["seed"] == "mean")]
    assert mine["value"].tolist() == pytest.approx([0.095, 0.195, 0.295])
    assert len(drawn) == len(NAMES) * 2 * 3 * 3


def test_models_stand_in_the_order_of_the_validation_part_and_tasks_have_panels():
    figure, drawn = models.draw(comparison())
    assert [axes.get_title() for axes in figure.axes][:4] == [
        "validation: leaf", "validation: root", "native: leaf", "native: root"]  # fmt: skip
    assert drawn["model"].tolist()[:7] == NAMES[::-1]
    assert (drawn["n_seeds"] == 2).all()
    assert drawn["high"].tolist() == pytest.approx((drawn["value"] + 0.05).tolist())


def test_undefined_means_say_so_and_what_was_not_measured_is_named():
    table = comparison(seeds=(1,))
    table.loc[table["model"] == "danq", "value"] = np.nan
    assert texts(models.draw(table)[0]).count("undefined") == 4
    with pytest.raises(InputError, match=r"auroc, all.*no rows"):
        models.draw(table, metric="auroc")
    with pytest.raises(InputError, match="no column value"):
        curves.learning(epochs().drop(columns="value"))
