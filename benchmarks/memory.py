"""The memory of a server that people chat with: after 1,000 messages, and after 10,000.

    python benchmarks/memory.py [RUN] [--messages 10000] [--first 1000] [--chats 20] [--max-tokens 8]

RUN is a run folder; without one, the shipped HRED is served. `hred serve` runs as a process of its own with an empty
store; as many stored chats as are asked for go on at once through `/v1`, and a new one follows each after 40 messages.
Replies are short, for what counts is how many there are: people's messages, and replies. The server's memory is read
when nothing is under way, a few times on the way:

- `USS`: pages that this process alone holds (private clean and dirty of `/proc/PID/smaps_rollup`, Linux alone), the
  figure that is wanted: what a leak would add to;
- `RSS`: all pages that it has in memory, those of shared libraries, too.

The growth is that from the first reading to the last. The limit is what is wanted.
"""

import waiting  # noqa: F401  (it acts by being imported, before torch is)

# isort: split
import argparse
import asyncio
import random
import re
import tempfile
import time
from pathlib import Path

import httpx
from engine_speed import small_talk
from figures import print_result
from served import server_process, wait_until_served

from app.shipped import shipped_models

_WANTED = 30.0  # MB
_CHAT_MESSAGES = 40
_READINGS = 5
_PATIENCE = 600.0


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", nargs="?", type=Path, help="a run folder")
    parser.add_argument("--messages", type=int, default=10_000, help="of all chats together, replies too")
    parser.add_argument("--first", type=int, default=1_000, help="messages before the first reading")
    parser.add_argument("--chats", type=int, default=20, help="at once")
    parser.add_argument("--max-tokens", type=int, default=8, help="of a reply")
    arguments = parser.parse_args()
    folder = arguments.run or shipped_models()["hred"]
    with (
        tempfile.TemporaryDirectory() as data,
        server_process([str(folder)], data) as (server, address),
    ):
        wait_until_served(server)
        readings = asyncio.run(_read(server.pid, address, folder.name, arguments))
    grown = {kind: readings[-1][1][kind] - readings[0][1][kind] for kind in ("USS", "RSS")}
    print(
        f"{folder.name}: from {readings[0][0]:,} to {readings[-1][0]:,} messages the server's memory grew by "
        f"{grown['USS']:.1f} MB (USS; RSS {grown['RSS']:.1f} MB); at most {_WANTED:.0f} MB are wanted"
    )
    results = [
        {
            "name": f"growth of {kind}",
            "value": value,
            "unit": "MB",
            "limit": _WANTED,
            "share_of_limit": value / _WANTED,
        }
        for kind, value in grown.items()
    ]
    results += [
        {"name": f"{kind} after {count} messages", "value": memory[kind], "unit": "MB"}
        for count, memory in readings
        for kind in memory
    ]
    print_result("memory", {"value": _WANTED, "unit": "MB"}, results)


async def _read(
    pid: int, address: str, model: str, arguments: argparse.Namespace
) -> list[tuple[int, dict[str, float]]]:
    """Returns the memory after so many messages."""
    chats = [_Chat(address, model, number, arguments.max_tokens) for number in range(arguments.chats)]
    step = (arguments.messages - arguments.first) / (_READINGS - 1)
    readings = []
    for reading in range(_READINGS):
        wanted = arguments.first + reading * step
        start, before = time.perf_counter(), sum(chat.messages for chat in chats)
        await asyncio.gather(*(chat.go_on(wanted / len(chats)) for chat in chats))
        count = sum(chat.messages for chat in chats)
        rate = (count - before) / (time.perf_counter() - start)
        readings.append((count, _memory(pid)))
        told = ", ".join(f"{kind} {value:.1f} MB" for kind, value in readings[-1][1].items())
        print(f"  {count:,} messages: {told}; {rate:.0f} messages/s", flush=True)
    await asyncio.gather(*(chat.close() for chat in chats))
    return readings


class _Chat:
    """Somebody who chats, in one stored chat after the other.

    Args:
        address: of the server.
        model: its model's name.
        number: of this one; it fixes what is said.
        max_tokens: of a reply.
    """

    def __init__(self, address: str, model: str, number: int, max_tokens: int) -> None:
        # Everybody is somebody else to the server, by the cookie, so that nobody is told to slow down.
        self._client = httpx.AsyncClient(base_url=address, timeout=_PATIENCE)
        self._model, self._max_tokens = model, max_tokens
        self._draw = random.Random(number)
        self._session = ""
        self.messages = 0

    async def go_on(self, until: float) -> None:
        """Chats until there are so many messages."""
        if not self.messages:
            (await self._client.get("/")).raise_for_status()
        while self.messages < until:
            if self.messages % _CHAT_MESSAGES == 0:
                made = await self._client.post("/v1/sessions", json={"model": self._model})
                self._session = made.raise_for_status().json()["id"]
            text = small_talk(self._draw, 1).turns[0].text
            asked = {
                "model": self._model,
                "messages": [{"role": "user", "content": text}],
                "session_id": self._session,
                "max_tokens": self._max_tokens,
                "seed": self.messages,
            }
            (await self._client.post("/v1/chat/completions", json=asked)).raise_for_status()
            self.messages += 2

    async def close(self) -> None:
        """Closes the connection."""
        await self._client.aclose()


def _memory(pid: int) -> dict[str, float]:
    """Returns a process's USS and RSS, in MB."""
    found = dict(re.findall(r"(\w+): +(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text()))
    private = int(found["Private_Clean"]) + int(found["Private_Dirty"])
    return {"USS": private * 1024 / 1e6, "RSS": int(found["Rss"]) * 1024 / 1e6}


if __name__ == "__main__":
    main()
