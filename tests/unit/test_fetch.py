from __future__ import annotations

import hashlib
import io
import json
import os
import resource
import signal
import subprocess
import sys
import time
from email.utils import formatdate
from pathlib import Path

import pandas as pd
import pytest
from badserver import BadServer, Fault, File
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import proformer
from proformer.cli import main
from proformer.cli.fetch import meter
from proformer.errors import InputError
from proformer.sources import download as download_module
from proformer.sources.catalogue import Source
from proformer.sources.download import PartialFile, open_partial
from proformer.sources.fetch import fetch, file_digest

CONTENT = bytes(range(256)) * 1200  # 307,200 bytes: several chunks
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server(monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with BadServer() as server:
        yield server


@pytest.fixture
def pauses(monkeypatch):
    """The pauses that were asked for, in place of waiting."""
    asked: list[float] = []
    monkeypatch.setattr(download_module.time, "sleep", asked.append)
    return asked


def source_at(server: BadServer, path: str = "/folder/data.bin", **changes) -> Source:
    known = {"algorithm": "sha256", "digest": SHA256}
    return Source(name="data", address=server.url + path, **(known | changes))


def quick(source: Source, out: Path, **changes) -> dict:
    return fetch(source, out, **({"attempts": 3, "timeout": 5, "backoff": 0.001} | changes))


def serve(server: BadServer, *faults: Fault, **changes) -> File:
    file = server.files["/folder/data.bin"] = File(**({"content": CONTENT, "faults": list(faults)} | changes))
    return file


def left(out: Path) -> list[str]:
    return sorted(path.name for path in out.parent.iterdir())


def test_whole_file_and_its_provenance(server, tmp_path):
    serve(server)
    calls = []
    source = source_at(server, size=len(CONTENT), licence="MIT", citation="A 2020")
    row = quick(source, tmp_path / "new" / "data.bin", progress=lambda *call: calls.append(call))
    assert (tmp_path / "new" / "data.bin").read_bytes() == CONTENT
    assert left(tmp_path / "new" / "data.bin") == ["data.bin"]
    assert row == {
        "name": "data",
        "filename": "data.bin",
        "address": source.address,
        "obtained_from": "network",
        "size": len(CONTENT),
        "algorithm": "sha256",
        "expected": SHA256,
        "found": SHA256,
        "digest_from": "catalogue",
        "licence": "MIT",
        "citation": "A 2020",
    }
    assert calls[-1] == (len(CONTENT), len(CONTENT))


@pytest.mark.parametrize("fault", [Fault(cut=100_000), Fault(cut=100_000, stall=3)], ids=["truncated", "stalled"])
def test_broken_off_download_is_resumed(server, tmp_path, fault):
    serve(server, fault)
    quick(source_at(server), tmp_path / "data.bin", timeout=0.3)
    assert (tmp_path / "data.bin").read_bytes() == CONTENT
    first, second = server.requests
    start = int(second.range.removeprefix("bytes=").removesuffix("-"))
    assert 0 < start <= 100_000
    assert (first.range, second.if_range, second.status, second.sent) == (None, '"one"', 206, len(CONTENT) - start)
    assert left(tmp_path / "data.bin") == ["data.bin"]


def test_dripping_server_is_given_up_on(server, tmp_path):
    """Bytes come all the time, but far too few of them."""
    serve(server, always=Fault(drip=0.02))
    began = time.monotonic()
    with pytest.raises(InputError, match=r"given up after 2 attempts: only \d+ bytes per second for"):
        quick(source_at(server), tmp_path / "data.bin", attempts=2, timeout=0.3)
    assert time.monotonic() - began < 5
    server.files["/list"] = File(CONTENT, always=Fault(drip=0.02))
    with pytest.raises(InputError, match="given up after 1 attempts: only"):
        download_module.read(f"{server.url}/list", download_module.Patience(1, 0.3))


def test_dripping_header_is_given_up_on(server, tmp_path):
    serve(server, always=Fault(drip_header=0.02))
    began = time.monotonic()
    with pytest.raises(InputError, match="given up after 2 attempts: the header lines are not all there after"):
        quick(source_at(server), tmp_path / "data.bin", attempts=2, timeout=0.3)
    assert time.monotonic() - began < 5
    assert left(tmp_path / "data.bin") == []


@pytest.mark.parametrize("length", [True, False])
def test_a_server_that_goes_on_and_on_is_stopped(server, tmp_path, length):
    serve(server, length=length)
    with pytest.raises(InputError, match=r"expected 1000|goes on after the 1000 bytes"):
        quick(source_at(server, size=1000), tmp_path / "data.bin")
    assert left(tmp_path / "data.bin") == []


def test_short_answers_are_short(server, monkeypatch):
    server.files["/list"] = File(CONTENT, length=False)
    assert download_module.read(f"{server.url}/list", download_module.Patience(1, 5)) == CONTENT
    monkeypatch.setattr(download_module, "_LARGEST_ANSWER", 100_000)
    with pytest.raises(InputError, match="expected a short answer"):
        download_module.read(f"{server.url}/list", download_module.Patience(1, 5))


def test_server_without_ranges_is_read_from_the_start(server, tmp_path):
    serve(server, Fault(cut=100_000), ranges=False)
    quick(source_at(server), tmp_path / "data.bin")
    assert (tmp_path / "data.bin").read_bytes() == CONTENT
    assert [(request.status, request.range is None) for request in server.requests] == [(200, True), (200, False)]


def test_gives_up_where_no_attempt_gets_further_but_not_while_bytes_come(server, tmp_path):
    serve(server, ranges=False, always=Fault(cut=100_000))
    with pytest.raises(InputError, match=r"given up after 3 attempts: .*(incomplete|100000)"):
        quick(source_at(server), tmp_path / "data.bin")
    assert len(server.requests) == 3
    assert not (tmp_path / "data.bin").exists()
    server.requests.clear()
    serve(server, always=Fault(cut=40_000))
    quick(source_at(server), tmp_path / "data.bin")
    assert (tmp_path / "data.bin").read_bytes() == CONTENT
    assert len(server.requests) > 3


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cuts=st.lists(st.integers(0, len(CONTENT)), max_size=5),
    ranges=st.booleans(),
    length=st.booleans(),
    etag=st.sampled_from(['"one"', 'W/"one"', None]),
    digest=st.booleans(),
)
def test_any_breaks_give_the_same_bytes(server, tmp_path_factory, cuts, ranges, length, etag, digest):
    length = length or not digest  # a cut is invisible where neither length nor digest nor size is known
    faults = [Fault(cut=cut) for cut in cuts]
    serve(server, *faults, ranges=ranges, length=length, etag=etag)
    known = {"size": len(CONTENT)} if digest else {"algorithm": None, "digest": None}
    out = tmp_path_factory.mktemp("any") / "data.bin"
    quick(source_at(server, **known), out, attempts=7)
    assert out.read_bytes() == CONTENT


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_passing_failures_are_tried_again_with_growing_pauses(server, tmp_path, pauses, status):
    serve(server, *[Fault(status=status)] * 4)
    quick(source_at(server), tmp_path / "data.bin", attempts=5, backoff=1.0)
    assert len(server.requests) == 5
    assert not set(pauses) & {1, 2, 4, 8}  # jitter
    for pause, nominal in zip(pauses, (1, 2, 4, 8), strict=True):
        assert nominal * 0.5 <= pause <= nominal * 1.5


