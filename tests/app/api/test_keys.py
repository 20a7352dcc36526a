"""The API behind the guards: whose key it is decides whose chats are meant, and who reads the server's figures."""

import openai
import pytest

from app.access import Rules
from app.bots import Bots
from tests.app.api.served import Served

MESSAGES = [{"role": "user", "content": "hello"}]


@pytest.fixture(scope="module")
def guarded(api_folders):
    running = Served(Bots({"hred": api_folders["hred"]}), Rules.make(require_login=True, environment={}))
    for name, is_admin in (("Ann", True), ("Bob", False)):
        user = running.store.create_user(name, "no password", is_admin=is_admin)
        running.store.add_key(running.store.owner_of_user(user.id), f"hred-{name}-secret", f"hred-{name}", "")
    yield running
    running.close()


def client_of(guarded, name):
    key = f"hred-{name}-secret"
    return openai.OpenAI(base_url=f"{guarded.url}/v1", api_key=key, max_retries=0, timeout=120)


def figures(client):
    return client.get("../metrics", cast_to=str)


def test_a_key_opens_its_owners_chats_and_no_others(guarded):
    with client_of(guarded, "Ann") as ann, client_of(guarded, "Bob") as bob:
        session = ann.post("/sessions", body={}, cast_to=dict)["id"]
        own = {"session_id": session}
        assert (
            ann.chat.completions.create(model="hred", messages=MESSAGES, extra_body=own).hred["session_id"]
            == session
        )
        user = guarded.store.user_named("Ann")
        assert len(guarded.store.messages(guarded.store.owner_of_user(user.id), session)) >= 1
        assert bob.get("/sessions", cast_to=dict)["data"] == []
        with pytest.raises(openai.NotFoundError, match="there is no chat"):
            bob.chat.completions.create(model="hred", messages=MESSAGES, extra_body=own)


def test_without_a_key_that_counts_there_is_no_answer_but_of_health(guarded):
    with client_of(guarded, "nobody") as nobody:
        for call in (
            nobody.models.list,
            lambda: nobody.chat.completions.create(model="hred", messages=MESSAGES),
        ):
            with pytest.raises(openai.AuthenticationError, match="key"):
                call()
    assert guarded.request("GET", "/healthz")[0].status in (200, 503)
    assert guarded.request("GET", "/metrics")[0].status == 401
    assert guarded.request("GET", "/openapi.json")[0].status != 200


def test_figures_are_for_administrators_keys(guarded):
    with client_of(guarded, "Ann") as ann, client_of(guarded, "Bob") as bob:
        assert "hred_model_loaded" in figures(ann)
        with pytest.raises(openai.PermissionDeniedError):
            figures(bob)
