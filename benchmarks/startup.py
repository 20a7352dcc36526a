"""How long one waits: for `hred --help`, for the page, and for its answer to the first message.

    python benchmarks/startup.py [RUN...] [--rounds 3]

RUN is what `hred serve` is given; without one, the shipped models. In each round the server is started on a free port
with a store of its own that is removed afterwards. A Chromium that runs already opens the page as soon as there is
one, a message is typed into its box, and Enter is pressed; the clock runs from the start of the server's process. The
page is usable once the message stands in the conversation, the first answer is there once the reply stands below it.
Beside them stand the times that a process takes to import gradio, and gradio and torch, before and after each round.
"""

import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from figures import print_result, seconds_of
from playwright.sync_api import Browser, sync_playwright
from served import server_process

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.browser import LAUNCH_ARGS, find_chromium

_HRED = [sys.executable, "-c", "from app.cli.main import main; main()"]
_HELP_LIMIT = 0.5
_BEYOND_GRADIO = 3.0
_BEYOND_TORCH = 6.0
_PATIENCE = 180_000  # milliseconds


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="*", help="run folders, or names of shipped models")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    help_seconds = min(_process([*_HRED, "--help"]) for _ in range(5))
    print(f"hred --help, best of 5: {help_seconds:.2f} s; at most {_HELP_LIMIT} s are wanted")
    _imports()  # the first reads the files from the disk
    gradio, torch = ([seconds] for seconds in _imports())
    usable, answered = [], []
    with sync_playwright() as playwright:
        path = find_chromium()
        if path is None:
            raise SystemExit("there is no Chromium here; name one in HRED_CHROMIUM")
        browser = playwright.chromium.launch(executable_path=path, args=LAUNCH_ARGS)
        _first_message(browser, arguments.runs)  # the browser's own first page
        for _ in range(arguments.rounds):
            for times, seconds in zip(
                (usable, answered), _first_message(browser, arguments.runs), strict=True
            ):
                times.append(seconds)
            for times, seconds in zip((gradio, torch), _imports(), strict=True):
                times.append(seconds)
        browser.close()
    results: list[dict[str, Any]] = [
        {"name": "help", "value": help_seconds, "limit": _HELP_LIMIT},
        _row("page usable", "import gradio", usable, gradio, _BEYOND_GRADIO),
        _row("first answer", "import gradio, torch", answered, torch, _BEYOND_TORCH),
    ]
    rows = [{**row, "unit": "s", "share_of_limit": row["value"] / row["limit"]} for row in results]
    print_result("startup", rows[1]["limit"], rows)


def _row(name: str, imports: str, times: list[float], imported: list[float], beyond: float) -> dict[str, Any]:
    value, alone = statistics.median(times), statistics.median(imported)
    print(
        f"{name}: {value:.2f} s ({min(times):.2f} to {max(times):.2f}); `{imports}` {alone:.2f} s "
        f"({min(imported):.2f} to {max(imported):.2f}): {value - alone:+.2f} s, at most {beyond:+.2f} s are wanted"
    )
    return {
        "name": name,
        "value": value,
        "limit": alone + beyond,
        "beyond_imports": value - alone,
        "imports": alone,
    }


def _imports() -> tuple[float, float]:
    """Returns how long a process takes that imports gradio, and one that imports gradio and torch."""
    one, both = ([sys.executable, "-c", f"import {names}"] for names in ("gradio", "gradio, torch"))
    return _process(one), _process(both)


def _process(command: list[str]) -> float:
    return seconds_of(lambda: subprocess.run(command, check=True, capture_output=True))


def _first_message(browser: Browser, runs: list[str]) -> tuple[float, float]:
    """Returns the seconds from starting the server until its first message is sent, and until it is answered."""
    with tempfile.TemporaryDirectory() as data, browser.new_context() as context:
        page = context.new_page()
        page.set_default_timeout(_PATIENCE)
        start = time.perf_counter()
        with server_process(runs, data) as (server, address):
            while not _listens(address):  # not by Chromium, whose page of an error takes a processor
                if server.poll() is not None:
                    raise SystemExit("the server ended before it answered")
                time.sleep(0.02)
            page.goto(address, wait_until="commit")
            page.fill("#chat-message textarea", "hello, how are you?")
            page.press("#chat-message textarea", "Enter")
            page.locator("#chat-conversation .said.user").wait_for()
            usable = time.perf_counter() - start
            page.locator("#chat-conversation .how").wait_for()
            return usable, time.perf_counter() - start


def _listens(address: str) -> bool:
    url = urlsplit(address)
    try:
        socket.create_connection((url.hostname, url.port)).close()
    except OSError:
        return False
    return True


if __name__ == "__main__":
    main()
