"""TFRecords without TensorFlow: files put together by hand, after the published formats."""

import json
import struct
import zlib

import numpy as np
import pandas as pd
import pytest

from proformer.atac.contigs import make_genome, open_genome
from proformer.datasets.coverage import Windows, make_coverage
from proformer.datasets.store import open_store

LENGTH, MARGIN, SIZE, TRACKS = 640, 64, 32, 3
POSITIONS = (LENGTH - 2 * MARGIN) // SIZE
RANDOM = np.random.default_rng(8)


def field(number, data):
    size, sizes = len(data), b""
    while size > 127:
        sizes, size = sizes + bytes([size & 127 | 128]), size >> 7
    return bytes([number << 3 | 2]) + sizes + bytes([size]) + data


def example(**features):
    entries = [
        field(1, field(1, name.encode()) + field(2, field(1, field(1, data)))) for name, data in features.items()
    ]
    return field(1, b"".join(entries))


@pytest.fixture
def folder(tmp_path):
    """Folder of two parts; and the codes and targets of each part's records."""
    made = {}
    for part, number, count in (("train", 0, 2), ("train", 1, 1), ("test", 0, 1)):
        data = b""
        for _ in range(count):
            codes = RANDOM.integers(0, 4, LENGTH).astype(np.uint8)
            target = RANDOM.gamma(1, 1, (POSITIONS, TRACKS)).astype("<f2")
            made.setdefault(part, []).append((codes, target))
            record = example(sequence=codes.tobytes(), target=target.tobytes())
            data += struct.pack("<Q", len(record)) + b"crc." + record + b"crc."
        (tmp_path / f"{part}-{number}.tfr").write_bytes(zlib.compress(data))
    about = {
        "num_targets": TRACKS,
        "seq_length": LENGTH,
        "target_length": POSITIONS,
        "pool_width": SIZE,
        "crop_bp": MARGIN,
    }
    (tmp_path / "statistics.json").write_text(json.dumps(about))
    tracks = pd.DataFrame({"identifier": ["x", "y", "z"], "description": ["RNA:a", "DNASE:b", "DNASE:c"]})
    tracks.to_csv(tmp_path / "targets.txt", sep="\t")
    return tmp_path, made


def words(path):
    files = sorted(path.glob("*.tfr"), reverse=True)
    options = ["--statistics", path / "statistics.json", "--targets", path / "targets.txt"]
    return ["tfrecords", "--records", *files, *options, "--kind", "DNASE", "--out", path / "out"]


def test_records_become_a_genome_whose_windows_hold_their_targets(folder, proformer):
    path, made = folder
    done = proformer(*words(path))
    assert done.returncode == 0, done.stderr
    out = path / "out"
    assert pd.read_csv(out / "tracks.tsv", sep="\t")["identifier"].tolist() == ["y", "z"]
    make_genome(out / "genome.fa", path / "g.fa")
    tracks = {name: out / f"track{number}.bw" for number, name in enumerate("bc")}
    make_coverage(
        open_genome(path / "g.fa"), tracks, path / "store", Windows(window=128, bin=32), gaps=out / "gaps.bed"
    )
    store = open_store(path / "store")
    expected = [
        (part, record, piece) for part in ("test", "train") for record in range(len(made[part])) for piece in range(4)
    ]
    assert len(store) == len(expected)
    for part, record, piece in expected:
        codes, target = made[part][record]
        contig = store.meta["contigs"].index(part)
        start = record * LENGTH + MARGIN + 128 * piece
        row = np.flatnonzero((store.columns["contig"] == contig) & (store.columns["start"] == start)).item()
        assert np.array_equal(store.codes[row], codes[start % LENGTH : start % LENGTH + 128])
        assert store.target[row] == pytest.approx(target[4 * piece : 4 * piece + 4, 1:].T.astype(float))


@pytest.mark.parametrize(("damage", "message"), [
    (lambda path: (path / "test-0.tfr").write_bytes(b"no"), "found no ZLIB TFRecords"),
    (lambda path: (path / "test-0.tfr").write_bytes(zlib.compress(struct.pack("<Q", 99))), "cut short"),
    (lambda path: (path / "statistics.json").write_text("{}"), "found no statistics"),
    (lambda path: (path / "targets.txt").write_text("\tidentifier\tdescription\n0\tx\tDNASE:a\n"), "expected 3"),
    (lambda path: (path / "targets.txt").write_text("\tidentifier\tdescription\n0\tx\tRNA\n"), "begins with 'DNASE'"),
])  # fmt: skip
def test_what_is_not_as_it_should_be_is_refused_in_one_line(folder, proformer, damage, message):
    damage(folder[0])
    done = proformer(*words(folder[0]))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert message in done.stderr
