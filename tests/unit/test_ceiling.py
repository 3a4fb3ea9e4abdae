"""A perfect model of simulated data: it predicts what the simulator knows, and its r stands beside every other."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from drawn import assert_no_two_texts_overlap, assert_nothing_is_cut, texts

from proformer.cli import main
from proformer.datasets.store import open_store
from proformer.errors import InputError
from proformer.evaluation.ceiling import file_ceiling, store_ceiling
from proformer.evaluation.dream import MEASURES, SCORES, TITLES, read_benchmark, score_table, with_ceiling
from proformer.evaluation.peers import CEILINGS, COLUMNS, RUN, Entry, printed, score_set
from proformer.evaluation.statistics import all_tests, published_grid
from proformer.figures import curves, grid, peers, scores, style
from proformer.simulate import dream
from proformer.simulate.atac import simulate_fragments, simulate_genome
from proformer.simulate.dream import write_dream
from proformer.simulate.perfect import perfect_codes, perfect_sequences, perfect_windows
from proformer.simulate.promoters import LEFT_FLANK, LONGEST, RIGHT_FLANK, simulate_promoters
from proformer.simulate.vaishnav import NATIVE, write_vaishnav

IDEAL = 0.9312


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("simulated")
    write_dream(path, train=600, test=300, seed=3)
    flanks = ["--flanks", LEFT_FLANK, RIGHT_FLANK]
    layout = [*flanks, "--length", "100", "--too-long", "drop"]
    assert main(["prepare", "--sequences", str(path / dream.TRAIN), "--out", str(path / "all"), *layout]) == 0
    return path


@pytest.fixture(scope="module")
def truth(folder) -> pd.DataFrame:
    return pd.read_csv(folder / "ground_truth.tsv", sep="\t")


def test_a_store_is_predicted_as_the_simulator_knows_it(folder):
    store = open_store(folder / "all")
    known = simulate_promoters(600, seed=3)
    kept = known.length <= 100
    predicted = perfect_codes(np.asarray(store.codes))
    assert len(predicted) == kept.sum() < 600
    whole = known.codes[kept, LONGEST - 1] < 4  # the last base is known
    np.testing.assert_allclose(predicted[whole], known.expression[kept][whole], rtol=1e-6)
    np.testing.assert_allclose(predicted, known.expression[kept], atol=0.5)
    ceiling = store_ceiling(folder / "all")
    expected = np.corrcoef(known.expression[kept], known.measured[kept])[0, 1]
    assert ceiling["pearson"] == pytest.approx(expected, abs=1e-3)
    assert ceiling["n"] == kept.sum()


def test_the_ceiling_of_each_subset_is_the_score_of_the_ground_truth(folder, truth):
    benchmark = read_benchmark(
        "private", folder / dream.MEASURED, [folder / "test_subset_ids"], [folder / "public_leaderboard_ids"]
    )
    known = truth.loc[truth["file"] == dream.MEASURED, "expression"].to_numpy()
    expected = score_table(benchmark, {"truth": known})["value"]
    table = with_ceiling(score_table(benchmark, {"a": -known, "b": known**2}), benchmark)
    for _, mine in table.groupby("model"):
        np.testing.assert_allclose(mine["ceiling"], expected, atol=1e-3)  # the truth has 6 digits, and ties
    assert set(table["measure"]) == {*MEASURES, *SCORES}
    assert file_ceiling(folder / dream.MEASURED)["n"] == 300


def test_score_command_has_the_column_only_when_told(folder, tmp_path):
    words = ["score", "--predictions", str(folder / dream.MEASURED), "--truth", str(folder / dream.MEASURED)]
    words += ["--subsets", str(folder / "test_subset_ids"), "--leaderboard", str(folder / "public_leaderboard_ids")]
    words += ["--samples", "0", "--out"]
    assert (
        main([*words, str(tmp_path / "plain.tsv")]) == main([*words, str(tmp_path / "beside.tsv"), "--simulated"]) == 0
    )
    plain, beside = (pd.read_csv(tmp_path / f"{name}.tsv", sep="\t") for name in ("plain", "beside"))
    assert "ceiling" not in plain
    assert (beside["ceiling"] < 1).all()  # even the measurements themselves are no better model
    assert (beside["value"] > beside["ceiling"]).all()


def test_peers_have_a_ceiling_of_values_and_changes(tmp_path):
    write_vaishnav(tmp_path, native=60, random=60, drift=60, seed=2)
    for name in (NATIVE, "Drift_testdata.csv"):
        out = tmp_path / f"{name}.tsv"
        assert main(["measured", "--file", str(tmp_path / name), "--name", "set", "--out", str(out)]) == 0
        table = pd.read_csv(out, sep="\t")
        ideal = perfect_sequences(table["sequence"].tolist())
        entry = Entry(RUN, "DanQ", "1", ideal)
        found, _ = score_set("set", "Set", "complex", table, [entry], printed("random_2954"), 20, ideal)
        own = found[found["source"] == RUN]
        assert own["what"].tolist() == (["value"] if name == NATIVE else ["value", "change"])
        np.testing.assert_allclose(own[CEILINGS], own[["pearson", "spearman"]])
        assert found.loc[found["source"] != RUN, CEILINGS].isna().all(axis=None)
        assert file_ceiling(out)["pearson"] == pytest.approx(own["pearson"].iloc[0])
        plain, _ = score_set("set", "Set", "complex", table, [entry], printed(None), 20)
        assert plain.columns.tolist() == COLUMNS


def test_windows_of_a_genome_are_predicted_by_a_deep_library(tmp_path):
    words = ["simulate-atac", "--out", str(tmp_path), "--genome-size", "60000", "--pairs", "2000", "--libraries", "1"]
    assert main([*words, "--seed", "4"]) == 0
    genome = simulate_genome(60_000, 4)
    fragments = simulate_fragments(genome, 2000, 4, 0)
    offset = genome.contigs["offset"].to_numpy()[1]
    start = np.arange(300, 14_000, 150)
    ends = (fragments["start"] + fragments["length"]).to_numpy()
    covering = [((fragments["start"] < offset + s + 60) & (ends > offset + s + 40)).sum() for s in start]
    meta = {"contigs": ["chr2"], "windows": {"length": 100, "centre": 20, "transform": "log1p"}}
    columns = {"contig": np.zeros(len(start), dtype=int), "start": start}
    ideal = perfect_windows(tmp_path, columns, meta)
    assert 0.6 < np.corrcoef(ideal, np.log1p(covering))[0, 1] < 1
    with pytest.raises(InputError, match="no such file"):
        perfect_windows(tmp_path / "elsewhere", columns, meta)


def grid_table() -> pd.DataFrame:
    table = published_grid("dream")
    return table[table["dim"] < 256].assign(seed=1)


def figures(ceiling: dict):
    runs = grid_table().assign(**ceiling)
    yield "grid", grid.draw(runs)
    yield "bars", grid.bars(runs)
    yield "violins", grid.violins(runs, factor="blocks", tests=all_tests(runs))
    epochs = pd.DataFrame({"epoch": [1, 2, 3], "train_r": [0.3, 0.5, 0.6], "validation_r": [0.3, 0.4, 0.5]})
    key = {"dataset": "dream", "dim": 8, "heads": 1, "blocks": 2, "seed": 1}
    both = pd.concat([epochs.assign(head=head, **key) for head in ("AP", "8")])
    yield "convergence", curves.convergence(both.assign(**ceiling))


@pytest.mark.parametrize("name", ["grid", "bars", "violins", "convergence"])
def test_figures_show_the_ceiling_of_simulated_data_alone(name):
    figure, drawn = dict(figures({"ceiling": IDEAL}))[name]
    lines = [line for axes in figure.axes for line in axes.get_lines() if line.get_label() == "perfect model"]
    written = [text for text in texts(figure) if "perfect model" in text]
    assert written
    assert all(set(line.get_ydata()) == {IDEAL} for line in lines)
    assert lines or f"{IDEAL:.3f}" in written[0]
    assert drawn["ceiling"].dropna().eq(IDEAL).all()
    assert drawn["ceiling"].notna().any()
    assert_nothing_is_cut(figure)
    assert_no_two_texts_overlap(figure)
    figure, drawn = dict(figures({}))[name]
    assert not [text for text in texts(figure) if "perfect" in text]
    assert "ceiling" not in drawn


def test_scores_show_the_ceiling_of_each_measure_and_subset(folder):
    benchmark = read_benchmark(
        "private", folder / dream.MEASURED, [folder / "test_subset_ids"], [folder / "public_leaderboard_ids"]
    )
    noisy = benchmark.truth + np.random.default_rng(0).normal(0, 1, len(benchmark.truth))
    table = with_ceiling(score_table(benchmark, {"AP (seed 1)": noisy, "H = 8 (seed 1)": -noisy}), benchmark)
    figure, drawn = scores.draw(table)
    at = {axes.get_title(): line.get_xdata()[0] for axes in figure.axes for line in axes.get_lines()
          if line.get_label() == "perfect model"}  # fmt: skip
    ideal = table.drop_duplicates(["subset", "measure"]).set_index(["subset", "measure"])["ceiling"]
    assert at["Spearman ρ"] == ideal["all", "spearman"]
    assert len(at) == len(TITLES)
    assert_nothing_is_cut(figure)
    figure, drawn = scores.draw_subsets(table)
    row = drawn[drawn["name"] == style.PERFECT].set_index(["subset", "measure"])["value"]
    assert row["SNVs", "r2"] == ideal["SNVs", "r2"]
    assert_nothing_is_cut(figure)
    assert_no_two_texts_overlap(figure)
    assert style.PERFECT not in set(scores.draw_subsets(table.drop(columns="ceiling"))[1]["name"])


def test_peers_show_the_ceiling_of_each_panel():
    rows = [("native", "value", 0.5, 0.97), ("native", "change", 0.2, 0.6)]
    table = pd.DataFrame(rows, columns=["set", "what", "pearson", "pearson_ceiling"])
    table = table.assign(title="Set", medium="complex", source=RUN, model="DanQ", seed="1", n=50, note="")
    figure, drawn = peers.draw(table.reindex(columns=[*COLUMNS, *CEILINGS]))
    lines = [line for axes in figure.axes for line in axes.get_lines() if line.get_label() == "perfect model"]
    assert [line.get_ydata()[0] for line in lines] == [0.97, 0.6]
    assert drawn["pearson_ceiling"].tolist() == [0.97, 0.6]
    assert "perfect model" in texts(figure)
