"""The loop closes: what people liked and corrected becomes a corpus, and a model goes on learning from it."""

import dataclasses
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli.sessions import sessions
from app.store import Store
from dialog.conversation import Conversation, Turn
from dialog.decoding.replier import Replier
from dialog.decoding.replies import Sampling
from dialog.errors import StoreError, UsageError
from dialog.run_folder import load_run
from tests.app.api.test_sessions_files import make_reply
from tests.app.cli.tiny_runs import make_runs


def test_reviewed_chats_train_the_next_model(hred, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{tmp_path / 'sessions.db'}"
    monkeypatch.setenv("HRED_DATABASE_URL", url)
    before = make_runs(tmp_path / "runs", ["hred"]) / "hred"
    run = CliRunner()
    with Store.open(url) as store:
        owner = store.owner_for("somebody")
        for number in range(24):
            chat = store.create_session(owner).id
            asked = store.add_user_message(owner, chat, None, f"hello number {number}", "u").id
            reply = make_reply(text=f"number {number}, how are you?")
            answer = store.add_reply(owner, chat, asked, reply, "hred", "b").id
            better = f"hello {number}, are you well?" if number % 2 else None
            store.set_feedback(owner, chat, answer, -1 if better else 1, better)
        nothing = run.invoke(sessions, ["export", "--reviewed"])
        assert isinstance(nothing.exception, StoreError) and "nothing to learn from" in str(nothing.exception)
        both = run.invoke(sessions, ["export", chat, "--reviewed"])
        assert isinstance(both.exception, UsageError)
        store.set_owner_settings(owner, dataclasses.replace(store.owner_settings(owner), learn=True))
    file, corpus, after = tmp_path / "reviewed.jsonl", tmp_path / "corpus", tmp_path / "runs" / "next"
    told = run.invoke(sessions, ["export", "--reviewed", "--out", str(file)]).output
    assert "24 conversations with 24 replies to learn (12 corrected, 12 liked); version " in told
    assert run.invoke(sessions, ["export", "--reviewed"]).stdout_bytes == file.read_bytes()

    shares = ("--valid-share", 0.2, "--test-share", 0, "--workers", 1)
    hred("prepare", file, "--out", corpus, "--tokenizer-from", before, *shares)
    manifest = json.loads((corpus / "corpus.json").read_bytes())
    assert sum(split["targets"] for split in manifest["splits"].values()) == 24
    sizes = [
        f"{name}={value}"
        for name, value in load_run(before).config["settings"].items()
        if name.endswith("_size")
    ]
    options = [option for size in sizes if not size.startswith("vocab") for option in ("--set", size)]
    done = hred(
        "train", corpus, "--model", "hred", "--init-from", before, "--out", after, "--max-updates", 3,
        *options, "--set", "learning_rate=0.05", "--set", "warmup_updates=0", "--set", "sample_replies=0",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    old, new = load_run(before), load_run(after)
    assert old.model_hash != new.model_hash
    chat = Conversation("", (Turn("user", "hello number 3"),))
    assert Replier.from_run(new).reply(chat, Sampling(max_tokens=4))
