"""Pairs of single-nucleotide variants, rebuilt from sequences where the challenge's table is not at hand."""

import json
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proformer.evaluation.challenge import changes, ensembles
from proformer.evaluation.density import density_table
from proformer.evaluation.dream import APPROXIMATE, WEIGHTS, read_benchmark, rows_needed, score_table
from proformer.evaluation.snv_pairs import rebuilt_pairs
from proformer.evaluation.submissions import predictions_of
from proformer.simulate.dream import write_dream

TRUTH = "filtered_test_data_with_MAUDE_expression.txt"


def changed(sequence, position, by):
    return sequence[:position] + "ACGT"[("ACGT".index(sequence[position]) + by) % 4] + sequence[position + 1 :]


@given(st.integers(0, 1000))
def test_alternatives_are_paired_with_their_reference(number):
    """Families of a reference and changes of it at three positions, two of them at one."""
    random = np.random.default_rng(number)
    references = ["".join(random.choice(list("ACGT"), 40)) for _ in range(4)]
    families = [[own, *(changed(own, place, by) for place, by in ((3, 1), (3, 2), (20, 1)))] for own in references]
    sequences = [
        *(sequence for family in families for sequence in family),
        "".join(random.choice(list("ACGT"), 40)),
        references[0][:-1],
        references[1],
    ]
    order = random.permutation(len(sequences))
    found = rebuilt_pairs([sequences[row] for row in order])
    pairs = sorted((sequences[order[a]], sequences[order[b]]) for a, b in found)
    assert pairs == sorted((other, own) for own, *others in families for other in others)


@given(st.lists(st.text("AC", min_size=6, max_size=6), max_size=12, unique=True))
def test_all_pairs_are_one_letter_apart(sequences):
    """With two letters there are no alternatives at one position, so that all neighbours are pairs."""
    found = {frozenset(pair) for pair in rebuilt_pairs(sequences).tolist()}
    apart = [sum(a != b for a, b in zip(*pair, strict=True)) for pair in combinations(sequences, 2)]
    expected = [
        pair for pair, letters in zip(combinations(range(len(sequences)), 2), apart, strict=True) if letters == 1
    ]
    assert found == {frozenset(pair) for pair in expected}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("dream")
    write_dream(path, train=1, test=800, seed=5)
    return path


def benchmark_of(folder, part, snvs=False):
    tables = [path for path in sorted((folder / "test_subset_ids").glob("*.csv")) if snvs or "SNVs" not in path.name]
    return read_benchmark(part, folder / TRUTH, tables, [folder / "public_leaderboard_ids"])


def test_most_pairs_come_back_and_public_ones_are_not_private(folder):
    exact = benchmark_of(folder, "all", snvs=True)
    assert not exact.approximate
    known = {frozenset(pair) for pair in exact.subsets["SNVs"].tolist()}
    rebuilt = {frozenset(pair) for pair in benchmark_of(folder, "all").approximate[APPROXIMATE].tolist()}
    assert len(known & rebuilt) > 0.9 * len(known)
    public = json.loads((folder / "public_leaderboard_ids" / "SNVs_exp_indices.json").read_text())
    shown = {frozenset(map(int, key.split(","))) for key in public}
    private = {frozenset(pair) for pair in benchmark_of(folder, "private").approximate[APPROXIMATE].tolist()}
    assert shown & rebuilt
    assert not shown & private


def test_approximate_pairs_are_shown_and_in_no_score(folder, tmp_path):
    benchmark = benchmark_of(folder, "private")
    values = benchmark.truth + np.random.default_rng(0).normal(size=len(benchmark.truth))
    table = score_table(benchmark, {"model": values})
    own = table["subset"] == APPROXIMATE
    assert set(table.loc[own, "measure"]) == {"pearson", "r2", "spearman"}
    assert (table.loc[own, "weight"] == 0).all()
    assert table.loc[own, "note"].str.contains("in no score").all()
    plain = score_table(type(benchmark)(**vars(benchmark) | {"approximate": {}}), {"model": values})
    assert table[~own].reset_index(drop=True).equals(plain)
    assert "SNVs" not in set(changes(benchmark)["subset"])
    assert {APPROXIMATE} == {*changes(benchmark)["subset"]} - {*WEIGHTS}
    assert APPROXIMATE in set(density_table(benchmark, {"model": values})["subset"])
    rows = np.setdiff1d(benchmark.public, rows_needed(benchmark))
    assert not np.isin(rows, benchmark.approximate[APPROXIMATE]).any()
    assert len(ensembles(benchmark, {"model": values}, rows))


def test_models_that_lack_rows_have_no_approximate_pairs(folder, tmp_path):
    benchmark = benchmark_of(folder, "private")
    keep = np.setdiff1d(np.arange(len(benchmark.truth)), benchmark.approximate[APPROXIMATE][:1])
    (tmp_path / "part.json").write_text(json.dumps({str(row): float(row) for row in keep}))
    covered, _ = predictions_of({"part": tmp_path / "part.json"}, benchmark, partial=True)
    assert not covered.approximate


def test_the_public_pairs_of_the_challenge_are_among_them(mirrored):
    from proformer.files import read_table

    sequences = read_table(mirrored("**/data_scatter_O_Mi.csv.gz"), sep=",")["seq"].tolist()
    found = {frozenset(pair) for pair in rebuilt_pairs(sequences).tolist()}
    public = json.loads(mirrored("**/SNVs_exp_indices.json").read_text())
    kept = sum(frozenset(map(int, key.split(","))) in found for key in public)
    assert (len(public), kept) == (4670, 4665)
