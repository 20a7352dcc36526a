"""How much of the engine is left behind HTTP: chats that join and leave a served model, streamed and plain.

    python benchmarks/serving.py [RUN...] [--chats 200] [--seconds 6] [--pairs 5] [--int8]

RUN is a run folder; without one, the shipped models are measured. `hred serve` runs as a process of its own,
and so does the client: as many chats as are asked for, each on a connection of its own that stays open, each
of whom sends the conversation, waits for the whole reply and sends the next message. Replies have 5 to
40 tokens, 22 on average.

- `streamed`: by `/api/stream`, text gathered for 250 ms; `plain`: by `/api/reply`;
- `engine`: the same chats with the engine in one process, without HTTP;
- `empty`: the same client and an endpoint that reads the request and sends an answer of the same form at once,
  as server-sent events; in tokens/s, as if each answer were a reply of 22 tokens.

All are measured in turns and compared turn by turn. The limit is the smaller of `engine` and `empty`.
"""

import waiting  # noqa: F401  (it acts by being imported, before torch is)

# isort: split
import argparse
import asyncio
import contextlib
import json
import multiprocessing
import random
import re
import socket
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from engine_speed import SAMPLING, engine_rate, small_talk
from figures import Spread, print_result
from served import served

from app.shipped import shipped_models
from dialog.decoding.replier import Replier, in_int8
from dialog.run_folder import load_run

_MEAN_TOKENS = 22.5
_PIECE_SECONDS = 0.25
_CHAT_TURNS = 20  # so many last turns are sent


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="*", type=Path, help="run folders")
    parser.add_argument("--chats", type=int, default=200, help="at once")
    parser.add_argument("--seconds", type=float, default=6.0, help="of each turn")
    parser.add_argument("--pairs", type=int, default=5, help="2 or more")
    parser.add_argument("--int8", action="store_true", help="decode in int8")
    arguments = parser.parse_args()
    results = []
    for folder in arguments.runs or shipped_models().values():
        results += _measure(folder, arguments)
    limits = [result["limit"] for result in results]
    print_result("serving", {"value": sum(limits) / len(limits), "unit": "tokens/s"}, results)


