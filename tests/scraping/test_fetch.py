"""The downloader against a real loopback server that behaves badly."""

import asyncio
import gzip
import io
import itertools
import socket
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from importlib.metadata import version

import anyio
import pytest
from PIL import Image

from scraping.demo.server import Route
from scraping.fetch import Host, retry_after_seconds

JPEG = b"\xff\xd8\xff" + bytes(2000)
FORBIDDEN = "User-agent: *\nDisallow: /private/\n"


def reasons(replies):
    return [reply.problem.reason if reply.problem else None for reply in replies]


def test_32_first_requests_at_once_wait_for_one_robots_txt_and_never_touch_a_forbidden_path(site, fetch):
    loopback = site({"/robots.txt": FORBIDDEN, "/open.jpg": JPEG, "/private/a.jpg": JPEG})
    replies = fetch(loopback, *["/private/a.jpg", "/open.jpg"] * 16)
    assert reasons(replies) == ["robots-disallowed", None] * 16
    assert loopback.paths().count("/robots.txt") == 1
    assert "/private/a.jpg" not in loopback.paths()
    assert [reply.robots for reply in replies[:2]] == ["disallowed", "allowed"]


def test_nothing_else_is_asked_before_a_slow_robots_txt_has_answered(site, fetch):
    loopback = site({"/robots.txt": Route(delay_seconds=0.3), "/a.jpg": JPEG, "/b.jpg": JPEG})
    fetch(loopback, *["/a.jpg", "/b.jpg"] * 16)
    first, *others = loopback.requests()
    assert first["path"] == "/robots.txt"
    assert all(request["time"] >= first["time"] for request in others)


@pytest.mark.parametrize(("status", "allowed"), [(404, True), (403, True), (429, False), (500, False), (503, False)])
def test_a_missing_robots_txt_allows_and_a_failing_one_forbids(site, fetch, status, allowed):
    loopback = site({"/robots.txt": Route(status=status), "/a.jpg": JPEG})
    assert reasons(fetch(loopback, "/a.jpg")) == [None if allowed else "robots-disallowed"]
    assert ("/a.jpg" in loopback.paths()) == allowed


@pytest.mark.parametrize("flaw", [{"length": 9000}, {"headers": {"Content-Encoding": "br"}}])
def test_a_robots_txt_that_did_not_come_whole_forbids(site, fetch, flaw):
    loopback = site({"/robots.txt": (Route(**flaw), "User-agent: *\nAllow: /"), "/a.jpg": JPEG})
    assert reasons(fetch(loopback, "/a.jpg")) == ["robots-disallowed"]
    assert "/a.jpg" not in loopback.paths()


def test_a_robots_txt_longer_than_its_cap_still_forbids(site, fetch):
    loopback = site({"/robots.txt": FORBIDDEN + "# filler\n" * 80_000, "/private/a.jpg": JPEG})
    assert reasons(fetch(loopback, "/private/a.jpg")) == ["robots-disallowed"]


def test_crawl_delay_separates_requests_to_a_host(site, fetch):
    paths = [f"/{number}.jpg" for number in range(6)]
    loopback = site({"/robots.txt": "User-agent: dramatis\nCrawl-delay: 0.1", **dict.fromkeys(paths, JPEG)})
    fetch(loopback, *paths)
    times = [request["time"] for request in loopback.requests() if request["path"] in paths]
    assert len(times) == 6
    assert times[-1] - times[0] >= 5 * 0.1 - 0.05  # the first may have been noted late, the last not early


def test_those_who_waited_for_one_of_few_slots_do_not_leave_together():
    async def departures() -> tuple[float, list[float]]:
        everyone, host, left = asyncio.Semaphore(2), Host(asyncio.Semaphore(9), gap=0.1), []

        async def go() -> None:
            async with host.turn(everyone):
                left.append(time.monotonic())

        async with everyone, everyone:
            waiting = [asyncio.create_task(go()) for _ in range(4)]
            await asyncio.sleep(0.5)
            host.pause(0.2)
            paused = time.monotonic()
        await asyncio.gather(*waiting)
        return paused, left

    paused, left = asyncio.run(departures())
    assert left[0] - paused >= 0.2 - 0.05
    assert all(later - earlier >= 0.1 - 0.05 for earlier, later in itertools.pairwise(left))


def test_a_crawl_delay_beyond_patience_leaves_the_host_alone(site, fetch):
    loopback = site({"/robots.txt": "User-agent: *\nCrawl-delay: 3600", "/a.jpg": JPEG})
    assert reasons(fetch(loopback, "/a.jpg")) == ["robots-disallowed"]
    assert loopback.paths() == ["/robots.txt"]


