"""The page in a real Chromium, served by a real process from real run folders and a real store."""

import re

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.browser import LAUNCH_ARGS, chromium_path

WAIT = 60_000  # milliseconds; these machines are slow at times

expect.set_options(timeout=WAIT)


@pytest.fixture(scope="module")
def browser():
    path = chromium_path()
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=LAUNCH_ARGS)
        yield running
        running.close()


@pytest.fixture
def new_page(browser, server):
    """Opens pages of new people: each call has cookies of its own. None may ask another machine for anything."""
    contexts, asked = [], []

    def opened():
        context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-US")
        contexts.append(context)
        context.on("request", lambda request: asked.append(request.url))
        page = context.new_page()
        open_page(page, server)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert asked, "no request was seen, so nothing was checked"
    assert [url for url in asked if not url.startswith((server.url, "data:", "blob:"))] == []


def open_page(page, server):
    page.goto(server.url)
    expect(page.locator("#message textarea")).to_be_visible()
    # The button is labelled by the handler that loads the chats: from here on nothing comes in by itself.
    expect(page.locator("#version")).to_have_text(re.compile(r"Only one version|Version \d+ of"))


def say(page, text):
    replies = replies_of(page).count()
    page.fill("#message textarea", text)
    page.press("#message textarea", "Enter")
    expect(replies_of(page)).to_have_count(replies + 1)


def replies_of(page):
    """The lines below replies that say how they came about; a reply has one once it is stored."""
    return page.locator("#conversation .how")


def set_number(page, name, value):
    page.fill(f"#{name} input", str(value))
    page.press(f"#{name} input", "Tab")


def test_texts_are_shown_as_texts(new_page):
    page = new_page()
    text = "<b>bold</b> <img src=http://203.0.113.9/x.png> </s> & <unk> {{1+1}}"
    say(page, text)
    expect(page.locator("#conversation")).to_contain_text(text)
    assert page.locator("#conversation b, #conversation img[src*='203.0.113.9']").count() == 0
    expect(page.locator("#message textarea")).to_have_value("")


def test_nothing_is_sent_for_nothing_and_too_much_stays_in_the_box(new_page):
    page = new_page()
    page.fill("#message textarea", "   ")
    page.press("#message textarea", "Enter")
    long = "x" * 20_001
    page.fill("#message textarea", long)
    page.click("#send")
    # Gradio reads the box a moment after a key: then Enter has sent the long text, too, and both are told.
    expect(page.get_by_text("at most 20,000 can be sent").first).to_be_visible()
    expect(page.locator("#message textarea")).to_have_value(long)
    assert replies_of(page).count() == 0
    expect(page.locator("#sessions input")).to_have_count(0)


def test_two_people_never_see_each_other(new_page):
    first, second = new_page(), new_page()
    say(first, "my secret is lemon")
    say(second, "something else")
    second.reload()
    expect(second.locator("#conversation")).to_contain_text("something else")
    expect(second.locator("#sessions input")).to_have_count(1)
    assert "lemon" not in second.content()


def test_two_tabs_of_one_person_keep_their_own_chats(new_page, server):
    page = new_page()
    say(page, "first tab")
    other = page.context.new_page()
    open_page(other, server)
    other.click("#new-chat")
    expect(replies_of(other)).to_have_count(0)
    say(other, "second tab")
    say(page, "first tab again")
    expect(page.locator("#conversation")).not_to_contain_text("second tab")
    expect(other.locator("#conversation")).not_to_contain_text("first tab")
    expect(page.locator("#sessions input")).to_have_count(2)


def test_a_reply_can_be_stopped_and_is_kept(new_page):
    page = new_page()
    page.locator("#model").get_by_label("seq2seq").check()
    set_number(page, "chat-max-tokens", 400)
    page.uncheck("#chat-fresh input")
    page.fill("#message textarea", "tell me a long story")
    page.press("#message textarea", "Enter")
    expect(page.locator("#conversation .bot").first).to_be_visible()  # a piece has come
    page.click("#stop")
    expect(page.locator("#conversation .how")).to_contain_text("stopped")
    shown = page.locator("#conversation").inner_text()
    page.reload()
    expect(page.locator("#conversation .how")).to_contain_text("stopped")
    assert page.locator("#conversation").inner_text() == shown


def test_a_message_sent_while_a_reply_streams_ends_that_reply(new_page):
    page = new_page()
    page.locator("#model").get_by_label("seq2seq").check()
    set_number(page, "chat-max-tokens", 400)
    page.uncheck("#chat-fresh input")
    page.fill("#message textarea", "tell me a long story")
    page.press("#message textarea", "Enter")
    page.press("#message textarea", "Enter")  # twice: it is one message
    expect(page.locator("#conversation .bot").first).to_be_visible()
    set_number(page, "chat-max-tokens", 5)
    page.fill("#message textarea", "a short one, please")
    page.press("#message textarea", "Enter")
    expect(replies_of(page)).to_have_count(2)
    expect(replies_of(page).first).to_contain_text("stopped")
    expect(page.locator("#conversation .user")).to_have_count(2)


