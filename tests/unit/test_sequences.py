"""Encoding, padding, reverse complement and keys."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from proformer.datasets.batches import both_strands
from proformer.models.fill_mask import mask_nucleotides
from proformer.sequences import (
    INVALID,
    Spans,
    centre_pad,
    contain,
    decode,
    encode,
    has_flanks,
    mix,
    reverse_complement,
    strand_free_keys,
)

dna = st.text("ACGTN", min_size=1, max_size=100)
COMPLEMENT = str.maketrans("ACGTN", "TGCAN")


def block(sequences: list[str]) -> tuple[np.ndarray, Spans]:
    lengths = np.array([len(s) for s in sequences])
    return encode("".join(sequences)), Spans(np.cumsum(lengths) - lengths, lengths)


@given(dna)
def test_codes_follow_the_alphabet(sequence):
    assert encode(sequence).tolist() == ["ACGTN".index(letter) for letter in sequence]
    assert (encode(sequence.lower()) == encode(sequence)).all()


@pytest.mark.parametrize("letter", list("BDHKMRSUVWXYZ-*. 0é"))
def test_other_letters_are_invalid(letter):
    assert encode(letter)[0] == INVALID


@given(dna)
def test_reverse_complement(sequence):
    codes = encode(sequence)
    assert (reverse_complement(codes) == encode(sequence[::-1].translate(COMPLEMENT))).all()
    assert (reverse_complement(reverse_complement(codes)) == codes).all()


@given(st.lists(dna, min_size=1, max_size=30), st.integers(0, 30))
def test_padding_is_that_of_pandas(sequences, extra):
    length = max(map(len, sequences)) + extra
    expected = [encode(s) for s in pd.Series(sequences).str.pad(length, side="both", fillchar="N")]
    assert (centre_pad(*block(sequences), length) == np.array(expected)).all()


@given(dna.filter(lambda s: s.strip("N") == s))
def test_decode_undoes_padding(sequence):
    assert decode(centre_pad(*block([sequence]), 120)[0]) == sequence


@given(st.lists(dna, min_size=2, max_size=30, unique=True))
def test_keys_are_equal_for_a_sequence_and_its_reverse_complement_alone(sequences):
    keys = strand_free_keys(*block(sequences))
    backward = [s[::-1].translate(COMPLEMENT) for s in sequences]
    assert (strand_free_keys(*block(backward)) == keys).all()
    canonical = [min(pair) for pair in zip(sequences, backward, strict=True)]
    assert len(set(keys.tolist())) == len(set(canonical))


def test_mix_is_uniform_and_depends_on_the_seed():
    keys = np.arange(20_000, dtype=np.int64)
    one, two = mix(keys, 1), mix(keys, 2)
    assert one.min() >= 0
    assert one.max() < 1
    counts = np.histogram(one, bins=20, range=(0, 1))[0]
    assert np.abs(counts - 1000).max() < 150
    assert abs(np.corrcoef(one, two)[0, 1]) < 0.03


def test_flanks_are_compared_not_assumed():
    codes, spans = block(["ACGTTTGG", "ACCTTTGG", "ACGTTTGC", "ACGGG", "ACGG", "acgtgg"])
    assert has_flanks(codes, spans, "ACG", "GG").tolist() == [True, False, False, True, False, True]


def test_which_sequences_contain_a_code():
    codes, spans = block(["ACGT", "AC-T", "A*GT", "NNNN"])
    assert contain(codes, spans, INVALID).tolist() == [False, True, True, False]
    assert contain(codes, spans, encode("N")[0]).tolist() == [False, False, False, True]


@given(st.lists(st.text("ACGTN", min_size=12, max_size=12), min_size=1, max_size=8))
def test_both_strands_on_the_device_equals_numpy(sequences):
    codes = np.stack([encode(s) for s in sequences])
    expected = np.concatenate([codes, reverse_complement(codes)], axis=1)
    assert (both_strands(torch.from_numpy(codes)).numpy() == expected).all()


def test_masks_spare_n_and_joint_masks_hide_both_strands():
    codes = both_strands(torch.randint(0, 5, (400, 100), dtype=torch.uint8))
    for joint in (False, True):
        torch.manual_seed(0)
        masked, where = mask_nucleotides(codes, torch.rand(400, 100 if joint else 200), 0.05)
        assert not where[codes == 4].any()
        assert (masked[where] == 5).all()
        assert (masked[~where] == codes[~where]).all()
        assert where.float().sum() / (codes < 4).sum() == pytest.approx(0.05, rel=0.05)
        mirrored = where[:, :100] == where[:, 100:].flip(1)
        assert mirrored.all() == joint
