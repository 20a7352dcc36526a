"""Many chats at once through `/v1`, stored as they go: is every reply complete, and is none doubled?

    python benchmarks/chats_at_once.py [RUN] [--chats 200] [--messages 5] [--int8]

RUN is a run folder; without one, the shipped HRED is served. `hred serve` runs as a process of its own with an empty
store. Each chat is a stored session. It sends a message, waits for the whole reply, plain and streamed in turn, and
sends the next; every fourth message is sent a second time with the same Idempotency-Key, at the same moment, as a
client does whose connection was lost. Each request has a connection of its own. At the end each session is read
back and held against what its client was told.

- `complete`: replies that came to their end and stand in the store as they were sent, of those asked for;
- `doubled`: messages that stand in the store twice, retries that were answered otherwise, and strangers;
- `rate`, and the seconds from a message to the end of its reply, at the median and the 95th percentile; retries count.
"""

import waiting  # noqa: F401  (it acts by being imported, before torch is)

# isort: split
import argparse
import asyncio
import json
import random
import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine_speed import small_talk
from figures import print_result
from served import held_against, served
from serving import response

from app.shipped import shipped_models

_RETRIED = 4
"""One of so many messages is sent twice."""


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", nargs="?", type=Path, help="a run folder")
    parser.add_argument("--chats", type=int, default=200, help="at once")
    parser.add_argument("--messages", type=int, default=5, help="of each chat")
    parser.add_argument("--int8", action="store_true", help="decode in int8")
    arguments = parser.parse_args()
    folder = arguments.run or shipped_models()["hred"]
    with served(folder, arguments.chats, arguments.int8) as port:
        found = asyncio.run(_Chats(port, folder.name).run(arguments.chats, arguments.messages))
    _print(found, folder.name, arguments)


@dataclass(slots=True)
class _Found:
    """What came of all chats."""

    asked: int = 0
    complete: int = 0
    doubled: int = 0
    seconds: float = 0.0
    whole: list[float] = field(default_factory=list)


class _Chats:
    """The clients, on plain sockets, so that they cost little themselves.

    Args:
        port: of the server.
        model: its model's name.
    """

    def __init__(self, port: int, model: str) -> None:
        self._port, self._model = port, model
        self._found = _Found()

    async def run(self, chats: int, messages: int) -> _Found:
        """Lets all of them chat, then holds the store against what they were told."""
        await self._say(await self._session(), "hello", "warm", is_streamed=False)
        self._found = _Found()
        start = time.perf_counter()
        told = await asyncio.gather(*(self._chat(number, messages) for number in range(chats)))
        self._found.seconds = time.perf_counter() - start
        for session, expected in told:
            await self._compare(session, expected)
        return self._found

    async def _chat(self, number: int, messages: int) -> tuple[str, list[tuple[str, str]]]:
        """Returns the session's id, and each message with the reply that was told."""
        draw = random.Random(number)
        session = await self._session()
        told = []
        for count in range(messages):
            text, key = small_talk(draw, 1).turns[0].text, f"{number}-{count}"
            is_streamed = (number + count) % 2 == 0
            sending = [self._say(session, text, key, is_streamed)]
            if (number + count) % _RETRIED == 0:
                sending.append(self._say(session, text, key, not is_streamed))
            first, *again = await asyncio.gather(*sending)
            self._found.asked += 1
            self._found.doubled += sum(reply != first for reply in again)
            told.append((text, first))
        return session, told

    async def _compare(self, session: str, expected: list[tuple[str, str]]) -> None:
        """Counts what the store holds of a chat."""
        found = json.loads(await self._ask("GET", f"/v1/sessions/{session}"))["messages"]
        complete, doubled = held_against(found, expected)
        self._found.complete += complete
        self._found.doubled += doubled

    async def _session(self) -> str:
        made = json.loads(await self._ask("POST", "/v1/sessions", {"model": self._model}))
        return str(made["id"])

    async def _say(self, session: str, text: str, key: str, is_streamed: bool) -> str:
        """Returns the whole reply; fails on one that has no end."""
        start = time.perf_counter()
        body = {
            "model": self._model,
            "messages": [{"role": "user", "content": text}],
            "session_id": session,
            "stream": is_streamed,
        }
        head = f"Idempotency-Key: {key}\r\n"
        data = await self._ask("POST", "/v1/chat/completions", body, head)
        self._found.whole.append(time.perf_counter() - start)
        if not is_streamed:
            (choice,) = json.loads(data)["choices"]
            assert choice["finish_reason"] in ("stop", "length")
            return str(choice["message"]["content"])
        *events, last, nothing = data.decode().split("\n\n")
        assert (last, nothing) == ("data: [DONE]", ""), data[-300:]
        choices = [json.loads(event.removeprefix("data: "))["choices"][0] for event in events]
        assert [choice["finish_reason"] for choice in choices].count(None) == len(choices) - 1
        return "".join(choice["delta"].get("content") or "" for choice in choices)

    async def _ask(self, method: str, path: str, body: Any = None, head: str = "") -> bytes:
        data = b"" if body is None else json.dumps(body).encode()
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port, limit=2**24)
        writer.write(
            f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nContent-Type: application/json\r\n"
            f"{head}Connection: close\r\nContent-Length: {len(data)}\r\n\r\n".encode()
            + data
        )
        try:
            return await response(reader)
        finally:
            writer.close()


def _print(found: _Found, name: str, arguments: argparse.Namespace) -> None:
    middle, late = statistics.median(found.whole), statistics.quantiles(found.whole, n=20)[-1]
    rate = found.asked / found.seconds
    print(
        f"{name}, {arguments.chats} chats of {arguments.messages} messages: {found.complete} of {found.asked} replies "
        f"complete, {found.doubled} doubled; {rate:.0f} replies/s, whole after {middle:.2f} s, at the 95th "
        f"percentile {late:.2f} s"
    )
    results = [
        {
            "name": "complete",
            "value": found.complete,
            "unit": "replies",
            "limit": found.asked,
            "share_of_limit": found.complete / found.asked,
        },
        {"name": "doubled", "value": found.doubled, "unit": "messages"},
        {"name": "rate", "value": rate, "unit": "replies/s"},
        {"name": "whole, median", "value": middle, "unit": "s"},
        {"name": "whole, 95th percentile", "value": late, "unit": "s"},
    ]
    print_result("chats_at_once", {"value": found.asked, "unit": "replies"}, results)


if __name__ == "__main__":
    main()