def test_retry_after_is_honoured(server, tmp_path, pauses):
    date = formatdate(time.time() + 300, usegmt=True)
    serve(server, Fault(429, {"Retry-After": "7"}), Fault(503, {"Retry-After": date}), Fault(503, {"Retry-After": "?"}))
    quick(source_at(server), tmp_path / "data.bin", attempts=4)
    assert pauses[0] == 7
    assert 290 < pauses[1] <= 300
    assert pauses[2] < 1
    serve(server, Fault(429, {"Retry-After": "86400"}))
    with pytest.raises(InputError, match=r"429 .*come back in 86400 s"):
        quick(source_at(server), tmp_path / "other.bin")


@pytest.mark.parametrize(
    ("status", "hint"), [(404, "may be out of date"), (403, "refused"), (410, "gone"), (401, "401")]
)
def test_final_answers_end_at_once(server, tmp_path, status, hint):
    serve(server, Fault(status))
    with pytest.raises(InputError, match=rf"data\.bin: HTTP {status} .*{hint}|HTTP {status}"):
        quick(source_at(server), tmp_path / "data.bin")
    assert len(server.requests) == 1
    assert left(tmp_path / "data.bin") == []


def test_wrong_bytes_are_removed_and_both_digests_named(server, tmp_path):
    wrong = CONTENT[:-1] + b"?"
    serve(server, content=wrong)
    with pytest.raises(InputError) as caught:
        quick(source_at(server), tmp_path / "data.bin")
    assert SHA256 in str(caught.value)
    assert hashlib.sha256(wrong).hexdigest() in str(caught.value)
    assert left(tmp_path / "data.bin") == []
    assert len(server.requests) == 1


