"""Chats as files over HTTP: one's own alone, nothing that a battle hides, and an import that is all or nothing."""

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI

from app.api import sessions as module
from app.api.sessions import LINES, make_sessions_router
from app.store import Store, Stores, TemporaryStore
from app.web.finding import finder
from dialog.decoding.replies import Reply, Sampling
from tests.app.store.filled import fill, rows_of

MINE, THEIRS = {"cookie": "hred_owner=mine"}, {"cookie": "hred_owner=theirs"}


def make_reply(**changes: Any) -> Reply:
    values: dict[str, Any] = {
        "text": "fine",
        "tokens": (5, 2),
        "ended": "end",
        "log_probability": -1.5,
        "filtered_log_probability": -1.0,
        "latent": None,
        "seed": 1,
        "index": 0,
        "sampling": Sampling(),
        "model_hash": "a" * 64,
        "context_hash": "b" * 64,
        "scores": {},
    }
    return Reply(**{**values, **changes})


class Files:
    """A server with these routes alone, and its stores."""

    def __init__(self, stores: Stores) -> None:
        self.stores = stores
        app = FastAPI(openapi_url=None)
        app.include_router(make_sessions_router(stores, finder(stores.kept)))
        self._server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
        listening = socket.socket()
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        self.port = listening.getsockname()[1]
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [listening]})
        self._thread.start()

    def ask(
        self, method: str, path: str, headers: dict[str, str] | None = None, body: bytes | None = None
    ) -> tuple[int, Any, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        kind = {"content-type": LINES} if body is not None else {}
        connection.request(method, path, body, {**kind, **(headers or {})})
        response = connection.getresponse()
        content = response.read()
        connection.close()
        assert response.headers["x-content-type-options"] == "nosniff", (method, path)
        return response.status, response.headers, content

    def close(self) -> None:
        self._server.should_exit = True
        self._thread.join(20)


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Files]:
    with Store.open(f"sqlite:///{tmp_path / 'sessions.db'}") as kept, TemporaryStore() as temporary:
        served = Files(Stores(kept, temporary))
        yield served
        served.close()


@pytest.fixture
def filled(files: Files) -> str:
    return fill(files.stores.kept, files.stores.kept.owner_for("mine"), make_reply, times=2)


def test_chats_leave_as_a_file_and_come_back(files: Files, filled: str) -> None:
    files.stores.kept.create_session(files.stores.kept.owner_for("mine"), "empty")
    status, headers, one = files.ask("GET", f"/chats/{filled}/export", MINE)
    assert status == 200 and headers["content-type"].startswith(LINES)
    assert headers["content-disposition"] == f'attachment; filename="chat-{filled[:8]}.jsonl"'
    status, headers, everything = files.ask("GET", "/chats/export", MINE)
    assert status == 200 and headers["content-disposition"].startswith('attachment; filename="chats-20')
    assert len(everything.splitlines()) == 2 and one in everything
    assert b"open a" not in everything and b"voted a" in everything

    for added, known in ((2, 0), (0, 2)):
        status, _, answer = files.ask("POST", "/chats/import", THEIRS, everything)
        values = json.loads(answer)
        assert (status, values["added"], values["known"]) == (200, added, known)
    theirs = files.stores.kept.owner_for("theirs")
    assert len(files.stores.kept.sessions(theirs)) == 2
    assert len(list(files.stores.kept.votes())) == 1  # an imported vote does not count
    assert files.ask("POST", "/chats/import", MINE, b"")[0] == 200


