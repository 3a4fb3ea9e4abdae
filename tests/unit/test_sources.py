from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml

import proformer
from proformer.errors import InputError
from proformer.sources.catalogue import Source, load_catalogue, lookup
from proformer.sources.fetch import fetch

MIRROR = os.environ.get("PROFORMER_MIRROR")
GOOD = {"title": "t", "licence": "l", "citation": "c", "address": "https://example.org/a/data.txt"}


def read(tmp_path: Path, text: str) -> dict[str, Source]:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    return load_catalogue(path)


def entry(tmp_path: Path, name: object = "mine", **changes: object) -> Source:
    """A catalogue of one entry: GOOD with changes; None takes a key away."""
    fields = {key: value for key, value in (GOOD | changes).items() if value is not None}
    return read(tmp_path, yaml.safe_dump({"sources": {name: fields}}))[name]


def test_catalogue_is_well_formed():
    catalogue = load_catalogue()
    assert len(catalogue) > 80
    assert all(source.address.startswith("https://") for source in catalogue.values())
    assert [name for name, count in Counter(s.filename for s in catalogue.values()).items() if count > 1] == []
    assert [name for name, count in Counter(s.address for s in catalogue.values()).items() if count > 1] == []
    unchecked = {s.name for s in catalogue.values() if not s.algorithm and not s.publisher}
    others = {name for name in unchecked if not name.startswith("k562-atac")}
    assert others == {"vaishnav-random-complex", "hg38-bowtie2-index", "hg19-bowtie2-index", "drosophila-starrseq-all"}
    assert all("no digest" in catalogue[name].note for name in unchecked)


def test_addresses():
    catalogue = load_catalogue()
    assert catalogue["dream-train"].address == "https://zenodo.org/records/10633252/files/train_sequences.txt"
    assert catalogue["gm12878-atac-2-1"].address == (
        "https://ftp.sra.ebi.ac.uk/vol1/fastq/SRR891/SRR891269/SRR891269_1.fastq.gz"
    )
    plasmid = catalogue["dream-plasmid"]
    commit = "f7b2e197f673319aaae3ef460b7f9980f74304af"
    assert str(plasmid.mirror_path) == (
        f"raw.githubusercontent.com/de-Boer-Lab/random-promoter-dream-challenge-2022/{commit}/data/plasmid.json"
    )
    assert plasmid.filename == "plasmid.json"
    assert catalogue["human-mpra-sample-val"].filename == "human_sample_valid.txt"


@pytest.mark.skipif(MIRROR is None, reason="PROFORMER_MIRROR names no mirror folder")
def test_mirror_verifies(tmp_path):
    mirror = Path(MIRROR)
    held = {s.mirror_path: s for s in load_catalogue().values() if (mirror / s.mirror_path).is_file()}
    assert held
    for source in held.values():
        assert source.algorithm
        assert source.size
        assert fetch(source, tmp_path / source.filename, mirror=mirror)["obtained_from"] == "mirror"
    if (mirror / "SHA256SUMS").exists():
        lines = (mirror / "SHA256SUMS").read_text().splitlines()
        listed = {Path(path): digest for digest, path in map(str.split, lines)}
        assert {path: source.digest for path, source in held.items()} == {path: listed[path] for path in held}


def test_reading_it_imports_little():
    code = "import sys, proformer.sources.catalogue as s; s.load_catalogue(); print(*sys.modules)"
    environment = os.environ | {"PYTHONPATH": str(Path(proformer.__file__).parents[1])}
    modules = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert "yaml" in modules.stdout.split()
    assert not {"requests", "numpy", "pandas", "torch", "jsonschema"} & set(modules.stdout.split())


def test_own_entries_are_added_and_replace(tmp_path):
    assert entry(tmp_path).filename == "data.txt"
    mine = entry(tmp_path, "dream-plasmid", size=5, sha256="0" * 64, note="n")
    assert mine == Source("dream-plasmid", GOOD["address"], "t", "l", "c", "sha256", "0" * 64, (), 5, "data.txt", "n")
    assert entry(tmp_path, address="https://example.org/a%20b/c%2Bd.txt?version=1").filename == "c+d.txt"