def test_wrong_size_ends_before_the_bytes_are_read(server, tmp_path):
    serve(server)
    with pytest.raises(InputError, match="has 307200 bytes, expected 5"):
        quick(source_at(server, size=5), tmp_path / "data.bin")
    assert left(tmp_path / "data.bin") == []


@pytest.mark.parametrize("if_range", [True, False], ids=["If-Range understood", "If-Range ignored"])
@pytest.mark.parametrize("digest", [True, False], ids=["digest known", "no digest"])
def test_versions_are_never_glued_together(server, tmp_path, if_range, digest):
    new = File(CONTENT, etag='"two"', if_range=if_range)
    serve(server, Fault(cut=100_000, becomes=new), content=b"old" * 100_000)
    known = {} if digest else {"algorithm": None, "digest": None}
    quick(source_at(server, **known), tmp_path / "data.bin")
    assert (tmp_path / "data.bin").read_bytes() == CONTENT
    assert server.requests[1].if_range == '"one"'


def test_last_modified_stands_in_for_a_weak_etag(server, tmp_path):
    date = "Mon, 01 Jan 2024 00:00:00 GMT"
    serve(server, Fault(cut=100_000), etag='W/"one"', last_modified=date)
    quick(source_at(server, algorithm=None, digest=None), tmp_path / "data.bin")
    assert (server.requests[1].if_range, server.requests[1].status) == (date, 206)
    assert (tmp_path / "data.bin").read_bytes() == CONTENT


def test_without_a_validator_only_a_digest_permits_resuming(server, tmp_path):
    serve(server, Fault(cut=100_000), etag=None)
    quick(source_at(server, algorithm=None, digest=None), tmp_path / "a.bin")
    assert server.requests[-1].range is None
    serve(server, Fault(cut=100_000), etag=None)
    quick(source_at(server), tmp_path / "b.bin")
    assert server.requests[-1].status == 206
    # Another version of the same length, and nothing but the digest to tell: found out, and begun again.
    serve(server, Fault(cut=100_000, becomes=File(CONTENT, etag=None)), etag=None, content=bytes(len(CONTENT)))
    quick(source_at(server), tmp_path / "c.bin")
    assert [request.status for request in server.requests[-3:]] == [200, 206, 200]
    assert {path.read_bytes() for path in tmp_path.iterdir()} == {CONTENT}


@pytest.mark.parametrize("size", [len(CONTENT), None])
def test_a_part_that_was_already_whole_is_not_read_again(server, tmp_path, size):
    source = source_at(server, size=size)
    serve(server)
    (tmp_path / ".data.bin.part").write_bytes(CONTENT)
    memo = {"url": source.address, "validator": '"one"'}
    (tmp_path / ".data.bin.part.json").write_text(json.dumps(memo))
    quick(source, tmp_path / "data.bin")
    assert [request.status for request in server.requests] == ([] if size else [416])
    assert left(tmp_path / "data.bin") == ["data.bin"]


