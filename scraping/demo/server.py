"""Serve a demo gallery on loopback, with the manners and the malice that its site.json prescribes.

To look at one: python -m scraping.demo.server data/gallery/portrait
"""

import hashlib
import json
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from inference.errors import UserError

HOST = "gallery.demo"  # the name under which the gallery is scraped; it exists in no DNS
SITE, PAGES = "site.json", "served/pages.json"
CHUNK = bytes(64 * 1024)


@dataclass(frozen=True)
class Route:
    """How one path answers. The body is a file of the gallery, a page, or zeros."""

    type: str = "text/html; charset=utf-8"
    file: str | None = None  # relative to the gallery; None: the page of this path
    sha256: str | None = None  # of the body; makes site.json the gallery's identity
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    first_status: int | None = None  # the first request gets this instead, with `first_headers`
    first_headers: dict[str, str] = field(default_factory=dict)
    delay_seconds: float = 0.0  # before the answer
    drip_seconds: float = 0.0  # before each byte of the body
    length: int | None = None  # a Content-Length that lies
    zeros: int = 0  # a body of so many zeros
    announced: bool = True  # whether Content-Length is sent at all


def write_site(gallery: Path, routes: dict[str, Route], pages: dict[str, str]) -> None:
    """Write a gallery's routes and pages to where the server finds them."""
    (gallery / PAGES).parent.mkdir(parents=True, exist_ok=True)
    (gallery / PAGES).write_text(json.dumps(pages, ensure_ascii=False, indent=0), encoding="utf-8")
    plain = asdict(Route())
    table = {
        path: {key: value for key, value in asdict(route).items() if value != plain[key]}
        for path, route in routes.items()
    }
    site = {"host": HOST, "pages_sha256": _sha256(gallery / PAGES), "routes": table}
    (gallery / SITE).write_text(json.dumps(site, ensure_ascii=False, indent=1), encoding="utf-8")


def identity(gallery: Path) -> str:
    """Name the state of a gallery: its site.json holds the hash of every body it serves."""
    site = gallery / SITE
    if not site.is_file():
        raise UserError(f"{gallery}: no gallery here; make it first: python -m scraping.demo corpus={gallery.name}")
    return _sha256(site)


@contextmanager
def serve(gallery: Path, log: Path, port: int = 0) -> Iterator[int]:
    """Serve a gallery from a thread and give its port; each request becomes a JSON line in `log` before its answer."""
    site = json.loads((gallery / SITE).read_text(encoding="utf-8"))
    pages = json.loads((gallery / PAGES).read_text(encoding="utf-8"))
    routes = {path: Route(**entry) for path, entry in site["routes"].items()}
    log.parent.mkdir(parents=True, exist_ok=True)
    lines = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    listener = _Server(("127.0.0.1", port), gallery, routes, pages, lines)
    thread = threading.Thread(target=listener.serve_forever, args=(0.05,), daemon=True, name="gallery")
    thread.start()
    try:
        yield listener.server_address[1]
    finally:
        listener.closing.set()
        listener.shutdown()
        listener.server_close()
        os.close(lines)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a dripping answer must not hold up the end
    request_queue_size = 128

    def __init__(
        self, address: tuple[str, int], gallery: Path, routes: dict[str, Route], pages: dict[str, str], log: int
    ) -> None:
        super().__init__(address, _Handler)
        self.gallery, self.routes, self.pages, self.log = gallery, routes, pages, log
        self.asked: Counter[str] = Counter()
        self.lock = threading.Lock()
        self.closing = threading.Event()

    def note(self, path: str, status: int, agent: str) -> None:
        line = json.dumps({"time": time.time(), "path": path, "status": status, "agent": agent})
        os.write(self.log, line.encode() + b"\n")

    def handle_error(self, request: object, client_address: object) -> None:
        """Stay silent where a client hangs up, as it may."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    server_version = "DramatisGallery/1"
    sys_version = ""
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_GET(self) -> None:
        # Paths are only ever looked up in the table: none becomes part of a file name.
        route = self.server.routes.get(self.path)
        with self.server.lock:
            first = self.server.asked[self.path] == 0
            self.server.asked[self.path] += 1
        if route is None:
            self._answer(HTTPStatus.NOT_FOUND, {"Content-Type": "text/plain"}, b"nothing here")
        elif first and route.first_status:
            self._answer(route.first_status, route.first_headers, b"later")
        else:
            self.server.closing.wait(route.delay_seconds)
            self._perform(route)

    def _perform(self, route: Route) -> None:
        headers = {"Content-Type": route.type, **route.headers}
        if route.zeros:
            self._stream_zeros(route, headers)
            return
        if route.file is not None:
            body = (self.server.gallery / route.file).read_bytes()
        else:
            body = self.server.pages.get(self.path, "").encode()
        if route.length is not None:
            self._answer(route.status, headers, body, route.length)
            self.close_connection = True
        elif route.drip_seconds:
            self._answer(route.status, headers, b"", len(body))
            for byte in body:
                if self.server.closing.wait(route.drip_seconds):
                    break
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
            self.close_connection = True
        else:
            self._answer(route.status, headers, body)

    def _stream_zeros(self, route: Route, headers: dict[str, str]) -> None:
        self.close_connection = True
        self._answer(route.status, headers, b"", route.zeros if route.announced else None, close=True)
        for _ in range(route.zeros // len(CHUNK)):
            self.wfile.write(CHUNK)

    def _answer(
        self, status: int, headers: dict[str, str], body: bytes, length: int | None = -1, close: bool = False
    ) -> None:
        """Send head and body in one piece. `length`: -1 states the true one, None states none."""
        self.server.note(self.path, int(status), self.headers.get("User-Agent", ""))
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if length is not None:
            self.send_header("Content-Length", str(len(body) if length == -1 else length))
        if close:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, *args: object) -> None:
        """Keep the terminal for the stage: requests stand in the access log."""


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main() -> None:
    """Serve one gallery until interrupted, for a look with a browser."""
    gallery = Path(sys.argv[1])
    identity(gallery)
    with serve(gallery, Path(".work/gallery-access.jsonl"), int(sys.argv[2]) if len(sys.argv) > 2 else 0) as port:
        print(f"http://127.0.0.1:{port}/", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print()


if __name__ == "__main__":
    main()
