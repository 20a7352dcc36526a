"""Laws of stored chats: nothing is lost, changed or overwritten, and each owner sees only their own."""

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, update
from sqlalchemy.exc import IntegrityError

from app.store import Store
from app.store.tables import MessageRow, SessionRow
from dialog.conversation import Turn
from dialog.decoding.replies import Reply
from dialog.errors import StoreError
from tests.app.store.conftest import BOTH

pytestmark = BOTH

NOBODYS_ID = "00000000-0000-4000-8000-000000000000"


def test_a_reply_comes_back_as_it_was_also_after_a_restart(
    url: str, make_reply: Callable[..., Reply]
) -> None:
    replies = [
        make_reply(),
        make_reply(seed=-(2**63), latent=None, text="", tokens=(), ended="end"),
        make_reply(log_probability=-math.inf, latent=(math.inf, -math.inf, 1.0)),
        make_reply(seed=2**63, log_probability=-5e-324, scores={"z": math.inf, "beam": -math.inf}),
    ]
    with Store.open(url) as store:
        owner = store.owner_for("token")
        session = store.create_session(owner, model_name="runs/hred").id
        said = store.add_user_message(owner, session, None, "hello", "u")
        added = [
            store.add_reply(owner, session, said.id, reply, "hred", f"b{number}")
            for number, reply in enumerate(replies)
        ]
    with Store.open(url) as store:
        assert store.owner_for("token") == owner
        assert store.children(owner, session, said.id) == tuple(added)
        assert [message.reply for message in added] == replies
        assert {message.model_name for message in added} == {"hred"}
        assert store.session(owner, session).model_name == "runs/hred"
        assert store.message(owner, session, said.id).reply is None


def test_a_score_that_is_no_number_comes_back_as_no_number(
    store: Store, owner: str, make_reply: Callable[..., Reply]
) -> None:
    session = store.create_session(owner).id
    scores = {"beam": math.nan, "z": 1.0}
    numbers = {"log_probability": math.nan, "filtered_log_probability": math.nan, "latent": (math.nan, 1.0)}
    reply = make_reply(**numbers, scores=scores)
    stored = store.add_reply(owner, session, None, reply, "vhred", "b").reply
    assert stored is not None and stored.latent is not None
    assert math.isnan(stored.log_probability) and math.isnan(stored.filtered_log_probability)
    assert math.isnan(stored.latent[0]) and stored.latent[1] == 1.0
    assert math.isnan(stored.scores["beam"]) and stored.scores["z"] == 1.0


def test_branches_never_overwrite(store: Store, owner: str, make_reply: Callable[..., Reply]) -> None:
    session = store.create_session(owner).id
    first = store.add_user_message(owner, session, None, "hello", "u1")
    replies = [
        store.add_reply(owner, session, first.id, make_reply(text=f"reply {name}"), name, name)
        for name in ("seq2seq", "hred", "vhred")
    ]
    follow_up = store.add_user_message(owner, session, replies[0].id, "go on", "u2")
    edited = store.add_user_message(owner, session, None, "hello, edited", "u3")

    assert store.children(owner, session, first.id) == tuple(replies)
    assert store.siblings(owner, session, replies[2].id) == tuple(replies)
    assert store.siblings(owner, session, first.id) == (first, edited)
    assert store.children(owner, session, None) == (first, edited)
    assert store.messages(owner, session) == (edited,)
    assert store.messages(owner, session, follow_up.id) == (first, replies[0], follow_up)
    store.set_active_leaf(owner, session, replies[1].id)
    assert store.messages(owner, session) == (first, replies[1])
    assert store.conversation(owner, session).turns == (Turn("user", "hello"), Turn("bot", "reply hred"))
    store.set_active_leaf(owner, session, None)
    assert store.messages(owner, session) == ()
    assert store.conversation(owner, session).turns == ()


def test_candidates_can_be_added_without_being_shown(
    store: Store, owner: str, make_reply: Callable[..., Reply]
) -> None:
    session = store.create_session(owner).id
    said = store.add_user_message(owner, session, None, "hello", "u")
    store.add_reply(owner, session, said.id, make_reply(), "hred", "b", activate=False)
    assert store.session(owner, session).active_leaf_id == said.id


