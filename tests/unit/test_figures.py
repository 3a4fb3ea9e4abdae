from __future__ import annotations

import itertools
import json
import re
import warnings

import numpy as np
import pandas as pd
import pytest
from drawn import assert_no_two_texts_overlap, assert_nothing_is_cut, texts
from PIL import Image

from proformer.cli import main
from proformer.errors import InputError
from proformer.evaluation.statistics import FACTORS, TWO_SIDED, all_tests, published_grid
from proformer.figures import architecture, curves, grid, style
from proformer.files import read_table, write_table

DREAM = published_grid("dream")


def small_grid() -> pd.DataFrame:
    """Two widths, two depths, AP, 1, 8 and 32+GLU, two seeds; one undefined r, one point missing."""
    noise = np.random.default_rng(2)
    rows = [
        ("mouse", d, d // 8, b, head, seed, 0.4 + 0.02 * b + 0.01 * noise.normal())
        for d in (8, 16)
        for b in (1, 2)
        for head in ("AP", "1", "8", "32+GLU")
        for seed in (0, 1)
    ]
    table = pd.DataFrame(rows, columns=["dataset", "dim", "heads", "blocks", "head", "seed", "r"])
    table.loc[0, "r"] = np.nan
    return table[~((table["dim"] == 16) & (table["blocks"] == 2) & (table["head"] == "1"))]


def epochs_table(n: int = 20, seeds: int = 3) -> pd.DataFrame:
    point = {"dataset": "dream", "dim": 256, "heads": 8, "blocks": 8}
    rows = [
        point | {"head": head, "seed": seed, "epoch": t, "train_r": r + 0.01, "validation_r": r}
        for head, top in (("AP", np.nan), ("32", 0.7))
        for seed in range(seeds)
        for t in range(1, n + 1)
        for r in [top * (1 - 0.5**t) - 0.001 * max(0, t - 12) + 0.001 * seed]
    ]
    return pd.DataFrame(rows)


ONE_SEED = small_grid().query("seed == 1")
ONE = DREAM[(DREAM["dim"] == 64) & (DREAM["blocks"] == 1) & (DREAM["head"] == "8")]
GRIDS = {
    "published": DREAM,
    "atac": published_grid("atac"),
    "small": small_grid(),
    "one seed": ONE_SEED,
    "one point": ONE,
    "all failed": DREAM.assign(r=np.nan),
}


def description(heads: int = 32) -> dict:
    """The paper's largest model as `facts` count it, 47,425,543 parameters; average pooling for no heads."""
    d, rows = 512, [200 + heads, 512]
    ff = {"label": "½ feed-forward", "residual": True, "output": rows, "parameters": 2 * d + 6 * d * d}
    layers = [
        ff,
        {"label": "convolution", "residual": True, "output": rows, "parameters": 18 * d + d * d},
        {"label": "layer norm", "output": rows, "parameters": 2 * d},
        {"label": "attention, 8 heads", "residual": True, "output": rows, "parameters": 32 * d * d + 25 * d},
        ff,
    ]
    block = sum(layer["parameters"] for layer in layers)
    stages = [
        {"part": "input", "label": "both strands, one-hot", "output": [200, 6], "parameters": 0},
        {"part": "stem", "label": "k-mer embedding", "output": [200, d], "parameters": 61 * d},
        {"part": "stem", "label": "position", "join": "add", "output": [200, d], "parameters": 200 * d},
        {"part": "stem", "label": "strand", "join": "add", "output": [200, d], "parameters": 2 * d},
        {"part": "stem", "label": "tokens", "join": "prepend", "output": rows, "parameters": 2 * d},
        {"part": "core", "label": "block", "repeat": 4, "output": rows, "parameters": 4 * block, "layers": layers},
        {"part": "head", "branch": "expression", "label": "dense", "output": [heads, 1], "parameters": d + 1},
        {"part": "head", "branch": "expression", "label": "mean", "output": [1], "parameters": 0},
        {"part": "head", "branch": "nucleotides", "label": "dense", "output": [200, 6], "parameters": 6 * d + 6},
    ]
    if not heads:
        stages = [stage for stage in stages if stage["label"] != "tokens" and stage.get("branch") != "nucleotides"]
    return {"name": "Proformer", "parameters": sum(stage["parameters"] for stage in stages), "stages": stages}


def all_figures():
    for name, table in GRIDS.items():
        yield f"{name}: grid", lambda t=table: grid.draw(t)
        yield f"{name}: bars", lambda t=table: grid.bars(t)
        for factor in FACTORS:
            yield f"{name}: {factor}", lambda t=table, f=factor: grid.violins(t, all_tests(t), f)
    yield "20 epochs", lambda: curves.convergence(epochs_table())
    yield "one epoch", lambda: curves.convergence(epochs_table(1, 1))
    yield "model", lambda: architecture.draw(description())
    yield "heads", lambda: architecture.draw_heads(description(0), description())


FIGURES = dict(all_figures())


@pytest.mark.parametrize("name", FIGURES)
def test_draws_without_warning_at_printed_size_and_nothing_is_cut(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure, table = FIGURES[name]()
        assert_nothing_is_cut(figure)
    assert len(table)


@pytest.mark.parametrize("name", ["published: grid", "published: blocks", "small: bars", "20 epochs", "model"])
def test_no_two_texts_overlap(name):
    assert_no_two_texts_overlap(FIGURES[name]()[0])


def test_files_are_the_same_bytes_twice_and_hold_type_42_fonts(tmp_path):
    for take in ("first", "second"):
        for name in ("small: grid", "one seed: blocks", "model"):
            figure, table = FIGURES[name]()
            style.save(figure, str(tmp_path / take / name.replace(": ", "_")), table)
    first = sorted((tmp_path / "first").iterdir())
    assert len(first) == 12
    assert {path.suffix for path in first} == {".pdf", ".svg", ".png", ".tsv"}
    for path in first:
        data = path.read_bytes()
        assert data == (tmp_path / "second" / path.name).read_bytes(), path.name
        if path.suffix == ".pdf":
            assert b"/Type3" not in data
            assert b"/FontFile2" in data
            assert b"CreationDate" not in data
        if path.suffix == ".svg":
            assert b"<text" in data
            assert b"<dc:date>" not in data
        if path.suffix == ".png":
            image = Image.open(path)
            assert image.width in (1003, 1004, 2125, 2126)
            assert round(image.info["dpi"][0]) == 300


def test_grid_draws_what_its_table_says():
    figure, table = grid.draw(small_grid())
    drawn = [text for text in texts(figure) if re.fullmatch(r"\d\.\d{4}|–", text)]
    assert sorted(drawn) == sorted([*(f"{r:.4f}" for r in table["r"]), "–"])
    mesh = figure.axes[0].collections[0].get_array().compressed()
    assert sorted(mesh) == pytest.approx(sorted(table["r"]))
    assert table.groupby(["dim", "blocks"])["best"].sum().eq(1).all()
    assert len(figure.axes[0].patches) == table["best"].sum()
    assert not grid.draw(DREAM.assign(r=np.nan))[1]["best"].any()
    bold = [text.get_text() for text in figure.axes[0].texts if text.get_weight() == "bold"]
    assert sorted(bold) == sorted(f"{r:.4f}" for r in table.loc[table["best"], "r"])
    assert table["n_undefined"].sum() == 1


def test_published_grid_highlights_the_papers_best():
    _, table = grid.draw(DREAM)
    best = table[table["best"]].set_index(["dim", "blocks"])["head"]
    assert (len(best), best[64, 4], best[128, 8], best[256, 8]) == (12, "64", "64", "32")


def test_bars_draw_what_their_table_says():
    figure, table = grid.bars(small_grid())
    heights = [patch.get_height() for patch in figure.axes[0].patches]
    means = table[table["element"] == "bar"]
    assert sorted(heights) == pytest.approx(sorted(means["r"]))
    dots = np.concatenate([line.get_ydata() for line in figure.axes[0].lines if line.get_marker() == "o"])
    assert sorted(dots) == pytest.approx(sorted(table.loc[table["element"] == "dot", "r"]))
    pooled = small_grid().query("head == 'AP' and blocks == 1")["r"].fillna(0)
    row = means[(means["head"] == "AP") & (means["blocks"] == 1)].iloc[0]
    assert (row["r"], row["sd"], row["n"]) == (pytest.approx(pooled.mean()), pytest.approx(pooled.std()), 4)


@pytest.mark.parametrize("factor", FACTORS)
def test_violins_draw_what_their_table_says(factor):
    tests = all_tests(DREAM)
    figure, table = grid.violins(DREAM, tests, factor)
    axes = figure.axes[0]
    points = table[table["element"] == "point"]
    assert len(points) == 48
    dots = np.concatenate([line.get_ydata() for line in axes.lines if line.get_marker() == "o"])
    assert sorted(dots) == pytest.approx(sorted(points["r"]))
    boxes = table[table["element"] == "box"]
    assert len(axes.collections) == len(boxes)  # one violin each
    assert boxes["median"].tolist() == pytest.approx(points.groupby("level", sort=False)["r"].median()[boxes["level"]])
    brackets = table[table["element"] == "bracket"]
    mine = tests[(tests["family"] == factor) & (tests["alternative"] == TWO_SIDED)].set_index(["a", "b"])["p"]
    assert len(brackets) == len(mine)
    assert [mine[pair.a, pair.b] for pair in brackets.itertuples()] == brackets["p_two_sided"].tolist()
    shown = [text for text in texts(figure) if re.fullmatch(r"<?[\d.]+\*? \| <?[\d.]+\*?", text)]
    assert len(shown) == len(brackets)
    if factor == "dim":
        assert "0.0765 | 0.0382*" in shown
        assert [label.get_text() for label in axes.get_xticklabels()] == ["2 (64)", "4 (128)", "8 (256)"]


def test_a_grid_of_any_axes_has_a_panel_for_each():
    noise = np.random.default_rng(1)
    levels = [("autosome", "unlock_dna", "bhi"), (3, 5), ("one",), (1, 2)]
    rows = [(*point, 0.7 + 0.01 * noise.normal()) for point in itertools.product(*levels)]
    table = pd.DataFrame(rows, columns=["core", "kmer", "only", "seed", "r"])
    table.insert(0, "run", "blocks")
    table.insert(0, "dataset", "dream")
    table.loc[0, "r"] = np.nan
    figure, drawn = grid.by_axis(table)
    assert [axes.get_xlabel() for axes in figure.axes] == ["core", "kmer"]
    means = table.fillna({"r": 0}).groupby(["core", "kmer"])["r"].mean()
    for axes in figure.axes:
        dots = np.concatenate([line.get_ydata() for line in axes.lines if line.get_marker() == "o"])
        assert sorted(dots) == pytest.approx(sorted(means))
    assert drawn.groupby("axis")["r"].sum().tolist() == pytest.approx([means.sum()] * 2)
    assert_nothing_is_cut(figure)
    assert_no_two_texts_overlap(figure)
    with pytest.raises(InputError, match="column run: found 2 values"):
        grid.by_axis(pd.concat([table, table.assign(run="other")]))


def test_violins_without_p_have_no_brackets_and_many_levels_only_neighbours():
    one_size = DREAM[(DREAM["dim"] == 64) & (DREAM["blocks"] == 1)]
    _, table = grid.violins(one_size, all_tests(one_size), "head")
    assert set(table["element"]) == {"point", "box"}
    more = pd.concat([DREAM, DREAM[DREAM["head"] == "64"].assign(head="128")])
    _, table = grid.violins(more, all_tests(more), "head")
    brackets = table[table["element"] == "bracket"]
    assert list(zip(brackets["a"], brackets["b"], strict=True)) == [
        ("8", "16"),
        ("16", "32"),
        ("32", "64"),
        ("64", "128"),
    ]


def test_convergence_draws_what_its_table_says():
    figure, table = curves.convergence(epochs_table())
    assert len(table) == 2 * 2 * 4 * 20
    left, right = figure.axes
    for axes, panel in ((left, "training"), (right, "validation")):
        lines = [line.get_ydata() for line in axes.lines if len(line.get_xdata()) == 20]
        assert sorted(np.concatenate(lines)) == pytest.approx(sorted(table.loc[table["panel"] == panel, "r"]))
    best = table[table["best"]].groupby("head")["epoch"].unique()
    expected = epochs_table(seeds=1).query("head == '32'").set_index("epoch")["validation_r"].idxmax()
    assert best["32"].tolist() == [expected]
    assert (table.loc[table["head"] == "AP", "r"] == 0).all()


def test_model_shows_every_number_and_adds_up():
    figure, table = architecture.draw(description())
    shown = " ".join(texts(figure))
    assert "47,425,543 parameters" in shown
    assert "232 × 512  ·  8,401,408 parameters" in shown
    for row in table[table["part"] != "core"].itertuples():
        assert row.output in shown
        assert f"{row.parameters:,} parameters" in shown or not row.parameters
    assert table.loc[table["part"] != "layer", "parameters"].sum() == 47_425_543
    wrong = description() | {"parameters": 1}
    with pytest.raises(InputError, match="found parts of 47,425,543 parameters, expected 1"):
        architecture.draw(wrong)
    wrong = description()
    wrong["stages"][5]["layers"] = wrong["stages"][5]["layers"][:-1]
    with pytest.raises(InputError, match="stage 'block'"):
        architecture.draw(wrong)
    with pytest.raises(InputError, match="no 'label'"):
        architecture.draw({"name": "x", "parameters": 0, "stages": [{"part": "stem"}]})
    with pytest.raises(InputError, match="part 'tail'"):
        architecture.draw({"name": "x", "parameters": 0, "stages": [{"part": "tail", "label": "y"}]})


def test_heads_show_the_two_designs():
    figure, table = architecture.draw_heads(description(0) | {"name": "AP"}, description())
    assert {"AP", "Proformer"} <= set(texts(figure))
    assert table.groupby("name")["part"].count().to_dict() == {"AP": 3, "Proformer": 4}


def test_source_says_where_the_numbers_come_from():
    assert style.source(DREAM) == "published: n = 72 models"
    assert style.source(small_grid()) == "this run: n = 15 models × 2 seeds"
    assert style.source(ONE) == "published: n = 1 model"
    assert "published: n = 72 models" in texts(grid.draw(DREAM)[0])


def test_bad_input():
    with pytest.raises(InputError, match="column dataset: found 2 values"):
        grid.draw(published_grid())
    with pytest.raises(InputError, match="column dim: found 2 values"):
        curves.convergence(pd.concat([epochs_table(), epochs_table().assign(dim=8)]))
    with pytest.raises(InputError, match="no column train_r"):
        curves.convergence(epochs_table().drop(columns="train_r"))
    with pytest.raises(InputError, match="'width'"):
        grid.violins(DREAM, factor="width")
    with pytest.raises(InputError, match="more than one expression head"):
        grid.violins(DREAM[DREAM["head"] == "AP"], factor="dim")


def test_draw_draws_filtered_rows_and_refuses_bad_ones(tmp_path, capsys):
    def run(**recipes: object) -> int:
        return main(["draw", "--figures", json.dumps(recipes), "--tables", str(tmp_path), "--out", str(tmp_path)])

    write_table(tmp_path / "grid.tsv", published_grid())
    write_table(tmp_path / "tests.tsv", all_tests(published_grid()))
    (tmp_path / "model.json").write_text(json.dumps(description()))
    violins = {"draw": "grid.violins", "tables": ["grid.tsv", "tests.tsv"], "options": {"factor": "dim"}}
    some = violins | {"where": {"dataset": "atac", "blocks": [1, 2, 4, 8]}, "caption": "What it shows."}
    assert run(some=some, fig1={"draw": "architecture", "tables": ["model.json"]}) == 0
    drawn = read_table(tmp_path / "some.tsv")
    assert drawn["element"].value_counts().to_dict() == {"point": 32, "box": 2, "bracket": 1}
    assert (tmp_path / "some.rst").read_text() == "What it shows.\n"
    assert (tmp_path / "fig1.svg").exists()
    for recipe, message in (
        (violins, "none, from .*grid.tsv, .*tests.tsv: .* found 2 values .atac, dream., expected one"),
        (violins | {"where": {"dataset": "moon"}}, "found no rows with {'dataset': 'moon'}, expected some"),
        (violins | {"where": {"moon": 1}}, "found no column 'moon', expected one of dataset, "),
        (
            violins | {"options": {"colour": "red"}},
            "found 2 table.s. and the options colour, expected what violins",
        ),
        (violins | {"colour": "red"}, "none: unknown key 'colour'; known: draw, tables"),
        ({"draw": "pie", "tables": ["grid.tsv"]}, "none: draw: found 'pie', expected MODULE or MODULE.FUNCTION"),
        ({"draw": "grid", "tables": ["tests.tsv"], "where": {"dataset": "dream"}}, "found no column dim, heads"),
        ({"draw": "grid", "tables": ["nothing.tsv"]}, "nothing.tsv"),
    ):
        assert run(none=recipe) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert re.search(message, error), error
        assert not list(tmp_path.glob("none*"))


def test_no_figure_is_refused(tmp_path, capsys):
    assert main(["draw", "--figures", "{}", "--out", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err == "proformer draw: error: --figures: found no figure, expected some\n"