def test_retry_after_stops_the_whole_host_for_that_long(site, fetch):
    later = Route("image/jpeg", first_status=429, first_headers={"Retry-After": "1"})
    loopback = site({"/busy.jpg": later, "/a.jpg": JPEG, "/b.jpg": JPEG})
    replies = fetch(loopback, "/busy.jpg", "/a.jpg", "/b.jpg", pace={"per_host": 1})
    assert reasons(replies) == [None, None, None]
    assert [reply.attempts for reply in replies] == [2, 1, 1]
    busy, *others = [request for request in loopback.requests() if request["path"].endswith(".jpg")]
    assert busy["status"] == 429
    assert len(others) == 3
    assert all(request["time"] - busy["time"] >= 0.95 for request in others)


def test_retry_after_is_read_as_seconds_and_as_a_date():
    soon = datetime.now(UTC) + timedelta(seconds=90)
    assert retry_after_seconds("120") == 120
    assert 85 < retry_after_seconds(format_datetime(soon, usegmt=True)) <= 90
    assert retry_after_seconds("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert [retry_after_seconds(value) for value in ("soon", "-3", "²", "")] == [0, 0, 0, 0]


def test_a_pause_beyond_patience_closes_the_host(site, fetch):
    closed = Route(first_status=503, first_headers={"Retry-After": "7200"})
    loopback = site({"/a.jpg": closed, "/b.jpg": JPEG})
    replies = fetch(loopback, "/a.jpg", "/b.jpg", pace={"per_host": 1})
    assert reasons(replies) == ["host-closed", "host-closed"]
    assert loopback.paths()[2:] == ["/a.jpg"]


def test_a_host_that_only_fails_is_left_alone(site, fetch):
    paths = [f"/{number}.jpg" for number in range(20)]
    loopback = site(dict.fromkeys(paths, Route(status=500)))
    replies = fetch(loopback, *paths, policy={"breaker_failures": 5}, pace={"per_host": 1})
    assert {"http-500", "host-closed"} >= set(reasons(replies))
    assert len([path for path in loopback.paths() if path in paths]) == 5


def test_a_lasting_failure_is_asked_once_and_a_passing_one_again(site, fetch):
    loopback = site({"/flaky.jpg": Route("image/jpeg", first_status=503)})
    missing, flaky = fetch(loopback, "/missing.jpg", "/flaky.jpg")
    assert (missing.problem.reason, missing.problem.kind, missing.attempts) == ("http-404", "permanent", 1)
    assert (flaky.problem, flaky.attempts) == (None, 2)


def test_the_user_agent_names_the_project_and_a_contact(site, fetch):
    loopback = site({"/a.jpg": JPEG})
    fetch(loopback, "/a.jpg")
    agent = f"Dramatis/{version('dramatis')} (+test@example.org)"
    assert {request["agent"] for request in loopback.requests()} == {agent}


def test_a_body_over_the_cap_is_refused_announced_or_not(site, fetch):
    zeros = Route("image/jpeg", zeros=100_000_000)
    hidden = Route("image/jpeg", zeros=100_000_000, announced=False)
    replies = fetch(site({"/told.jpg": zeros, "/untold.jpg": hidden}), "/told.jpg", "/untold.jpg")
    assert reasons(replies) == ["too-many-bytes"] * 2
    assert [len(reply.body) for reply in replies] == [0, 0]


def test_a_packed_body_is_unpacked_only_up_to_the_cap(site, fetch):
    bomb = gzip.compress(bytes(50_000_000))
    packed = Route("image/jpeg", headers={"Content-Encoding": "gzip"}, file="0.bin")
    loopback = site({"/raw": bomb, "/bomb.jpg": packed})
    assert len(bomb) < 200_000
    assert reasons(fetch(loopback, "/bomb.jpg")) == ["too-many-bytes"]


def test_a_dripping_body_ends_at_the_total_time(site, fetch):
    loopback = site({"/drip.jpg": Route("image/jpeg", file="1.bin", drip_seconds=0.2), "/raw": JPEG})
    (reply,) = fetch(loopback, "/drip.jpg")
    assert (reply.problem.reason, reply.problem.kind, reply.attempts) == ("timeout", "retriable", 2)


def test_a_body_shorter_than_announced_is_incomplete(site, fetch):
    loopback = site({"/short.jpg": Route("image/jpeg", file="1.bin", length=9000), "/raw": JPEG})
    assert reasons(fetch(loopback, "/short.jpg")) == ["incomplete"]


def test_redirects_are_followed_and_kept_but_not_for_ever(site, fetch):
    hop = {f"/{number}": Route(status=302, headers={"Location": f"/{number + 1}"}) for number in range(10)}
    loopback = site({**hop, "/a": Route(status=301, headers={"Location": "/end.jpg#x"}), "/end.jpg": JPEG})
    moved, endless = fetch(loopback, "/a", "/0")
    assert (moved.redirects, moved.body) == (("http://gallery.demo/end.jpg",), JPEG)
    assert (endless.problem.reason, len(endless.redirects)) == ("too-many-redirects", 4)


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("/private/a.jpg", "robots-disallowed"),
        ("http://10.1.2.3/a.jpg", "private-address"),
        ("http://127.0.0.1:9/a.jpg", "private-address"),
        ("http://2130706433/a.jpg", "private-address"),
        ("http://[::ffff:127.0.0.1]/a.jpg", "private-address"),
        ("http://169.254.169.254/latest/meta-data/", "private-address"),
        ("file:///etc/passwd", "bad-address"),
        ("gopher://gallery.demo/", "bad-address"),
        ("http://[broken/", "bad-address"),
    ],
)
def test_each_hop_of_a_redirect_is_judged_like_a_first_request(site, fetch, target, reason):
    away = Route(status=302, headers={"Location": target})
    loopback = site({"/robots.txt": FORBIDDEN, "/a": away, "/private/a.jpg": JPEG})
    (reply,) = fetch(loopback, "/a")
    assert reply.problem.reason == reason
    assert "/private/a.jpg" not in loopback.paths()


