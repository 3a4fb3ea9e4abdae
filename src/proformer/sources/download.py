"""One file over HTTP: resumed where the server can, begun again where it cannot, tried again when the line breaks."""

import email.utils
import errno
import fcntl
import json
import os
import random
import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from io import FileIO
from pathlib import Path
from typing import TypeVar

import requests
import urllib3

from proformer import __version__
from proformer.errors import InputError
from proformer.sources.publishers import Expected

Progress = Callable[[int, int | None], None]  # bytes so far, bytes in all where known
T = TypeVar("T")

_CHUNK = 1 << 16
_PASSING = {408, 425, 429, 500, 502, 503, 504}
_SLOWEST = 500  # bytes per second
_LARGEST_ANSWER = 16 << 20
_LONGEST_PAUSE, _LONGEST_RETRY_AFTER = 60.0, 900.0
_HINTS = {403: "access is refused", 404: "no such file; the address may be out of date", 410: "the file is gone"}


@dataclass(frozen=True)
class Patience:
    """When to give up: after `attempts` failures in a row without a new byte.

    `timeout` seconds of silence, or of hardly more, are a failure. Pauses double from `backoff` seconds to a minute,
    with jitter, and are never shorter than the server asks for.
    """

    attempts: int = 6
    timeout: float = 60.0
    backoff: float = 1.0


class Transient(Exception):
    """Worth another try, `wait` seconds from now at the earliest."""

    def __init__(self, what: str, wait: float = 0.0):
        super().__init__(what)
        self.wait = wait


class Dripping(Transient):
    """Bytes came, but so few that they do not count."""


class Unreachable(InputError):
    """Every attempt failed on the way, rather than by an answer."""


class PartialFile:
    """The unfinished file beside `out`, and what the server said of the file that it belongs to.

    The bytes are in `.<name>.part`; `.<name>.part.json` remembers the address and the validator (ETag or
    Last-Modified), so that two versions of a file are never glued together.
    """

    def __init__(self, handle: FileIO, path: Path):
        self.handle, self.path = handle, path
        self.memo = path.with_name(path.name + ".json")
        self.resumed = False

    @property
    def size(self) -> int:
        """Bytes held so far."""
        return self.handle.seek(0, os.SEEK_END)

    def write(self, chunk: bytes) -> None:
        """Append, all of it; OSError when the disk is full."""
        view = memoryview(chunk)
        while view:
            view = view[self.handle.write(view) :]

    def remembered(self, url: str) -> dict[str, str | None]:
        """What `begin` wrote of the bytes held; empty when these came from another address."""
        try:
            memo = json.loads(self.memo.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return memo if isinstance(memo, dict) and memo.get("url") == url else {}

    def begin(self, url: str, validator: str | None) -> None:
        """Empty the file and remember the version that is now to come."""
        self.clear()
        self.memo.write_text(json.dumps({"url": url, "validator": validator}), encoding="utf-8")

    def clear(self) -> None:
        """Throw away what was received."""
        self.handle.truncate(0)
        self.memo.unlink(missing_ok=True)
        self.resumed = False

    def finish(self, out: Path) -> None:
        """Put the whole file in its place."""
        os.fsync(self.handle.fileno())
        os.replace(self.path, out)
        self.memo.unlink(missing_ok=True)


@contextmanager
def open_partial(out: Path) -> Iterator[PartialFile]:
    """The `.part` file of `out`, open for appending and locked; it stays for the next call unless it is empty."""
    out.parent.mkdir(parents=True, exist_ok=True)
    path = out.with_name(f".{out.name}.part")
    with open(path, "ab", buffering=0) as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            busy = False
        except OSError as error:  # any other code: a file system without locks
            busy = error.errno in (errno.EWOULDBLOCK, errno.EACCES)
        # Whoever held the lock a moment ago may have renamed the file that we opened.
        if busy or not path.exists() or not os.path.samestat(os.fstat(handle.fileno()), path.stat()):
            raise InputError(f"{path}: another process is fetching this file")
        part = PartialFile(handle, path)
        try:
            yield part
        finally:
            if path.exists() and not part.size:
                path.unlink()
                part.memo.unlink(missing_ok=True)


def download(want: Expected, part: PartialFile, patience: Patience, progress: Progress | None = None) -> None:
    """Bring `part` to the whole of a file; the caller compares the digest. Raises InputError."""
    if want.digest and part.size and part.size == want.size:
        part.resumed = True
        return
    persist(lambda: _transfer(want, part, patience.timeout, progress), patience, want.url, lambda: part.size)


def read(url: str, patience: Patience) -> bytes:
    """A small answer: a record, a file report, a list of digests. Raises InputError (Unreachable when none came)."""

    def ask() -> bytes:
        text = b""
        with _get(url, patience.timeout, {}) as response:
            for chunk in _arriving(response, patience.timeout):
                text += chunk
                if len(text) > _LARGEST_ANSWER:
                    raise InputError(f"{url}: found more than {_LARGEST_ANSWER >> 20} MB, expected a short answer")
        return text

    return persist(ask, patience, url)


def persist(try_once: Callable[[], T], patience: Patience, what: str, reached: Callable[[], int] = lambda: 0) -> T:
    """Try until it succeeds or patience ends; `reached` says how many bytes there are."""
    failures, furthest = 0, reached()
    while True:
        try:
            return try_once()
        except (requests.RequestException, urllib3.exceptions.HTTPError, Transient) as error:
            if isinstance(error, ValueError | requests.TooManyRedirects):
                raise InputError(f"{what}: {_one_line(error)}") from None
            further = reached() > furthest and not isinstance(error, Dripping)
            failures, furthest = 1 if further else failures + 1, max(reached(), furthest)
            wait = getattr(error, "wait", 0.0)
            if failures >= patience.attempts:
                raise Unreachable(f"{what}: given up after {failures} attempts: {_one_line(error)}") from None
            if wait > _LONGEST_RETRY_AFTER:
                raise Unreachable(f"{what}: {_one_line(error)}; it asks to come back in {wait:.0f} s") from None
        pause = min(patience.backoff * 2 ** (failures - 1), _LONGEST_PAUSE) * random.uniform(0.5, 1.5)
        time.sleep(max(wait, pause))


def _transfer(want: Expected, part: PartialFile, timeout: float, progress: Progress | None) -> None:
    url, size, known = want.url, want.size, part.remembered(want.url)
    start, validator = part.size, known.get("validator")
    headers = {}
    if start and known and (validator or want.digest):  # a digest tells two versions apart, too
        headers["Range"] = f"bytes={start}-"
        if validator:
            headers["If-Range"] = validator
    with _get(url, timeout, headers) as response:
        if response.status_code == 200:
            part.begin(url, _validator(response))
            length = response.headers.get("Content-Length", "")
        else:
            length = _continues(response, part, start, validator)
        total = int(length) if length.isdecimal() else size
        if size is not None and total != size:
            part.clear()
            raise InputError(f"{url}: the server's file has {total} bytes, expected {size}")
        if response.status_code == 416:
            return
        done = part.size
        for chunk in _arriving(response, timeout):
            part.write(chunk)
            done += len(chunk)
            if total is not None and done > total:
                part.clear()
                raise InputError(f"{url}: the server goes on after the {total} bytes that the file has")
            if progress:
                progress(done, total)
    if total is not None and done < total:
        raise Transient(f"cut short at {done} of {total} bytes")


def _arriving(response: requests.Response, timeout: float) -> Iterator[bytes]:
    """The bytes of an answer, as they come; Dripping when, for `timeout` seconds, they come too slowly."""
    since, received = time.monotonic(), 0
    # No decoding: a Content-Encoding that nobody asked for is how some servers describe a stored .gz.
    while chunk := response.raw.read1(_CHUNK, decode_content=False):
        yield chunk
        received += len(chunk)
        if (seconds := time.monotonic() - since) >= timeout:
            if received < _SLOWEST * seconds:
                raise Dripping(f"only {received / seconds:.0f} bytes per second for {seconds:.0f} s")
            since, received = time.monotonic(), 0


def _continues(response: requests.Response, part: PartialFile, start: int, validator: str | None) -> str:
    """The bytes in all, from a 206 or 416 that goes with what we hold; else empties the part and raises Transient."""
    text = response.headers.get("Content-Range", "")
    match = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)", text)
    first, total = match.groups() if match else (None, "")
    fits = (first if response.status_code == 206 else total) == str(start)
    if not fits or (validator and _validator(response) not in (None, validator)):
        part.clear()
        raise Transient(f"asked for the bytes from {start} on, offered {text or 'no range'}, maybe of another version")
    part.resumed = True
    return total


