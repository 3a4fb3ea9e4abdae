"""Motifs of filters, and what they resemble: planted filters, exact p values, MEME files."""

import itertools
import sys

import numpy as np
import pytest
import torch
from tiny_models import CONFIGS, LENGTH, tiny

from proformer.errors import InputError
from proformer.explain.attribution import Attributor
from proformer.explain.design import ledidi
from proformer.explain.filters import filter_motifs, motif_table, shuffled_columns, untrained
from proformer.explain.meme import consensus, information, known_motifs, read_meme, trimmed, write_meme
from proformer.explain.patterns import discover
from proformer.explain.study import _matches
from proformer.explain.tomtom import _tails, match
from proformer.explain.truth import planted_motifs
from proformer.models import build
from proformer.sequences import encode


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


def sharp(text, share=0.91):
    """A motif with these letters."""
    matrix = np.full((len(text), 4), (1 - share) / 3)
    matrix[np.arange(len(text)), encode(text)] = share
    return matrix


def random_motifs(number, seed=0, width=(6, 12)):
    random = np.random.default_rng(seed)
    return {f"m{i}": random.dirichlet(np.full(4, 0.4), random.integers(*width)) for i in range(number)}


def sequences(rows=200, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 4, (rows, LENGTH)).astype(np.uint8))


@pytest.mark.parametrize("name", CONFIGS)
def test_every_first_layer_has_motifs_of_its_filters(name):
    motifs, sites = filter_motifs(tiny(name).module, [sequences(8), sequences(8, 1)])
    assert len(motifs) > 2
    assert {matrix.shape[1] for matrix in motifs.values()} == {4}
    assert all(np.allclose(matrix.sum(axis=1), 1) for matrix in motifs.values())
    assert max(information(matrix).max() for matrix in motifs.values()) > 0.5
    assert min(sites.values()) > 0


@pytest.mark.parametrize(("name", "order"), [("danq", "ACGT"), ("legnet", "AGCT"), ("crmnet", "NACGT")])
def test_a_planted_filter_has_its_motif(name, order):
    model, word = tiny(name).module, "CATGT"
    layer = next(module for module in model.modules() if isinstance(module, torch.nn.Conv1d))
    with torch.no_grad():
        layer.weight[0] = -3.0
        for place, letter in enumerate(word):
            layer.weight[0, order.index(letter), place] = 1.0
        layer.weight[0, :, len(word) :] = 0.0
    motifs, sites = filter_motifs(model, [sequences(64), sequences(64, 1)])
    assert consensus(motifs["filter_0"]).startswith(word)
    assert sites["filter_0"] > 2


def test_a_model_without_filters_says_so():
    with pytest.raises(InputError, match="the model kmers has no convolution or dense layer"):
        filter_motifs(build({"model": "kmers", "length": LENGTH}), [sequences(2)])


def test_a_motif_is_found_on_either_strand_at_its_offset():
    motifs = random_motifs(60) | {"Reb1": sharp("TTACCCGG"), "other": sharp("GATTACAGA")}
    for query, strand, offset in ((sharp("CATTACCCGG"), "+", -2), (sharp("TACCCGG")[::-1, ::-1], "-", 0)):
        first = match({"q": query}, motifs, best=1).iloc[0]
        assert (first["target"], first["strand"], first["offset"]) == ("Reb1", strand, offset)
        assert first["p"] < 1e-4
        assert first["E"] == pytest.approx(first["p"] * len(motifs))
        assert first["q"] <= first["E"]


def test_chances_are_those_of_all_columns_drawn_at_random():
    scores = np.random.default_rng(0).integers(-9, 9, (3, 7))
    sums = np.array([sum(draw) for draw in itertools.product(*scores[1:])])
    lowest, tail = _tails(scores)[1, 3]
    for value in range(lowest, lowest + len(tail)):
        assert tail[value - lowest] == pytest.approx((sums >= value).mean())


def test_p_values_of_unrelated_motifs_are_uniform():
    p = match(random_motifs(40, 1), random_motifs(60, 2))["p"]
    for limit in (0.05, 0.2, 0.5):
        assert (p < limit).mean() == pytest.approx(limit, abs=0.06)


def test_motifs_survive_a_meme_file(tmp_path):
    motifs = random_motifs(5)
    write_meme(tmp_path / "m.meme", motifs, {"m0": 12})
    found = read_meme(tmp_path / "m.meme")
    assert [*found] == [*motifs]
    assert all(np.allclose(found[name], motifs[name], atol=1e-5) for name in motifs)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hello\n", "found no motifs"),
        ("MOTIF a\nletter-probability matrix:\n0.5 0.5 0.5 0.5\n", "line 3: found '0.5 0.5 0.5 0.5'"),
        ("MOTIF a\nletter-probability matrix:\n1 0 0 0\nMOTIF a\n", "line 4: found the motif 'a'"),
    ],
)
def test_a_wrong_meme_file(tmp_path, text, message):
    (tmp_path / "m.meme").write_text(text)
    with pytest.raises(InputError, match=message):
        read_meme(tmp_path / "m.meme")


def test_information_and_weak_ends():
    matrix = np.concatenate([np.full((2, 4), 0.25), sharp("AC", 1.0), np.full((1, 4), 0.25)])
    assert information(matrix).tolist() == [0, 0, 2, 2, 0]
    assert consensus(trimmed(matrix)) == "AC"
    assert len(trimmed(np.full((3, 4), 0.25))) == 0


