"""The simulator: its model obeys its equations, its files read as the published ones do."""

from __future__ import annotations

import gzip
import hashlib
import itertools
import json
import math
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from proformer.cli import main
from proformer.errors import InputError
from proformer.sequences import N, encode, reverse_complement
from proformer.simulate import dream
from proformer.simulate.dream import write_dream
from proformer.simulate.model import PARAMETERS, evaluate
from proformer.simulate.promoters import (
    BLOCK,
    LEFT_FLANK,
    LONGEST,
    RIGHT_FLANK,
    Promoters,
    promoter_blocks,
    random_inserts,
    simulate_promoters,
    stream,
)

SITES = {site.consensus: site for site in PARAMETERS.sites}
NAMES = [factor.name for factor in PARAMETERS.factors]
SINGLES = {"all_random": "random", "yeast": "yeast", "high_exp": "high", "low_exp": "low", "challenging": "challenging"}
PAIRS = {"all_SNVs": "SNVs", "motif_perturbation": "motif_perturbation", "motif_tiling": "motif_tiling"}
HEADERS = {
    "all_random": ",Unnamed: 0,tag,sequence,pos,exp",
    "motif_perturbation": ",Unnamed: 0,alt_tag,ref_tag,alt_sequence,ref_sequence,alt_pos,ref_pos,alt_exp,ref_exp",
    **dict.fromkeys(("yeast", "high_exp", "low_exp", "challenging"), ",tag,sequence,pos,exp"),
    **dict.fromkeys(
        ("motif_tiling", "all_SNVs"), ",alt_tag,ref_tag,alt_sequence,ref_sequence,alt_pos,ref_pos,alt_exp,ref_exp"
    ),
}


