"""Two server processes that demand logins and share one PostgreSQL, a proxy that pins browsers by cookie, browsers.

The browsers speak Gradio's own protocol over plain HTTP, so that they can send what no page would.
"""

import http.client
import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

ROOT = Path(__file__).resolve().parents[3]
SECONDS = 300


class ServerProcess:
    """`hred serve` in a process of its own, on a port of its own; `variables` are further ones of its environment."""

    def __init__(self, folders: list[Path], database_url: str, watch: Path, **variables: str) -> None:
        command = [
            sys.executable,
            "-m",
            "tests.app.access.watched",
            "serve",
            *map(str, folders),
            "--port",
            "0",
        ]
        environment = {**os.environ, "HRED_DATABASE_URL": database_url, "HRED_REQUIRE_LOGIN": "1",
                       "HRED_TEST_WATCH": str(watch), "OMP_NUM_THREADS": "1", **variables}  # fmt: skip
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=environment
        )
        self.port = 0

    def wait(self) -> "ServerProcess":
        """Returns when it listens."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        found = re.match(r"http://127\.0\.0\.1:(\d+)", line)
        assert found, f"the server printed {line!r} and exited with {self._process.poll()}"
        self.port = int(found[1])
        return self

    @property
    def runs(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        """Ends it at once, as a power cut would."""
        self.end(signal.SIGKILL)

    def end(self, how: int = signal.SIGINT) -> None:
        if self.runs:
            self._process.send_signal(how)
            try:
                self._process.wait(SECONDS)
            finally:
                self._process.kill()
                self._process.wait(SECONDS)
        assert self._process.stdout is not None
        self._process.stdout.close()


class Proxy:
    """Takes connections and hands each to a server: the one that its cookie was given before, or another that lives."""

    def __init__(self, ports: list[int]) -> None:
        self._ports = ports
        self.pinned: dict[str, int] = {}
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(10)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        head = b""
        with client:
            while b"\r\n\r\n" not in head:
                more = client.recv(65536)
                if not more:
                    return
                head += more
            found = re.search(rb"hred_login=([^;\r\n]+)", head)
            upstream = self._upstream(found[1].decode() if found else "")
            with upstream:
                upstream.sendall(head)
                back = threading.Thread(target=_pipe, args=(upstream, client), daemon=True)
                back.start()
                _pipe(client, upstream)
                back.join(SECONDS)

    def _upstream(self, who: str) -> socket.socket:
        for port in [self.pinned.get(who, self._ports[0]), *self._ports]:
            try:
                made = socket.create_connection(("127.0.0.1", port), timeout=SECONDS)
            except OSError:
                continue
            if who:
                self.pinned[who] = port
            return made
        raise ConnectionError("no server lives")


def _pipe(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def ask(
    port: int,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
    address: str = "127.0.0.1",
) -> tuple[http.client.HTTPResponse, bytes]:
    """Sends one request, from an address of this machine, and returns the answer with its body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, SECONDS, source_address=(address, 0))
    connection.request(method, path, body, {"Connection": "close", **(headers or {})})
    response = connection.getresponse()
    data = response.read()
    connection.close()
    return response, data


class Browser:
    """One open page of one person, who is logged in; keeps the cookies that it is given, the login's and a proxy's."""

    def __init__(self, port: int, name: str, password: str) -> None:
        self.port, self.page = port, secrets.token_hex(5)
        self.cookies: dict[str, str] = {}
        form = urlencode({"name": name, "password": password}).encode()
        answer, _ = self.ask("POST", "/login", form, {"Content-Type": "application/x-www-form-urlencoded"})
        assert answer.status == 303, answer.status

    @property
    def login(self) -> str:
        """The login's cookie, as it is sent."""
        return f"hred_login={self.cookies['hred_login']}"

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[http.client.HTTPResponse, bytes]:
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        sent = {**({"Cookie": cookie} if cookie else {}), **(headers or {})}
        answer, data = ask(self.port, method, path, body, sent)
        for line in answer.headers.get_all("set-cookie") or []:
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value
        return answer, data

    def open(self) -> dict[str, Any]:
        """Loads the page anew and returns its configuration."""
        self.page = secrets.token_hex(5)
        answer, body = self.ask("GET", "/", headers={"Accept": "text/html"})
        assert answer.status == 200, answer.status
        text = body.decode()
        start = text.index("window.gradio_config = ") + len("window.gradio_config = ")
        config: dict[str, Any] = json.JSONDecoder().raw_decode(text[start:])[0]
        return config

    def send(self, dependency: dict[str, Any], data: list[Any], page: str = "") -> tuple[int, str]:
        """Sends an event as the page does, and returns the status and all that comes of it."""
        event = {"data": data, "event_data": None, "fn_index": dependency["id"],
                 "session_hash": page or self.page, "trigger_id": None}  # fmt: skip
        path = "/gradio_api/queue/join" if dependency["queue"] else "/gradio_api/run/predict"
        answer, body = self.ask(
            "POST", path, json.dumps(event).encode(), {"Content-Type": "application/json"}
        )
        if answer.status != 200 or not dependency["queue"]:
            return answer.status, body.decode()
        return self.listen(page)

    def listen(self, page: str = "") -> tuple[int, str]:
        """Returns status and events of a page until its stream ends."""
        answer, body = self.ask("GET", f"/gradio_api/queue/data?session_hash={page or self.page}")
        return answer.status, body.decode()


def started(servers: list[ServerProcess]) -> None:
    """Waits until all of them listen; they start beside one another."""
    failures: list[BaseException] = []

    def wait(server: ServerProcess) -> None:
        try:
            server.wait()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=wait, args=(server,)) for server in servers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
