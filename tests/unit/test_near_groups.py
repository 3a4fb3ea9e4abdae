"""Near copies stay together: groups against a comparison of all with all."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proformer.datasets.nearest import near_groups
from proformer.datasets.parts import split
from proformer.datasets.prepare import prepare
from proformer.datasets.store import open_store
from proformer.errors import InputError

COMPLEMENT = str.maketrans("ACGT", "TGCA")


def expected(sequences, within):
    """Which sequences are connected by steps of at most so many mismatches, on either strand."""

    def near(a, b):
        strands = (b, b[::-1].translate(COMPLEMENT))
        return len(a) == len(b) and min(sum(x != y for x, y in zip(a, s, strict=True)) for s in strands) <= within

    label = list(range(len(sequences)))
    for _ in sequences:
        for i, a in enumerate(sequences):
            for j, b in enumerate(sequences):
                if near(a, b):
                    label[i] = label[j] = min(label[i], label[j])
    return label


@given(st.lists(st.text("ACGT", min_size=8, max_size=8), min_size=1, max_size=12), st.integers(1, 3))
def test_groups_are_those_of_a_comparison_of_all(sequences, within):
    codes = np.array([["ACGT".index(letter) for letter in sequence] for sequence in sequences], dtype=np.uint8)
    group = near_groups(codes, np.arange(len(sequences)) * 7, within)
    assert group.tolist() == [7 * label for label in expected(sequences, within)]


def test_near_copies_fall_to_one_part_and_the_others_stay_where_they_were(tmp_path):
    random = np.random.default_rng(1)
    families = []
    for _ in range(60):
        ancestor = random.integers(0, 4, 70)
        children = np.repeat(ancestor[None], 5, axis=0)
        children[np.arange(5), random.integers(0, 70, 5)] += 1
        families.append([bytes(b"ACGT"[c % 4] for c in child).decode() for child in children])
    alone = ["".join(random.choice(list("ACGT"), 70)) for _ in range(200)]
    rows = [row for family in families for row in family] + alone
    (tmp_path / "a.txt").write_text("".join(f"{row}\t{i}\n" for i, row in enumerate(rows)))
    prepare(tmp_path / "a.txt", tmp_path / "all.safetensors")
    parts = [[tmp_path / f"{near}{part}.safetensors" for part in range(2)] for near in (0, 3)]
    for near, outs in zip((0, 3), parts, strict=True):
        split(tmp_path / "all.safetensors", outs, (0.5, 0.5), 1, near=near)
    where = [{int(v): part for part in range(2) for v in open_store(outs[part]).target.ravel()} for outs in parts]
    assert any(len({where[0][5 * f + i] for i in range(5)}) == 2 for f in range(60))
    assert all(len({where[1][5 * f + i] for i in range(5)}) == 1 for f in range(60))
    assert all(where[0][i] == where[1][i] for i in range(300, 500))


def test_too_many_pairs(monkeypatch):
    monkeypatch.setattr("proformer.datasets.nearest.MOST_PAIRS", 10)
    with pytest.raises(InputError, match="near copies: 25 pairs of sequences to compare"):
        near_groups(np.zeros((5, 8), np.uint8), np.arange(5), 1)
