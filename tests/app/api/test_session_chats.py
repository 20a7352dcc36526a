"""A chat that is named: its context is the store's, message and replies are stored, a retry stores nothing twice."""

import json
import threading

import openai
import pytest

from dialog.conversation import Conversation, Turn
from dialog.decoding.replier import Replier
from dialog.decoding.replies import CHAT_SAMPLING
from dialog.run_folder import load_run
from tests.app.api.test_chat_problems import problem

OTHER = {"Cookie": "hred_owner=somebody-else"}


@pytest.fixture(scope="module")
def client(served):
    with openai.OpenAI(base_url=f"{served.url}/v1", api_key="none", max_retries=0, timeout=120) as opened:
        yield opened


@pytest.fixture
def session(client):
    return client.post("/sessions", body={"title": "朝の話"}, cast_to=dict)["id"]


def say(client, session, text, key=None, **changes):
    headers = {"Idempotency-Key": key} if key else {}
    messages = [{"role": "user", "content": text}]
    own = {"session_id": session, **changes.pop("extra_body", {})}
    return client.chat.completions.create(
        **{"model": "hred", "messages": messages, **changes}, extra_body=own, extra_headers=headers
    )


def told(client, session):
    return client.get(f"/sessions/{session}", cast_to=dict)["messages"]


def texts(client, session):
    return [(message["role"], message["content"]) for message in told(client, session)]


def local(served):
    return served.store.owner_for("local")


def test_the_reply_is_that_to_the_whole_stored_chat(client, served, session, api_folders):
    first = say(client, session, "おはよう", "a", seed=1).choices[0].message.content
    second = say(client, session, "how are you?", "b", seed=2)
    turns = (Turn("user", "おはよう"), Turn("bot", first), Turn("user", "how are you?"))
    replier = Replier.from_run(load_run(api_folders["hred"]))
    (expected,) = replier.reply(Conversation("", turns), CHAT_SAMPLING, 1, 2)
    assert second.choices[0].message.content == expected.text
    assert second.hred["context_hash"] == expected.context_hash
    wanted = [
        ("user", "おはよう"),
        ("assistant", first),
        ("user", "how are you?"),
        ("assistant", expected.text),
    ]
    assert texts(client, session) == wanted
    stored = served.store.messages(local(served), session)
    assert stored[-1].reply.tokens == expected.tokens and stored[-1].model_name == "hred"
    assert stored[-2].id == second.hred["message_id"] and second.hred["session_id"] == session


@pytest.mark.parametrize("is_streamed", [False, True])
def test_a_retry_gives_the_same_reply_and_stores_nothing(client, served, session, is_streamed):
    def once(**changes):
        answer = say(client, session, "hello", "only once", n=3, stream=is_streamed, **changes)
        if not is_streamed:
            return [choice.message.content for choice in answer.choices]
        found = ["", "", ""]
        for chunk in answer:
            for choice in chunk.choices:
                found[choice.index] += choice.delta.content or ""
        return found

    first = once()
    before = served.store.messages(local(served), session)
    assert once() == once(logprobs=True) == first  # stored, and decoded once more
    assert served.store.messages(local(served), session) == before
    candidates = served.store.children(local(served), session, before[0].id)
    assert [message.text for message in candidates] == [text for text in first if text]


