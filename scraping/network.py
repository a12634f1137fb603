"""Addresses, and where a connection may go: a name is resolved once, judged, and exactly that address connected to."""

import asyncio
import ipaddress
import re
import socket
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

import httpcore
import httpx

NAME = re.compile(r"[\w.:-]{1,253}")  # of a host: letters of any script, or an address
NAT64 = ipaddress.ip_network("64:ff9b::/96")  # an IPv4 address in the last 32 bits, reached through a gateway


class PrivateAddress(Exception):
    """A name or redirect led to an address that is not on the public internet."""


class NameUnknown(Exception):
    """A host name that does not resolve; `lasting` tells a name that does not exist from a resolver in trouble."""

    def __init__(self, message: str, lasting: bool) -> None:
        super().__init__(message)
        self.lasting = lasting


def normal(url: str) -> str | None:
    """Give an address as we ask it, its fragment dropped; None for what is no http(s) address."""
    return absolute("", url)


def absolute(base: str, link: str) -> str | None:
    """Make a link absolute; None for what is no http(s) address."""
    try:
        joined = httpx.URL(base).join(link).copy_with(fragment=None, userinfo=b"")
        urlsplit(str(joined))  # two libraries read addresses here: what one of them cannot is none
    except (httpx.InvalidURL, ValueError):
        return None
    sound = joined.scheme in ("http", "https") and NAME.fullmatch(joined.host) and 0 < (joined.port or 1) < 65536
    return str(joined) if sound else None


def host_name(url: str) -> str:
    """Give the host of an address; empty where there is none."""
    clean = normal(url)
    return httpx.URL(clean).host if clean else ""


def is_public(address: str) -> bool:
    """Tell whether an IP address is on the public internet, also one that hides an IPv4 address in IPv6."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if ip in NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not ip.is_multicast


async def resolve(host: str, allow_private: bool) -> str:
    """Resolve a host to one address; one private address among several refuses them all."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise NameUnknown(f"{host}: {error.strerror}", lasting=error.errno != socket.EAI_AGAIN) from None
    except UnicodeError:
        raise NameUnknown(f"{host}: no host name", lasting=True) from None
    addresses = [entry[4][0] for entry in found]
    private = [address for address in addresses if not is_public(address)]
    if private and not allow_private:
        raise PrivateAddress(f"{host} is {private[0]}")
    return addresses[0]


class GuardedBackend(httpcore.AnyIOBackend):
    """Connect to the address that was judged, never to the name: a second look-up could differ (DNS rebinding).

    `served` maps names of the demo world to the loopback address that serves them.
    """

    def __init__(self, served: Mapping[str, tuple[str, int]], allow_private: bool) -> None:
        self._served = dict(served)
        self._allow_private = allow_private
        self._known: dict[str, str] = {}

    async def judged(self, host: str) -> tuple[str, int | None]:
        """Give the address that stands for a name, and a port where that is given too; raises where we may not go."""
        if host in self._served:
            return self._served[host]
        return self._known.get(host) or await resolve(host, self._allow_private), None

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        address, served_port = await self.judged(host)
        try:
            stream = await super().connect_tcp(address, served_port or port, timeout, local_address, socket_options)
        except BaseException:
            self._known.pop(host, None)
            raise
        self._known[host] = address
        return stream

    async def connect_unix_socket(self, *args: object, **kwargs: object) -> httpcore.AsyncNetworkStream:
        raise PrivateAddress("a unix socket")
