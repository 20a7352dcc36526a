"""Why a reply came about, in a real Chromium: from its button in a chat, from the lists, and from what one types."""

import json

import pytest
from playwright.sync_api import expect

from tests.app.web.conftest import Server

WAIT = 120_000  # milliseconds; these machines are slow at times


@pytest.fixture(scope="module")
def server(run_folders, tmp_path_factory):
    _, *small = run_folders
    running = Server(small, tmp_path_factory.mktemp("data"))
    yield running
    running.stop()


@pytest.fixture
def new_page(browser, server):
    """Opens pages of new people; nothing may be written to the browser's console as an error."""
    expect.set_options(timeout=WAIT)
    contexts, errors = [], []

    def opened(**options):
        context = browser.new_context(**options)
        context.set_default_timeout(WAIT)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda told: errors.append(told.text) if told.type == "error" else None)
        page.goto(server.url, timeout=WAIT)
        expect(page.locator("#chat-conversation .log")).to_be_visible()
        return page

    yield opened
    for context in contexts:
        context.close()
    assert errors == []


def say(page, text, replies):
    page.fill("#chat-message textarea", text)
    page.press("#chat-message textarea", "Enter")
    expect(page.locator("#chat-conversation .how")).to_have_count(replies)


def chosen(page, name):
    return page.locator(f"select[data-why='why-{name}']")


def test_a_reply_is_explained_from_its_button_from_the_lists_and_as_typed(new_page):
    page = new_page(locale="en-US", viewport={"width": 1280, "height": 900})
    say(page, "hello <b>you</b>", 1)
    say(page, "and you $x$?", 2)
    texts = page.locator("#chat-conversation .said.bot .text").all_inner_texts()
    page.locator("#chat-conversation .said.bot .why").last.click()
    told = page.locator("#why-told section.why")
    expect(told).to_be_visible()
    assert told.locator(".why-reply").inner_text() == texts[1]
    expect(told.locator(".why-facts")).to_contain_text("Temperature 0.8 · Top-p 0.9")
    expect(told.locator("table.turns tbody tr")).to_have_count(3)
    expect(told.locator("table.turns")).to_contain_text("hello <b>you</b>")
    assert told.locator("table b").count() == 0
    tokens = told.locator("table.steps tbody tr").count()
    assert tokens == told.locator("table.weights tbody tr").count() > 0
    told.locator("summary").first.click()
    expect(told.locator(".tinted").first.locator("span")).to_have_count(tokens)

    # The lists stand at the chat and the reply; another reply is a choice away.
    expect(chosen(page, "chat").locator("option:checked")).to_contain_text("hello <b>you</b>")
    assert chosen(page, "reply").locator("option").count() == 2
    chosen(page, "reply").select_option(index=0)
    expect(told.locator("table.turns tbody tr")).to_have_count(1)
    assert told.locator(".why-reply").inner_text() == texts[0]

    page.click("#why-typed > button")
    page.click("#why-look")
    expect(page.locator("#why-told [role=alert]")).to_have_text(
        "the context has no words; write what the reply answers"
    )
    page.click("#why-model input")
    page.get_by_role("option", name="vhred", exact=True).click()
    page.fill("#why-context textarea", "hello\nwho are you?")
    page.fill("#why-typed-reply textarea", "fine")
    page.click("#why-look")
    expect(told.locator(".why-facts")).to_contain_text("z is the prior's mean")
    expect(told.locator("table.turns tbody tr")).to_have_count(2)

    # Somebody else who sends the ids of this chat is told that there is no such chat.
    session = chosen(page, "reply").get_attribute("data-session")
    reply = chosen(page, "reply").locator("option").first.get_attribute("value")
    other = new_page(locale="en-US")
    other.locator("#tab-why-button").click()
    expect(other.locator("#why-choices")).to_contain_text("You have no replies yet")
    other.locator("#why-action textarea").evaluate(
        "(box, asked) => { box.value = asked; box.dispatchEvent(new Event('input', { bubbles: true })); }",
        json.dumps({"do": "why-reply", "session": session, "id": reply}),
    )
    other.locator("#why-act").evaluate("button => setTimeout(() => button.click(), 300)")
    expect(other.locator("#why-told [role=alert]")).to_contain_text(f"there is no chat '{session}' of yours")


def test_on_a_phone_in_japanese_the_tab_is_opened_from_the_chat_and_fits(new_page):
    page = new_page(locale="ja-JP", viewport={"width": 390, "height": 844})
    say(page, "こんにちは、元気?", 1)
    page.locator("#chat-conversation .said.bot .why").click()
    told = page.locator("#why-told section.why")
    expect(told).to_be_visible()
    expect(told.locator("h3").first).to_have_text("どの発言が効いているか")
    expect(told.locator("table.turns tbody th")).to_contain_text("こんにちは")
    expect(chosen(page, "chat").locator("xpath=..")).to_contain_text("チャット")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.get_by_role("region", name="どこを見ていたか").count() == 1
