"""The gate before Gradio: what answers is counted out here, and what is said belongs to one owner."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from app.access.gate import MAX_EVENT_BYTES, GradioGate
from tests.app.access.asking import Spy, ask

ROOT = Path(__file__).resolve().parents[3]

ANSWERS = {
    ("GET", "/"),
    ("HEAD", "/"),
    ("GET", "/assets/{path:path}"),
    ("GET", "/static/{path:path}"),
    ("GET", "/theme.css"),
    ("GET", "/favicon.ico"),
    ("GET", "/gradio_api/app_id"),
    ("GET", "/gradio_api/queue/data"),
    ("POST", "/gradio_api/queue/join"),
    ("POST", "/gradio_api/run/{api_name}"),  # with the name `predict` alone
}
"""All of Gradio's routes that answer. A further one must be thought about, and be written down here."""

PAGE = "a1b2c3"
NAMES = {"path": "x.js", "api_name": "predict", "session_hash": PAGE, "path_or_url": "/etc/passwd"}


LISTING = """
import json, sys
from pathlib import Path
from fastapi import FastAPI
from app.bots import Bots
from app.store import Store
from app.web.page import mount_page

def listed(routes):
    for route in routes:
        if hasattr(route, "path") and getattr(route, "methods", None):
            yield from ((method, route.path) for method in route.methods)
        else:
            yield from listed(getattr(route, "original_router", route).routes)

server = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
mount_page(server, Bots({"hred": Path("nowhere")}), Store.open("sqlite:///" + sys.argv[1]))
print(json.dumps(sorted(set(listed(server.routes[-1].routes)))))
"""
"""In a process of its own: Gradio leaves event loops open, which would be errors here."""


@pytest.fixture(scope="module")
def gradio_routes(tmp_path_factory):
    """Method and path of everything that Gradio puts under the page, as it is mounted."""
    path = tmp_path_factory.mktemp("routes") / "sessions.db"
    done = subprocess.run(
        [sys.executable, "-c", LISTING, str(path)], capture_output=True, text=True, timeout=300, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def _filled(path: str) -> str:
    for name, value in NAMES.items():
        path = path.replace(f"{{{name}:path}}", value).replace(f"{{{name}}}", value)
    return path.replace("{", "").replace("}", "").replace(":path", "")


def send(app, path="/gradio_api/queue/join", page=PAGE, owner="ann", method="POST", **more):
    body = json.dumps({"data": [], "fn_index": 0, "session_hash": page}).encode()
    return ask(app, method, path, body=body, state={"owner": owner}, **more)


def test_of_gradios_routes_only_those_of_the_page_answer(gradio_routes):
    assert len(gradio_routes) > 70, "Gradio's routes were not found"
    answering = set()
    for method, path in gradio_routes:
        spy = Spy()
        query = f"?session_hash={PAGE}" if path.endswith("/data") else ""
        answer = send(GradioGate(spy), _filled(path) + query, method=method)
        if spy.seen:
            answering.add((method, path))
        else:
            assert answer.status == 404
    assert answering == ANSWERS


@pytest.mark.parametrize(
    "path",
    ["/gradio_api/run/other", "/gradio_api/queue/join/", "//", "/assets/../config", "/assets", "/config",
     "/gradio_api/upload", "/gradio_api/file=/etc/passwd", "/gradio_api/call/say", "/gradio_api/cancel"],
)  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_what_is_not_written_down_is_closed(method, path):
    spy = Spy()
    assert send(GradioGate(spy), path, method=method).status == 404 and spy.seen == []


def test_an_open_page_belongs_to_who_named_it_first():
    spy = Spy()
    gate = GradioGate(spy)
    assert send(gate).status == 200
    assert send(gate, owner="bob").status == 404
    reading = f"/gradio_api/queue/data?session_hash={PAGE}"
    assert send(gate, reading, method="GET", owner="bob").status == 404
    assert send(gate, reading + "&session_hash=other", method="GET", owner="bob").status == 404
    assert send(gate, reading, method="GET").status == 200
    assert len(spy.seen) == 2


def test_who_has_no_cookie_says_and_reads_nothing():
    spy = Spy()
    gate = GradioGate(spy)
    answer = send(gate, owner=None)
    assert answer.status == 403 and "sent no cookie" in json.loads(answer.body)["detail"]
    assert send(gate, f"/gradio_api/queue/data?session_hash={PAGE}", method="GET", owner=None).status == 403
    assert spy.seen == []
    assert ask(gate).status == 200  # the page itself


def test_an_event_comes_through_whole_however_it_is_cut():
    spy = Spy()
    assert send(GradioGate(spy), pieces=7).status == 200
    assert json.loads(spy.bodies[0])["session_hash"] == PAGE


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"{", 400), (b"[]", 400), (b"[" * 100_000, 400), (b"{}", 404), (b'{"session_hash": 1}', 404),
     (b'{"session_hash": ""}', 404), (b" " * (MAX_EVENT_BYTES + 1), 413)],
)  # fmt: skip
def test_an_event_that_cannot_be_is_a_sentence(body, status):
    spy = Spy()
    answer = ask(
        GradioGate(spy), "POST", "/gradio_api/queue/join", body=body, state={"owner": "ann"}, pieces=3
    )
    assert answer.status == status and spy.seen == []
    assert "page" in json.loads(answer.body)["detail"]