@pytest.fixture(scope="module")
def library() -> Promoters:
    return simulate_promoters(8000, seed=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("simulated")
    write_dream(path, train=3000, test=600, seed=5)
    return path


@pytest.fixture(scope="module")
def measured(folder) -> pd.DataFrame:
    return pd.read_csv(folder / dream.MEASURED, sep="\t", header=None, names=["sequence", "value"])


@pytest.fixture(scope="module")
def truth(folder) -> pd.DataFrame:
    return pd.read_csv(folder / "ground_truth.tsv", sep="\t")


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def backgrounds(n: int, seed: int = 0) -> np.ndarray:
    return random_inserts(stream(seed, 99), n)


def planted(codes: np.ndarray, motif: str, start: int, reverse: bool = False) -> np.ndarray:
    site = np.where(encode(motif) < N, encode(motif), 0).astype(np.uint8)
    codes = codes.copy()
    codes[start : start + len(site)] = (reverse_complement(site) if reverse else site)[:, None]
    return codes


def shift(codes: np.ndarray, motif: str, start: int, reverse: bool = False, **keywords) -> float:
    after = evaluate(planted(codes, motif, start, reverse), **keywords).expression
    return float(np.mean(after - evaluate(codes, **keywords).expression))


def activity(codes: np.ndarray, parameters=PARAMETERS, **keywords) -> np.ndarray:
    """x of the module's equations: expression before it saturates."""
    level = evaluate(codes, parameters, **keywords).expression
    share = (level - parameters.lowest) / (parameters.highest - parameters.lowest)
    return np.log(share / (1 - share))


def by_hand(insert: str) -> tuple[float, dict[str, float], float]:
    """The module's equations, letter by letter."""
    parameters, length = PARAMETERS, len(insert)
    complement = str.maketrans("ACGTN", "TGCAN")
    theta, effect = {}, {}
    for f in parameters.factors:
        states, gained = 1.0, 0.0
        for site in (s for s in parameters.sites if s.factor == f.name):
            width = len(site.consensus)
            bound = []
            for i, (strand, word) in itertools.product(
                range(length - width + 1), ((1, site.consensus), (-1, site.consensus[::-1].translate(complement)))
            ):
                letters = insert[i : i + width]
                energy = site.mismatch * sum(a != b for a, b in zip(letters, word, strict=True) if b != "N")
                q = 0.0 if "N" in letters else site.affinity * math.exp(-energy)
                d = length - (i + width / 2)
                g = (f.forward if strand > 0 else f.reverse) * (
                    1 + f.slope * (d - 40) / 40 + f.helix * math.cos(2 * math.pi * (d - f.phase) / 10.5)
                )
                bound.append((i, q, g))
                states += q
                gained += site.proteins * q * g
            if f.cooperativity and site.proteins == 1:
                for (i, q, g), (j, q2, g2) in itertools.product(bound, bound):
                    if 8 <= j - i <= 24:
                        states += f.cooperativity * q * q2
                        gained += f.cooperativity * q * q2 * (g + g2)
        theta[f.name], effect[f.name] = 1 - 1 / states, gained / states
    opening = 1 / (1 + math.exp(-(parameters.closed + sum(f.opening * effect[f.name] for f in parameters.factors))))
    known = insert.replace("N", "")
    x = parameters.basal + parameters.gc_effect * (sum(known.count(b) for b in "GC") / len(known) - parameters.gc_mean)
    x += sum(f.activation * effect[f.name] * (1 if f.pioneer else opening) for f in parameters.factors)
    level = parameters.lowest + (parameters.highest - parameters.lowest) / (1 + math.exp(-x))
    return level, theta, opening


@pytest.mark.parametrize("length", [57, 80, 105])
def test_model_obeys_its_equations(length):
    rng = np.random.default_rng(length)
    insert = "".join(rng.choice(list("ACGT"), length))
    insert = insert[:10] + "ATGGAACA" + insert[18:30] + "TTCTAGAACTTTCT" + insert[44:50] + "NN" + insert[52:]
    state = evaluate(encode(insert)[:, None])
    level, theta, opening = by_hand(insert)
    assert state.expression[0] == pytest.approx(level, rel=1e-5)
    assert state.opening[0] == pytest.approx(opening, rel=1e-5)
    assert state.occupancy[:, 0] == pytest.approx([theta[name] for name in NAMES], rel=1e-4)


def test_padding_above_a_short_insert_changes_nothing():
    codes = backgrounds(50)[20:]
    padded = np.concatenate([np.full((52, 50), N, dtype=np.uint8), codes])
    for plain, tall in zip(evaluate(codes), evaluate(padded), strict=True):
        np.testing.assert_array_equal(plain, tall)


@pytest.mark.parametrize("consensus", SITES)
def test_planted_site_is_bound_unless_it_holds_n(consensus):
    codes = planted(backgrounds(300), consensus, 30)
    factor = NAMES.index(SITES[consensus].factor)
    hidden = codes.copy()
    hidden[30 : 30 + len(consensus)] = N
    bound, free = evaluate(codes).occupancy[factor], evaluate(hidden).occupancy[factor]
    assert bound.mean() > free.mean() + 0.15
    assert bound.min() > SITES[consensus].affinity / (1 + SITES[consensus].affinity) - 0.01


@pytest.mark.parametrize("consensus", SITES)
def test_planted_site_acts_as_its_sign_says(consensus):
    """Averaged over a helical turn, against the consensus with its letters in another order (same GC content)."""
    factor = PARAMETERS.factors[NAMES.index(SITES[consensus].factor)]
    sign = np.sign(factor.activation)
    codes = backgrounds(400)
    acting = np.mean([evaluate(planted(codes, consensus, start)).expression for start in range(20, 41)])
    without = replace(PARAMETERS, sites=tuple(s for s in PARAMETERS.sites if s.factor != factor.name))
    idle = np.mean([evaluate(planted(codes, consensus, start), without).expression for start in range(20, 41)])
    none = np.mean(evaluate(codes).expression - evaluate(codes, without).expression)
    assert sign * (acting - idle - none) > 0.1 * abs(factor.activation)


def test_neighbouring_hsf1_sites_are_super_additive():
    codes, first, second = backgrounds(500), 24, 36

    without = replace(PARAMETERS, gc_effect=0.0)

    def excess(additive: bool) -> float:
        def level(x: np.ndarray) -> np.ndarray:
            return activity(x, without, additive=additive)

        one, two = planted(codes, "ATGGAACA", first), planted(codes, "ATGGAACA", second)
        return float(np.mean(level(planted(one, "ATGGAACA", second)) - level(one) - level(two) + level(codes)))

    assert excess(additive=False) > 0.1
    assert excess(additive=True) < 0


def test_partners_count_only_within_reach():
    hsf1 = NAMES.index("Hsf1")
    codes = planted(np.zeros((80, 1), dtype=np.uint8), "ATGGAACA", 4)
    occupancy = {gap: evaluate(planted(codes, "ATGGAACA", 4 + gap)).occupancy[hsf1, 0] for gap in (8, 24, 25, 60)}
    assert min(occupancy[8], occupancy[24]) > 0.97 > 0.9 > max(occupancy[25], occupancy[60])


def test_strand_and_position_matter():
    codes = backgrounds(500)
    assert shift(codes, "TAAAAGAAA", 35) > shift(codes, "TAAAAGAAA", 35, reverse=True) + 0.3
    azf1 = [shift(codes, "TAAAAGAAA", start) for start in range(72)]
    turn = np.exp(2j * np.pi * np.arange(63) / 10.5)  # six turns
    slow = np.polyval(np.polyfit(np.arange(63), azf1[:63], 2), np.arange(63))
    assert abs(np.dot(azf1[:63] - slow, turn)) / 63 > 0.1
    assert shift(codes, "TTACCCG", 5) > shift(codes, "TTACCCG", 65) + 0.2  # Reb1 acts best from afar


def test_chromatin_gates_activators():
    open_, closed = (planted(backgrounds(500), site, 10) for site in ("TTACCCG", "AGCCGCC"))
    assert evaluate(open_).opening.mean() > 2 * evaluate(closed).opening.mean()

    def gained(codes: np.ndarray) -> float:
        return float(np.mean(activity(planted(codes, "TAAAAGAAA", 40)) - activity(codes)))

    assert gained(open_) > 1.5 * gained(closed)


def test_library_resembles_the_published_one(library):
    share = np.bincount(library.length, minlength=LONGEST + 1) / 8000
    assert share[80] == pytest.approx(0.819, abs=0.02)
    assert share[79] == pytest.approx(0.1275, abs=0.02)
    assert 0 < share[101:].sum() < 0.005
    assert library.length.min() >= 48
    inserts = [codes[LONGEST - n :] for codes, n in zip(library.codes, library.length, strict=True)]
    assert all((codes[: LONGEST - n] == N).all() for codes, n in zip(library.codes, library.length, strict=True))
    assert sum((insert == N).any() for insert in inserts) == pytest.approx(8000 * 25 / 6370, abs=17)
    bases = np.bincount(np.concatenate(inserts), minlength=5)
    assert bases[:4] / bases[:4].sum() == pytest.approx([0.2255, 0.1924, 0.2813, 0.3008], abs=0.005)
    gc = [np.isin(insert, (1, 2)).mean() for insert in inserts if len(insert) == 80]
    assert np.std(gc) == pytest.approx(0.082, abs=0.006)


def test_promoters_of_every_length_are_evaluated_whole(library):
    assert len(set(library.sequences())) == 8000
    odd = np.flatnonzero(library.length != 80)
    assert (library.length[odd] > 80).any()
    for i in odd:
        state = evaluate(library.codes[i, LONGEST - library.length[i] :, None])
        assert state.expression[0] == pytest.approx(library.expression[i], rel=1e-6)
        assert state.occupancy[:, 0] == pytest.approx(library.occupancy[i], abs=1e-6)


def test_measurement(library):
    whole = library.measured == np.rint(library.measured)
    assert whole.mean() == pytest.approx(0.62, abs=0.02)
    assert whole[library.cells == 1].all()
    assert whole[library.cells > 3].mean() < 0.05
    assert library.measured.min() >= 0
    assert library.measured.max() <= 17
    assert library.measured.mean() == pytest.approx(11.15, abs=0.3)
    error = library.measured - library.expression
    assert error[library.cells == 1].std() > 1.5 * error[library.cells > 3].std()
    assert 0.95 < np.corrcoef(library.expression, library.measured)[0, 1] < 0.985


def words(codes: np.ndarray, k: int) -> np.ndarray:
    windows = np.lib.stride_tricks.sliding_window_view(codes, k, axis=1).astype(np.int64)
    index = np.where((windows < N).all(axis=2), windows @ (4 ** np.arange(k)), 4**k)
    counts = np.zeros((len(codes), 4**k + 1))
    np.add.at(counts, (np.arange(len(codes))[:, None], index), 1)
    return counts[:, : 4**k]


def ridge(x: np.ndarray, y: np.ndarray, train: int, penalty: float = 100.0) -> float:
    x = x - x[:train].mean(axis=0)
    gram = x[:train].T @ x[:train] + penalty * np.eye(x.shape[1])
    weights = np.linalg.solve(gram, x[:train].T @ (y[:train] - y[:train].mean()))
    return float(np.corrcoef(x[train:] @ weights, y[train:])[0, 1])


def test_learnable_from_four_thousand_rows(library):
    composition = ridge(words(library.codes[:6000], 1), library.measured[:6000], 4000)
    grammar = ridge(words(library.codes[:6000], 4), library.measured[:6000], 4000)
    assert composition < 0.55
    assert grammar > composition + 0.2


def test_blocks_are_stable_and_memory_is_flat():
    small, large = simulate_promoters(BLOCK + 10, seed=3), simulate_promoters(3 * BLOCK, seed=3)
    np.testing.assert_array_equal(small.codes, large.codes[: BLOCK + 10])
    np.testing.assert_array_equal(small.measured, large.measured[: BLOCK + 10])
    peaks = []
    for blocks in (2, 8):
        tracemalloc.start()
        for _ in promoter_blocks(blocks * BLOCK, seed=3):
            pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0] < 60e6