def _measure(folder: Path, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    run = load_run(folder)
    replier = Replier.from_run(in_int8(run) if arguments.int8 else run)
    chats, seconds = arguments.chats, arguments.seconds
    turns = []
    with served(folder, chats, arguments.int8) as server, _served_empty() as empty:
        for turn in range(arguments.pairs + 1):
            turns.append(
                (
                    _rate(server, f"/api/stream {folder.name}", chats, seconds, turn),
                    _rate(server, f"/api/reply {folder.name}", chats, seconds, turn),
                    engine_rate(replier, chats, seconds, turn),
                    _rate(empty, f"/api/stream {folder.name}", chats, seconds / 2, turn),
                )
            )
    streamed, plain, engine, nothing = zip(*turns[1:], strict=True)  # the first one warms up
    results = []
    for name, rates in (("streamed", streamed), ("plain", plain)):
        limits = [min(pair) for pair in zip(engine, nothing, strict=True)]
        share = Spread.of([rate / limit for rate, limit in zip(rates, limits, strict=True)])
        print(
            f"{folder.name}, {chats} chats, {name}: {Spread.of(rates).text(0)} tokens/s; engine "
            f"{Spread.of(engine).text(0)}, empty endpoint {Spread.of(nothing).text(0)}: share {share.text(2)}"
        )
        results.append(
            {
                "name": f"{folder.name}: {name}",
                "value": Spread.of(rates).median,
                "unit": "tokens/s",
                "limit": Spread.of(limits).median,
                "share_of_limit": share.median,
                "spread": share.to_json(),
                "engine": Spread.of(engine).median,
                "empty_endpoint": Spread.of(nothing).median,
            }
        )
    return results


@contextlib.contextmanager
def _served_empty() -> Iterator[int]:
    """Runs the empty endpoint in a process of its own; gives its port."""
    context = multiprocessing.get_context("spawn")
    ports: Any = context.Queue()
    process = context.Process(target=_serve_empty, args=(ports,), daemon=True)
    process.start()
    try:
        yield ports.get(timeout=60)
    finally:
        process.terminate()
        process.join()


def _serve_empty(ports: Any) -> None:
    import uvicorn
    from fastapi import FastAPI, Request
    from starlette.responses import Response, StreamingResponse

    app = FastAPI()
    reply = {"text": "word " * 18, "tokens": list(range(300, 322))}
    last = f"event: replies\ndata: {json.dumps({'replies': [reply]})}\n\n"

    @app.post("/api/stream")
    async def stream(request: Request) -> Response:
        await request.json()

        async def events() -> Any:
            yield 'event: piece\ndata: {"index": 0, "text": "word word word"}\n\n'
            yield last

        return StreamingResponse(events(), media_type="text/event-stream")

    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(1024)
    ports.put(listening.getsockname()[1])
    uvicorn.Server(uvicorn.Config(app, log_level="error")).run(sockets=[listening])


def _rate(port: int, route: str, chats: int, seconds: float, seed: int) -> float:
    """Returns tokens a second of all chats together, by a client process."""
    context = multiprocessing.get_context("spawn")
    results: Any = context.Queue()
    client = context.Process(target=_chat_all, args=(port, route, chats, seconds, seed, results))
    client.start()
    rate: float = results.get(timeout=120 + 4 * seconds)
    client.join()
    return rate


def _chat_all(port: int, route: str, chats: int, seconds: float, seed: int, results: Any) -> None:
    path, model = route.split()
    results.put(asyncio.run(_Client(port, path, model, seed).run(chats, seconds)))


class _Client:
    """Chats over connections that stay open; written on plain sockets, so that it costs little itself."""

    def __init__(self, port: int, path: str, model: str, seed: int) -> None:
        self._port, self._path, self._model = port, path, model
        self._draw = random.Random(seed)
        self._num_tokens = 0

    async def run(self, chats: int, seconds: float) -> float:
        """Returns tokens a second, once all chat."""
        tasks = [asyncio.create_task(self._chat(1000 * chat)) for chat in range(chats)]
        await asyncio.sleep(seconds / 4)
        before, start = self._num_tokens, time.perf_counter()
        await asyncio.sleep(seconds)
        rate = (self._num_tokens - before) / (time.perf_counter() - start)
        for task in tasks:
            if task.done():
                task.result()  # a chat that failed says why
            task.cancel()
        return rate

    async def _chat(self, number: int) -> None:
        turns = [asdict(turn) for turn in small_talk(self._draw, 3).turns]
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        while True:
            length = self._draw.randint(5, 40)
            sampling = asdict(replace(SAMPLING, min_tokens=length, max_tokens=length))
            values = {
                "model": self._model,
                "turns": turns[-_CHAT_TURNS:],
                "sampling": sampling,
                "seed": number,
                "piece_seconds": _PIECE_SECONDS,
            }
            body = json.dumps(values).encode()
            writer.write(
                f"POST {self._path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\n\r\n".encode()
                + body
            )
            (reply,) = json.loads(_last_data(await response(reader)))["replies"]
            self._num_tokens += len(reply["tokens"])
            turns += [
                {"speaker": "B", "text": reply["text"]},
                asdict(small_talk(self._draw, 1).turns[0]),
            ]
            number += 1


async def response(reader: asyncio.StreamReader) -> bytes:
    """Returns the body of a response, chunked or not."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    length = re.search(r"(?i)content-length: (\d+)", head)
    if length:
        body = await reader.readexactly(int(length[1]))
    else:
        parts = []
        while size := int(await reader.readline(), 16):
            parts.append((await reader.readexactly(size + 2))[:-2])
        await reader.readline()
        body = b"".join(parts)
    if not head.startswith("HTTP/1.1 200"):
        raise SystemExit(f"the server answered {head.splitlines()[0]}: {body[:200]!r}")
    return body


def _last_data(body: bytes) -> bytes:
    """Returns the JSON of a plain reply, or of the last event of a stream."""
    if body.startswith(b"{"):
        return body
    return body.rstrip().rpartition(b"\ndata: ")[2]


if __name__ == "__main__":
    main()
