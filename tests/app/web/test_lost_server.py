"""A server is killed in the middle of replies: page and program see a clear end, and go on at another server."""

from contextlib import ExitStack
from types import SimpleNamespace

import httpx2
import openai
import pytest
from playwright.sync_api import expect, sync_playwright

from app.access.passwords import hash_password
from app.store import Store
from app.web.words import say
from tests.app.access.house_of_servers import SECONDS, Proxy, ServerProcess, started
from tests.app.store.databases import new_database, running_server
from tests.browser import LAUNCH_ARGS, chromium_path

WAIT = 120_000  # milliseconds
PASSWORD, KEY = "correct horse", "key of Ann"
NOTED = """
new MutationObserver(() => {
  const bar = document.getElementById("connection");
  if (bar) sessionStorage.setItem("told", `${sessionStorage.getItem("told") || ""}\\n${bar.textContent}`);
}).observe(document, { childList: true, subtree: true });
"""
"""Writes down what the page says of its connection, for it is said for a moment alone."""


@pytest.fixture(scope="module")
def house(run_folders, tmp_path_factory):
    """Two servers with the large model, whose replies take seconds, one PostgreSQL, a proxy, a browser."""
    house = SimpleNamespace()
    watch = tmp_path_factory.mktemp("watch") / "sent.txt"
    with ExitStack() as stack:
        url = stack.enter_context(new_database(stack.enter_context(running_server())))
        house.store = stack.enter_context(Store.open(url))
        user = house.store.create_user("Ann", hash_password(PASSWORD))
        house.owner = house.store.owner_of_user(user.id)
        house.store.add_key(house.owner, KEY, "Ann", "")
        house.servers = [ServerProcess(run_folders[:1], url, watch) for _ in range(2)]
        for server in house.servers:
            stack.callback(server.end)
        started(house.servers)
        house.proxy = Proxy([server.port for server in house.servers])
        stack.callback(house.proxy.close)
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=LAUNCH_ARGS)
        stack.callback(browser.close)
        house.page = browser.new_page(locale="ja-JP")
        house.page.set_default_timeout(WAIT)
        expect.set_options(timeout=WAIT)
        yield house


def said(house, session_id):
    return [(message.role, message.text) for message in house.store.messages(house.owner, session_id)]


def choose(page, tokens, seed):
    if not page.locator("#chat-max-tokens").is_visible():
        page.click("#chat-details > button")
    for name, value in (("max-tokens", tokens), ("seed", seed)):
        page.fill(f"#chat-{name} input[type=number]", str(value))
        page.press(f"#chat-{name} input[type=number]", "Tab")
    page.uncheck("#chat-fresh input")


def read(stream, pieces, at_first):
    for chunk in stream:
        if chunk.choices and chunk.choices[0].delta.content:
            pieces.append(chunk.choices[0].delta.content)
            if len(pieces) == 1:
                at_first()


def test_a_server_that_dies_in_the_middle_of_replies_loses_no_message_and_another_one_gives_the_same(house):
    page = house.page
    page.add_init_script(NOTED)
    page.goto(f"http://127.0.0.1:{house.proxy.port}/")
    page.fill("#name", "Ann")
    page.fill("#password", PASSWORD)
    page.press("#password", "Enter")
    expect(page.locator("#chat-conversation .log")).to_be_visible()
    choose(page, tokens=400, seed=7)
    page.fill("#chat-message textarea", "tell me a long story")
    page.press("#chat-message textarea", "Enter")
    live = page.locator("#chat-live .text:not(.waiting)")
    expect(live).to_be_visible()
    page.fill("#chat-message textarea", "half a thought")

    address = f"http://127.0.0.1:{house.proxy.port}/v1"
    with openai.OpenAI(base_url=address, api_key=KEY, max_retries=0, timeout=SECONDS) as program:
        session = program.post("/sessions", body={}, cast_to=dict)["id"]

        def ask(stream=False):
            return program.chat.completions.create(
                model="seq2seq",
                messages=[{"role": "user", "content": "tell me more"}],
                seed=5,
                max_tokens=400,
                stream=stream,
                extra_body={"session_id": session},
                extra_headers={"Idempotency-Key": "once"},
            )

        pieces = []
        shown = live.text_content()
        with ask(stream=True) as stream, pytest.raises((openai.APIError, httpx2.HTTPError)):
            read(stream, pieces, at_first=house.servers[0].kill)
        begun = "".join(pieces)
        assert said(house, session) == [("user", "tell me more")]
        whole = ask().choices[0].message.content
        assert begun and whole.startswith(begun)
        assert said(house, session) == [("user", "tell me more"), ("bot", whole)]
        assert ask().choices[0].message.content == whole and len(said(house, session)) == 2

    # The page has said what happened, and shows the chat from the store; what was typed is still there.
    # The page that is about to be loaded anew looks much the same.
    is_told = "words => (sessionStorage.getItem('told') || '').includes(words)"
    page.wait_for_function(is_told, arg=say("chat.connected_again", "ja"))
    expect(page.locator("#chat-conversation .unanswered")).to_be_visible()
    expect(page.locator("#chat-conversation .said.user .text")).to_have_text("tell me a long story")
    expect(page.locator("#chat-conversation .said.bot")).to_have_count(0)
    expect(page.locator("#chat-message textarea")).to_have_value("half a thought")
    told = page.evaluate("sessionStorage.getItem('told')")
    assert told.index(say("chat.connection_lost", "ja")) < told.index(say("chat.connected_again", "ja"))
    (chat,) = [one.id for one in house.store.sessions(house.owner) if one.id != session]
    assert said(house, chat) == [("user", "tell me a long story")]
    choose(page, tokens=400, seed=7)
    page.click("#chat-conversation .unanswered")
    expect(page.locator("#chat-conversation .how")).to_have_count(1)
    (_, (role, text)) = said(house, chat)
    assert role == "bot" and shown and text.startswith(shown)

    # The way out is on the page, also out of every other browser.
    page.click(".menus .leave")
    expect(page.get_by_text("Ann としてログインしています。")).to_be_visible()
    page.get_by_role("button", name="すべての端末からログアウト").click()
    expect(page.locator("#password")).to_be_visible()
