"""What a browser does with the page, without a browser: its cookie, its events, and the stream of what they change.

Gradio's page joins a queue with the inputs of an event, and reads what the event changes from one stream a page; a
stream ends when nothing is under way any more. A generator's values after the first come as changes to the one
before, which only a browser needs: here the first and the last value of an event are read.
"""

import html
import json
import re
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx

__all__ = ["PageClient", "Shown"]

_CONFIG = "window.gradio_config = "
_BOX, _SEND, _MODEL = "chat-message", "chat-send", "chat-model"
_SESSION, _LEAF, _REQUEST = "chat-session", "chat-leaf", "chat-request"


@dataclass(frozen=True, slots=True)
class Shown:
    """What came of a message.

    Attributes:
        replies: the texts of all replies that the conversation shows at the end.
        first: seconds until the page changed.
        whole: seconds until nothing was under way any more.
    """

    replies: list[str]
    first: float
    whole: float


class PageClient:
    """A page that somebody has opened; it keeps the cookie, the chat and its leaf, as the page does.

    Args:
        client: with the server's address; its cookies are this person's.
    """

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client, self._hash = client, secrets.token_hex(8)
        self._state = {_SESSION: "", _LEAF: ""}
        self._components: dict[int, dict[str, Any]] = {}
        self._event: dict[str, Any] = {}
        self._outputs: list[Any] = []

    @property
    def session_id(self) -> str:
        """The chat that is shown; empty before the first message."""
        return self._state[_SESSION]

    async def open(self, model: str | None = None) -> None:
        """Gets the page, in which its description stands.

        Args:
            model: who shall reply; whom the page proposes when None.
        """
        page = (await self._client.get("/")).raise_for_status().text
        config, _ = json.JSONDecoder().raw_decode(page, page.index(_CONFIG) + len(_CONFIG))
        self._components = {component["id"]: component["props"] for component in config["components"]}
        (button,) = (number for number, props in self._components.items() if props.get("elem_id") == _SEND)
        (self._event,) = (event for event in config["dependencies"] if [button, "click"] in event["targets"])
        self._outputs = [self._components[number].get("elem_id") for number in self._event["outputs"]]
        if model is not None:
            self._state[_MODEL] = model

    async def send(self, text: str, times: int = 1) -> Shown:
        """Sends a message, and waits until its reply is whole.

        Args:
            text: the message.
            times: how often the button is pressed, with nothing in between.

        Raises:
            SystemExit: an event failed, or the stream ended before all events had.
        """
        start = time.perf_counter()
        state = {**self._state, _BOX: text, _REQUEST: secrets.token_hex(16)}
        data = []
        for number in self._event["inputs"]:
            props = self._components[number]
            data.append(state.get(props.get("elem_id", ""), props.get("value")))
        ask = {"data": data, "fn_index": self._event["id"], "session_hash": self._hash, "event_data": None}
        events = set()
        for _ in range(times):
            joined = await self._client.post("/gradio_api/queue/join", json=ask)
            events.add(joined.raise_for_status().json()["event_id"])
        first, changes = 0.0, []
        async for name, values in self._changes(events):
            first = first or time.perf_counter() - start
            if name == "process_completed":
                changes.append(dict(zip(self._outputs, values, strict=True)))
        for name in self._state.keys() & {_SESSION, _LEAF}:
            for change in changes:
                if isinstance(change[name], str):
                    self._state[name] = change[name]
        # Of two presses one shows the reply, whichever came through first.
        shown = max((_replies(change["chat-conversation"]) for change in changes), key=len)
        return Shown(shown, first, time.perf_counter() - start)

    async def _changes(self, events: set[str]) -> AsyncIterator[tuple[str, list[Any]]]:
        """Yields the name of each message with values, and these, until all events have ended."""
        left, asked = set(events), {"session_hash": self._hash}
        async with self._client.stream("GET", "/gradio_api/queue/data", params=asked) as stream:
            async for line in stream.aiter_lines():
                news = json.loads(line.removeprefix("data:")) if line.startswith("data:") else {}
                if news.get("msg") not in ("process_generating", "process_completed"):
                    continue
                if not news["success"]:
                    raise SystemExit(f"a message was not answered: {news}")
                yield news["msg"], news["output"]["data"]
                if news["msg"] == "process_completed":
                    left.discard(news["event_id"])
                    if not left:
                        return
        raise SystemExit("the stream ended before the reply was complete")


def _replies(conversation: Any) -> list[str]:
    if not isinstance(conversation, str):  # nothing changed
        return []
    shown = re.findall(r'class="said bot".*?<div class="text">(.*?)</div>', conversation, re.DOTALL)
    return [html.unescape(text) for text in shown]
