"""Read an endless page with headless Chromium: scroll to its end and note the addresses it shows.

The browser finds addresses and nothing else: pictures are blocked, and every name but the page's own host resolves to
nothing, because Chromium's switches alone do not keep it from calling home.
"""

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pydantic
from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.chromium.remote_connection import ChromiumRemoteConnection
from selenium.webdriver.common.proxy import Proxy, ProxyType
from selenium.webdriver.remote.client_config import ClientConfig
from urllib3.exceptions import HTTPError

from inference.errors import UserError
from scraping import stage

BINARIES = ("chromium", "chromium-browser", "google-chrome")
DRIVERS = ("chromedriver", "chromium.chromedriver")
BLOCKED = ("images", "popups", "notifications", "geolocation", "media_stream")
PREFERENCES = {
    **{f"profile.managed_default_content_settings.{name}": 2 for name in BLOCKED},
    "download_restrictions": 3,
    # WebRTC takes no notice of the resolver's rules: without these, a page has it send packets to any address.
    "webrtc.ip_handling_policy": "disable_non_proxied_udp",
    "webrtc.multiple_routes_enabled": False,
    "webrtc.nonproxied_udp_enabled": False,
}

LINKS_AND_SCROLL = """
const [css, name] = arguments;
const links = [...document.querySelectorAll(css)].map(tag => tag.getAttribute(name)).filter(Boolean)
  .map(value => { try { return new URL(value, document.baseURI).href } catch { return null } })
  .filter(link => link && link.startsWith("http"));
window.scrollTo(0, document.documentElement.scrollHeight);
return [links, document.documentElement.scrollHeight, performance.getEntriesByType("resource").length];
"""


class BrowserSettings(stage.Settings):
    """Where the browser is and how it scrolls."""

    binary: str | None  # found on the PATH where null
    driver: str | None
    flags: list[str]
    step_seconds: float = pydantic.Field(gt=0, allow_inf_nan=False)  # between two looks at the page
    stable_steps: pydantic.PositiveInt  # looks without anything new that mean the end
    max_seconds: float = pydantic.Field(ge=1, allow_inf_nan=False)


@dataclass(frozen=True)
class Scroll:
    """One page to scroll to its end."""

    url: str
    css: str
    attribute: str
    max_items: int
    gap_seconds: float  # the host's Crawl-delay: each scroll may make the page ask for more
    disallowed: tuple[str, ...] = ()  # path patterns of robots.txt: what the page's own scripts may not ask for either


class PageFailed(Exception):
    """A page that the browser could not read to its end."""


async def scroll(task: Scroll, target: tuple[str, int | None], user_agent: str, settings: BrowserSettings) -> list[str]:
    """Scroll a page until nothing new appears, and give the links it showed, in order.

    `target` is the judged address of the page's host, the only one that the browser can reach.
    """
    binary = _locate("binary", settings.binary, BINARIES)
    driver_binary = _locate("driver", settings.driver, DRIVERS)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile, _process_group() as group:
        options = _options(binary, profile, task.url, target, user_agent, settings.flags)
        environment = os.environ | {"SE_OFFLINE": "true", "TMPDIR": profile}
        service = webdriver.ChromeService(driver_binary, popen_kw={"process_group": group}, env=environment)
        try:
            driver = await asyncio.to_thread(_start, options, service, settings.max_seconds)
        except (WebDriverException, HTTPError) as error:
            raise UserError(f"scrape.browser: {binary} did not start: {_one_line(error)}") from None
        try:
            driver.set_page_load_timeout(settings.max_seconds)
            _block(driver, task)
            await asyncio.to_thread(driver.get, task.url)
            return await _scroll_down(driver, task, settings)
        except (WebDriverException, HTTPError) as error:
            raise PageFailed(_one_line(error)) from None


def _start(options: webdriver.ChromeOptions, service: webdriver.ChromeService, seconds: float) -> webdriver.Remote:
    """Start the driver and the browser. Not through `webdriver.Chrome`, which may download either and heeds proxies."""
    service.start()
    direct = Proxy({"proxyType": ProxyType.DIRECT})
    config = ClientConfig(service.service_url, proxy=direct, timeout=int(seconds))
    local = ChromiumRemoteConnection(
        service.service_url, vendor_prefix="goog", browser_name="chrome", client_config=config
    )
    return webdriver.Remote(local, options=options)


def _block(driver: webdriver.Remote, task: Scroll) -> None:
    """Have Chromium itself refuse what robots.txt disallows."""
    host = urlsplit(task.url).hostname
    patterns = [f"*://{host}{path.removesuffix('$')}" + "*" * (path[-1] not in "*$") for path in task.disallowed]
    for command, more in (("Network.enable", {}), ("Network.setBlockedURLs", {"urls": patterns})):
        driver.execute("executeCdpCommand", {"cmd": command, "params": more})


async def _scroll_down(driver: webdriver.Remote, task: Scroll, settings: BrowserSettings) -> list[str]:
    """Look, scroll, wait. Links are gathered at every look: a page may drop what it showed before."""
    links: dict[str, None] = {}
    state: object = None
    stable = 0
    until = time.monotonic() + settings.max_seconds
    while stable < settings.stable_steps and len(links) < task.max_items and time.monotonic() < until:
        shown, *extent = await asyncio.to_thread(driver.execute_script, LINKS_AND_SCROLL, task.css, task.attribute)
        links |= dict.fromkeys(shown)
        now = (len(links), *extent)
        stable = stable + 1 if now == state else 0
        state = now
        await asyncio.sleep(max(settings.step_seconds, task.gap_seconds))
    return [link.partition("#")[0] for link in links][: task.max_items]


@contextmanager
def _process_group() -> Iterator[int]:
    """Open a process group that does not outlive us: its first member waits for our end of a pipe, then kills it."""
    keeper = subprocess.Popen(
        ["/bin/sh", "-c", "read line; kill -9 0"], stdin=subprocess.PIPE, process_group=0, stderr=subprocess.DEVNULL
    )
    try:
        yield keeper.pid
    finally:
        if keeper.poll() is None:
            os.killpg(keeper.pid, signal.SIGKILL)
        keeper.wait()
        keeper.stdin.close()


def _options(
    binary: str, profile: str, url: str, target: tuple[str, int | None], user_agent: str, flags: list[str]
) -> webdriver.ChromeOptions:
    host = urlsplit(url).hostname
    address, port = target
    place = (f"[{address}]" if ":" in address else address) + (f":{port}" if port else "")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for flag in (
        "--headless=new",
        f"--user-data-dir={profile}",
        f"--user-agent={user_agent}",
        f"--host-resolver-rules=MAP {host} {place}, MAP * ~NOTFOUND",
        "--no-proxy-server",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--window-size=1280,1600",
        *flags,
    ):
        options.add_argument(flag)
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")  # Chromium refuses to start as root otherwise
    options.add_experimental_option("prefs", PREFERENCES)
    return options


def _locate(key: str, given: str | None, names: tuple[str, ...]) -> str:
    found = shutil.which(given) if given else next(filter(None, map(shutil.which, names)), None)
    if found is None:
        asked = given or " or ".join(names)
        raise UserError(
            f"scrape.browser.{key}: no {asked} here; a gallery read `via: browser` needs Chromium and its driver"
            " (Debian: apt-get install chromium chromium-driver)"
        )
    return str(Path(found))


def _one_line(error: Exception) -> str:
    return " ".join((getattr(error, "msg", None) or str(error)).split())[:300]