@pytest.mark.parametrize("known", [{}, {"algorithm": None, "digest": None, "size": len(CONTENT)}])
def test_a_part_of_another_address_is_not_used(server, tmp_path, known):
    serve(server)
    (tmp_path / ".data.bin.part").write_bytes(bytes(len(CONTENT)))
    (tmp_path / ".data.bin.part.json").write_text(json.dumps({"url": "http://other/data.bin", "validator": '"one"'}))
    quick(source_at(server, **known), tmp_path / "data.bin")
    assert server.requests[0].range is None
    assert (tmp_path / "data.bin").read_bytes() == CONTENT


def test_unknown_digest_is_said_so(server, tmp_path):
    serve(server)
    row = quick(source_at(server, algorithm=None, digest=None), tmp_path / "data.bin")
    assert (row["expected"], row["found"], row["digest_from"]) == ("", SHA256, "none known")


def test_digests(tmp_path):
    path = tmp_path / "hello"
    path.write_bytes(b"hello\n")
    assert file_digest(path, "git_blob") == "ce013625030ba8dba906f756967f9e9ca394464a"  # git hash-object
    assert file_digest(path, "md5") == "b1946ac92492d2347c6235b4d2611184"  # md5sum
    assert (
        file_digest(path, "sha256") == "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"
    )  # sha256sum


@pytest.mark.parametrize("algorithm", ["md5", "git_blob"])
def test_other_digests_are_checked(server, tmp_path, algorithm):
    path = tmp_path / "reference"
    path.write_bytes(CONTENT)
    right = file_digest(path, algorithm)
    serve(server)
    quick(source_at(server, algorithm=algorithm, digest=right), tmp_path / "data.bin")
    with pytest.raises(InputError, match=f"{algorithm} is {right}, expected {'0' * len(right)}"):
        quick(source_at(server, algorithm=algorithm, digest="0" * len(right)), tmp_path / "other.bin")


def test_what_is_there_and_verifies_is_left_alone(server, tmp_path):
    serve(server)
    out = tmp_path / "data.bin"
    out.write_bytes(CONTENT)
    assert quick(source_at(server), out)["obtained_from"] == "already there"
    assert not server.requests
    out.write_bytes(CONTENT[:-1])
    assert quick(source_at(server), out)["obtained_from"] == "network"
    assert out.read_bytes() == CONTENT


def test_what_is_there_is_kept_when_its_replacement_fails(server, tmp_path):
    serve(server, content=b"bad")
    out = tmp_path / "data.bin"
    out.write_bytes(b"mine")
    with pytest.raises(InputError):
        quick(source_at(server), out)
    assert out.read_bytes() == b"mine"


def mirrored(server: BadServer, folder: Path, content: bytes) -> Path:
    path = folder / server.url.removeprefix("http://") / "folder" / "data.bin"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    return path


def test_mirror_is_read_first(server, tmp_path):
    mirrored(server, tmp_path / "mirror", CONTENT)
    row = quick(source_at(server), tmp_path / "data.bin", mirror=tmp_path / "mirror")
    assert row["obtained_from"] == "mirror"
    assert (tmp_path / "data.bin").read_bytes() == CONTENT
    assert not server.requests


def test_what_the_mirror_lacks_comes_from_the_network(server, tmp_path):
    serve(server)
    (tmp_path / "mirror").mkdir()
    assert quick(source_at(server), tmp_path / "data.bin", mirror=tmp_path / "mirror")["obtained_from"] == "network"
    with pytest.raises(InputError, match="not a folder"):
        quick(source_at(server), tmp_path / "other.bin", mirror=tmp_path / "nowhere")


