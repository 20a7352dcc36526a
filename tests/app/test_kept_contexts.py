"""A chat goes on alike whether its context is kept, was dropped for others, or is read again after a restart."""

import pytest

from app.bots import Bots
from app.settings import Serving
from app.store import Store
from app.web.chats import Chats
from dialog.decoding.replies import Sampling

SAYINGS = ["hello number 7", "how are you this grey day?", "hello number 9, how are you?", "fine, fine"]
SAMPLING = Sampling(max_tokens=12)
NOTHING_KEPT = Serving(context_bytes=0)


def say_and_hear(chats, owner, session_id, text, model, seed):
    leaf = chats.view(owner, session_id).leaf
    request = f"{text}{seed}".encode().hex()
    said = chats.say(owner, session_id, leaf, text, request)
    answer = chats.answer(owner, said, [model], 1, SAMPLING, seed, request)
    assert answer.ended.wait(60)
    (reply,) = answer.stored
    return said.session_id, reply.text


def chat(folders, place, model, serving, restarts):
    """Returns the replies to all sayings; with `restarts`, bots and store are made anew before each."""
    session_id, heard, bots, store = "", [], None, None
    for seed, text in enumerate(SAYINGS):
        if bots is None or restarts:
            if bots is not None:
                bots.close()
                store.close()
            bots, store = Bots(folders, serving), Store.open(f"sqlite:///{place}")
        chats = Chats(bots, store)
        session_id, reply = say_and_hear(chats, store.owner_for("someone"), session_id, text, model, seed)
        heard.append(reply)
    bots.close()
    store.close()
    return heard


@pytest.mark.parametrize("model", ["hred", "vhred"])
def test_replies_are_the_same_after_a_restart_and_after_an_eviction(api_folders, tmp_path, model):
    folders = {model: api_folders[model]}
    kept = chat(folders, tmp_path / "kept.db", model, Serving(), restarts=False)
    assert len(set(kept)) > 1 and all(kept)
    assert chat(folders, tmp_path / "restarted.db", model, Serving(), restarts=True) == kept
    assert chat(folders, tmp_path / "dropped.db", model, NOTHING_KEPT, restarts=False) == kept


def test_a_chat_that_was_dropped_for_others_goes_on_alike(api_folders, tmp_path):
    folders = {"hred": api_folders["hred"]}
    expected = chat(folders, tmp_path / "alone.db", "hred", Serving(), restarts=False)
    bots, store = Bots(folders, Serving(context_bytes=2_000)), Store.open(f"sqlite:///{tmp_path / 'many.db'}")
    chats, sessions = Chats(bots, store), {}
    for seed, text in enumerate(SAYINGS):
        for owner in ("someone", "b", "c", "d"):
            words = text if owner == "someone" else f"{owner} {text}"
            place, reply = say_and_hear(
                chats, store.owner_for(owner), sessions.get(owner, ""), words, "hred", seed
            )
            sessions[owner] = place
            if owner == "someone":
                assert reply == expected[seed]
    bots.close()
    store.close()


def test_nothing_is_kept_of_a_chat_that_is_deleted(api_folders, tmp_path):
    bots, store = (
        Bots({"hred": api_folders["hred"]}, Serving()),
        Store.open(f"sqlite:///{tmp_path / 'chats.db'}"),
    )
    chats, owner, session_id = Chats(bots, store), store.owner_for("someone"), ""
    for seed, text in enumerate(SAYINGS):
        session_id, _ = say_and_hear(chats, owner, session_id, text, "hred", seed)
    other, _ = say_and_hear(chats, owner, "", "something else", "hred", 1)
    chats.choose(owner, session_id, store.messages(owner, session_id)[1].id)  # another branch is shown
    reader = bots.engine("hred").replier.reader
    kept = set(reader._cache._states)
    chats.delete(owner, session_id)
    left = set(reader._cache._states)
    assert left < kept and len(left) == 1 and len(reader._seen._seen) == 1
    chats.delete(owner, other)
    assert not reader._cache._states and not reader._seen._seen
    bots.close()
    store.close()
