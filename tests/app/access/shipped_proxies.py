"""nginx and Caddy as docs/compose ships their settings, in processes of their own; names and ports are replaced."""

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest

__all__ = ["NAMES", "ShippedProxy", "find_program", "program"]

NAMES = ("nginx", "caddy")
COMPOSE = Path(__file__).resolve().parents[3] / "docs" / "compose"
SECONDS = 60
CADDY = (2, 11, 2)
"""Those before it hand no request with a body on when a server is gone, and end half a reply as if it were whole."""
_AROUND_NGINX = """{user}daemon off;
worker_processes 2;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/site.conf;
}}
"""
"""What the system's own settings say around a site; the folder is the test's, and its workers may read it."""
_BEFORE_CADDY = "{\n\tadmin off\n\tdefault_bind 127.0.0.1\n}\n"


@cache
def find_program(name: str) -> str | None:
    """Returns where a proxy's program is, if it is new enough; HRED_NGINX and HRED_CADDY name others."""
    places = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])
    found = shutil.which(os.environ.get(f"HRED_{name.upper()}") or name, path=places)
    if found is None or name != "caddy":
        return found
    told = subprocess.run([found, "version"], capture_output=True, text=True, timeout=SECONDS).stdout
    return found if tuple(map(int, re.findall(r"\d+", told)[:3])) >= CADDY else None


def program(name: str) -> str:
    """Returns where a proxy's program is; without one, what needs it is skipped."""
    found = find_program(name)
    if found is None:
        wanted = "Caddy 2.11.2 or later" if name == "caddy" else name
        pytest.skip(f"there is no {wanted} here; install it, or name it by HRED_{name.upper()}=PATH")
    return found


class ShippedProxy:
    """One of them, before two servers of this machine.

    Args:
        name: `nginx` or `caddy`.
        folder: for what it writes; empty.
        servers: the ports of what it stands before.
    """

    def __init__(self, name: str, folder: Path, servers: Sequence[int]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for _ in range(5):  # somebody else may take the port between the two
            self.port = _free_port()
            command = self._nginx(folder, servers) if name == "nginx" else self._caddy(folder, servers)
            environment = {**os.environ, "HOME": str(folder), "XDG_DATA_HOME": str(folder / "data"),
                           "XDG_CONFIG_HOME": str(folder / "config")}  # fmt: skip
            log = folder / "log.txt"
            with log.open("w") as file:
                self._process = subprocess.Popen(
                    command, cwd=folder, stderr=file, stdout=file, env=environment
                )
            if self._listens():
                return
        raise AssertionError(f"{name} does not listen: {log.read_text()}")

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(SECONDS)

    def _listens(self) -> bool:
        end = time.monotonic() + SECONDS
        while self._process.poll() is None and time.monotonic() < end:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=SECONDS).close()
                return True
            except OSError:
                time.sleep(0.02)
        return False

    def _nginx(self, folder: Path, servers: Sequence[int]) -> list[str]:
        site = (COMPOSE / "nginx.conf").read_text()
        site = _replaced(site, "listen 80;", f"listen 127.0.0.1:{self.port};")
        (folder / "site.conf").write_text(_with_servers(site, servers))
        user = "user root;\n" if os.geteuid() == 0 else ""
        (folder / "nginx.conf").write_text(_AROUND_NGINX.format(user=user, folder=folder))
        return [program("nginx"), "-e", "stderr", "-p", str(folder), "-c", str(folder / "nginx.conf")]

    def _caddy(self, folder: Path, servers: Sequence[int]) -> list[str]:
        site = _replaced(
            (COMPOSE / "Caddyfile").read_text(), "\nchat.example.org {", f"\nhttp://:{self.port} {{"
        )
        (folder / "Caddyfile").write_text(_BEFORE_CADDY + _with_servers(site, servers))
        return [program("caddy"), "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]


def _with_servers(text: str, ports: Sequence[int]) -> str:
    for name, port in zip(("first", "second"), ports, strict=True):
        text = _replaced(text, f"{name}:7860", f"127.0.0.1:{port}")
    return text


def _replaced(text: str, old: str, new: str) -> str:
    assert text.count(old) == 1, old
    return text.replace(old, new)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
    return port