def test_wrong_mirror_file_is_named_and_kept(server, tmp_path):
    path = mirrored(server, tmp_path / "mirror", b"wrong")
    with pytest.raises(InputError) as caught:
        quick(source_at(server), tmp_path / "data.bin", mirror=tmp_path / "mirror")
    for named in (str(path), SHA256, hashlib.sha256(b"wrong").hexdigest()):
        assert named in str(caught.value)
    sized = source_at(server, size=6, algorithm=None, digest=None)
    with pytest.raises(InputError, match="5 bytes, expected 6"):
        quick(sized, tmp_path / "data.bin", mirror=tmp_path / "mirror")
    assert path.read_bytes() == b"wrong"
    assert left(tmp_path / "data.bin") == ["mirror"]


@pytest.fixture
def zenodo(server, monkeypatch):
    """Zenodo's interface with one record of one file."""
    monkeypatch.setenv("PROFORMER_ZENODO_API", f"{server.url}/api")
    address = "/api/records/123/files/data.bin/content"
    checksum = f"md5:{hashlib.md5(CONTENT).hexdigest()}"
    file = {"key": "data.bin", "size": len(CONTENT), "checksum": checksum, "links": {"self": server.url + address}}
    server.files["/api/records/123"] = File(json.dumps({"id": 123, "files": [file]}).encode())
    server.files[address] = File(CONTENT)
    canonical = "https://zenodo.org/records/123/files/data.bin"
    return Source(name="z", address=canonical, publisher=("zenodo", "123", "data.bin"))


def test_zenodo(server, zenodo, tmp_path):
    server.files["/api/records/123"].faults.append(Fault(503))
    row = quick(zenodo, tmp_path / "data.bin")
    assert (row["algorithm"], row["expected"]) == ("md5", hashlib.md5(CONTENT).hexdigest())
    assert row["digest_from"] == f"{server.url}/api/records/123"
    assert row["address"] == zenodo.address
    assert (tmp_path / "data.bin").read_bytes() == CONTENT
    server.files["/api/records/123/files/data.bin/content"].content = CONTENT[::-1]
    with pytest.raises(InputError, match=f"expected {row['expected']}"):
        quick(zenodo, tmp_path / "other.bin")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b'{"files": [{"key": "a.txt"}]}', r"no file 'data.bin'; it has a.txt"),
        (b"<html>", "not the description of a record"),
        (b"[]", "not the description of a record"),
        (
            b'{"files": [{"key": "data.bin", "size": 1, "checksum": "md5:abc", "links": {"self": "http://a/b"}}]}',
            "md5:abc",
        ),
    ],
)
def test_zenodo_says_something_else(server, zenodo, tmp_path, answer, message):
    server.files["/api/records/123"] = File(answer)
    with pytest.raises(InputError, match=message):
        quick(zenodo, tmp_path / "data.bin")
    assert left(tmp_path / "data.bin") == []


def test_zenodo_out_of_reach(server, zenodo, tmp_path):
    server.files["/api/records/123"] = File(b"", always=Fault(503))
    with pytest.raises(InputError, match="given up after 3 attempts: HTTP 503"):
        quick(zenodo, tmp_path / "data.bin")
    copy = tmp_path / "mirror" / "zenodo.org" / "records" / "123" / "files" / "data.bin"
    copy.parent.mkdir(parents=True)
    copy.write_bytes(CONTENT)
    row = quick(zenodo, tmp_path / "data.bin", mirror=tmp_path / "mirror")
    assert (row["obtained_from"], row["expected"], row["found"]) == ("mirror", "", SHA256)
    assert row["digest_from"].startswith("not checked: ")


