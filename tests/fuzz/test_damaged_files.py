"""Damaged files, by the thousand: whatever a verb is given, it ends well (see `running`).

FUZZ_SECONDS is the time that this and the damaged options take (`make fuzz`: an hour; otherwise a few batches),
FUZZ_SEED where they begin. A failure prints the case, the damage and the seed, which bring it about again.
"""

from __future__ import annotations

from cases import CASES
from hypothesis import given
from hypothesis import strategies as st
from running import check, repeat

TOKENS = [
    b"", b"0", b"-1", b"nan", b"inf", b"1e39", b"1_5", "١".encode(), b"\xa0", b"\xff\xfe", b"\0", b"\t", b"\n", b"\r\n",
    b",", b'"', b"'", b"\x1b[31m", b"99999999999999999999", b"null", b"{}", b"[", b"chr9", b"ACGT", b"#", b">", b"@",
]  # fmt: skip


def flip(data: bytes, at: int, token: bytes) -> bytes:
    """One byte is another."""
    return data[:at] + bytes([data[at] ^ (1 + len(token) % 255)]) + data[at + 1 :]


def insert(data: bytes, at: int, token: bytes) -> bytes:
    """A token stands somewhere."""
    return data[:at] + token + data[at:]


def replace(data: bytes, at: int, token: bytes) -> bytes:
    """A field of text is another."""
    start = max(data.rfind(mark, 0, at) for mark in (b"\t", b"\n", b",", b":", b" ")) + 1
    ends = [found for mark in (b"\t", b"\n", b",", b"}", b" ") if (found := data.find(mark, at)) >= 0]
    return data[:start] + token + data[min(ends, default=len(data)) :]


def cut(data: bytes, at: int, token: bytes) -> bytes:
    """The end is missing."""
    return data[:at]


def lose(data: bytes, at: int, token: bytes) -> bytes:
    """A line is missing."""
    return data[: data.rfind(b"\n", 0, at) + 1] + data[data.find(b"\n", at) + 1 :]


def double(data: bytes, at: int, token: bytes) -> bytes:
    """A line, and what is before it, stands twice."""
    return data[: data.find(b"\n", at) + 1] + data


DAMAGE = st.lists(
    st.tuples(st.sampled_from([flip, insert, replace, cut, lose, double]), st.floats(0, 1), st.sampled_from(TOKENS)),
    min_size=1,
    max_size=3,
)


def test_whole_files_are_taken(inputs, place):
    for case in CASES.values():
        check(case.words.split(), inputs, place, outputs=case.outputs)
        made = [path for path in case.outputs if not [*(place / "work").glob(path)]]
        assert not made, (case.words, (place / "stderr").read_text())


def test_damaged_files_end_well(inputs, place):
    @given(st.sampled_from(sorted(kind for kind, case in CASES.items() if case.inputs)), st.integers(0, 9), DAMAGE)
    def once(kind, which, damage):
        case = CASES[kind]
        name = case.inputs[which % len(case.inputs)]
        data = (inputs / name).read_bytes()
        for mutate, share, token in damage:
            if data:
                data = mutate(data, min(int(share * len(data)), len(data) - 1), token)
        check(case.words.split(), inputs, place, {name: data}, case.outputs)

    repeat(once, share=0.5)