def test_loopback_is_refused_unless_the_source_allows_it(site, fetch):
    loopback = site({"/a.jpg": JPEG})
    address = f"http://127.0.0.1:{loopback.port}/a.jpg"
    assert reasons(fetch(loopback, address)) == ["private-address"]
    assert not loopback.log.read_text()
    assert reasons(fetch(loopback, address, allow_private=True)) == [None]


def test_the_address_that_was_judged_is_the_one_connected_to(site, fetch, monkeypatch):
    answers = iter(["93.184.216.34", "127.0.0.1", "127.0.0.1"])
    connected = []

    def rebinding(host, *args, **kwargs):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), 0))]

    async def connect(remote_host, remote_port, **kwargs):
        connected.append(remote_host)
        raise OSError("no network in tests")

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    monkeypatch.setattr(anyio, "connect_tcp", connect)

    (reply,) = fetch(site({}), "http://rebinding.example/a.jpg", policy={"attempts": 1})
    assert reply.problem.reason == "connection"
    assert connected == ["93.184.216.34"]


def test_a_name_with_one_private_address_among_public_ones_is_refused(site, fetch, monkeypatch):
    found = ["93.184.216.34", "192.168.1.1"]
    answer = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in found]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: answer)
    (reply,) = fetch(site({}), "http://mixed.example/a.jpg")
    assert (reply.problem.reason, reply.problem.kind, reply.attempts) == ("private-address", "policy", 0)


def test_an_unknown_name_is_reported_as_such(site, fetch, monkeypatch):
    def unknown(*args, **kwargs):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    (reply,) = fetch(site({}), "http://nowhere.example/a.jpg")
    assert (reply.problem.reason, reply.problem.kind) == ("dns", "permanent")


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Robots-Tag": "noai"},
        {"X-Robots-Tag": "unavailable_after: 25 Jun 2030 15:00:00 PST, noai"},
        {"TDM-Reservation": "1"},
        {"Content-Signal": "search=yes, ai-train=no"},
        {"Content-Usage": "train-ai=n"},
    ],
)
def test_an_opt_out_in_the_headers_is_a_refusal_asked_once(site, fetch, headers):
    loopback = site({"/a.jpg": Route("image/jpeg", headers=headers)})
    (reply,) = fetch(loopback, "/a.jpg")
    assert (reply.problem.kind, reply.problem.reason, len(reply.optout)) == ("policy", "opt-out", 1)
    assert loopback.paths().count("/a.jpg") == 1


def test_what_is_said_to_another_agent_is_not_said_to_us(site, fetch):
    loopback = site({"/a.jpg": Route("image/jpeg", headers={"X-Robots-Tag": "googlebot: noindex, noai"})})
    assert reasons(fetch(loopback, "/a.jpg")) == [None]


@pytest.mark.parametrize(
    "files",
    [
        {"/robots.txt": "User-agent: *\nContent-Signal: search=yes, ai-train=no\nAllow: /"},
        {"/.well-known/tdmrep.json": '[{"location": "/*.jpg$", "tdm-reservation": 1}]'},
    ],
)
def test_an_opt_out_of_the_whole_site_is_honoured_before_any_picture_is_asked(site, fetch, files):
    loopback = site({**files, "/a.jpg": JPEG})
    assert reasons(fetch(loopback, "/a.jpg")) == ["opt-out"]
    assert "/a.jpg" not in loopback.paths()


def test_a_broken_certificate_or_handshake_is_not_tried_again(site, fetch):
    loopback = site({"/a.jpg": JPEG})
    (reply,) = fetch(loopback, "https://gallery.demo/a.jpg")
    assert (reply.problem.reason, reply.problem.kind) == ("tls", "permanent")


def test_many_pictures_come_whole(site, fetch):
    out = io.BytesIO()
    Image.effect_noise((64, 64), 40).save(out, "JPEG")
    paths = [f"/{number}.jpg" for number in range(100)]
    loopback = site({path: out.getvalue() + str(number).encode() for number, path in enumerate(paths)})
    replies = fetch(loopback, *paths)
    assert [reply.body for reply in replies] == [out.getvalue() + str(number).encode() for number in range(100)]
