"""The browser on the demo gallery's endless page: it finds every address and reaches nothing else."""

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from inference.errors import UserError
from scraping import stage
from scraping.browser import BrowserSettings, Scroll, scroll
from scraping.demo.server import HOST, serve
from scraping.fetch import Fetcher
from scraping.pages import PageRules
from scraping.sources import Finder, Gallery, Limits, find

ROOT = Path(__file__).resolve().parents[2]
START = f"http://{HOST}/fashion/"
needs_browser = pytest.mark.skipif(
    not (shutil.which("chromium") and shutil.which("chromedriver")), reason="chromium and chromium-driver not installed"
)


def settings(**more: object) -> BrowserSettings:
    usual = {"binary": None, "driver": None, "flags": [], "step_seconds": 0.1, "stable_steps": 6, "max_seconds": 60}
    return BrowserSettings(**(usual | more))


def look(world: Path, log: Path, asked: BrowserSettings) -> list[str]:
    """Scroll the test world's endless page."""
    with serve(world / "gallery/fashion", log) as port:
        task = Scroll(START, ".card a", "href", max_items=999, gap_seconds=0)
        return asyncio.run(scroll(task, ("127.0.0.1", port), "Dramatis/0.1 (+test)", asked))


@needs_browser
def test_it_finds_all_items_asks_for_no_picture_and_connects_to_nothing_else(world, tmp_path):
    net_log = tmp_path / "net.json"
    links = look(world, tmp_path / "log.jsonl", settings(flags=[f"--log-net-log={net_log}"]))
    site = json.loads((world / "gallery/fashion/site.json").read_text())
    works = [path for path in site["routes"] if path.startswith("/works/")]
    assert sorted(links) == sorted(f"http://{HOST}{path}" for path in [*works, "/private/hidden"])
    asked = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert {request["agent"] for request in asked} == {"Dramatis/0.1 (+test)"}
    batches = {request["path"] for request in asked if "/batch/" in request["path"]}
    assert {request["path"] for request in asked} - batches <= {"/fashion/", "/style.css", "/scroll.js", "/favicon.ico"}
    reached = _connected(net_log.read_text())
    assert {address.rpartition(":")[0] for address in reached} == {"127.0.0.1"}
    assert len(reached) == 1


def _connected(net_log: str) -> set[str]:
    """List the addresses to which Chromium's own log says that it opened, or tried to open, a connection.

    It also "connects" a UDP socket to a public address to see whether the machine has IPv6: no packet leaves for that,
    so of UDP only bytes sent count.
    """
    # Killed with its browser, the log lacks its end: what is whole is read line by line.
    head, _, events = net_log.partition('"events": [')
    types = json.loads(head[head.index("{") :].rstrip().rstrip(",") + "}")["constants"]["logEventTypes"]
    found = set()
    for line in events.splitlines():
        if line.startswith('{"params"') and line.rstrip(",").endswith("}"):
            event = json.loads(line.rstrip(","))
            if event["type"] == types["TCP_CONNECT_ATTEMPT"] and "address" in event["params"]:
                found.add(event["params"]["address"])
            if event["type"] == types["UDP_BYTES_SENT"]:
                found.add(f"udp:{event['params']}")
    return found


@needs_browser
def test_what_robots_txt_disallows_the_page_cannot_load_either(site, tmp_path):
    page = """<div id=x></div><script>
      for (const path of ["/private/a.json", "/open/a.json", "/x/deep.json"])
        fetch(path).catch(() => 0).then(() => x.innerHTML += `<a href="${path}">a</a>`);
    </script>"""
    loopback = site({"/": page, "/private/a.json": "1", "/open/a.json": "1", "/x/deep.json": "1"})
    task = Scroll(f"http://{HOST}/", "a", "href", 99, 0, disallowed=("/private/", "/x*.json$"))
    links = asyncio.run(scroll(task, ("127.0.0.1", loopback.port), "x", settings()))
    assert len(links) == 3
    assert {path for path in loopback.paths() if path.endswith("json")} == {"/open/a.json"}