def test_what_says_little_is_compared_with_nothing():
    """Of the first, weak ends are cut off and 2.8 bits are left; of the second, three columns."""
    flat, little = np.full((2, 4), 0.25), np.tile([0.4, 0.2, 0.2, 0.2], (4, 1))
    weak = np.concatenate([flat, sharp("T", 0.9), little, sharp("A", 0.9)])
    motifs = {"weak": weak, "short": sharp("TAC", 1), "long": sharp("TTACCCG")}
    table, cut = motif_table(motifs, dict.fromkeys(motifs, 1), planted_motifs())
    assert [*cut] == ["long"]
    found = table.set_index("filter")
    assert found["target"].isna().to_dict() == {"long": False, "weak": True, "short": True}
    assert found.loc["weak", "bits"] < 4 < 6 == found.loc["short", "bits"]
    matches = _matches(table)
    assert matches["hit_ratio"] == pytest.approx(1 / 3)
    assert matches["mean_q"] == pytest.approx((found.loc["long", "q"] + 2) / 3)


def test_an_untrained_model_and_shuffled_motifs_have_nothing_that_was_learnt():
    predictor = tiny("danq")
    layer = next(module for module in predictor.module.modules() if isinstance(module, torch.nn.Conv1d))
    with torch.no_grad():
        layer.weight[:] = 0.1
    one, other, again = (untrained(predictor, seed) for seed in (1, 2, 1))
    weights = [next(model.module.parameters()) for model in (predictor, one, other, again)]
    assert [torch.equal(weights[1], each) for each in weights] == [False, True, False, True]
    known = planted_motifs()
    shuffled = shuffled_columns(known)
    assert [*shuffled] == [*known]
    for name, matrix in known.items():
        assert sorted(map(tuple, matrix)) == sorted(map(tuple, shuffled[name]))
    assert not np.array_equal(known["Reb1"], shuffled["Reb1"])


def test_stretches_of_high_scores_become_patterns_with_their_names():
    pytest.importorskip("modiscolite", reason="TF-MoDISco is not installed (make explain)")
    random = np.random.default_rng(0)
    codes = random.integers(0, 4, (300, 80)).astype(np.uint8)
    scores = random.normal(0, 0.05, (300, 80, 4))
    for row, start in enumerate(random.integers(5, 60, 300)):
        word, sign = (("GTCTGGCCC", 1), ("GCAGGCACG", -1))[row % 2]
        codes[row, start : start + 9] = encode(word)
        scores[row, np.arange(start, start + 9), encode(word)] += sign
    motifs, _ = discover(codes, scores)
    table, _ = motif_table(motifs, dict.fromkeys(motifs, 1), planted_motifs())
    found = table.set_index("filter")["target"]
    assert (found["pos_0"], found["neg_0"]) == ("Skn7", "Mot3")


def test_best_matches_are_those_of_memelite():
    memelite = pytest.importorskip("memelite", reason="memelite is not installed (make explain)")
    queries, targets = random_motifs(20, 1), random_motifs(400, 2)
    queries |= {f"like {name}": 0.8 * targets[name] + 0.05 for name in ("m3", "m7", "m20", "m100")}
    p = memelite.tomtom([q.T for q in queries.values()], [t.T for t in targets.values()], n_jobs=1)[0]
    found = match(queries, targets).set_index(["query", "target"])["p"].unstack()
    ours = found.loc[[*queries], [*targets]].to_numpy()
    assert (ours[-4:].argmin(axis=1) == p[-4:].argmin(axis=1)).all()
    assert np.corrcoef(np.log(ours.ravel()), np.log(p.ravel()))[0, 1] > 0.85
    assert 0.7 < np.median(ours[p < 0.01] / p[p < 0.01]) < 3  # offsets on both strands are corrected for


def test_motifs_of_jaspar():
    pytest.importorskip("pyjaspar", reason="pyjaspar is not installed (make explain)")
    motifs = known_motifs("jaspar2024/fungi")
    assert len(motifs) == 178
    assert all(np.allclose(matrix.sum(axis=1), 1) for matrix in motifs.values())
    assert "TTACCCG" in consensus(motifs["MA0363.3 REB1"])
    for wrong, message in (
        ("jaspar2021/fungi", "one of jaspar2026"),
        ("jaspar2024/yeast", "found no motifs"),
    ):
        with pytest.raises(InputError, match=message):
            known_motifs(wrong)


@pytest.mark.parametrize("program", ["modiscolite.tfmodisco", "pyjaspar", "ledidi"])
def test_an_extra_that_is_missing_is_named(monkeypatch, program):
    monkeypatch.setitem(sys.modules, program, None)
    asked = {
        "modiscolite.tfmodisco": lambda: discover(sequences(4).numpy(), np.zeros((4, LENGTH, 4))),
        "pyjaspar": lambda: known_motifs("jaspar2024/fungi"),
        "ledidi": lambda: ledidi(Attributor(tiny("danq")), sequences(1).numpy(), "max", 1, 0),
    }
    with pytest.raises(InputError, match="not installed; `make explain`"):
        asked[program]()