def test_training_file(folder, truth):
    rows = [line.split("\t") for line in (folder / dream.TRAIN).read_text().splitlines()]
    assert len(rows) == 3000
    assert all(len(row) == 2 for row in rows)
    sequences, values = zip(*rows, strict=True)
    assert all(s.startswith(LEFT_FLANK) and s.endswith(RIGHT_FLANK) and set(s) <= set("ACGTN") for s in sequences)
    assert all(78 <= len(s) <= 142 for s in sequences)
    assert sum(value.isdigit() for value in values) / 3000 == pytest.approx(0.62, abs=0.04)
    assert all(f"{float(value):.15g}" == value for value in values)
    known = simulate_promoters(3000, seed=5)
    assert list(sequences) == known.sequences()
    rows = truth[truth["file"] == dream.TRAIN]
    assert rows["row"].tolist() == list(range(3000))
    np.testing.assert_allclose(rows["expression"], known.expression, atol=1e-6)
    np.testing.assert_allclose(rows.filter(like="occupancy_"), known.occupancy, atol=1e-4)
    assert rows["cells"].tolist() == known.cells.tolist()


def test_test_files(folder, measured, truth):
    assert len(measured) == 600
    assert measured["sequence"].str.fullmatch(f"{LEFT_FLANK}[ACGT]{{80}}{RIGHT_FLANK}").all()
    assert measured["sequence"].is_unique
    assert measured["sequence"].is_monotonic_increasing
    blank = [line.split("\t") for line in (folder / dream.TEST).read_text().splitlines()]
    assert [row[0] for row in blank] == measured["sequence"].tolist()
    assert {row[1] for row in blank} == {"0"}
    rows = truth[truth["file"] == dream.MEASURED]
    assert rows["row"].tolist() == list(range(600))
    assert measured["value"].between(-2.7, 2.7).all()
    assert np.corrcoef(rows["expression"], measured["value"])[0, 1] > 0.97
    codes = np.stack([encode(s[17:-13]) for s in measured["sequence"]])
    np.testing.assert_allclose(evaluate(np.ascontiguousarray(codes.T)).expression, rows["expression"], atol=1e-6)


