"""A real server in a thread: uvicorn, sockets, no mocks."""

import http.client
import json
import socket
import tempfile
import threading
import time
from typing import Any

import uvicorn
from fastapi import FastAPI

from app.access import Rules, guard
from app.api import add_api
from app.bots import Bots
from app.store import Store

TURNS = [{"speaker": "A", "text": "hello number 7"}, {"speaker": "B", "text": "how are you?"}]


class Served:
    """A server that listens on a port of its own, the bots behind it, and a store of its own.

    Args:
        bots: who replies.
        rules: of the guards before the API; without, nobody is told apart and everybody is an administrator.
    """

    def __init__(self, bots: Bots, rules: Rules | None = None) -> None:
        self.bots = bots
        self._folder = tempfile.TemporaryDirectory(prefix="hred-served-")
        self.store = Store.open(f"sqlite:///{self._folder.name}/sessions.db")
        app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
        add_api(app, bots, self.store)
        reached = _for_administrators(app) if rules is None else guard(app, rules, self.store)
        self._server = uvicorn.Server(uvicorn.Config(reached, log_level="error", timeout_graceful_shutdown=1))
        listening = socket.socket()
        listening.bind(("127.0.0.1", 0))
        listening.listen(512)
        self.port: int = listening.getsockname()[1]
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [listening]})
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def request(
        self, method: str, path: str, body: Any = None, content_type: str = "application/json"
    ) -> tuple[http.client.HTTPResponse, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        connection.request(method, path, data, {"Content-Type": content_type})
        response = connection.getresponse()
        text = response.read()
        connection.close()
        return response, text

    def send(self, path: str, values: Any) -> socket.socket:
        """Sends a request and returns the socket, unread."""
        body = json.dumps(values).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=300)
        connection.sendall(head.encode() + b"\r\n\r\n" + body)
        return connection

    def wait_until(self, condition: Any, seconds: float = 120.0) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "it never came to be"
            time.sleep(0.01)

    def close(self) -> None:
        self._server.should_exit = True
        self._thread.join(20)
        self.bots.close()
        self.store.close()
        self._folder.cleanup()


def _for_administrators(app: Any) -> Any:
    async def reached(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "state": {**scope.get("state", {}), "is_admin": True}}, receive, send)

    return reached


def events(data: bytes) -> list[tuple[str, Any]]:
    """Returns the events of a stream: name and value."""
    found = []
    for block in data.decode().split("\n\n"):
        if block:
            name, value = block.split("\n")
            found.append((name.removeprefix("event: "), json.loads(value.removeprefix("data: "))))
    return found
