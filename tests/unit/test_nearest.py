"""Nearest training sequences: the index finds what comparing all against all finds."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proformer.datasets import nearest as module
from proformer.datasets.nearest import NearIndex, centred_reverse_complement, nearest, summary
from proformer.datasets.prepare import Layout, prepare
from proformer.datasets.store import open_store
from proformer.errors import InputError
from proformer.sequences import Spans, centre_pad, reverse_complement

FLANKS = ("TGCATTTTTTTCACATC", "GGTTACGGCTGTT")


def family(random, count, length, width, changes):
    """Rows around a few ancestors, of lengths around `length`, centred in `width`."""
    ancestors = random.integers(0, 4, (4, length), dtype=np.uint8)
    inserts = []
    for _ in range(count):
        insert = ancestors[random.integers(4)].copy()
        places = random.integers(0, length, random.integers(0, changes + 1))
        insert[places] = random.integers(0, 5, len(places))
        insert = insert[: length - random.integers(0, 3)]
        inserts.append(reverse_complement(insert) if random.random() < 0.3 else insert)
    return padded(inserts, width)


def padded(inserts, width):
    lengths = np.array([len(x) for x in inserts])
    return centre_pad(np.concatenate(inserts), Spans(np.cumsum(lengths) - lengths, lengths), width)


def brute(training, codes, within):
    rows = []
    for row in codes:
        both = np.stack([row, centred_reverse_complement(row[None])[0]])
        distance = (training[None] != both[:, None]).sum(axis=2)
        best, at, strand = min((d[i], i, s) for s, d in zip("+-", distance, strict=True) for i in range(len(training)))
        rows.append((best, at, strand) if best <= within else (-1, -1, ""))
    return pd.DataFrame(rows, columns=["distance", "row", "strand"])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 7), st.integers(6, 40), st.integers(0, 9))
def test_index_finds_what_all_against_all_finds(seed, within, length, changes):
    random = np.random.default_rng(seed)
    width = length + int(random.integers(0, 12))
    training = family(random, 60, length, width, changes)
    codes = np.concatenate([training[:5], family(random, 20, length, width, changes)])
    index = NearIndex(codes, min(within, width - 1))
    for start in range(0, len(training), 17):
        index.update(training[start : start + 17], start)
    assert index.nearest().to_numpy().tolist() == brute(training, codes, index.within).to_numpy().tolist()


@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.integers(0, 6))
def test_reverse_complements_are_centred_like_anything_else(seed, length, room):
    insert = np.random.default_rng(seed).integers(0, 4, length, dtype=np.uint8)
    found = centred_reverse_complement(padded([insert], length + room))
    assert (found == padded([reverse_complement(insert)], length + room)).all()


def test_many_equal_rows_are_compared_in_small_steps(monkeypatch):
    monkeypatch.setattr(module, "PAIRS", 8)
    training = np.zeros((300, 20), dtype=np.uint8)
    training[7, 3] = 1
    index = NearIndex(training[[7, 0]], 2)
    index.update(training, 1000)
    assert index.nearest().to_numpy().tolist() == [[0, 1007, "+"], [0, 1000, "+"]]


@pytest.fixture
def store(tmp_path, promoter_file):
    prepare(promoter_file, tmp_path / "all.safetensors", Layout(length=100, flanks=FLANKS))
    return open_store(tmp_path / "all.safetensors")


def test_file_against_store(store, tmp_path, promoters):
    """Identical, one mismatch, the other strand, a shifted left flank, unrelated, and too long to be there."""
    inserts = [sequence[17:-13] for sequence, _ in promoters[:3]]
    changed = ("C" if inserts[1][40] == "A" else "A").join([inserts[1][:40], inserts[1][41:]])
    backward = inserts[2][::-1].translate(str.maketrans("ACGT", "TGCA"))
    constructs = [FLANKS[0] + x + FLANKS[1] for x in (inserts[0], changed, backward, "ACGTT" * 16, "A" * 101)]
    constructs.append(constructs[0][9:])  # only the last nucleotides of the left flank are left
    (tmp_path / "some.txt").write_text("".join(f"{x}\t1\n" for x in constructs))
    found = nearest(store, tmp_path / "some.txt", 4)
    assert found.to_numpy().tolist() == [
        [0, 0, "+"], [1, 1, "+"], [0, 2, "-"], [-1, -1, ""], [-1, -1, ""], [0, 0, "+"],
    ]  # fmt: skip
    row = summary("some", "training", found, 4, 1, 0.5).iloc[0]
    assert (row["rows"], row["identical"], row["within_1"], row["within_4"]) == (6, 3, 4, 4)
    assert row["share"] == pytest.approx(4 / 6)
    assert row["warning"].startswith("4 of 6 sequences (66.7%) are within 1 mismatches")
    assert summary("some", "training", found, 4, 1, 0.7)["warning"].tolist() == [""]


def test_command_line(store, tmp_path, promoter_file, proformer):
    out = tmp_path / "nearest.tsv"
    options = ["nearest", "--store", store.path, "--sequences", promoter_file, "--name", "same", "--out", out]
    done = proformer(*options)
    assert done.returncode == 0, done.stderr
    assert "warning: same against training: 300 of 300 sequences (100.0%)" in done.stderr
    assert pd.read_csv(out, sep="\t")["identical"].tolist() == [300]
    done = proformer(*options, "--within", 2)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "warn distance: found 3, expected at most 2" in done.stderr


def test_wrong_distances_are_refused():
    with pytest.raises(InputError, match="found 20, expected 0 to 19 mismatches"):
        NearIndex(np.zeros((1, 20), dtype=np.uint8), 20)
