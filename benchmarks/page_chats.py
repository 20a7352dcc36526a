"""Many people on the page at once, by the page's own events: is every reply complete, and is none doubled?

    python benchmarks/page_chats.py [RUN] [--chats 50] [--messages 4] [--int8]

RUN is a run folder; without one, the shipped HRED is served. `hred serve` runs as a process of its own with an empty
store. Each chat is a page of somebody else, with a cookie of its own: it joins Gradio's queue as the button does,
reads the stream until the reply is whole, and sends the next message; at every fourth the button is pressed twice. At
the end each chat is read back from the store and held against what its page showed.

- `complete`: replies that came to their end and stand in the store as they were shown, of those asked for;
- `doubled`: messages and replies that stand in the store twice, and strangers;
- `rate`, and the seconds from a message to its first sign on the page and to the end of its reply, at the median and
  the 95th percentile. The limit of the rate is that of as many chats that ask `/v1` for the same, plain and with
  nothing stored, in the same run.
"""

import waiting  # noqa: F401  (it acts by being imported, before torch is)

# isort: split
import argparse
import asyncio
import random
import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from engine_speed import small_talk
from figures import print_result
from page_client import PageClient
from served import held_against, served

from app.shipped import shipped_models

_TWICE = 4
"""At one of so many messages the button is pressed twice."""
_PATIENCE = 600.0


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", nargs="?", type=Path, help="a run folder")
    parser.add_argument("--chats", type=int, default=50, help="at once")
    parser.add_argument("--messages", type=int, default=4, help="of each chat")
    parser.add_argument("--int8", action="store_true", help="decode in int8")
    arguments = parser.parse_args()
    folder = arguments.run or shipped_models()["hred"]
    with served(folder, arguments.chats, arguments.int8) as port:
        chats = _Chats(f"http://127.0.0.1:{port}", folder.name)
        found = asyncio.run(chats.run(arguments.chats, arguments.messages))
    _print(found, folder.name, arguments)


@dataclass(slots=True)
class _Found:
    """What came of all chats."""

    asked: int = 0
    complete: int = 0
    doubled: int = 0
    seconds: float = 0.0
    plain_rate: float = 0.0
    first: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)


class _Chats:
    """All pages.

    Args:
        address: of the server.
        model: its model's name.
    """

    def __init__(self, address: str, model: str) -> None:
        self._address, self._model = address, model
        self._found = _Found()

    async def run(self, chats: int, messages: int) -> _Found:
        """Lets all of them chat, then holds the store against what they saw, then asks the same of `/v1`."""
        async with self._client() as warm:
            await self._plain(warm, 0, 1)  # the model is loaded
        clients = [self._client() for _ in range(chats)]
        pages = [PageClient(client) for client in clients]
        await asyncio.gather(*(page.open(self._model) for page in pages))
        start = time.perf_counter()
        told = await asyncio.gather(*(self._chat(page, n, messages) for n, page in enumerate(pages)))
        self._found.seconds = time.perf_counter() - start
        for client, page, expected in zip(clients, pages, told, strict=True):
            await self._compare(client, page.session_id, expected)
        start = time.perf_counter()
        await asyncio.gather(*(self._plain(client, n, messages) for n, client in enumerate(clients)))
        self._found.plain_rate = chats * messages / (time.perf_counter() - start)
        await asyncio.gather(*(client.aclose() for client in clients))
        return self._found

    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self._address, timeout=_PATIENCE)

    async def _chat(self, page: PageClient, number: int, messages: int) -> list[tuple[str, str]]:
        """Returns each message with the reply that was shown; an empty one where none was."""
        told: list[tuple[str, str]] = []
        shown_before = 0
        for count, text in enumerate(_texts(number, messages)):
            shown = await page.send(text, 2 if (number + count) % _TWICE == 0 else 1)
            self._found.asked += 1
            self._found.first.append(shown.first)
            self._found.whole.append(shown.whole)
            told.append((text, shown.replies[-1] if len(shown.replies) > shown_before else ""))
            shown_before = len(shown.replies)
        return told

    async def _compare(
        self, client: httpx.AsyncClient, session: str, expected: list[tuple[str, str]]
    ) -> None:
        """Counts what the store holds of a chat."""
        answer = (await client.get(f"/v1/sessions/{session}")).raise_for_status().json()
        complete, doubled = held_against(answer["messages"], expected)
        self._found.complete += complete
        self._found.doubled += doubled

    async def _plain(self, client: httpx.AsyncClient, number: int, messages: int) -> None:
        """Asks `/v1` for as many replies to the same messages."""
        turns: list[dict[str, str]] = []
        for text in _texts(number, messages):
            turns.append({"role": "user", "content": text})
            asked = {"model": self._model, "messages": turns}
            answer = await client.post("/v1/chat/completions", json=asked)
            (choice,) = answer.raise_for_status().json()["choices"]
            turns.append({"role": "assistant", "content": choice["message"]["content"] or "…"})


def _texts(number: int, messages: int) -> list[str]:
    draw = random.Random(number)
    return [small_talk(draw, 1).turns[0].text for _ in range(messages)]


def _print(found: _Found, name: str, arguments: argparse.Namespace) -> None:
    rate = found.asked / found.seconds
    figures = {
        f"{what}, {of}": value
        for what, seconds in (("first sign", found.first), ("whole", found.whole))
        for of, value in (
            ("median", statistics.median(seconds)),
            ("95th percentile", statistics.quantiles(seconds, n=20)[-1]),
        )
    }
    print(
        f"{name}, {arguments.chats} pages with {arguments.messages} messages each: {found.complete} of {found.asked} "
        f"replies complete, {found.doubled} doubled; {rate:.1f} replies/s, through /v1 without store "
        f"{found.plain_rate:.1f}; "
        + ", ".join(f"{what} after {seconds:.2f} s" for what, seconds in figures.items())
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
        {
            "name": "rate",
            "value": rate,
            "unit": "replies/s",
            "limit": found.plain_rate,
            "share_of_limit": rate / found.plain_rate,
        },
        *({"name": what, "value": seconds, "unit": "s"} for what, seconds in figures.items()),
    ]
    print_result("page_chats", {"value": found.plain_rate, "unit": "replies/s"}, results)


if __name__ == "__main__":
    main()