def test_a_retry_returns_the_stored_message_and_changes_nothing(
    store: Store, owner: str, make_reply: Callable[..., Reply]
) -> None:
    session = store.create_session(owner).id
    said = store.add_user_message(owner, session, None, "hello", "u")
    reply = store.add_reply(owner, session, said.id, make_reply(), "hred", "b")
    before = store.session(owner, session)
    assert store.add_user_message(owner, session, None, "hello", "u") == said
    assert store.add_reply(owner, session, said.id, make_reply(text="other"), "hred", "b") == reply
    assert store.session(owner, session) == before
    assert store.messages(owner, session) == (said, reply)
    with pytest.raises(StoreError, match="id of its own"):
        store.add_user_message(owner, session, None, "hello", "b")
    other = store.create_session(owner).id
    assert store.add_user_message(owner, other, None, "hello", "u").id != said.id


def test_nobody_sees_or_changes_anything_of_another_owner(
    store: Store, owner: str, make_reply: Callable[..., Reply]
) -> None:
    session = store.create_session(owner, "mine").id
    said = store.add_user_message(owner, session, None, "secret", "u")
    other = store.owner_for("another cookie")
    others_own = store.create_session(other).id
    before = store.session(owner, session)
    calls: list[Callable[[str, str], object]] = [
        lambda who, which: store.session(who, which),
        lambda who, which: store.rename(who, which, "theirs"),
        lambda who, which: store.messages(who, which),
        lambda who, which: store.messages(who, which, said.id),
        lambda who, which: store.conversation(who, which, said.id),
        lambda who, which: store.message(who, which, said.id),
        lambda who, which: store.children(who, which, None),
        lambda who, which: store.siblings(who, which, said.id),
        lambda who, which: store.set_active_leaf(who, which, None),
        lambda who, which: store.add_user_message(who, which, None, "me too", "u"),
        lambda who, which: store.add_reply(who, which, said.id, make_reply(), "hred", "b"),
        lambda who, which: store.delete_session(who, which),
    ]
    for call in calls:
        with pytest.raises(StoreError) as refused:
            call(other, session)
        with pytest.raises(StoreError) as unknown:
            call(owner, NOBODYS_ID)
        assert str(refused.value).replace(session, NOBODYS_ID) == str(unknown.value)
    for leak in (
        lambda: store.messages(other, others_own, said.id),
        lambda: store.children(other, others_own, said.id),
        lambda: store.set_active_leaf(other, others_own, said.id),
        lambda: store.add_user_message(other, others_own, said.id, "hi", "u"),
    ):
        with pytest.raises(StoreError, match="no message"):
            leak()
    assert [session.id for session in store.sessions(other)] == [others_own]
    assert store.session(owner, session) == before
    assert store.messages(owner, session) == (said,)


@pytest.mark.parametrize("odd", ["", "x", "\ud800" * 36, "\0" * 36, "' OR 1=1 --", "é" * 36])
def test_odd_ids_are_unknown_ids(store: Store, owner: str, odd: str) -> None:
    session = store.create_session(owner).id
    assert store.sessions(odd) == ()
    for call in (
        lambda: store.session(owner, odd),
        lambda: store.session(odd, session),
        lambda: store.message(owner, session, odd),
        lambda: store.create_session(odd),
    ):
        with pytest.raises(StoreError):
            call()


def test_the_database_itself_refuses_a_parent_of_another_session(store: Store, owner: str) -> None:
    session, other = store.create_session(owner).id, store.create_session(owner).id
    said = store.add_user_message(owner, session, None, "hello", "u1")
    moved = store.add_user_message(owner, other, None, "hello", "u2")
    with store._engine.begin() as connection, pytest.raises(IntegrityError):
        connection.execute(update(MessageRow).where(MessageRow.id == moved.id).values(parent_id=said.id))
    values = {"id": NOBODYS_ID, "session_id": session, "position": 9, "role": "system", "text": ""}
    with store._engine.begin() as connection, pytest.raises(IntegrityError):
        connection.execute(insert(MessageRow).values(**values, created_at=datetime.now(UTC), client_id="x"))


