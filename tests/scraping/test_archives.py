"""Big files come whole, are resumed and capped; what an address may not do ends in one line."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from scraping.archives import NotFetched, Patience, download

BODY = bytes(range(256)) * 40
PATIENCE = Patience(attempts=3, stall_seconds=2, backoff_seconds=0, max_redirects=2)


@dataclass
class Origin:
    """A server of one file: it hangs up after some bytes, where it is told to, and notes the ranges it was asked."""

    body: bytes = BODY
    mark: str = '"one"'
    hang_up_after: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    location: str = ""
    asked: list[str] = field(default_factory=list)
    port: int = 0

    def get(self, target: Path, most: int = 10**6, path: str = "/file") -> bytes:
        download(f"http://files.demo{path}", target, most, PATIENCE, {"files.demo": ("127.0.0.1", self.port)})
        return target.read_bytes()


@pytest.fixture
def serving() -> Iterator[Callable[..., Origin]]:
    with ExitStack() as stack:

        def start(**how) -> Origin:
            origin = Origin(**how)
            handler = type("Handler", (_Handler,), {"origin": origin})
            server = stack.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), handler))
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
            stack.callback(server.shutdown)
            origin.port = server.server_address[1]
            return origin

        yield start


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    origin: Origin

    def do_GET(self) -> None:
        origin = self.origin
        origin.asked.append(self.headers.get("Range", "all"))
        self.close_connection = True
        status = origin.statuses.pop(0) if origin.statuses else 200
        if status != 200:
            self.send_response_only(status)
            self.send_header("Content-Length", "0")
            if origin.location:
                self.send_header("Location", origin.location)
            self.end_headers()
            return
        first = 0
        if self.headers.get("If-Range") == origin.mark and "Range" in self.headers:
            first = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        self.send_response_only(206 if first else 200)
        if first:
            self.send_header("Content-Range", f"bytes {first}-{len(origin.body) - 1}/{len(origin.body)}")
        self.send_header("Content-Length", str(len(origin.body) - first))
        self.send_header("ETag", origin.mark)
        self.end_headers()
        upto = origin.hang_up_after.pop(0) if origin.hang_up_after else len(origin.body)
        self.wfile.write(origin.body[first : first + upto])

    def log_message(self, *args: object) -> None:
        pass


def test_a_file_comes_whole_and_leaves_no_part(serving, tmp_path):
    assert serving().get(tmp_path / "a/file") == BODY
    assert [file.name for file in (tmp_path / "a").iterdir()] == ["file"]


def test_what_a_torn_connection_left_is_not_asked_for_again(serving, tmp_path):
    origin = serving(hang_up_after=[6000, 3000])
    assert origin.get(tmp_path / "file") == BODY
    assert origin.asked == ["all", "bytes=6000-", "bytes=9000-"]


def test_a_later_run_goes_on_where_a_killed_one_stopped(serving, tmp_path):
    (tmp_path / "file.part").write_bytes(BODY[:5000])
    (tmp_path / "file.part.etag").write_text('"one"')
    origin = serving()
    assert origin.get(tmp_path / "file") == BODY
    assert origin.asked == ["bytes=5000-"]


def test_the_rest_of_another_file_is_not_joined_to_what_there_is(serving, tmp_path):
    (tmp_path / "file.part").write_bytes(b"x" * 5000)
    (tmp_path / "file.part.etag").write_text('"before"')
    assert serving().get(tmp_path / "file") == BODY


def test_what_has_no_mark_begins_anew(serving, tmp_path):
    (tmp_path / "file.part").write_bytes(b"x" * 5000)
    origin = serving()
    assert origin.get(tmp_path / "file") == BODY
    assert origin.asked == ["all"]


def test_a_server_in_trouble_is_asked_again_and_one_without_the_file_is_not(serving, tmp_path):
    troubled = serving(statuses=[503, 503])
    assert troubled.get(tmp_path / "file") == BODY
    without = serving(statuses=[404])
    with pytest.raises(NotFetched, match="answered 404"):
        without.get(tmp_path / "other")
    assert (len(troubled.asked), len(without.asked)) == (3, 1)


def test_no_byte_beyond_the_cap_is_kept(serving, tmp_path):
    with pytest.raises(NotFetched, match="10240 bytes announced, 4096 allowed"):
        serving().get(tmp_path / "file", most=4096)
    assert not (tmp_path / "file").exists()


def test_a_redirect_into_a_private_network_is_not_followed(serving, tmp_path):
    origin = serving(statuses=[302], location="http://127.0.0.1:1/secret")
    with pytest.raises(NotFetched, match="private address"):
        origin.get(tmp_path / "file")


def test_redirects_end(serving, tmp_path):
    origin = serving(statuses=[302] * 9, location="/file")
    with pytest.raises(NotFetched, match="more than 2 redirects"):
        origin.get(tmp_path / "file")