@pytest.mark.parametrize("name", HEADERS)
def test_subset_tables(folder, measured, name):
    path = folder / "test_subset_ids" / f"{name}_seqs.csv"
    assert path.read_text().splitlines()[0] == HEADERS[name]
    table = pd.read_csv(path)
    assert table.iloc[:, 0].tolist() == list(range(len(table)))
    for prefix in ("",) if name in SINGLES else ("alt_", "ref_"):
        assert table[f"{prefix}exp"].isna().all()
        assert (measured["sequence"].to_numpy()[table[f"{prefix}pos"]] == table[f"{prefix}sequence"]).all()
        assert table[f"{prefix}tag"].notna().all()


def test_subsets_are_what_they_are_called(folder, measured):
    tables = {name: pd.read_csv(folder / "test_subset_ids" / f"{name}_seqs.csv") for name in HEADERS}
    value = {name: measured["value"].to_numpy()[tables[name]["pos"]].mean() for name in SINGLES}
    assert value["high_exp"] > value["all_random"] + 1 > value["low_exp"] + 2
    gc = {name: tables[name]["sequence"].str[17:-13].str.count("[GC]").mean() for name in SINGLES}
    assert gc["yeast"] < gc["all_random"] - 3
    assert tables["yeast"]["pos"].duplicated().any()

    def contrast(name: str) -> float:
        codes = np.ascontiguousarray(np.stack([encode(s[17:-13]) for s in tables[name]["sequence"]]).T)
        return float(np.abs(evaluate(codes).expression - evaluate(codes, additive=True).expression).mean())

    assert contrast("challenging") > 2 * contrast("all_random")
    distance = {
        name: np.array(
            [
                sum(a != b for a, b in zip(*pair, strict=True))
                for pair in table[["alt_sequence", "ref_sequence"]].to_numpy()
            ]
        )
        for name, table in tables.items()
        if name in PAIRS
    }
    assert (distance["all_SNVs"] == 1).all()
    assert distance["motif_tiling"].max() <= 9
    assert distance["motif_perturbation"].max() > 14
    random = set(tables["all_random"]["pos"])
    for name in ("motif_perturbation", "motif_tiling"):
        assert set(tables[name]["ref_pos"]) <= random
    kinds = tables["motif_perturbation"]["alt_tag"].str.extract(r"rand\d+_(Reb1\.s|Reb1\.m|Hsf1mono|Hsf1tri)")[0]
    assert {"Reb1.s", "Reb1.m", "Hsf1mono"} <= set(kinds) <= {"Reb1.s", "Reb1.m", "Hsf1mono", "Hsf1tri"}  # 72 of 2,290
    tiled = tables["motif_tiling"]["alt_tag"].str.extract(r"rand\d+_(\w+?)(?:\.RC)?_\d+$")[0]
    assert set(tiled) == {"polyA", "Skn7", "Mga1", "Ume6", "Mot3", "Azf1"}
    alone = set(range(600))
    for table in tables.values():
        for column in ("pos", "alt_pos", "ref_pos"):
            alone -= set(table.get(column, []))
    assert not alone


