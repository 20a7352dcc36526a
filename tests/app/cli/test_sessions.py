"""`hred sessions`: what an administrator sees and does, on a store of its own."""

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from app.cli.sessions import sessions
from app.store import Store
from dialog.errors import StoreError, UsageError
from tests.app.api.test_sessions_files import make_reply
from tests.app.store.filled import WORDS, fill
from tests.app.store.test_store_deletion import make_old


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    url = f"sqlite:///{tmp_path / 'sessions.db'}"
    monkeypatch.setenv("HRED_DATABASE_URL", url)
    with Store.open(url) as opened:
        yield opened


@pytest.fixture
def session(store: Store) -> str:
    return fill(store, store.owner_for("one"), make_reply)


def hred(*arguments: object, given: bytes | None = None) -> Result:
    result = CliRunner().invoke(sessions, [str(argument) for argument in arguments], input=given)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_chats_are_listed_shown_and_found(store: Store, session: str) -> None:
    other = store.owner_for("two")
    store.create_session(other, "\x1b[31mred\x07")
    lines = hred("list").output.splitlines()
    assert len(lines) == 3 and lines[2].split()[0] == session[:8] and WORDS.split()[0] in lines[2]
    assert other[:8] in lines[1] and "\x1b" not in lines[1] and "\x07" not in lines[1]
    assert len(hred("list", "--user", other).output.splitlines()) == 2
    (one,) = map(json.loads, hred("list", "--limit", 1, "--json").output.splitlines())
    assert (one["owner"], one["user"], one["messages"]) == (other, None, 0)

    shown = hred("show", session[:8]).output
    assert f"user [3 of 3]: otherwise open {WORDS}" in shown and "hred [1 of 2]: open a" in shown
    assert "fine" not in shown and "fine" in hred("show", session, "--all").output
    with pytest.raises(StoreError, match="is no chat"):
        hred("show", session, "--user", other)

    found = hred("search", "secret OF").output.splitlines()
    assert len(found) == 4 and all(line.startswith(session[:8]) for line in found)
    assert hred("search", "secret OF", "--user", other).output == ""
    assert json.loads(hred("search", "fine", "--json").output)["text"] == "fine"


def test_what_is_exported_is_imported_and_restored(store: Store, session: str, tmp_path: Path) -> None:
    owner, file = store.owner_for("one"), tmp_path / "out" / "chats.jsonl"
    assert hred("export", "--out", file).output == f"1 chat written to {file}\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600 and [*file.parent.iterdir()] == [file]
    assert hred("export", session[:8], "--user", owner).stdout_bytes == file.read_bytes()
    with pytest.raises(UsageError, match="is there already"):
        hred("export", "--out", file)
    assert hred("import", file).output == f"{file}: 0 chats added, 1 chat was there already\n"
    assert hred("delete", session, "--yes").output.endswith("1 chat deleted\n")
    assert not store.listed()
    hred("import", file, "--restore")
    assert store.session(owner, session)
    other = store.owner_for("two")
    with pytest.raises(StoreError, match="several owners"):
        hred("import", file)
    assert hred("import", "-", "--user", other, given=file.read_bytes()).output.startswith(
        "-: 1 chat added, 0 chats were"
    )
    assert len(list(store.votes())) == 2
    with pytest.raises(UsageError, match="is no file"):
        hred("import", tmp_path / "nowhere.jsonl", "--user", other)


def test_prepare_reads_an_export(store: Store, tmp_path: Path) -> None:
    owner = store.owner_for("one")
    for number in range(24):
        chat = store.create_session(owner).id
        said = store.add_user_message(owner, chat, None, f"how are the {number} cats?", "u").id
        store.add_reply(owner, chat, said, make_reply(text=f"all {number} are fine"), "hred", "b")
    file, corpus = tmp_path / "chats.jsonl", tmp_path / "corpus"
    hred("export", "--out", file)
    command = [sys.executable, "-m", "dialog", "prepare", str(file), "--out", str(corpus)]
    options = ["--vocabulary-size", "300", "--workers", "1", "--names", "no"]
    done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    report = json.loads((corpus / "corpus.json").read_bytes())["report"]
    assert report["records"] == {"read": 24, "bad": 0, "first_bad": []}
    assert report["conversations"]["kept"] == 24


def test_deleting_asks_first(store: Store, session: str) -> None:
    for command in (("delete", session), ("purge", "--older-than", "0h")):
        with pytest.raises(UsageError, match="add --yes"):
            hred(*command)
    assert store.listed()
    assert hred("delete", session[:8], session, "--yes").output.endswith("1 chat deleted\n")
    assert not store.listed()


def test_a_purge_takes_what_is_old(store: Store, session: str) -> None:
    old = fill(store, store.owner_for("two"), make_reply)
    make_old(store, old, 100)
    listed = hred("purge", "--older-than", "90d", "--dry-run").output
    assert old[:8] in listed and session[:8] not in listed and len(store.listed()) == 2
    assert hred("purge", "--older-than", "2000-01-01", "--yes").output.startswith("no chats\n0 chats")
    assert hred("purge", "--older-than", "90d", "--user", store.owner_for("one"), "--yes").output.startswith(
        "no"
    )
    assert hred("purge", "--older-than", "12w", "--yes").output.endswith("1 chat deleted\n")
    assert [one.session.id for one in store.listed()] == [session]
    for wrong in ("", "90", "d", "-1d", "2026-13-01", "9" * 6 + "w"):
        with pytest.raises(UsageError, match="--older-than is"):
            hred("purge", "--older-than", wrong, "--yes")
    assert store.listed()


def test_the_store_moves(store: Store, session: str, tmp_path: Path) -> None:
    target = f"sqlite:///{tmp_path / 'moved.db'}"
    output = hred("move", "--to", target).output
    assert "messages: 9 rows" in output and "rows moved and compared" in output
    with Store.open(target) as moved:
        assert list(moved.export_lines(None)) == list(store.export_lines(None))
    with pytest.raises(StoreError, match="already"):
        hred("move", "--to", target)


def test_none_of_it_loads_torch_or_gradio(store: Store, session: str, tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from app.cli.main import app\n"
        "for line in sys.stdin.read().splitlines():\n"
        "    app(['sessions', *line.split()], standalone_mode=False)\n"
        "print('loaded:', *{'torch', 'gradio', 'fastapi'} & set(sys.modules))"
    )
    lines = (
        f"list\nshow {session}\nsearch fine\nexport --out {tmp_path}/out.jsonl\nimport {tmp_path}/out.jsonl\n"
    )
    lines += f"delete {session} --yes\npurge --older-than 1d --yes\nmove --to sqlite:///{tmp_path}/moved.db"
    done = subprocess.run(
        [sys.executable, "-c", program], input=lines, capture_output=True, text=True, env={**os.environ}
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].strip() == "loaded:"
