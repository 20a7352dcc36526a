"""How long one waits: for `hred --help`, and for the page's answer to its first message.

    python benchmarks/startup.py [RUN...]

RUN is what `hred serve` is given; without one, the shipped models. The server is started on a free port with a
store of its own that is removed afterwards. The client speaks the page's own protocol, from the cookie to the
end of the stream; its clock runs from the start of the server's process until the reply is complete. Beside it
stands the time that a process takes to import gradio and torch, measured before and after.
"""

import argparse
import html
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from typing import Any

import httpx
from figures import print_result, seconds_of

_HRED = [sys.executable, "-c", "from app.cli.main import main; main()"]
_IMPORTS = [sys.executable, "-c", "import gradio, torch"]
_HELP_LIMIT = 0.5
_BEYOND_IMPORTS = 6.0
_PATIENCE = 180.0


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="*", help="run folders, or names of shipped models")
    arguments = parser.parse_args()
    environment = {**os.environ, "GRADIO_ANALYTICS_ENABLED": "False"}
    help_seconds = min(_process([*_HRED, "--help"], environment) for _ in range(5))
    print(f"hred --help, best of 5: {help_seconds:.2f} s; at most {_HELP_LIMIT} s are wanted")
    _process(_IMPORTS, environment)  # the first reads the files from the disk
    imports = [_process(_IMPORTS, environment)]
    with tempfile.TemporaryDirectory() as folder:
        answer_seconds, reply = _first_answer(arguments.runs, {**environment, "HRED_DATA_FOLDER": folder})
    imports.append(_process(_IMPORTS, environment))
    limit = sum(imports) / 2 + _BEYOND_IMPORTS
    print(
        f"hred serve, until its first message is answered: {answer_seconds:.2f} s; importing gradio and torch "
        f"takes {imports[0]:.2f} s before and {imports[1]:.2f} s after, at most {limit:.2f} s are wanted"
    )
    print(f"  the reply: {reply}")
    results = [
        {"name": "help", "value": help_seconds, "limit": _HELP_LIMIT},
        {"name": "first answer", "value": answer_seconds, "limit": limit},
    ]
    rows = [{**row, "unit": "s", "share_of_limit": row["value"] / row["limit"]} for row in results]  # type: ignore[operator]
    print_result("startup", limit, rows)


def _process(command: list[str], environment: dict[str, str]) -> float:
    def run() -> None:
        subprocess.run(command, env=environment, check=True, capture_output=True)

    return seconds_of(run)


def _first_answer(runs: list[str], environment: dict[str, str]) -> tuple[float, str]:
    """Returns the seconds from starting the server to its first reply, and the reply."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    start = time.perf_counter()
    server = subprocess.Popen(
        [*_HRED, "serve", *runs, "--port", str(port)], env=environment, stdout=subprocess.DEVNULL
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=_PATIENCE) as client:
            _wait_for_page(client, server, start)
            reply = _say(client, "hello, how are you?")
        return time.perf_counter() - start, reply
    finally:
        server.terminate()
        server.wait(30)


def _wait_for_page(client: httpx.Client, server: "subprocess.Popen[bytes]", start: float) -> None:
    while time.perf_counter() - start < _PATIENCE:
        if server.poll() is not None:
            raise SystemExit("the server ended before it answered")
        try:
            client.get("/").raise_for_status()
            return
        except httpx.TransportError:
            time.sleep(0.02)
    raise SystemExit(f"the server has not answered within {_PATIENCE} s")


def _say(client: httpx.Client, message: str) -> str:
    """Sends a message as the page's button does, and returns the last text of the stream."""
    config = client.get("/config").json()
    components = {component["id"]: component["props"] for component in config["components"]}
    (button,) = (number for number, props in components.items() if props.get("elem_id") == "chat-send")
    (event,) = (event for event in config["dependencies"] if [button, "click"] in event["targets"])
    data = []
    for number in event["inputs"]:
        props = components[number]
        data.append(message if props.get("elem_id") == "chat-message" else props.get("value"))
    ask: dict[str, Any] = {
        "data": data,
        "fn_index": event["id"],
        "session_hash": "startup",
        "event_data": None,
    }
    client.post("/gradio_api/queue/join", json=ask).raise_for_status()
    with client.stream("GET", "/gradio_api/queue/data", params={"session_hash": "startup"}) as stream:
        for line in stream.iter_lines():
            if line.startswith("data:"):
                news = json.loads(line.removeprefix("data:"))
                if news["msg"] == "process_completed":
                    if not news["success"]:
                        raise SystemExit(f"the message was not answered: {news}")
                    return _last_reply(news["output"]["data"][0])
    raise SystemExit("the stream ended before the reply was complete")


def _last_reply(shown: str) -> str:
    replies = re.findall(r'class="said bot".*?<div class="text">(.*?)</div>', shown)
    if not replies:
        raise SystemExit(f"no reply is shown: {shown}")
    return html.unescape(replies[-1])


if __name__ == "__main__":
    main()