def test_ena(server, tmp_path, monkeypatch):
    monkeypatch.setenv("PROFORMER_ENA_API", server.url)
    digest = hashlib.md5(CONTENT).hexdigest()
    paths = ";".join(
        f"ftp.sra.ebi.ac.uk/vol1/fastq/ERR1/ERR123456/ERR123456{mate}.fastq.gz" for mate in ("", "_1", "_2")
    )
    sizes = f"1;2;{len(CONTENT)}"
    report = f"run_accession\tfastq_ftp\tfastq_md5\tfastq_bytes\nERR123456\t{paths}\ta;b;{digest}\t{sizes}\n"
    server.files["/filereport"] = File(report.encode())
    serve(server)
    ask = {"algorithm": None, "digest": None}
    row = quick(source_at(server, publisher=("ena", "ERR123456", "2"), **ask), tmp_path / "data.bin")
    assert (row["algorithm"], row["expected"]) == ("md5", digest)
    assert "accession=ERR123456" in row["digest_from"]
    for other in (report.replace("_2.fastq", "_3.fastq"), "", "run_accession\n"):
        server.files["/filereport"] = File(other.encode())
        with pytest.raises(InputError, match=r"does not list ERR123456_2.fastq.gz"):
            quick(source_at(server, publisher=("ena", "ERR123456", "2"), **ask), tmp_path / "other.bin")


def test_list_of_md5_sums(server, tmp_path):
    digest = hashlib.md5(CONTENT).hexdigest()
    server.files["/md5sum.txt"] = File(f"{'0' * 32}  other.bin\n{digest} *data.bin\n".encode())
    serve(server)
    source = source_at(server, algorithm=None, digest=None, publisher=("md5sums", f"{server.url}/md5sum.txt"))
    row = quick(source, tmp_path / "data.bin")
    assert (row["expected"], row["digest_from"]) == (digest, f"{server.url}/md5sum.txt")
    server.files["/md5sum.txt"] = File(b"")
    with pytest.raises(InputError, match=r"no line for data.bin"):
        quick(source, tmp_path / "other.bin")


def test_only_http(server, tmp_path):
    with pytest.raises(InputError, match="only http and https"):
        quick(Source(name="f", address="ftp://example.org/data.bin"), tmp_path / "data.bin")
    serve(server, *[Fault(302, {"Location": "ftp://example.org/data.bin"})] * 2)
    with pytest.raises(InputError, match="ftp"):
        quick(source_at(server), tmp_path / "data.bin")
    assert len(server.requests) == 1


def test_proxy_of_the_environment_is_used(server, tmp_path, monkeypatch):
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    server.files["http://data.invalid/data.bin"] = File(CONTENT)
    known = {"algorithm": "sha256", "digest": SHA256}
    quick(Source(name="p", address="http://data.invalid/data.bin", **known), tmp_path / "data.bin")
    assert (tmp_path / "data.bin").read_bytes() == CONTENT


def test_one_process_at_a_time(server, tmp_path):
    serve(server)
    with open_partial(tmp_path / "data.bin"), pytest.raises(InputError, match="another process"):
        quick(source_at(server), tmp_path / "data.bin")
    quick(source_at(server), tmp_path / "data.bin")


def test_short_writes_lose_nothing(tmp_path):
    class Short(io.FileIO):
        def write(self, chunk):
            return super().write(bytes(chunk)[:1000])

    with Short(tmp_path / "part", "ab") as handle:
        PartialFile(handle, tmp_path / "part").write(CONTENT)
    assert (tmp_path / "part").read_bytes() == CONTENT


# ---- the command line


def catalogue_file(server: BadServer, folder: Path, content: bytes, **names: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text("sources:\n")
    with open(path, "a") as handle:
        for name, address in (names or {"data": "/folder/data.bin"}).items():
            entry = {"title": "t", "licence": "l", "citation": "c", "address": server.url + address}
            handle.write(f"  {name}: {json.dumps(entry | {'sha256': hashlib.sha256(content).hexdigest()})}\n")
    return path


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "proformer", "fetch", *map(str, arguments)]