def test_sessions_come_newest_first_page_by_page(store: Store, owner: str) -> None:
    made = [store.create_session(owner, f"chat {number}").id for number in range(7)]
    store.add_user_message(owner, made[2], None, "back again", "u")
    expected = [made[2], *reversed(made[3:]), made[1], made[0]]
    assert [session.id for session in store.sessions(owner)] == expected
    pages, last = [], None
    while page := store.sessions(owner, 3, before=last):
        pages += [session.id for session in page]
        last = page[-1]
    assert pages == expected
    with pytest.raises(StoreError, match="1 or more"):
        store.sessions(owner, 0)


def test_sessions_of_the_same_moment_come_in_the_order_of_their_ids(store: Store, owner: str) -> None:
    ids = ["0000000a-", "0000000A-", "-000000a0", "0000-00a0", "zzzzzzzzz", "ZZZZZZZZZ", "~~~~~~~~~"]
    time = datetime(2026, 1, 31, 23, 59, tzinfo=UTC)
    with store._writes() as transaction:
        transaction.add_all(
            SessionRow(id=one * 4, owner_id=owner, title="", model_name="", created_at=time, updated_at=time)
            for one in ids
        )
    listed = store.sessions(owner)
    assert [session.id for session in listed] == sorted((one * 4 for one in ids), reverse=True)
    assert store.sessions(owner, before=listed[2]) == listed[3:]


def test_a_title_is_the_first_message_in_one_short_line(store: Store, owner: str) -> None:
    untitled, titled = store.create_session(owner).id, store.create_session(owner, "Mine").id
    for session in (untitled, titled):
        first = store.add_user_message(owner, session, None, "How\n are  you " + "today " * 40, "u1")
        store.add_user_message(owner, session, first.id, "second", "u2")
    title = store.session(owner, untitled).title
    assert title.startswith("How are you today today") and title.endswith("today…") and len(title) <= 60
    assert store.session(owner, titled).title == "Mine"
    assert store.rename(owner, titled, "謝" * 100).title == "謝" * 59 + "…"
    assert store.session(owner, titled).title == "謝" * 59 + "…"


def test_times_are_utc_with_their_zone(store: Store, owner: str) -> None:
    session = store.create_session(owner).id
    store.add_user_message(owner, session, None, "hello", "u")
    (said,) = store.messages(owner, session)
    for time in (said.created_at, store.session(owner, session).updated_at):
        assert time.tzinfo is UTC
        assert abs(datetime.now(UTC) - time) < timedelta(minutes=1)


@pytest.mark.parametrize(("text", "reason"), [("a\0b", "NUL"), ("a\ud83db", "U\\+D83D")])
def test_what_is_no_text_is_refused_in_a_sentence(
    store: Store, owner: str, make_reply: Callable[..., Reply], text: str, reason: str
) -> None:
    session = store.create_session(owner).id
    for call in (
        lambda: store.add_user_message(owner, session, None, text, "u"),
        lambda: store.add_user_message(owner, session, None, "hello", text),
        lambda: store.add_reply(owner, session, None, make_reply(text=text), "hred", "b"),
        lambda: store.add_reply(owner, session, None, make_reply(), text, "b"),
        lambda: store.create_session(owner, text),
        lambda: store.create_session(owner, model_name=text),
        lambda: store.rename(owner, session, text),
    ):
        with pytest.raises(StoreError, match=reason):
            call()
    assert store.children(owner, session, None) == ()
    with pytest.raises(StoreError, match="reload the page"):
        store.add_user_message(owner, session, None, "hello", "u" * 3000)


def test_a_deleted_session_is_unknown_and_its_neighbour_is_whole(store: Store, owner: str) -> None:
    session, neighbour = store.create_session(owner).id, store.create_session(owner).id
    kept = store.add_user_message(owner, neighbour, None, "kept", "u")
    first = store.add_user_message(owner, session, None, "gone", "u")
    last = store.add_user_message(owner, session, first.id, "gone too", "u2")
    assert store.session(owner, session).active_leaf_id == last.id  # points back at the session's message
    store.delete_session(owner, session)
    for call in (store.session, store.messages, store.delete_session):
        with pytest.raises(StoreError, match="no chat"):
            call(owner, session)
    assert store.messages(owner, neighbour) == (kept,)


def test_a_closed_store_and_an_empty_cookie_are_sentences(store: Store, owner: str) -> None:
    with pytest.raises(StoreError, match="cookie"):
        store.owner_for("")
    store.close()
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.sessions(owner)
