"""Two servers, one PostgreSQL, a proxy: others' chats stay theirs, and a server that dies takes nothing along."""

import json
import signal
from contextlib import ExitStack

import pytest
from playwright.sync_api import expect, sync_playwright

from app.access.passwords import hash_password
from app.store import Store
from tests.app.access.house_of_servers import Browser, Proxy, ServerProcess, started
from tests.app.access.speaking import call, data_for, id_of, loading, say
from tests.app.access.watched import CANARIES
from tests.app.cli.tiny_runs import make_runs
from tests.app.store.databases import new_database, running_server
from tests.browser import LAUNCH_ARGS, chromium_path

PASSWORD = "correct horse"
SECRET = "my secret is lemon"


class Together:
    """What stands while this module's tests run."""


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    house = Together()
    folder = tmp_path_factory.mktemp("runs")
    make_runs(folder, ["hred"])
    house.watch = folder / "sent.txt"
    with ExitStack() as stack:
        url = stack.enter_context(new_database(stack.enter_context(running_server())))
        house.store = stack.enter_context(Store.open(url))
        hashed = hash_password(PASSWORD)
        for name in ("Ann", "Bob"):
            user = house.store.create_user(name, hashed, is_admin=name == "Ann")
            house.store.add_key(house.store.owner_of_user(user.id), f"key of {name}", name, "")
        house.servers = [ServerProcess([folder / "hred"], url, house.watch) for _ in range(2)]
        for server in house.servers:
            stack.callback(server.end)
        started(house.servers)
        house.proxy = Proxy([server.port for server in house.servers])
        stack.callback(house.proxy.close)
        house.ann = Browser(house.proxy.port, "Ann", PASSWORD)
        house.owner = house.store.owner_of_user(house.store.user_named("Ann").id)
        yield house


ACTIONS = ("open", "edit", "again", "walk", "choose", "like", "dislike", "correct", "rename", "delete")
ACTIONS += ("why-chat", "why-reply")


def everything(house):
    """All that is stored of Ann's chats."""
    store = house.store
    sessions = store.sessions(house.owner)
    return [(one, store.messages(house.owner, one.id)) for one in sessions]


def test_others_neither_read_nor_change_a_chat_by_any_event_of_the_page(house):
    status, events = say(house.ann, SECRET)
    assert status == 200 and SECRET in events
    before = everything(house)
    ((session, messages),) = before
    assert [message.role for message in messages] == ["user", "bot"]
    bob = Browser(house.proxy.port, "Bob", PASSWORD)
    config = bob.open()
    read = 0
    for dependency in config["dependencies"]:
        for given in guesses(config, dependency, session.id, messages[-1].id):
            _, events = bob.send(dependency, data_for(config, dependency, given))
            assert "lemon" not in events and session.title not in events
            read += len(events)
    assert read > 1000, "the events said nothing, so nothing was looked at"
    assert everything(house) == before
    # Sent by their owner, the same ids do show the chat.
    assert SECRET in say(house.ann, "once more", session.id, messages[-1].id)[1]
    assert SECRET in house.ann.send(loading(house.ann.open()), [])[1]


def guesses(config, dependency, session_id, message_id):
    """Yields what somebody who knows the ids of a chat would put into an event's inputs, by `elem_id`."""
    names = {one["id"]: one["props"].get("elem_id") or "" for one in config["components"]}
    given = {}
    for name in (names[number] for number in dependency["inputs"]):
        if "session" in name:
            given[name] = session_id
        elif name.endswith(("-leaf", "-choice")):
            given[name] = message_id
        elif name.endswith("message"):
            given[name] = "hello"
        elif name.endswith("max-tokens"):
            given[name] = 3
    actions = [
        name for name in (names[number] for number in dependency["inputs"]) if name.endswith("-action")
    ]
    if not actions:
        yield given
    for action in ACTIONS if actions else ():
        id_ = session_id if action in ("open", "rename", "delete", "why-chat") else message_id
        asked = {"do": action, "session": session_id, "leaf": message_id, "id": id_, "text": "lemonade"[:1]}
        yield {**given, **dict.fromkeys(actions, json.dumps(asked))}


