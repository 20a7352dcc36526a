"""Who may reach the server, and how: the command's options, and the environment where they are silent.

HRED_REQUIRE_LOGIN      1: a login for every page, a key for every call of the API, on any address
HRED_HOSTS              names besides the loopback's by which the server is reached, with commas between
HRED_TRUSTED_PROXIES    addresses or networks of proxies whose forwarded headers count, with commas between
HRED_RATE               requests a second that one person may send (20), and at once twenty times as many
"""

import ipaddress
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from dialog.errors import UsageError

__all__ = ["Network", "Rules", "is_loopback", "parse_host"]

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_WILDCARDS = ("0.0.0.0", "::", "")
_BURST_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Rules:
    """What the guards go by.

    Attributes:
        requires_login: whether every page needs a login and every call of the API a key.
        hosts: names, besides the loopback's, that a `Host` header may hold; in small letters, without port.
        proxies: from where forwarded headers count.
        requests_per_second: of one person, over a long time.
        burst: requests that one person may send at once.
    """

    requires_login: bool = False
    hosts: frozenset[str] = frozenset()
    proxies: tuple[Network, ...] = ()
    requests_per_second: float = 20.0
    burst: float = 400.0

    @classmethod
    def make(
        cls,
        listening_on: str = "127.0.0.1",
        *,
        require_login: bool = False,
        hosts: Sequence[str] = (),
        proxies: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> Self:
        """Returns the rules for an address to listen on.

        Args:
            listening_on: another than the loopback's demands a login.
            require_login: demands it on the loopback, too.
            hosts: names besides the loopback's and the address itself; HRED_HOSTS when empty.
            proxies: addresses or networks; HRED_TRUSTED_PROXIES when empty.
            environment: names and values; the process's own when None.

        Raises:
            UsageError: a name, an address or a number cannot be read.
        """
        variables = os.environ if environment is None else environment
        names = {_host_name(name) for name in hosts or _split(variables.get("HRED_HOSTS", ""))}
        if listening_on not in _WILDCARDS and not is_loopback(listening_on):
            names.add(listening_on.lower())
        wished = variables.get("HRED_REQUIRE_LOGIN", "")
        if wished not in ("", "0", "1"):
            raise UsageError(f"HRED_REQUIRE_LOGIN is {wished!r}, but is 1 to demand a login, or 0")
        rate = _rate(variables.get("HRED_RATE", ""))
        return cls(
            requires_login=require_login or wished == "1" or not is_loopback(listening_on),
            hosts=frozenset(names),
            proxies=tuple(map(_network, proxies or _split(variables.get("HRED_TRUSTED_PROXIES", "")))),
            requests_per_second=rate,
            burst=rate * _BURST_SECONDS,
        )

    def knows_host(self, name: str) -> bool:
        """Returns whether the server answers to a name (without port)."""
        return is_loopback(name) or name in self.hosts


def is_loopback(name: str) -> bool:
    """Returns whether a name or address leads to this machine alone."""
    if name.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def parse_host(value: str) -> tuple[str, str] | None:
    """Returns name and port (or "") of a `Host` header; None for what is none."""
    text = value.strip().lower()
    if text.startswith("["):
        name, bracket, port = text[1:].partition("]")
        if not bracket or (port and not port.startswith(":")):
            return None
        port = port[1:]
    else:
        name, _, port = text.partition(":")
    if not name or set(name) & set("/@?#\\ ,") or (port and not port.isdecimal()):
        return None
    return name.rstrip("."), port


def _split(value: str) -> list[str]:
    return [part.strip() for part in value.split(",") if part.strip()]


def _host_name(value: str) -> str:
    parsed = parse_host(value)
    if parsed is None:
        raise UsageError(
            f"{value!r} is no name of a host; write one as a browser shows it, as chat.example.org"
        )
    return parsed[0]


def _network(value: str) -> Network:
    try:
        return ipaddress.ip_network(value, strict=False)
    except ValueError:
        raise UsageError(
            f"{value!r} is no address of a proxy; write one as 10.0.0.5, or a network as 10.0.0.0/24"
        ) from None


def _rate(value: str) -> float:
    try:
        rate = float(value or 20.0)
    except ValueError:
        rate = 0.0
    if not 0.0 < rate < float("inf"):
        raise UsageError(f"HRED_RATE is {value!r}, but is a number of requests a second, above 0")
    return rate
