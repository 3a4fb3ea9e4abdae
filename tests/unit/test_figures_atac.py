"""The ATAC-seq figures draw what their tables say."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pandas as pd
import pytest
from drawn import assert_no_two_texts_overlap, assert_nothing_is_cut, texts

from proformer.cli import main
from proformer.errors import InputError
from proformer.figures import atac, locus, style
from proformer.files import read_table, write_table


def lengths_table(samples: int = 2, scale: int = 10_000) -> pd.DataFrame:
    length = np.arange(30, 1300)
    bumps = [(60, 25, 1.0), (195, 22, 0.4), (385, 32, 0.1), (575, 42, 0.03), (1200, 30, 0.001)]
    count = sum(scale * h * np.exp(-0.5 * ((length - m) / s) ** 2) for m, s, h in bumps).astype(int)
    tables = [pd.DataFrame({"sample": f"SRR{i}", "length": length, "count": count * (i + 1)}) for i in range(samples)]
    return pd.concat(tables).query("count > 0")


def profile_tables(rows: int = 50, bins: int = 100) -> tuple[pd.DataFrame, pd.DataFrame]:
    position = np.arange(-1000, 1001)
    mean = 2 + 30 * np.exp(-0.5 * (position / 150) ** 2)
    aggregate = pd.DataFrame({"position": position, "mean": mean, "q25": 0.7 * mean, "q75": 1.2 * mean})
    starts = np.linspace(-1000, 1000, bins, endpoint=False)
    cells = [(i + 1, x, 60 * np.exp(-i / 20 - 0.5 * (x / 150) ** 2)) for i in range(rows) for x in starts]
    return aggregate, pd.DataFrame(cells, columns=["row", "bin", "signal"])


def windows_table(n: int = 3000) -> pd.DataFrame:
    noise = np.random.default_rng(1)
    distance = noise.integers(-450, 451, n)
    target = np.log1p(1000 * np.exp(-0.5 * (distance / 150) ** 2) + noise.exponential(100, n))
    return pd.DataFrame({"distance": distance, "gc": noise.binomial(100, 0.45, n) / 100, "target": target})


def locus_table(reads: int = 200, more: int = 8, contig: str | None = "chr2") -> pd.DataFrame:
    noise, middle = np.random.default_rng(2), 1_234_500
    starts = np.rint(noise.normal(middle, 300, reads)).astype(int)
    rows = [("reads", s, s + int(noise.choice([60, 200, 400])), np.nan) for s in starts]
    edges = np.arange(middle - 1500, middle + 1501, 10)
    signal = np.rint(80 * np.exp(-0.5 * ((edges[:-1] + 5 - middle) / 200) ** 2))
    rows += [("signal", a, b, v) for a, b, v in zip(edges[:-1], edges[1:], signal, strict=True) if v]
    rows += [("summit", middle, middle + 1, 100.0)]
    for offset in (-150, *noise.integers(-500, 400, more)):
        start = middle + int(offset)
        rows += [("window", start, start + 100, np.nan), ("centre", start + 40, start + 60, 1.0)]
    table = pd.DataFrame(rows, columns=["track", "start", "end", "value"])
    return table if contig is None else table.assign(contig=contig)


FIGURES = {
    "fragments": lambda: atac.fragments(lengths_table()),
    "one sample": lambda: atac.fragments(lengths_table(1, 200)),
    "nine samples": lambda: atac.fragments(lengths_table(9)),
    "short fragments": lambda: atac.fragments(lengths_table().query("length < 90")),
    "profile": lambda: atac.profile(*profile_tables()),
    "one summit": lambda: atac.profile(*profile_tables(1)),
    "no signal": lambda: atac.profile(profile_tables()[0], profile_tables()[1].assign(signal=0.0)),
    "windows": lambda: atac.windows(windows_table()),
    "one window": lambda: atac.windows(windows_table(1)),
    "locus": lambda: locus.draw(locus_table()),
    "crowded locus": lambda: locus.draw(locus_table(2000, 60, None)),
    "sparse locus": lambda: locus.draw(locus_table(1, 0)),
}


@pytest.mark.parametrize("name", FIGURES)
def test_draws_without_warning_at_printed_size_and_nothing_is_cut(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure, table = FIGURES[name]()
        assert_nothing_is_cut(figure)
    assert len(table)


@pytest.mark.parametrize("name", ["fragments", "nine samples", "profile", "windows", "locus", "crowded locus"])
def test_no_two_texts_overlap(name):
    assert_no_two_texts_overlap(FIGURES[name]()[0])


def test_files_are_the_same_bytes_twice(tmp_path):
    for take in ("first", "second"):
        for name in ("fragments", "profile", "windows", "locus"):
            figure, table = FIGURES[name]()
            style.save(figure, str(tmp_path / take / name), table)
    first = sorted((tmp_path / "first").iterdir())
    assert len(first) == 16
    for path in first:
        assert path.read_bytes() == (tmp_path / "second" / path.name).read_bytes(), path.name


def test_fragments_are_shares_of_all():
    figure, table = atac.fragments(lengths_table())
    whole = lengths_table()
    assert table["length"].max() <= atac.LONGEST < whole["length"].max()
    sums = table.groupby("sample")["share"].sum()
    kept = whole[whole["length"] <= 1000].groupby("sample")["count"].sum() / whole.groupby("sample")["count"].sum()
    assert (sums / 1000).tolist() == pytest.approx(kept.tolist())
    assert kept.max() < 1
    assert len(figure.axes) == 2
    assert [axes.get_yscale() for axes in figure.axes] == ["linear", "log"]
    drawn = figure.axes[0].lines[0]
    expected = table.query("sample == 'SRR0' and length == 195")["share"].item()
    assert drawn.get_ydata()[drawn.get_xdata() == 195].item() == expected
    assert f"n = {whole['count'].sum():,} fragments" in " ".join(texts(figure))
    assert {"free", "1 nucl.", "2", "3", "library SRR0", "library SRR1"} <= set(texts(figure))


def test_profile_shows_rows_in_order_and_bins_in_place():
    figure, table = atac.profile(*profile_tables())
    aggregate, cells = profile_tables()
    assert figure.axes[0].lines[0].get_ydata().tolist() == aggregate["mean"].tolist()
    mesh = figure.axes[1].collections[0]
    values = mesh.get_array().reshape(50, 100)
    assert values[0].tolist() == cells[cells["row"] == 1]["signal"].tolist()
    assert figure.axes[1].get_ylim() == (50.5, 0.5)  # the first row on top
    assert mesh.get_coordinates()[0, [0, 50, -1], 0].tolist() == [-1000, 0, 1000]
    middles = atac.profile(aggregate, cells.assign(bin=cells["bin"] + 10))[0].axes[1].collections[0]
    assert middles.get_coordinates()[0, [0, 50, -1], 0].tolist() == [-1000, 0, 1000]
    assert table["element"].value_counts().to_dict() == {"heatmap": 5000, "profile": 2001}


def test_windows_are_counted_once_in_each_panel():
    figure, table = atac.windows(windows_table())
    assert table.groupby("panel")["count"].sum().to_dict() == dict.fromkeys([*atac.PANELS, "target by distance"], 3000)
    by = table[table["panel"] == "target by distance"]
    middle = by[(by["low"] <= 0) & (by["high"] > 0)].iloc[0]
    mine = windows_table().query("@middle.low <= distance < @middle.high")["target"]
    assert middle[["q25", "median", "q75"]].tolist() == pytest.approx(np.quantile(mine, [0.25, 0.5, 0.75]).tolist())
    assert middle["median"] > by["median"].iloc[0] + 1
    assert figure.axes[3].lines[0].get_ydata().tolist() == by["median"].tolist()
    gc = table[table["panel"] == "gc"]
    assert (gc["high"] - gc["low"]).nunique() == 1
    assert atac.windows(windows_table(1))[1]["count"].sum() == 4


def test_locus_shows_the_mean_of_the_central_bases():
    table = locus_table()
    figure, drawn = locus.draw(table)
    centre = table[table["track"] == "centre"].iloc[0]
    by_hand = np.mean([
        next((r.value for r in table.query("track == 'signal'").itertuples() if r.start <= x < r.end), 0.0)
        for x in range(centre["start"], centre["end"])
    ])  # fmt: skip
    mean = drawn[drawn["track"] == "centre"].iloc[0]
    assert (mean["start"], mean["value"]) == (centre["start"], pytest.approx(by_hand))
    shown = " ".join(texts(figure))
    assert f"mean of 20 bp = {by_hand:.4g}" in shown
    assert "sequence, 100 nt" in shown
    assert "mean signal of the central 20 bp" in shown
    assert "chr2, position, kb" in shown
    assert "200 fragments shown" in shown


def test_locus_packs_reads_without_overlap_and_says_what_it_leaves_out():
    figure, drawn = locus.draw(locus_table(2000, 60))
    for track in ("reads", "window"):
        for _, row in drawn[drawn["track"] == track].groupby("row"):
            row = row.sort_values("start")
            assert (row["end"].to_numpy()[:-1] <= row["start"].to_numpy()[1:]).all()
    reads = drawn[drawn["track"] == "reads"]
    assert locus.ROWS / 2 < reads["row"].max() < locus.ROWS
    step = round(2000 / len(reads))
    assert reads["start"].tolist() == sorted(locus_table(2000).query("track == 'reads'")["start"])[::step]
    assert f"{len(reads):,} of 2,000 fragments shown" in " ".join(texts(figure))
    window, centre = (drawn[drawn["track"] == track].reset_index() for track in ("window", "centre"))
    assert (window["row"] == 0).sum() == 1
    assert (centre["start"] - window["start"] == 40).all()
    assert (centre["row"] == window["row"]).all()


def test_bad_input():
    with pytest.raises(InputError, match="no column count"):
        atac.fragments(lengths_table().drop(columns="count"))
    with pytest.raises(InputError, match="fragment lengths table: found no rows"):
        atac.fragments(lengths_table().query("length > 1100"))
    with pytest.raises(InputError, match="profile table: found no column position"):
        atac.profile(*reversed(profile_tables()))
    with pytest.raises(InputError, match="heat map table: found no column row"):
        atac.profile(profile_tables()[0], profile_tables()[0])
    with pytest.raises(InputError, match="windows table: found no rows"):
        atac.windows(windows_table(0))
    with pytest.raises(InputError, match="found no row of track summit, window"):
        locus.draw(locus_table().query("track not in ('summit', 'window')"))
    with pytest.raises(InputError, match="found 9 windows and 8 centres"):
        locus.draw(locus_table().drop(locus_table().index[-1]))


def test_draw_draws_each_kind(tmp_path, capsys):
    def run(name: str, **recipe: object) -> int:
        figures = json.dumps({name: recipe})
        return main(["draw", "--figures", figures, "--tables", str(tmp_path), "--out", str(tmp_path / "figures")])

    aggregate, cells = profile_tables()
    tables = {"fragments": [lengths_table()], "windows": [windows_table()], "locus": [locus_table()]}
    for kind, made in (tables | {"profile": [aggregate, cells]}).items():
        draw = kind if kind == "locus" else f"atac.{kind}"
        names = [f"{kind}_{i}.tsv" for i in range(len(made))]
        for name, table in zip(names, made, strict=True):
            write_table(tmp_path / name, table)
        assert run(kind, draw=draw, tables=names) == 0
        assert len(read_table(tmp_path / "figures" / f"{kind}.tsv"))
        assert all((tmp_path / "figures" / f"{kind}.{suffix}").exists() for suffix in ("pdf", "svg", "png"))
    assert run("none", draw="atac.profile", tables=["profile_0.tsv"]) == 2
    assert "found 1 table(s) and the options none, expected what profile takes" in capsys.readouterr().err
    assert not list(tmp_path.rglob("none*"))