def test_public_leaderboard(folder, measured):
    values = measured["value"].tolist()
    seen = set()
    for name, file in (SINGLES | PAIRS).items():
        path = folder / "public_leaderboard_ids" / f"{file}_exp_indices.json"
        content = json.loads(path.read_text())
        assert path.read_text() == json.dumps(content)
        table = pd.read_csv(folder / "test_subset_ids" / f"{name}_seqs.csv")
        columns = ["pos"] if name in SINGLES else ["alt_pos", "ref_pos"]
        listed = set(map(tuple, table[columns].to_numpy().tolist()))
        assert len(content) == max(3, round(0.105 * len(listed)))
        for key, value in content.items():
            rows = tuple(int(part) for part in key.split(","))
            assert rows in listed
            assert value == (values[rows[0]] if name in SINGLES else [values[row] for row in rows])
            seen |= set(rows)
    ground = json.loads((folder / "public_leaderboard_ids" / "ground.json").read_text())
    assert {int(row): value for row, value in ground.items()} == {row: values[row] for row in seen}
    assert 0.1 < len(ground) / 600 < 0.17


def test_settings_are_recorded(folder):
    settings = json.loads((folder / "simulator.json").read_text())
    assert (settings["seed"], settings["train"], settings["test"]) == (5, 3000, 600)
    assert [factor["name"] for factor in settings["model"]["factors"]] == NAMES


