"""`hred serve` as a process of its own, for the benchmarks that talk to it."""

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["held_against", "served", "server_process", "wait_until_served"]


@contextlib.contextmanager
def served(folder: Path, chats: int, int8: bool) -> Iterator[int]:
    """Runs `hred serve` with an empty store; gives its port once it listens."""
    options = ["--max-rows", str(chats), "--max-waiting", str(2 * chats), *["--int8"] * int8]
    with (
        tempfile.TemporaryDirectory() as data,
        server_process([str(folder), *options], data) as (server, address),
    ):
        wait_until_served(server)
        yield int(address.rpartition(":")[2])


@contextlib.contextmanager
def server_process(arguments: list[str], data: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """Starts `hred serve` with arguments of its own, its store in `data`; gives the process and its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "dialog", "serve", *arguments, "--port", str(port)],
        env={**os.environ, "HRED_DATA_FOLDER": data},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process, f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def wait_until_served(server: "subprocess.Popen[str]") -> None:
    """Waits until a server says that it listens."""
    assert server.stdout is not None
    line = server.stdout.readline()
    if not line.startswith("http://127.0.0.1:"):
        raise SystemExit(f"hred serve printed {line!r}; run it by hand to see why")


def held_against(messages: list[dict[str, Any]], told: list[tuple[str, str]]) -> tuple[int, int]:
    """Holds what the store has of a chat against what its client was told.

    Args:
        messages: as `/v1/sessions/{id}` gives them.
        told: each message with its whole reply; a reply without words is not stored.

    Returns:
        How many replies stand in the store as they were told, and how many of its messages are too many.
    """
    stored = [(message["role"], message["content"]) for message in messages]
    wanted: list[tuple[str, str]] = []
    for text, reply in told:
        wanted += [("user", text)] + [("assistant", reply)] * bool(reply)
    complete = len(told)
    if stored != wanted:
        kept = dict(zip(stored[::2], stored[1::2], strict=False))
        complete = sum(kept.get(("user", text)) == ("assistant", reply) for text, reply in told)
    return complete, max(0, len(stored) - len(wanted))