def test_nobody_gets_at_the_chats_of_others(files: Files, filled: str) -> None:
    before = rows_of(files.stores.kept, ("sessions", "messages"))
    _, _, line = files.ask("GET", f"/chats/{filled}/export", MINE)
    foreign = files.ask("GET", f"/chats/{filled}/export", THEIRS)
    unknown = files.ask("GET", f"/chats/{'0' * 36}/export", THEIRS)
    assert foreign[0] == unknown[0] == 404
    assert foreign[2].replace(filled.encode(), b"") == unknown[2].replace(b"0" * 36, b"")
    assert files.ask("GET", "/chats/export", THEIRS)[2] == b""
    for method, path, body in (
        ("GET", "/chats/export", None),
        ("GET", f"/chats/{filled}/export", None),
        ("POST", "/chats/import", line),
    ):
        assert files.ask(method, path, None, body)[0] == 401
    assert files.ask("POST", "/chats/import", THEIRS, line)[0] == 200
    after = rows_of(files.stores.kept, ("sessions", "messages"))
    assert all(set(rows) <= set(after[name]) for name, rows in before.items())


def test_chats_are_searched_by_their_owner_alone(files: Files) -> None:
    mine = files.stores.kept.owner_for("mine")
    session = files.stores.kept.create_session(mine, "<b>bold</b>")
    files.stores.kept.add_user_message(mine, session.id, None, "a <i>lemon</i> tree", "1")
    kind = {"content-type": "application/json"}

    def search(who: dict[str, str], **asked: Any) -> tuple[int, str]:
        body = json.dumps({"tab": "chat", "text": "LEMON", "shown": "", **asked}).encode()
        status, _, answer = files.ask("POST", "/chats/search", {**kind, **who}, body)
        return status, answer.decode()

    status, found = search(MINE)
    assert status == 200 and found.count(f'data-id="{session.id}"') == 1 and "<i>" not in found
    assert "&lt;b&gt;bold" in found and 'data-do="delete"' not in found
    assert 'data-do="delete"' in search(MINE, shown=session.id)[1]
    for who, asked in ((THEIRS, {}), (MINE, {"tab": "compare"}), (MINE, {"text": "pear"})):
        status, found = search(who, **asked)
        assert status == 200 and "Nothing found" in found and session.id not in found
    assert "見つかりません" in search({**MINE, "accept-language": "ja"}, text="pear")[1]
    assert "at most 200" in search(MINE, text="x" * 201)[1]
    assert "half a character" in search(MINE, text="\ud800")[1]
    assert search({})[0] == 401
    assert search({**MINE, "content-type": "text/plain"})[0] == 415
    assert search(MINE, text="x" * 10_000)[0] == 413
    assert search(MINE, text=5)[0] == search(MINE, tab=None)[0] == 400


def test_a_temporary_chat_is_exported_by_its_owner_alone(files: Files) -> None:
    mine = files.stores.kept.owner_for("mine")
    session = fill(files.stores.temporary, mine, make_reply, word="passing")
    status, _, line = files.ask("GET", f"/chats/{session}/export", MINE)
    assert status == 200 and b"passing" in line
    assert files.ask("GET", f"/chats/{session}/export", THEIRS)[0] == 404
    assert files.ask("GET", "/chats/export", MINE)[2] == b""


def test_what_cannot_be_imported_is_a_sentence_and_changes_nothing(
    files: Files, filled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, _, line = files.ask("GET", f"/chats/{filled}/export", MINE)
    before = rows_of(files.stores.kept)
    files.stores.kept.owner_for("theirs")
    status, _, answer = files.ask("POST", "/chats/import", THEIRS, line + b"nonsense\n")
    assert status == 422 and json.loads(answer)["error"].startswith(
        "line 2 cannot be imported: it is no JSON"
    )
    kind = {**THEIRS, "content-type": "text/plain"}
    status, _, answer = files.ask("POST", "/chats/import", kind, line)
    assert status == 415 and "text/plain" in json.loads(answer)["error"]
    monkeypatch.setattr(module, "MAX_IMPORT_BYTES", 1_000)
    status, _, answer = files.ask("POST", "/chats/import", THEIRS, line)
    assert status == 413 and "1,000 bytes" in json.loads(answer)["error"]
    assert rows_of(files.stores.kept, ("sessions", "messages")) == {
        name: before[name] for name in ("sessions", "messages")
    }