def test_same_seed_same_bytes(tmp_path):
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        write_dream(tmp_path / name, train=50, test=100, seed=seed)
    first, again, other = (digests(tmp_path / name) for name in "abc")
    assert first == again
    assert len(first) == 5 + 8 + 9 + 1
    assert all(first[name] != other[name] for name in first)


def test_gzip_holds_the_same_text(tmp_path):
    write_dream(tmp_path / "plain", train=50, test=100, seed=7)
    for name in "ab":
        write_dream(tmp_path / name, train=50, test=100, seed=7, gzip=True)
    assert digests(tmp_path / "a") == digests(tmp_path / "b")
    for name in (dream.TRAIN, dream.TEST, dream.MEASURED, "ground_truth.tsv"):
        packed = (tmp_path / "a" / f"{name}.gz").read_bytes()
        assert gzip.decompress(packed) == (tmp_path / "plain" / name).read_bytes()
        assert packed[3:8] == bytes(5)  # no name, no time


def test_interrupted_run_leaves_no_half_file(tmp_path, monkeypatch):
    write_dream(tmp_path, train=50, test=100, seed=7)
    whole = (tmp_path / dream.TRAIN).read_bytes()

    def interrupted(n: int, seed: int):
        yield simulate_promoters(10, seed)
        raise KeyboardInterrupt

    monkeypatch.setattr(dream, "promoter_blocks", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_dream(tmp_path, train=3 * BLOCK, test=100, seed=8)
    assert (tmp_path / dream.TRAIN).read_bytes() == whole
    assert not (tmp_path / "simulator.json").exists()
    assert not list(tmp_path.rglob(".*"))


def test_progress_lines(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(dream, "MANY", BLOCK)
    write_dream(tmp_path, train=2 * BLOCK, test=100, seed=7)
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1] == f"simulate: {2 * BLOCK:,} of {2 * BLOCK:,} promoters"
    assert len(lines) == 2


@pytest.mark.parametrize(("train", "test", "seed"), [(0, 100, 1), (10, 99, 1), (10, 100, -1)])
def test_numbers_out_of_range(tmp_path, train, test, seed):
    with pytest.raises(InputError, match="expected"):
        write_dream(tmp_path / "out", train, test, seed)
    assert not (tmp_path / "out").exists()


def test_command_line(tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["simulate", "--out", str(out), "--train", "20", "--test", "100", "--seed", "2"]) == 0
    assert len((out / dream.TRAIN).read_text().splitlines()) == 20
    assert main(["simulate", "--out", str(out / dream.TRAIN), "--train", "20", "--test", "100"]) == 2
    assert main(["simulate", "--out", str(tmp_path / "none"), "--train", "-1"]) == 2
    assert "argument --train: found '-1', expected a whole number of at least 1" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
