"""Rebuilding a construct on the device, against strings."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from proformer.datasets.batches import both_strands
from proformer.models.construct import construct
from proformer.sequences import ALPHABET, Spans, centre_pad, encode

FLANK = st.text("ACGT", max_size=9)
# Ends are known, the inside may hold N.
INSERT = st.builds(
    lambda first, inside, last: first + inside + last,
    st.sampled_from("ACGT"), st.text("ACGTN", max_size=12), st.text("ACGT", max_size=1),
).map(lambda text: text.rstrip("N"))  # fmt: skip


def padded(inserts, length):
    rows = [centre_pad(encode(s), Spans(np.array([0]), np.array([len(s)])), length) for s in inserts]
    return torch.from_numpy(np.concatenate(rows))


def place(text, length, align):
    """The same with strings alone."""
    if align == "left":
        return text[:length].ljust(length, "N")
    if align == "right":
        return text[max(len(text) - length, 0) :].rjust(length, "N")
    if len(text) <= length:
        return text.center(length, "N")
    spare = len(text) - length
    first = -(-spare // 2) - (spare & length & 1)
    return text[first : first + length]


@settings(deadline=None)
@given(
    st.lists(INSERT, min_size=1, max_size=5), FLANK, FLANK, st.integers(1, 45),
    st.sampled_from(["left", "right", "centre"]), st.integers(14, 21),
)  # fmt: skip
def test_equals_strings(inserts, before, after, length, align, width):
    found = construct(padded(inserts, width), before, after, length, align)
    assert found.dtype == torch.uint8
    texts = ["".join(ALPHABET[code] for code in row) for row in found.tolist()]
    assert texts == [place(before + insert + after, length, align) for insert in inserts]


def test_the_last_110_nucleotides_of_a_promoter():
    before, after = "TGCATTTTTTTCACATC", "GGTTACGGCTGTT"
    inserts = ["ACGT" * 20, "ACGTN" * 14 + "A", "C" * 97]
    expected = [
        "".join(ALPHABET[c] for c in row) for row in construct(padded(inserts, 100), before, after, 110, "right")
    ]
    assert expected[0] == before + inserts[0] + after
    assert expected[1] == "N" * 9 + before + inserts[1] + after
    assert expected[2] == (before + inserts[2] + after)[-110:]


def test_only_padding_is_an_empty_insert():
    nothing = torch.full((1, 6), 4, dtype=torch.uint8)
    assert construct(nothing, "AC", "G", 5, "right").tolist() == [[4, 4, 0, 1, 2]]
    assert construct(nothing, "", "", 3, "left").tolist() == [[4, 4, 4]]


@pytest.mark.parametrize("align", ["left", "right", "centre"])
def test_masked_nucleotides_belong_to_the_insert(align):
    codes = torch.tensor([[4, 5, 2, 5, 4]], dtype=torch.uint8)
    assert construct(codes, "", "", 3, align).tolist() == [[5, 2, 5]]


@settings(deadline=None)
@given(INSERT, FLANK, FLANK)
def test_the_second_strand_is_the_reverse_complement_of_the_first(insert, before, after):
    forward = construct(padded([insert], 20), before, after, 32, "right")
    swapped = str.maketrans("ACGT", "TGCA")
    text = "".join(ALPHABET[c] for c in both_strands(forward)[0, 32:].tolist())
    assert text == (before + insert + after).rjust(32, "N").translate(swapped)[::-1]