def _get(url: str, timeout: float, headers: dict[str, str]) -> requests.Response:
    """A response with status 200, 206 or 416; Transient or InputError for any other."""
    if not re.match(r"https?://", url):
        raise InputError(f"{url}: only http and https addresses are fetched")
    headers = {"Accept-Encoding": "identity", "User-Agent": f"proformer/{__version__}", **headers}
    response = _within(2 * timeout, partial(requests.get, url, headers=headers, stream=True, timeout=timeout))
    status = response.status_code
    if status in (200, 206) or (status == 416 and "Range" in headers):
        return response
    response.close()
    answer = f"HTTP {status} {response.reason or ''}".strip()
    if status in _PASSING:
        raise Transient(answer, _retry_after(response))
    hint = f" ({_HINTS[status]})" if status in _HINTS else ""
    raise InputError(f"{url}: {answer}{hint}")


def _within(seconds: float, ask: Callable[[], requests.Response]) -> requests.Response:
    """An answer whose header lines are all there in time: requests' timeout starts anew with every byte of them."""
    answer: Future[requests.Response] = Future()

    def work() -> None:
        try:
            answer.set_result(ask())
        except Exception as error:
            answer.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    try:
        return answer.result(seconds)
    except TimeoutError:
        raise Dripping(f"the header lines are not all there after {seconds:.0f} s") from None


def _validator(response: requests.Response) -> str | None:
    """A strong ETag, else Last-Modified; a weak ETag must not be sent as If-Range (RFC 9110, 13.1.5)."""
    tag = response.headers.get("ETag", "")
    return tag if tag.startswith('"') else response.headers.get("Last-Modified")


def _retry_after(response: requests.Response) -> float:
    """Seconds that the server asks to wait; 0 when it does not say."""
    value = response.headers.get("Retry-After", "").strip()
    if value.isdecimal():
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return 0.0


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