def environment() -> dict[str, str]:
    own = {"PYTHONPATH": str(Path(proformer.__file__).parents[1]), "no_proxy": "127.0.0.1"}
    return {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")} | own


def test_killed_fetch_is_finished_by_the_next(server, tmp_path):
    serve(server, Fault(cut=200_000, stall=30))
    call = command("data", "--catalogue", catalogue_file(server, tmp_path, CONTENT), "--out", tmp_path / "out")
    part = tmp_path / "out" / ".data.bin.part"
    child = subprocess.Popen(call, env=environment())
    deadline = time.monotonic() + 10
    while not (part.exists() and part.stat().st_size >= 131_072):
        assert time.monotonic() < deadline
        assert child.poll() is None
        time.sleep(0.01)
    time.sleep(0.1)
    child.send_signal(signal.SIGKILL)
    child.wait()
    held = part.stat().st_size
    assert left(part) == [".data.bin.part", ".data.bin.part.json"]
    done = subprocess.run(call, env=environment(), capture_output=True, text=True, check=True)
    assert "downloaded; 307,200 bytes" in done.stdout
    assert (tmp_path / "out" / "data.bin").read_bytes() == CONTENT
    assert left(part) == ["data.bin"]
    assert server.requests[1].range == f"bytes={held}-"
    assert (server.requests[1].status, server.requests[1].sent) == (206, len(CONTENT) - held)


def test_full_disk_is_one_line(server, tmp_path):
    serve(server)
    call = command("data", "--catalogue", catalogue_file(server, tmp_path, CONTENT), "--out", tmp_path / "out")
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))  # noqa: E731
    done = subprocess.run(call, env=environment(), capture_output=True, text=True, preexec_fn=limit)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "data.bin: File too large" in done.stderr
    assert not (tmp_path / "out" / "data.bin").exists()
    subprocess.run(call, env=environment(), check=True, capture_output=True)
    assert server.requests[-1].range == "bytes=150000-"


def test_table_of_provenance(server, tmp_path, capsys):
    server.files |= {"/one.txt": File(CONTENT), "/two.txt": File(CONTENT)}
    mine = catalogue_file(server, tmp_path, CONTENT, one="/one.txt", two="/two.txt")
    out, table = tmp_path / "out", tmp_path / "tables" / "p.tsv"
    out.mkdir()
    (out / "one.txt").write_bytes(CONTENT)
    call = ["fetch", "one", "two", "one", "--catalogue", str(mine), "--out", str(out), "--provenance", str(table)]
    assert main(call) == 0
    rows = pd.read_csv(table, sep="\t")
    assert list(rows["name"]) == ["one", "two"]
    assert list(rows["obtained_from"]) == ["already there", "network"]
    assert set(rows["found"]) == {SHA256}
    assert "one.txt: already there, left alone" in capsys.readouterr().out


def test_mistakes_on_the_command_line(server, tmp_path, capsys):
    mine = catalogue_file(server, tmp_path, CONTENT, one="/a/x.txt", two="/b/x.txt")
    out = tmp_path / "out"
    for words, message in (
        (["dream-trian", "--out", out], "did you mean dream-train,"),
        (["zzzzzzzz", "--out", out], "--list"),
        (["one"], "--out DIR"),
        (["one", "two", "--out", out, "--catalogue", mine], "one and two would both be"),
        (["one", "--out", out, "--catalogue", tmp_path / "none.yaml"], "none.yaml: no such file"),
        (["one", "--out", out, "--catalogue", mine, "--provenance", out / "p.tsv"], "HTTP 404"),
    ):
        assert main(["fetch", *map(str, words)]) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
    assert not out.exists() or not list(out.iterdir())


def test_list(capsys):
    assert main(["fetch", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["NAME", "BYTES", "CHECKED", "BY", "WHAT"]
    assert any(line.split()[:3] == ["dream-plasmid", "8,296", "sha256"] for line in lines)


def test_progress_lines_without_a_terminal(capsys):
    with meter("data", every=0) as show:
        show(1_000_000, 4_000_000)
        show(2_000_000, None)
    with meter("data", every=1000) as show:
        show(3_000_000, None)
    assert capsys.readouterr().err == "data: 1.0 of 4.0 MB\ndata: 2.0 MB\n"
