"""A local HTTP server that misbehaves as told."""

from __future__ import annotations

import re
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Fault:
    """What goes wrong with one request."""

    status: int = 0  # answer this and nothing else
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None  # stop after so many bytes of the answer
    stall: float = 0.0  # and keep the line open in silence for so many seconds
    drip: float = 0.0  # seconds between two bytes of the answer
    drip_header: float = 0.0  # and between two bytes of a header line without end
    becomes: File | None = None  # from the next request on, the address serves this


@dataclass
class File:
    """What an address serves. `faults` are used up one per request; `always` is the fault of every other request."""

    content: bytes
    etag: str | None = '"one"'
    last_modified: str | None = None
    ranges: bool = True
    if_range: bool = True
    length: bool = True
    faults: list[Fault] = field(default_factory=list)
    always: Fault = field(default_factory=Fault)


@dataclass
class Request:
    """One request as it came in, and how it was answered."""

    path: str
    range: str | None
    if_range: str | None
    status: int = 0
    sent: int = 0


class _Handler(BaseHTTPRequestHandler):
    server: BadServer

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        request = Request(self.path, self.headers["Range"], self.headers["If-Range"])
        self.server.requests.append(request)
        file = self.server.files.get(self.path.partition("?")[0])
        if file is None:
            return self.answer(request, 404, {}, b"", Fault())
        fault = file.faults.pop(0) if file.faults else file.always
        if fault.becomes:
            self.server.files[self.path] = fault.becomes
        if fault.status:
            return self.answer(request, fault.status, fault.headers, b"", fault)
        headers = {"ETag": file.etag, "Last-Modified": file.last_modified}
        start = re.fullmatch(r"bytes=(\d+)-", request.range or "")
        stale = file.if_range and request.if_range not in (None, file.etag, file.last_modified)
        if not start or not file.ranges or stale:
            length = {"Content-Length": str(len(file.content))} if file.length else {}
            return self.answer(request, 200, {**headers, **length}, file.content, fault)
        first, total = int(start[1]), len(file.content)
        if first >= total:
            return self.answer(request, 416, {"Content-Range": f"bytes */{total}"}, b"<p>no such bytes", fault)
        headers |= {"Content-Range": f"bytes {first}-{total - 1}/{total}", "Content-Length": str(total - first)}
        return self.answer(request, 206, headers, file.content[first:], fault)

    def answer(self, request: Request, status: int, headers: dict[str, str | None], body: bytes, fault: Fault) -> None:
        request.status = status
        if fault.drip_header:
            return self.drip(b"HTTP/1.1 200 OK\r\nX-Slow: " + b"." * 1000, fault.drip_header)
        self.send_response(status)
        for key, value in headers.items():
            if value is not None:
                self.send_header(key, value)
        self.end_headers()
        body = body[: fault.cut]
        try:
            if fault.drip:
                self.drip(body, fault.drip)
            else:
                self.wfile.write(body)
            self.wfile.flush()
        except ConnectionError:  # the client has gone
            return
        request.sent = len(body)
        if fault.stall:
            time.sleep(fault.stall)

    def drip(self, text: bytes, seconds: float) -> None:
        for position in range(len(text)):
            self.wfile.write(text[position : position + 1])
            self.wfile.flush()
            if self.server.over.wait(seconds):
                return


class BadServer(ThreadingHTTPServer):
    """Serves `files` (path → File) on 127.0.0.1 and keeps every request in `requests`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, File] = {}
        self.requests: list[Request] = []
        self.over = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}"

    def __enter__(self) -> BadServer:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.shutdown()
        self.server_close()
