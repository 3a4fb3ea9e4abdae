from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from drawn import assert_no_two_texts_overlap, assert_nothing_is_cut, texts

from proformer.errors import InputError
from proformer.evaluation import bootstrap, claims_scores
from proformer.evaluation.claims import CONTRADICTS, SUPPORTS, UNDECIDED
from proformer.evaluation.density import density_table
from proformer.evaluation.dream import PARTIAL, WEIGHTS, Benchmark, score_table
from proformer.evaluation.dream_files import ALL, SINGLES
from proformer.evaluation.heads import head_of, head_title, published_head, published_scores, seed_of, without_seed
from proformer.figures import curves, density, scores

N = 900
NAMES = [f"{head} (seed {seed})" for head in ("AP", "H = 1", "H = 8", "H = 8 + GLU") for seed in (1, 2, 3)]


@pytest.fixture(scope="module")
def benchmark() -> Benchmark:
    random = np.random.default_rng(0)
    subsets = {ALL: np.arange(N)} | {name: np.arange(100 * i, 100 * i + 90) for i, name in enumerate(SINGLES)}
    subsets |= {name: random.integers(0, N, (80, 2)) for name in WEIGHTS if name not in subsets}
    return Benchmark("private", random.normal(size=N), subsets, {}, {}, True)


def predictions(benchmark: Benchmark, noise: dict[str, float]) -> dict[str, np.ndarray]:
    random = np.random.default_rng(1)
    return {name: benchmark.truth + noise[without_seed(name)] * random.normal(size=N) for name in NAMES}


@pytest.fixture(scope="module")
def tables(benchmark) -> dict[str, pd.DataFrame]:
    found = predictions(benchmark, {"AP": 0.6, "H = 1": 0.5, "H = 8": 0.3, "H = 8 + GLU": 0.9})
    resampled = bootstrap.resample(benchmark, found, samples=200)
    table = bootstrap.with_intervals(score_table(benchmark, found), resampled)
    constant = score_table(benchmark, {"H = 1 (seed 1)": np.ones(N), "AP (seed 1)": found[NAMES[0]]})
    partial = score_table(benchmark.without({"SNVs": "no all_SNVs_seqs.csv"}), {"deepsea": found[NAMES[0]]})
    many = pd.concat([table.assign(model=f"model {i}") for i, (_, table) in enumerate(table.groupby("model"))])
    return {"seeds": table, "undefined": constant, "partial": partial, "many": many, "worst": table.assign(
        value=-table["value"], low=-table["high"], high=-table["low"])}  # fmt: skip


@pytest.mark.parametrize("name", ["seeds", "undefined", "partial", "many", "worst"])
@pytest.mark.parametrize("draw", [scores.draw, scores.draw_subsets])
def test_draws_any_scores_without_warning_and_nothing_is_cut(tables, name, draw):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure, table = draw(tables[name])
        assert_nothing_is_cut(figure)
    assert_no_two_texts_overlap(figure)
    assert len(table)


def test_bars_hold_the_printed_numbers_and_the_means_over_seeds(tables):
    figure, drawn = scores.draw(tables["seeds"])
    published = drawn[drawn["source"] == "published"].set_index(["published_head", "measure"])
    assert published.loc[("32", "pearson_score"), "value"] == 0.781
    assert published.loc[("32+GLU", "r2"), "value"] == 0.929
    assert published.loc[("AP", "pearson"), "value"] == pytest.approx(0.918**0.5)
    assert published.loc[("AP", "pearson"), "derived"]
    run = drawn[drawn["source"] == "run"].set_index(["name", "measure"])
    assert run.loc[("H = 8", "r2"), "published_head"] == "32"
    assert run.loc[("H = 8", "r2"), "n_seeds"] == 3
    rows = tables["seeds"]
    rows = rows[(rows["subset"] == ALL) & (rows["measure"] == "r2") & rows["model"].str.startswith("H = 8 (")]
    assert run.loc[("H = 8", "r2"), "value"] == pytest.approx(rows["value"].mean())
    assert {"0.781", "0.929", "0.958"} <= set(texts(figure))
    assert "H = 8\n(paper: H = 32)" in texts(figure)


def test_undefined_and_partial_scores_say_so(tables):
    figure, drawn = scores.draw(tables["undefined"])
    assert texts(figure).count("undefined") == 5
    one = drawn[(drawn["source"] == "run") & (drawn["name"] == "H = 1")]
    assert one["value"].isna().all()
    assert one["note"].str.contains("undefined").all()
    partial = texts(scores.draw(tables["partial"])[0])
    assert any("over the subsets at hand" in text for text in partial)
    assert "this run, subsets at hand" in partial
    assert "this run" in texts(scores.draw(tables["seeds"])[0])
    missing = tables["seeds"]["subset"] == ALL
    lacking = tables["seeds"].assign(value=tables["seeds"]["value"].mask(missing), note="missing: no prediction")
    assert texts(scores.draw(lacking)[0]).count("not at hand") == 4 * 3
    figure, cells = scores.draw_subsets(tables["partial"])
    assert texts(figure).count("–") == 2
    assert "SNVs\nnot at hand" in texts(figure)
    assert cells[cells["subset"] == "SNVs"]["note"].str.contains("no all_SNVs_seqs.csv").all()