def test_a_retry_while_the_first_is_under_way_stores_once(client, served, session):
    found = []

    def send():
        found.append(say(client, session, "hello", "k", model="vhred").choices[0].message.content)

    threads = [threading.Thread(target=send) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6 and len(set(found)) == 1
    assert texts(client, session) == [("user", "hello"), ("assistant", found[0])]


def test_the_field_and_the_header_name_the_same(client, session):
    by_header = say(client, session, "hello", "k")
    by_field = say(client, session, "hello", extra_body={"client_id": "k"})
    assert by_field.choices == by_header.choices
    say(client, session, "hello")  # without an id it is another message
    assert len(told(client, session)) == 4


def test_a_message_that_was_never_answered_is_answered_when_it_comes_again(client, served, session):
    served.store.add_user_message(local(served), session, None, "hello", "made before the server stopped")
    say(client, session, "hello")
    assert [role for role, _ in texts(client, session)] == ["user", "assistant"]


def test_an_id_that_stands_for_another_message_is_refused(client, session):
    say(client, session, "hello", "k")
    for text, key in (("something else", "k"), ("hello", "k/reply/0")):
        with pytest.raises(openai.ConflictError, match="another message"):
            say(client, session, text, key)
    assert len(told(client, session)) == 2


def test_a_reader_that_goes_away_loses_no_reply(client, served, session):
    body = {"model": "seq2seq", "session_id": session, "client_id": "k", "max_tokens": 30, "min_tokens": 30}
    body |= {"messages": [{"role": "user", "content": "hello"}], "stream": True}
    engine = served.bots.engine("seq2seq")
    connection = served.send("/v1/chat/completions", body)
    served.wait_until(lambda: engine.num_running == 1)
    connection.close()
    served.wait_until(lambda: len(served.store.messages(local(served), session)) == 2)
    reply = served.store.messages(local(served), session)[-1].reply
    assert len(reply.tokens) == 30 and reply.ended == "length"
    again = say(client, session, "hello", "k", model="seq2seq", max_tokens=30)
    assert again.choices[0].message.content == reply.text and len(told(client, session)) == 2


def test_a_chat_of_somebody_else_is_not_there(client, served, session):
    say(client, session, "secret", "k")
    for is_mine in (False, True):
        headers = {} if is_mine else OTHER
        mine = openai.OpenAI(
            base_url=f"{served.url}/v1", api_key="none", max_retries=0, timeout=120, default_headers=headers
        )
        with mine:
            listed = [one["id"] for one in mine.get("/sessions", cast_to=dict)["data"]]
            assert (session in listed) == is_mine
            if not is_mine:
                with pytest.raises(openai.NotFoundError, match="there is no chat"):
                    say(mine, session, "hello")
                with pytest.raises(openai.NotFoundError, match="there is no chat"):
                    mine.get(f"/sessions/{session}", cast_to=dict)
    assert len(told(client, session)) == 2


def test_the_owner_that_was_found_before_counts_more_than_a_cookie():
    from starlette.requests import Request

    from app.access import is_admin
    from app.api.owners import owner_of

    def request(**state):
        return Request({"type": "http", "headers": [(b"cookie", b"hred_owner=c")], "state": state})

    class Known:
        def owner_for(self, token):
            return f"guest {token}"

    assert owner_of(request(owner="u1"), Known()) == "u1"
    assert owner_of(request(owner=None), Known()) == owner_of(request(), Known()) == "guest c"
    # What passed no guard is nobody's; at a server without logins the guard lets everybody be one.
    assert [is_admin(request(**state)) for state in ({}, {"is_admin": False}, {"is_admin": True})] == [
        False,
        False,
        True,
    ]


@pytest.mark.parametrize(
    ("param", "changes", "status"),
    [
        ("session_id", {"session_id": "no-such-chat"}, 404),
        ("session_id", {"session_id": "\ud800\0"}, 404),
        ("session_id", {"session_id": ""}, 400),
        ("messages", {"messages": [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]}, 400),
        ("messages", {"messages": [{"role": "user", "content": " "}]}, 400),
        ("messages", {"messages": [{"role": "user", "content": "a\0b"}]}, 400),
        ("messages", {"messages": [{"role": "user", "content": "a\ud800"}]}, 400),
        ("client_id", {"client_id": "\0"}, 400),
        ("model", {"model": "gpt-4"}, 404),
    ],
)
def test_what_cannot_be_stored_is_told_and_nothing_is(client, served, session, param, changes, status):
    good = {"model": "hred", "session_id": session, "messages": [{"role": "user", "content": "hello"}]}
    found = problem(served, {**good, **changes})
    assert (found[0], found[2]) == (status, param)
    assert told(client, session) == []


@pytest.mark.parametrize("body", [{"title": 5}, {"name": "x"}, {"title": "\0"}, {"title": "\ud800"}])
def test_a_session_that_cannot_be_made_is_told(served, body):
    assert problem(served, body, "/v1/sessions")[0] == 400


def test_sessions_are_listed_with_what_is_known_of_them(client, served, session):
    listed = client.get("/sessions", cast_to=dict)["data"]
    (mine,) = [one for one in listed if one["id"] == session]
    assert mine["title"] == "朝の話" and mine["created"] > 1_700_000_000
    response, body = served.request("POST", "/v1/sessions", {})
    assert response.status == 200 and json.loads(body)["title"] == ""


def test_sessions_come_in_pages_are_renamed_and_deleted_by_their_owner_alone(client, served, session):
    others = [client.post("/sessions", body={}, cast_to=dict)["id"] for _ in range(2)]
    say(client, session, "my secret", "k")  # the one changed last
    told_of, after = [], {}
    while True:
        page = client.get("/sessions", options={"params": {"limit": 1, **after}}, cast_to=dict)
        told_of += [one["id"] for one in page["data"]]
        if not page["has_more"] or len(told_of) == 3:
            break
        after = {"after": told_of[-1]}
    assert told_of == [session, *others[::-1]]
    for query in ("limit=0", "limit=101", "limit=x", "limit=1.5"):
        assert problem(served, None, f"/v1/sessions?{query}", "GET")[::2] == (400, "limit")
    assert problem(served, None, "/v1/sessions?after=nothing", "GET")[0] == 404

    renamed = client.post(f"/sessions/{session}", body={"title": "lemons"}, cast_to=dict)
    assert renamed["title"] == client.get(f"/sessions/{session}", cast_to=dict)["title"] == "lemons"
    for body in ({}, {"title": None}, {"title": 5}, {"title": "\0"}, {"model": "hred"}):
        assert problem(served, body, f"/v1/sessions/{session}")[0] == 400

    other = openai.OpenAI(
        base_url=f"{served.url}/v1", api_key="none", max_retries=0, timeout=120, default_headers=OTHER
    )
    with other:
        with pytest.raises(openai.NotFoundError, match="there is no chat"):
            other.post(f"/sessions/{session}", body={"title": "mine"}, cast_to=dict)
        with pytest.raises(openai.NotFoundError, match="there is no chat"):
            other.delete(f"/sessions/{session}", cast_to=dict)
    assert len(told(client, session)) == 2

    (said,) = served.store.conversations(local(served), session)
    reader = served.bots.engine("hred").replier.reader
    begun = Conversation("", said.turns[:1])
    assert not reader.open(begun).unread
    done = client.delete(f"/sessions/{session}", cast_to=dict)
    assert done == {"id": session, "object": "session.deleted", "deleted": True}
    for _ in range(2):
        with pytest.raises(openai.NotFoundError, match="there is no chat"):
            client.delete(f"/sessions/{session}", cast_to=dict)
    assert served.store.search(local(served), "my secret") == ()
    assert reader.open(begun).unread, "the model keeps a state of what was deleted"


def test_a_store_that_fails_is_a_servers_problem(served, client, monkeypatch):
    from app.store import Store
    from dialog.errors import StoreError

    def fails(self, *_, **__):
        raise StoreError("the disk is full; free some space") from OSError()

    session = client.post("/sessions", body={}, cast_to=dict)["id"]
    with monkeypatch.context() as patch:
        patch.setattr(Store, "session", fails)
        with pytest.raises(openai.InternalServerError, match="disk is full"):
            say(client, session, "hello")
    with monkeypatch.context() as patch:
        patch.setattr(Store, "add_reply", fails)
        with pytest.raises(openai.InternalServerError, match="disk is full"):
            say(client, session, "hello", "k")
        with pytest.raises(openai.APIError, match="disk is full"):
            list(say(client, session, "hello", "k", stream=True))
    assert say(client, session, "hello", "k").choices[0].message.content
    assert len(told(client, session)) == 2
