"""`hred` in a process that writes down, and refuses, whatever it would send beyond this machine.

Python's own sockets are watched by an audit hook, uvloop's by a loop of our own. Two tries at the start show that
the watching works. (PostgreSQL's driver connects in C; its address is the test's own.)
"""

import asyncio
import ipaddress
import os
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

__all__ = ["CANARIES", "main"]

CANARIES = ["socket.connect 203.0.113.1", "uvloop 203.0.113.2"]
"""What is written down before the server starts."""


def main() -> None:
    log = Path(os.environ["HRED_TEST_WATCH"])

    def refuse(how: str, host: Any) -> None:
        if not _stays(host):
            with log.open("a") as file:
                file.write(f"{how} {host}\n")
            raise PermissionError(f"{how} {host} would leave this machine")

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
            address = arguments[1]
            refuse(event, address[0] if isinstance(address, tuple) else None)
        elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
            refuse(event, arguments[0])

    sys.addaudithook(hook)
    with suppress(PermissionError), socket.socket() as canary:
        canary.connect(("203.0.113.1", 9))
    _watch_uvloop(refuse)
    from app.cli.main import main as hred

    hred()


def _watch_uvloop(refuse: Any) -> None:
    import uvloop

    class Watched(uvloop.Loop):  # type: ignore[misc]
        async def create_connection(self, factory: Any, host: Any = None, *more: Any, **named: Any) -> Any:
            refuse("uvloop", host)
            return await super().create_connection(factory, host, *more, **named)

        async def getaddrinfo(self, host: Any, *more: Any, **named: Any) -> Any:
            refuse("uvloop", host)
            return await super().getaddrinfo(host, *more, **named)

        async def sock_connect(self, sock: Any, address: Any) -> Any:
            refuse("uvloop", address[0] if isinstance(address, tuple) else None)
            return await super().sock_connect(sock, address)

    uvloop.new_event_loop = Watched
    loop = uvloop.new_event_loop()
    with suppress(PermissionError):
        loop.run_until_complete(loop.create_connection(asyncio.Protocol, "203.0.113.2", 9))
    loop.close()


def _stays(host: Any) -> bool:
    """Returns whether an address is this machine's; a name that has to be asked for is none."""
    if host in (None, "", b"", "localhost", b"localhost"):
        return True
    try:
        address = ipaddress.ip_address(host.decode() if isinstance(host, bytes) else host)
    except (ValueError, TypeError):
        return False
    return address.is_loopback or address.is_unspecified


if __name__ == "__main__":
    main()