def test_heat_map_colours_span_each_column(tables):
    figure, cells = scores.draw_subsets(tables["seeds"])
    shades = figure.axes[0].collections[0].get_array()
    assert shades.min(axis=0).tolist() == [0.0] * 10
    assert shades.max(axis=0).tolist() == [1.0] * 10
    assert set(cells["name"]) == {"AP", "H = 1", "H = 8", "H = 8 + GLU"}


def test_density_draws_every_count(benchmark):
    table = density_table(benchmark, {"AP (seed 1)": benchmark.truth + 1, "other": np.ones(N)})
    figure, drawn = density.draw(table[table["model"] == "AP (seed 1)"])
    assert_nothing_is_cut(figure)
    assert_no_two_texts_overlap(figure)
    total = sum(np.nansum(axes.collections[0].get_array()) for axes in figure.axes[:9])
    assert total == drawn["count"].sum() == sum(len(rows) for rows in benchmark.subsets.values())
    constant = density.draw(table[table["model"] == "other"])[0]
    assert sum("r and ρ undefined" in text for text in texts(constant)) == 9
    with pytest.raises(InputError, match="found 2 values"):
        density.draw(table)


def test_the_final_models_best_epoch_alone_is_a_red_dotted_line():
    point = {"dataset": "dream", "dim": 512, "heads": 8, "blocks": 4, "seed": 1}
    rows = [
        point | {"head": head, "epoch": t, "train_r": 0.1 * t, "validation_r": 0.7 - 0.01 * abs(t - best)}
        for head, best in (("AP", 9), ("32", 6))
        for t in range(1, 13)
    ]
    figure, _ = curves.convergence(pd.DataFrame(rows), letter="a", final="32")
    for axes in figure.axes:
        dotted = [line for line in axes.lines if line.get_linestyle() == ":" and len(line.get_xdata())]
        assert [(line.get_xdata()[0], line.get_color()) for line in dotted] == [(6, "red")]
    assert_nothing_is_cut(figure)
    with pytest.raises(InputError, match="found no head 64"):
        curves.convergence(pd.DataFrame(rows), final="64")


def test_names_of_models():
    assert without_seed("H = 8 + GLU (seed 12)") == "H = 8 + GLU"
    assert seed_of("H = 8 + GLU (seed 12)") == "12"
    assert seed_of("AP") == ""
    heads = {"AP": "AP", "H = 1": "1", "H = 8": "32", "H = 64 + GLU": "32+GLU", "grid AP": None, "deepsea": None}
    assert {name: published_head(name) for name in heads} == heads
    assert head_title(head_of({"head": "ap", "expression_heads": 8})) == "AP"
    assert head_title(head_of({})) == "H = 32"
    assert head_title(head_of({"head": "glu", "expression_heads": 4})) == "H = 4 + GLU"


# The report card


def test_the_published_numbers_bear_out_every_claim(tables, benchmark):
    table = published_scores()
    assert len(table) == 20
    card = claims_scores.report_card(differences(benchmark, {"AP": 1, "H = 1": 1, "H = 8": 1, "H = 8 + GLU": 1}))
    assert (card["published_verdict"] == SUPPORTS).all()


def differences(benchmark: Benchmark, noise: dict[str, float]) -> pd.DataFrame:
    found = predictions(benchmark, noise)
    resampled = bootstrap.resample(benchmark, found, samples=100)
    return bootstrap.difference_table(score_table(benchmark, found), resampled)


def test_verdicts_need_seeds_and_follow_the_run(benchmark):
    noise = {"AP": 0.6, "H = 1": 0.9, "H = 8": 0.2, "H = 8 + GLU": 0.4}
    table = differences(benchmark, noise)
    card = claims_scores.report_card(table).set_index("claim")
    assert card["verdict"].to_dict() == {
        "4.1": CONTRADICTS,  # one head is clearly worse here
        "4.2": SUPPORTS,
        "4.3": SUPPORTS,
        "4.4": CONTRADICTS,
        "4.5": SUPPORTS,
        "4.6": CONTRADICTS,
    }
    assert card.loc["4.2", "run"].startswith("H = 8 minus AP: Pearson Score +")
    one = table[table["model_a"].str.endswith("(seed 1)") & table["model_b"].str.endswith("(seed 1)")]
    few = claims_scores.report_card(one)
    assert (few["verdict"] == UNDECIDED).all()
    assert few["reason"].str.contains("fewer than 3 seeds").all()
    lacking = claims_scores.report_card(table[~table["model_a"].str.startswith("AP")]).set_index("claim")
    assert "did not score" in lacking.loc["4.6", "reason"]
    partial = claims_scores.report_card(table.assign(subset=PARTIAL))
    assert partial["reason"].str.contains("lack subsets").all()
    undefined = claims_scores.report_card(table.assign(low=np.nan))
    assert undefined["reason"].str.contains("constant predictions").all()


def test_the_same_predictions_are_similar(benchmark):
    noise = predictions(benchmark, {"AP": 0.5, "H = 1": 0.5, "H = 8": 0.5, "H = 8 + GLU": 0.5})
    found = {name: noise[f"AP (seed {seed_of(name)})"] for name in NAMES}
    resampled = bootstrap.resample(benchmark, found, samples=50)
    card = claims_scores.report_card(bootstrap.difference_table(score_table(benchmark, found), resampled))
    card = card.set_index("claim")
    assert card.loc["4.1", "verdict"] == SUPPORTS
    assert (card.drop("4.1")["verdict"] == UNDECIDED).all()