@needs_browser
def test_a_page_cannot_have_webrtc_send_packets_past_the_resolver(site):
    with socket.socket(type=socket.SOCK_DGRAM) as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.settimeout(0.5)
        page = f"""<script>
          const peer = new RTCPeerConnection({{iceServers: [{{urls: "stun:127.0.0.1:{stranger.getsockname()[1]}"}}]}});
          const note = () => document.body.innerHTML += `<a href="/${{peer.iceGatheringState}}">a</a>`;
          peer.addEventListener("icegatheringstatechange", note);
          peer.createDataChannel("x");
          peer.createOffer().then(offer => peer.setLocalDescription(offer));
        </script>"""
        loopback = site({"/": page})
        task = Scroll(f"http://{HOST}/", "a", "href", 99, 0)
        links = asyncio.run(scroll(task, ("127.0.0.1", loopback.port), "x", settings()))
        assert f"http://{HOST}/gathering" in links
        with pytest.raises(TimeoutError):
            stranger.recv(999)


@pytest.mark.parametrize(
    ("start", "reason"),
    [(f"http://{HOST}/private/", "robots-disallowed"), ("http://127.0.0.1:{port}/fashion/", "private-address")],
)
def test_a_page_that_may_not_be_asked_is_never_opened(world, tmp_path, hurry, start, reason):
    async def collect(port: int) -> list:
        link = start.format(port=port)
        rules = {"item": "a", "next": None, "page": PageRules(picture="img", licence="a"), "private_addresses": False}
        source = Gallery(kind="gallery", via="browser", start=[link], **rules)
        policy, pace = hurry
        journal = stage.Journal(tmp_path / "found.jsonl")
        nowhere = settings(binary="/nowhere", driver="/nowhere")
        async with Fetcher(policy, pace, "test", 0, {HOST: ("127.0.0.1", port)}) as fetcher:
            return await find("g", source, Finder(fetcher, journal, Limits(pages=9, items=9), nowhere, False))

    with serve(world / "gallery/fashion", tmp_path / "log.jsonl") as port:
        (found,) = asyncio.run(collect(port))
    assert (found.outcome["status"], found.outcome["reason"]) == ("refused", reason)
    assert "/private/" not in (tmp_path / "log.jsonl").read_text()


@pytest.mark.parametrize("missing", ["binary", "driver"])
def test_a_missing_browser_is_one_line_that_says_what_to_install(world, tmp_path, missing):
    given = {"binary": sys.executable, "driver": sys.executable} | {missing: "/nowhere/chromium"}
    with pytest.raises(UserError, match=rf"scrape.browser.{missing}.*apt-get install chromium chromium-driver"):
        look(world, tmp_path / "log.jsonl", settings(**given))


def test_a_browser_that_does_not_start_is_one_line(world, tmp_path):
    broken = tmp_path / "chromedriver"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    with pytest.raises(UserError, match="did not start") as caught:
        look(world, tmp_path / "log.jsonl", settings(binary=sys.executable, driver=str(broken)))
    assert "\n" not in str(caught.value)


@needs_browser
def test_killed_with_kill_9_it_leaves_no_browser_behind(world, tmp_path):
    script = (
        "import asyncio, sys\n"
        "from scraping.browser import *\n"
        f"task = Scroll({START!r}, '.none', 'href', 99, 0)\n"
        "flags = ['--marked-by-a-test=' + sys.argv[2]]\n"
        "times = {'step_seconds': 0.1, 'stable_steps': 99999, 'max_seconds': 60}\n"
        "asked = BrowserSettings(binary=None, driver=None, flags=flags, **times)\n"
        "asyncio.run(scroll(task, ('127.0.0.1', int(sys.argv[1])), 'x', asked))\n"
    )
    with serve(world / "gallery/fashion", tmp_path / "log.jsonl") as port:
        args = [sys.executable, "-c", script, str(port), tmp_path.name]
        process = subprocess.Popen(args, env=os.environ | {"PYTHONPATH": str(ROOT)})
        assert _wait(lambda: "/fashion/" in (tmp_path / "log.jsonl").read_text())
        assert _browsers(tmp_path.name)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert _wait(lambda: not _browsers(tmp_path.name))


def _browsers(mark: str) -> list[Path]:
    """List the processes whose command line bears the mark, our own script's apart."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = file.read_bytes().split(b"\0")
        except OSError:
            continue
        if f"--marked-by-a-test={mark}".encode() in words:
            found.append(file.parent)
    return found


def _wait(true: object, seconds: float = 30) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if true():
            return True
        time.sleep(0.05)
    return False
