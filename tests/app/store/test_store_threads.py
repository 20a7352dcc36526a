"""Many threads, many processes, and a process killed while it writes."""

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from app.store import Store
from tests.app.store.conftest import BOTH

pytestmark = BOTH

WRITERS = 16


def test_sixteen_writers_never_find_the_database_locked(store: Store, owner: str) -> None:
    shared = store.create_session(owner).id

    def write(writer: int) -> list[str]:
        own = store.create_session(owner, f"chat {writer}").id
        ids = []
        for number in range(4):
            store.add_user_message(owner, own, None, "mine", f"u{number}")
            ids.append(store.add_user_message(owner, shared, None, "ours", f"{writer} {number}").id)
            store.messages(owner, shared)
        return ids

    with ThreadPoolExecutor(WRITERS) as pool:
        written = [identity for ids in pool.map(write, range(WRITERS)) for identity in ids]
    stored = store.children(owner, shared, None)
    assert {message.id for message in stored} == set(written)
    assert [message.position for message in stored] == list(range(WRITERS * 4))


def test_retries_at_once_store_one_message_and_one_owner(store: Store, owner: str) -> None:
    session = store.create_session(owner).id
    with ThreadPoolExecutor(WRITERS) as pool:
        messages = list(
            pool.map(
                lambda _: store.add_user_message(owner, session, None, "hello", "u"),
                range(WRITERS),
            )
        )
        owners = set(pool.map(lambda _: store.owner_for("a new cookie"), range(WRITERS)))
    assert set(messages) == set(store.children(owner, session, None))
    assert len(set(messages)) == len(owners) == 1


def test_reading_and_deleting_go_on_beside_writing(store: Store, owner: str) -> None:
    kept = store.create_session(owner).id

    def work(number: int) -> int:
        session = store.create_session(owner).id
        store.add_user_message(owner, session, None, "short-lived", "u")
        store.delete_session(owner, session)
        store.add_user_message(owner, kept, None, "kept", f"u{number}")
        return len(store.sessions(owner, 100))

    with ThreadPoolExecutor(WRITERS) as pool:
        assert all(seen >= 1 for seen in pool.map(work, range(WRITERS)))
    assert [session.id for session in store.sessions(owner)] == [kept]
    assert len(store.children(owner, kept, None)) == WRITERS


def test_processes_that_open_a_new_store_at_once_make_one(url: str) -> None:
    program = "import sys; from app.store import Store; print(Store.open(sys.argv[1]).owner_for('token'))"
    started = [
        subprocess.Popen([sys.executable, "-c", program, url], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    answers = [process.communicate()[0].strip() for process in started]
    assert [process.returncode for process in started] == [0] * 3
    assert len(set(answers)) == 1


WRITE_UNTIL_KILLED = """
import sys
from app.store import Store
store = Store.open(sys.argv[1])
owner = store.owner_for("token")
session = store.create_session(owner).id
print(session, flush=True)
parent, number = None, 0
while True:
    parent = store.add_user_message(owner, session, parent, f"message {number} " * 50, str(number)).id
    print(parent, flush=True)
    number += 1
"""


def test_every_acknowledged_message_survives_a_kill(path: Path, url: str) -> None:
    """Two programs write at once; they are killed while they do."""
    command = [sys.executable, "-c", WRITE_UNTIL_KILLED, url]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    written = [[process.stdout.readline() for _ in range(20)] for process in processes if process.stdout]
    for process in processes:
        process.kill()
    for process, lines in zip(processes, written, strict=True):
        assert process.stdout is not None
        with process.stdout:
            lines += process.stdout.readlines()
        assert process.wait() == -signal.SIGKILL
    if url.startswith("sqlite"):
        assert path.with_name(path.name + "-wal").exists()
    with Store.open(url) as store:
        for lines in written:
            session, *acknowledged = [line.strip() for line in lines if line.endswith("\n")]
            messages = store.messages(store.owner_for("token"), session)
            assert [message.id for message in messages[: len(acknowledged)]] == acknowledged
            assert len(messages) <= len(acknowledged) + 1
            found = store.search(store.owner_for("token"), "message", 10_000)
            assert len([hit for hit in found if hit.session_id == session]) == len(messages)
