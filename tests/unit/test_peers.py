"""Models against each other: bootstrap, Williams' test, the tables and Figure 5."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from proformer.datasets.measured import evaluation_table, published_predictions
from proformer.errors import InputError
from proformer.evaluation.paired import bootstrap, interval, pair_tests, williams
from proformer.evaluation.peers import (
    MEAN,
    PRINTED,
    PROFORMER,
    RECOMPUTED,
    RUN,
    Entry,
    printed,
    published_name,
    run_entry,
    score_set,
)
from proformer.figures import peers

FLANKS = ("TGCATTTTTTTCACATC", "GGTTACGGCTGTT")


@pytest.fixture
def data():
    """Truth and three models of falling quality; the last is in steps, so that ranks are tied."""
    random = np.random.default_rng(1)
    truth = random.normal(10, 3, 200)
    models = [truth + random.normal(0, s, 200) for s in (1, 1.5, 4)]
    models[2] = models[2].round()
    return truth, np.stack(models)


def test_bootstrap_is_that_of_drawn_rows(data):
    """The same draws by hand, correlated by scipy: ties, and rows drawn several times, included."""
    truth, models = data
    family = np.repeat(np.arange(100), 2)
    found = {name: bootstrap(name, truth, models, family, samples=30, seed=5) for name in ("pearson", "spearman")}
    random = np.random.default_rng(5)
    drawn = random.integers(0, 100, (30, 100))
    for sample, families in enumerate(drawn):
        rows = np.concatenate([np.flatnonzero(family == f) for f in families])
        for m, model in enumerate(models):
            assert found["pearson"][sample, m] == pytest.approx(stats.pearsonr(model[rows], truth[rows])[0], abs=1e-12)
            assert found["spearman"][sample, m] == pytest.approx(
                stats.spearmanr(model[rows], truth[rows])[0], abs=1e-12
            )


def test_intervals_cover_as_often_as_they_say():
    """95 % intervals of r hold the true .8 in about 95 of 100 data sets."""
    random = np.random.default_rng(2)
    held = 0
    for _ in range(200):
        x, e = random.normal(size=(2, 150))
        low, high = interval(bootstrap("pearson", x, (0.8 * x + 0.6 * e)[None], np.arange(150), 200)[:, 0])
        held += low <= 0.8 <= high
    assert 0.88 <= held / 200 <= 0.99


def test_families_widen_the_interval():
    """Ten copies of each row are no ten times as many rows."""
    random = np.random.default_rng(3)
    x, e = random.normal(size=(2, 60))
    truth, model = np.repeat(x, 10), np.repeat(x + e, 10)
    widths = []
    for family in (np.arange(600), np.repeat(np.arange(60), 10)):
        low, high = interval(bootstrap("pearson", truth, model[None], family, 400)[:, 0])
        widths.append(high - low)
    assert widths[1] > 2.2 * widths[0]


def test_williams_test_is_calibrated():
    """Two equally good, correlated models: p is below .05 in about 5 of 100 data sets; a better model is found."""
    random = np.random.default_rng(4)
    p, power = [], []
    for _ in range(1500):
        x, shared, a, b = random.normal(size=(4, 40))
        one, two, bad = x + shared / 2 + a, x + shared / 2 + b, x + 6 * b
        r = np.corrcoef([x, one, two, bad])
        p.append(williams(r[0, 1], r[0, 2], r[1, 2], 40)[1])
        power.append(williams(r[0, 1], r[0, 3], r[1, 3], 40)[1])
    assert 0.035 < np.mean(np.array(p) < 0.05) < 0.067
    assert 0.07 < np.mean(np.array(p) < 0.1) < 0.13
    assert np.mean(np.array(power) < 0.05) > 0.8


def test_williams_test_by_its_formula():
    """Steiger 1980, equation 7, worked out for n = 103, r = .5, .4, .6."""
    determinant = 1 - 0.25 - 0.16 - 0.36 + 2 * 0.5 * 0.4 * 0.6
    below = 2 * (102 / 100) * determinant + 0.45**2 * 0.4**3
    t, p = williams(0.5, 0.4, 0.6, 103)
    assert t == pytest.approx(0.1 * (102 * 1.6 / below) ** 0.5, rel=1e-12)
    assert p == pytest.approx(2 * stats.t.sf(t, 100), rel=1e-12)
    assert williams(0.4, 0.5, 0.6, 103) == pytest.approx((-t, p))
    assert np.isnan(williams(0.5, 0.5, 1.0, 103)).all()
    assert np.isnan(williams(np.nan, 0.5, 0.4, 103)).all()


def test_pairs_are_corrected_after_holm(data):
    truth, models = data
    tests = pair_tests(truth, models, bootstrap("pearson", truth, models, np.arange(200), 300))
    assert tests[["a", "b"]].to_numpy().tolist() == [[0, 1], [0, 2], [1, 2]]
    assert (tests["difference"] > 0).all()
    assert (tests["low"] > 0).all()
    p = tests["p_williams"].to_numpy()
    order = np.argsort(p)
    assert tests["p_williams_holm"].to_numpy()[order] == pytest.approx(
        np.minimum(np.maximum.accumulate(p[order] * [3, 2, 1]), 1)
    )
    assert tests["p_bootstrap"].min() == pytest.approx(2 / 301)


@pytest.fixture
def table():
    """Six promoters, one of them twice, three of them mutants of the last."""
    inserts = ["ACGTA", "CCCCC", "GGTTA", "TTTTT", "TACGA", "ACGTA", "GGGGG"]
    return pd.DataFrame(
        {
            "set": "small",
            "name": range(7),
            "sequence": [FLANKS[0] + insert + FLANKS[1] for insert in inserts],
            "expression": [1.0, 2, 4, 3, 7, 1, 5],
            "role": ["row"] * 5 + ["duplicate", "reference"],
            "reference": [6, 6, 6, -1, -1, -1, -1],
            "flank": "whole",
        }
    )


def test_values_and_changes_are_scored(table):
    good = table["expression"].to_numpy() + np.array([0.1, -0.2, 0.3, 0, 0.1, 0, 2])
    entries = [Entry(RECOMPUTED, "DanQ", "", good), Entry(RUN, "DanQ", "1", np.full(7, 3.0))]
    scores, pairs = score_set("small", "Small", "complex", table, entries, printed("random_2954"), samples=50)
    assert scores["source"].tolist() == [PRINTED] * 3 + [RECOMPUTED, RUN] * 2
    value, constant, change = scores.iloc[3], scores.iloc[4], scores.iloc[5]
    assert (value["n"], change["n"]) == (5, 3)
    assert value["pearson"] == pytest.approx(np.corrcoef(good[:5], table["expression"][:5])[0, 1])
    assert change["pearson"] == pytest.approx(np.corrcoef(good[:3] - good[6], table["expression"][:3] - 5)[0, 1])
    assert np.isnan(constant["pearson"])
    assert constant["note"] == "constant predictions or measurements: r is undefined"
    assert pairs["what"].tolist() == ["value", "change"]
    assert pairs["difference"].isna().all()


def test_seeds_have_a_row_each_and_one_for_their_mean(table):
    random = np.random.default_rng(6)
    entries = [
        Entry(PROFORMER, "Proformer", str(s), table["expression"].to_numpy() + random.normal(size=7)) for s in (1, 2)
    ]
    scores, _ = score_set("small", "Small", "complex", table, entries, printed(None), samples=50)
    value = scores[scores["what"] == "value"]
    assert value["seed"].tolist() == ["1", "2", MEAN]
    assert value["pearson"].iloc[2] == pytest.approx(value["pearson"].iloc[:2].mean())


def test_nothing_to_score_leaves_printed_numbers_alone(table):
    scores, pairs = score_set("small", "Small", "complex", table, [], printed("native_61150"))
    assert scores.set_index("model")["pearson"]["Proformer"] == 0.971
    assert len(pairs) == 0
    with pytest.raises(InputError, match="found the evaluation 'native', expected one of native_61150"):
        printed("native")


@pytest.mark.parametrize(
    ("name", "shown"),
    [("danq", "DanQ"), ("DanQ", "DanQ"), ("danq-as-released", "DanQ (as-released)"), ("danqer", "danqer"),
     ("proformer_glu", "Proformer (glu)"), ("mine", "mine"), ("vaishnav_convolutional", "Convolutional"),
     ("vaishnav-transformer-repaired", "Transformer (repaired)"), ("vaishnav", "vaishnav")],
)  # fmt: skip
def test_names_of_models_in_figures(name, shown):
    assert published_name(name) == shown


def test_evaluate_takes_evaluation_tables(tmp_path, table, proformer):
    table.to_csv(tmp_path / "truth.tsv", sep="\t", index=False)
    given = table[["name", "sequence"]].assign(prediction=table["expression"] + [0.1, -0.2, 0.3, 0, 0.1, 0, 2])
    given.to_csv(tmp_path / "p.tsv", sep="\t", index=False)
    options = ["evaluate", "--predictions", tmp_path / "p.tsv", "--truth", tmp_path / "truth.tsv"]
    done = proformer(*options, "--out", tmp_path / "score.tsv")
    assert done.returncode == 0, done.stderr
    found = pd.read_csv(tmp_path / "score.tsv", sep="\t").set_index("metric")
    assert (found.loc["pearson", "n"], found.loc["change_pearson", "n"]) == (5, 3)
    rows = slice(0, 5)
    assert found.loc["pearson", "value"] == pytest.approx(
        np.corrcoef(given["prediction"][rows], table["expression"][rows])[0, 1]
    )
    given.iloc[:-1].to_csv(tmp_path / "p.tsv", sep="\t", index=False)
    done = proformer(*options)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.iloc[:-1], "found 6 predictions, expected one for each of the 7 rows"),
        (lambda t: pd.concat([t, t.iloc[:1]]), "found 8 predictions"),
        (lambda t: t.iloc[[1, 0, 2, 3, 4, 5, 6]], "line 2: found the sequence 'TGC"),
        (lambda t: t.assign(prediction=[1.0, np.nan, 2, 3, 4, 5, 6]), "line 3: found '', expected a finite number"),
        (lambda t: t.assign(prediction=["1", "2", "x", "3", "4", "5", "6"]), "line 4: found 'x'"),
        (lambda t: t.drop(columns="prediction"), "no column 'prediction'"),
    ],
)
def test_wrong_predictions_are_refused(tmp_path, table, change, message):
    given = table[["name", "sequence"]].assign(prediction=1.0)
    change(given).to_csv(tmp_path / "p.tsv", sep="\t", index=False)
    with pytest.raises(InputError, match="^" + str(tmp_path)) as caught:
        run_entry("danq", "1", tmp_path / "p.tsv", table)
    assert message in str(caught.value)
    with pytest.raises(InputError, match="no such file"):
        run_entry("danq", "1", tmp_path / "none.tsv", table)


def bars(figure):
    return [patch for axes in figure.axes for patch in axes.patches]


def test_figure_keeps_sources_apart(table):
    random = np.random.default_rng(7)

    def entry(source, model, seed=""):
        return Entry(source, model, seed, table["expression"].to_numpy() + random.normal(size=7))

    entries = [entry(RECOMPUTED, "DanQ"), entry(RUN, "DanQ", "1"), entry(PROFORMER, "Proformer", "1")]
    entries += [entry(PROFORMER, "Proformer", "2"), Entry(RUN, "mine", "1", np.zeros(7))]
    scores, _ = score_set("small", "Small", "complex", table, entries, printed("native_61150"), samples=50)
    figure, drawn = peers.draw(scores)
    assert [axes.get_title() for axes in figure.axes] == ["Small: n = 5", "Small, changes of expression: n = 3"]
    assert len(bars(figure)) == drawn["pearson"].notna().sum() == 7 + 3 + 3
    assert sorted(p.get_height() for p in bars(figure)) == pytest.approx(sorted(drawn["pearson"].dropna()))
    looks = {(patch.get_hatch() or "", patch.get_facecolor()) for patch in bars(figure)}
    assert len(looks) == 4
    first = figure.axes[0]
    models = [label.get_text() for label in first.get_xticklabels()]
    assert models == ["DeepSEA", "DanQ", "DeepAtt", "Convolutional", "Transformer", "CRMnet", "Proformer", "mine"]
    assert "undefined" in {text.get_text() for text in first.texts}
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        look["label"] for look in peers.BARS.values()
    ]
    assert "printed in a paper" in [look["label"] for look in peers.BARS.values()]


def test_negative_r_has_room(table):
    entries = [Entry(RUN, "mine", "1", -table["expression"].to_numpy()), Entry(RUN, "other", "1", np.arange(7.0))]
    scores, _ = score_set("small", "Small", "complex", table, entries, printed("native_61150"), samples=50)
    figure, _ = peers.draw(scores)
    for axes in figure.axes:
        low, high = axes.get_ylim()
        assert low <= -1
        for text in axes.texts:
            assert low <= text.get_position()[1] <= high - 0.3
        assert {0.0, 1.0} <= set(axes.get_yticks().round(6))


def columns_of(figure):
    return len({axes.get_subplotspec().colspan.start for axes in figure.axes})


def test_panels_with_many_bars_take_the_whole_width(table):
    entries = [Entry(RUN, f"mine{i}", "1", table["expression"].to_numpy() ** (i + 1)) for i in range(peers.CROWD)]
    scores, _ = score_set("small", "Small", "complex", table, entries, printed(None), samples=20)
    more = pd.concat([scores, scores.iloc[:1].assign(model="one more")])
    assert [columns_of(peers.draw(part)[0]) for part in (scores, more)] == [2, 1]


def test_figure_of_published_numbers_alone(table):
    scores, _ = score_set("small", "Small", "complex", table, [], printed("random_2954"))
    figure, drawn = peers.draw(scores)
    assert drawn["model"].tolist() == ["Transformer", "CRMnet", "Proformer"]
    assert len(bars(figure)) == 3


@pytest.mark.skipif("PROFORMER_MIRROR" not in os.environ, reason="PROFORMER_MIRROR is not set: no published files")
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Native", {"DeepSEA": 0.8998, "DanQ": 0.9162, "DeepAtt": 0.9102, "gpu": 0.9480, "tpu": 0.9608}),
        ("Random", {"DeepSEA": 0.9530, "DanQ": 0.9632, "DeepAtt": 0.9582, "gpu": 0.9796, "tpu": 0.9776}),
    ],
)
def test_published_predictions_give_the_known_r(name, expected):
    folder = next(Path(os.environ["PROFORMER_MIRROR"]).rglob("Native_test_DanQ_model.csv")).parent
    source = folder / ("Native_test_tpu_model.csv" if name == "Native" else "Random_testdata_complex_media.csv")
    table, _ = evaluation_table(name, source, "complex", None, FLANKS)
    entries = [
        Entry(RECOMPUTED, m, "", published_predictions(folder / f"{name}_test_{m}_model.csv", table, "complex", FLANKS))
        for m in expected
    ]
    scores, pairs = score_set(name, name, "complex", table, entries, printed(None), samples=20)
    assert scores.set_index("model")["pearson"].round(4).to_dict() == expected
    assert len(pairs) == 10