def test_another_reply_stands_beside_the_first(new_page):
    page = new_page()
    say(page, "hello there")
    first = page.locator("#conversation").inner_text()
    page.click("#regenerate")
    expect(page.locator("#version")).to_have_text("Version 2 of 2: show next")
    assert page.locator("#conversation").inner_text() != first
    page.click("#version")
    expect(page.locator("#version")).to_have_text("Version 1 of 2: show next")
    assert page.locator("#conversation").inner_text() == first


def test_the_same_seed_gives_the_same_reply(new_page):
    page = new_page()
    page.uncheck("#chat-fresh input")
    set_number(page, "chat-seed", 5)
    say(page, "hello")
    first = page.locator("#conversation").inner_text()
    page.click("#new-chat")
    expect(replies_of(page)).to_have_count(0)
    say(page, "hello")
    assert page.locator("#conversation").inner_text() == first
    assert "seed 5" in first


def test_a_beam_finds_another_reply_and_shows_its_score(new_page):
    page = new_page()
    page.uncheck("#chat-fresh input")
    set_number(page, "chat-max-tokens", 8)
    set_number(page, "chat-seed", 5)
    say(page, "hello")
    drawn = page.locator("#conversation .bot").inner_text()
    page.locator("#chat-method").get_by_label("beam search").check()
    expect(page.locator("#chat-temperature")).to_be_hidden()
    set_number(page, "chat-beam-size", 4)
    page.click("#new-chat")
    expect(replies_of(page)).to_have_count(0)
    say(page, "hello")
    found = page.locator("#conversation .bot").inner_text()
    assert found.splitlines()[0] != drawn.splitlines()[0]
    assert re.search(r"hred · beam of 4 · \d tokens · log p -\d+\.\d nats · beam -\d+\.\d", found)
    page.get_by_text("Repetition, shortest reply").first.click()
    set_number(page, "chat-no-repeat-ngram", -1)
    page.fill("#message textarea", "again")
    page.press("#message textarea", "Enter")
    expect(page.get_by_text("no_repeat_ngram is -1")).to_be_visible()
    page.reload()
    assert page.locator("#conversation .bot").inner_text() == found  # from the store


def test_a_chat_survives_a_reload_and_a_restart_and_can_be_deleted(new_page, server):
    page = new_page()
    say(page, "remember this")
    shown = page.locator("#conversation").inner_text()
    server.stop()
    server.start()
    open_page(page, server)
    expect(page.locator("#conversation")).to_contain_text("remember this")
    assert page.locator("#conversation").inner_text() == shown
    say(page, "and this")
    page.click("#delete-chat")
    page.click("#delete-sure")
    expect(page.locator("#sessions input")).to_have_count(0)
    page.reload()
    expect(page.locator("#message textarea")).to_be_visible()
    assert "remember this" not in page.content()


def test_compare_shows_all_models_and_goes_on_with_one(new_page):
    page = new_page()
    page.get_by_role("tab", name="Compare").click()
    page.fill("#compare-message textarea", "who are you?")
    page.press("#compare-message textarea", "Enter")
    expect(page.locator("#compare-choice input")).to_have_count(6)  # three models, two replies each
    for place in range(3):
        expect(page.locator(f"#compare-{place} .how")).to_have_count(2)
    page.locator("#compare-choice input").first.check()
    page.fill("#compare-message textarea", "and now?")
    page.click("#compare-send")
    expect(page.locator("#compare-0")).to_contain_text("and now?")
    expect(page.locator("#compare-choice input")).to_have_count(6)
    page.get_by_text("The conversation so far").click()
    expect(page.locator("#compare-conversation .how")).to_contain_text("seq2seq")


def test_a_chat_opened_while_a_reply_streams_is_not_written_over(new_page):
    page = new_page()
    page.locator("#model").get_by_label("seq2seq").check()
    set_number(page, "chat-max-tokens", 400)
    page.uncheck("#chat-fresh input")
    page.fill("#message textarea", "tell me a long story")
    page.press("#message textarea", "Enter")
    expect(page.locator("#conversation .bot").first).to_be_visible()  # a piece has come
    page.click("#new-chat")
    expect(page.locator("#conversation")).not_to_contain_text("a long story")
    page.locator("#model").get_by_label("vhred").check()
    say(page, "another chat")
    expect(page.locator("#conversation")).not_to_contain_text("a long story")
    page.locator("#sessions").get_by_text("tell me a long story").click()
    expect(page.locator("#conversation .how")).to_contain_text("stopped")  # what there was of it is kept