def test_nobody_listens_to_the_page_of_somebody_else_or_speaks_in_its_name(house):
    config = house.ann.open()
    load = loading(config)
    event = {"data": [], "fn_index": load["id"], "session_hash": house.ann.page}
    json_type = {"Content-Type": "application/json"}
    answer, _ = house.ann.ask("POST", "/gradio_api/queue/join", json.dumps(event).encode(), json_type)
    assert answer.status == 200
    bob = Browser(house.proxy.port, "Bob", PASSWORD)
    assert bob.listen(house.ann.page)[0] == 404
    assert bob.send(load, [], page=house.ann.page)[0] == 404
    assert SECRET in house.ann.listen()[1]


def test_files_of_chats_are_their_owners_alone(house):
    session = next(one for one in house.store.sessions(house.owner) if one.title == SECRET)
    bob = Browser(house.proxy.port, "Bob", PASSWORD)
    answer, body = bob.ask("GET", f"/chats/{session.id}/export")
    assert answer.status == 404 and b"lemon" not in body
    assert b"lemon" not in bob.ask("GET", "/chats/export")[1]
    assert b"lemon" in house.ann.ask("GET", f"/chats/{session.id}/export")[1]
    answer, _ = bob.ask(
        "GET", f"/chats/{session.id}/export", headers={"Cookie": "", "Authorization": "Bearer key of Ann"}
    )
    assert answer.status == 401


def test_a_key_opens_its_owners_chats_alone_and_figures_are_for_administrators(house):
    server = house.servers[0]
    session = next(one for one in house.store.sessions(house.owner) if one.title == SECRET)
    before = everything(house)
    message = {"model": "hred", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 3}
    status, body = call(
        server.port, "POST", "/v1/chat/completions", "key of Bob", {**message, "session_id": session.id}
    )
    assert status == 404 and b"lemon" not in body
    status, body = call(server.port, "GET", f"/v1/sessions/{session.id}", "key of Bob")
    assert status == 404 and b"lemon" not in body
    assert b"lemon" not in call(server.port, "GET", "/v1/sessions", "key of Bob")[1]
    assert everything(house) == before
    status, body = call(server.port, "GET", f"/v1/sessions/{session.id}", "key of Ann")
    assert status == 200 and b"lemon" in body
    assert [call(server.port, "GET", "/metrics", key)[0] for key in ("", "key of Bob", "key of Ann")] == [
        401,
        403,
        200,
    ]
    assert call(server.port, "GET", "/healthz")[0] == 200
    assert call(server.port, "POST", "/v1/chat/completions", values=message)[0] == 401


def clicking(config, name):
    button = id_of(config, (name,))
    return next(one for one in config["dependencies"] if [button, "click"] in one["targets"])


def test_loading_models_and_starting_trainings_is_for_administrators(house):
    folder = str(house.watch.parent / "hred")
    given = {
        "models-action": json.dumps({"do": "unload", "name": "hred"}),
        "models-path": folder,
        "models-start-from": "hred",
        "models-minutes": 1,
        "models-learning-rate": 0.001,
    }
    told = {}
    for name in ("Bob", "Ann"):
        browser = Browser(house.proxy.port, name, PASSWORD)
        config = browser.open()
        for button in ("models-start", "models-load-path", "models-act", "models-look", "models-tick"):
            dependency = clicking(config, button)
            status, told[name, button] = browser.send(dependency, data_for(config, dependency, given))
            assert status == 200
    for button in ("models-start", "models-load-path", "models-act"):
        assert "this is for administrators" in told["Bob", button]
        assert "this is for administrators" not in told["Ann", button]
    assert "too little to learn from" in told["Ann", "models-start"]
    assert "is loaded already, as hred" in told["Ann", "models-load-path"]
    assert "the only model here" in told["Ann", "models-act"]
    for button in ("models-look", "models-tick"):  # everybody sees what there is, and no more
        assert "data-model=" not in told["Bob", button] and folder not in told["Bob", button]
    assert "Model card" in told["Bob", "models-look"] and "for administrators" in told["Bob", "models-look"]
    assert folder in told["Ann", "models-look"]
    models = json.loads(call(house.servers[0].port, "GET", "/v1/models", "key of Bob")[1])
    assert [one["id"] for one in models["data"]] == ["hred"]