@pytest.mark.parametrize(
    ("run", "folder"),
    [
        ("SRR891268", "SRR891/SRR891268"),
        ("SRR1822153", "SRR182/003/SRR1822153"),
        ("ERR12345678", "ERR123/078/ERR12345678"),
        ("DRR123456789", "DRR123/789/DRR123456789"),
    ],
)
def test_folders_of_the_nucleotide_archive(tmp_path, run, folder):
    source = entry(tmp_path, address=None, ena={"run": run, "mate": 2})
    assert source.address == f"https://ftp.sra.ebi.ac.uk/vol1/fastq/{folder}/{run}_2.fastq.gz"
    assert source.publisher == ("ena", run, "2")


def test_a_pinned_digest_needs_no_publisher(tmp_path):
    zenodo = {"record": 12, "file": "a.txt"}
    assert entry(tmp_path, address=None, zenodo=zenodo).publisher == ("zenodo", "12", "a.txt")
    assert entry(tmp_path, address=None, zenodo=zenodo, md5="a" * 32).publisher == ()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sha265": "0" * 64}, "unknown key 'sha265'"),
        ({"licence": None}, "licence missing"),
        ({"title": ""}, "title: found ''"),
        ({"note": "two\nlines"}, "note: found"),
        ({"address": None}, "found none, expected exactly one of address, github, zenodo, ena"),
        ({"zenodo": {"record": 1, "file": "a"}}, "found address and zenodo"),
        ({"address": "ftp://example.org/a"}, "address: found 'ftp://example.org/a'"),
        ({"address": "https://example.org/"}, "address: found"),
        ({"address": "https://example.org/../a"}, r"found `\.\.`"),
        ({"address": "https://example.org/%2e%2e/a"}, r"found `\.\.`"),
        ({"sha256": "ABC"}, "sha256: found 'ABC'"),
        ({"sha256": "0" * 64, "md5": "0" * 32}, "found sha256 and md5, expected at most one"),
        ({"size": -1}, "size: found -1"),
        ({"size": True}, "size: found True"),
        ({"size": "12"}, "size: found '12'"),
        ({"filename": "../a"}, "filename: found"),
        ({"filename": "-a"}, "filename: found"),
        ({"address": None, "github": {"repository": "a/b", "commit": "main", "path": "c"}}, "commit: found 'main'"),
        ({"address": None, "github": {"repository": "a/b", "commit": "0" * 40}}, "github: path missing"),
        ({"address": None, "github": "a/b"}, "github: found 'a/b', expected a mapping"),
        ({"address": None, "ena": {"run": "SRX1", "mate": 1}}, "run: found 'SRX1'"),
        ({"address": None, "ena": {"run": "SRR891268", "mate": 3}}, "mate: found 3"),
        ({"name": "Mine"}, "lower-case"),
    ],
)
def test_malformed_entries_are_refused(tmp_path, changes, message):
    with pytest.raises(InputError, match=message) as caught:
        entry(tmp_path, **changes)
    assert str(caught.value).startswith(f"{tmp_path}/mine.yaml:2: {changes.get('name', 'mine')}: ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a mapping `sources`"),
        ("- a\n", "expected a mapping `sources`"),
        ("sources: {}\nother: {}\n", "expected a mapping `sources`"),
        ("sources:\n  a: {title: t\n", r"mine.yaml:\d: not valid YAML"),
        ("sources:\n  a: {}\n  a: {}\n", "mine.yaml:3: 'a' stands here a second time"),
        ("sources:\n  a:\n    title: t\n    title: u\n", "mine.yaml:4: 'title' stands here a second time"),
        ("sources:\n  a: 3\n", "mine.yaml:2: a: found 3, expected a mapping"),
        ("sources:\n  [a]: {}\n", "not valid YAML"),
        ("sources: !!python/object:os.system {}\n", "not valid YAML"),
    ],
)
def test_malformed_files_are_refused(tmp_path, text, message):
    with pytest.raises(InputError, match=message) as caught:
        read(tmp_path, text)
    assert "\n" not in str(caught.value)


def test_text_that_is_not_utf8(tmp_path):
    (tmp_path / "mine.yaml").write_bytes(b"sources: \xff")
    with pytest.raises(InputError, match="found the byte 0xff, expected UTF-8"):
        load_catalogue(tmp_path / "mine.yaml")


def test_lookup():
    catalogue = load_catalogue()
    assert lookup(catalogue, "dream-train") is catalogue["dream-train"]
    with pytest.raises(InputError, match="did you mean hg38-genome"):
        lookup(catalogue, "hg38-genom")