def test_the_same_message_and_seed_give_the_same_reply_on_both_servers(house):
    asked = {
        "model": "hred",
        "turns": [{"speaker": "me", "text": "hello number 7"}],
        "seed": 5,
        "num_replies": 2,
    }
    replies = []
    for server in house.servers:
        status, body = call(server.port, "POST", "/api/reply", "key of Bob", asked)
        assert status == 200
        replies.append(json.loads(body)["replies"])
    assert replies[0] == replies[1] and len(replies[0]) == 2


def test_a_browser_logs_in_chats_and_logs_out(house):
    wrongs = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=LAUNCH_ARGS)
        page = browser.new_context(locale="ja-JP").new_page()
        page.set_default_timeout(120_000)
        expect.set_options(timeout=120_000)
        page.on("console", lambda told: wrongs.append(told.text) if "Content Security" in told.text else None)
        page.goto(f"http://127.0.0.1:{house.proxy.port}/")
        assert page.url.endswith("/login")
        page.fill("#name", "Bob")
        page.fill("#password", "wrong horse")
        page.press("#password", "Enter")
        expect(page.get_by_role("alert")).to_have_text("名前またはパスワードが違います。")
        page.fill("#password", PASSWORD)
        page.get_by_role("button", name="ログイン").click()
        box = page.locator("#chat-message textarea, #message textarea")
        expect(box).to_be_visible()
        box.fill("hello from a browser")
        box.press("Enter")
        shown = page.locator("#chat-conversation, #conversation")
        expect(shown).to_contain_text("hello from a browser")
        page.goto(f"http://127.0.0.1:{house.proxy.port}/logout")
        expect(page.get_by_text("Bob としてログインしています。")).to_be_visible()
        page.get_by_role("button", name="ログアウト", exact=True).click()
        expect(page.locator("#password")).to_be_visible()
        page.goto(f"http://127.0.0.1:{house.proxy.port}/")
        assert page.url.endswith("/login")
        browser.close()
    assert wrongs == []


def test_a_server_that_dies_between_two_messages_takes_neither_login_nor_chat_along(house):
    ann = Browser(house.proxy.port, "Ann", PASSWORD)
    assert "before the end" in say(ann, "before the end")[1]
    session = house.store.sessions(house.owner)[0]
    (dying,) = [one for one in house.servers if one.port == house.proxy.pinned[ann.cookies["hred_login"]]]
    dying.end(signal.SIGKILL)
    config = ann.open()  # with the cookie of before, at the other server
    assert "before the end" in ann.send(loading(config), [])[1]
    leaf = house.store.messages(house.owner, session.id)[-1].id
    status, events = say(ann, "after it", session.id, leaf)
    assert status == 200 and "before the end" in events and "after it" in events
    roles = [(one.role, one.text) for one in house.store.messages(house.owner, session.id)]
    assert [role for role, _ in roles] == ["user", "bot", "user", "bot"]
    assert [text for role, text in roles if role == "user"] == ["before the end", "after it"]


def test_a_logout_counts_on_every_server(house):
    (living,) = [one for one in house.servers if one.runs]
    bob = Browser(living.port, "Bob", PASSWORD)
    house.store.end_logins(house.store.user_named("Bob").id)  # as another server would
    answer, _ = bob.ask("GET", "/", headers={"Accept": "text/html"})
    assert answer.status == 303 and answer.getheader("location") == "/login"


def test_no_request_left_the_machine(house):
    """The last of this module: both servers have loaded models, shown pages and answered by now."""
    sent = house.watch.read_text().splitlines()
    assert sorted(set(sent)) == sorted(CANARIES) and len(sent) == 2 * len(CANARIES)
