"""The page in a real Chromium, served by a real process from real run folders and a real store."""

import re

import pytest
from playwright.sync_api import expect

WAIT = 120_000  # milliseconds; these machines are slow at times

expect.set_options(timeout=WAIT)


@pytest.fixture
def new_page(browser, server):
    """Opens pages of new people: each call has cookies of its own. None may ask another machine for anything."""
    contexts, asked = [], []

    def opened(locale="en-US", width=1280, height=900, **options):
        context = browser.new_context(viewport={"width": width, "height": height}, locale=locale, **options)
        context.set_default_timeout(WAIT)
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
    is_open(page)


def is_open(page):
    for part in ("#chat-conversation .log", ".menus", "#chat-message textarea"):
        expect(page.locator(part)).to_be_visible()


def send(page, text, tab="chat"):
    page.fill(f"#{tab}-message textarea", text)
    page.press(f"#{tab}-message textarea", "Enter")


def say(page, text):
    replies = replies_of(page).count()
    send(page, text)
    expect(replies_of(page)).to_have_count(replies + 1)


def replies_of(page):
    """The lines below replies that say how they came about; a reply has one once it is stored."""
    return page.locator("#chat-conversation .how")


def walker(page, of):
    return page.locator(f"#chat-conversation .said.{of} .walker")


def texts(page, of="bot"):
    return page.locator(f"#chat-conversation .said.{of} .text").all_inner_texts()


def choose(page, place, name):
    page.click(f"#{place} input")
    page.get_by_role("option", name=name, exact=True).click()


def set_number(page, name, value):
    page.fill(f"#{name} input[type=number]", str(value))
    page.press(f"#{name} input[type=number]", "Tab")


def details(page, **numbers):
    """Opens the settings and types numbers into them, and once more what Gradio undid while it drew what was folded."""
    if not page.locator("#chat-max-tokens").is_visible():
        page.click("#chat-details > button")
    for name, value in numbers.items():
        set_number(page, f"chat-{name.replace('_', '-')}", value)
    expect(page.locator("#chat-preset input")).to_have_value("Own settings")
    for name, value in numbers.items():
        if page.input_value(f"#chat-{name.replace('_', '-')} input[type=number]") != str(value):
            set_number(page, f"chat-{name.replace('_', '-')}", value)
        expect(page.locator(f"#chat-{name.replace('_', '-')} input[type=number]")).to_have_value(str(value))


def tell_a_story(page, tokens):
    """Has the large model begin a reply that ends by itself after so many tokens alone."""
    choose(page, "chat-model", "seq2seq")
    details(page, max_tokens=tokens)
    send(page, "tell me a long story")
    expect(page.locator("#chat-live .text:not(.waiting)")).to_be_visible()  # a piece has come


def test_texts_are_shown_as_texts_and_answered_in_branches(new_page):
    page = new_page()
    # Nothing is sent for nothing; what is too long is refused with a sentence and stays in the box.
    send(page, "   ")
    long = "x" * 20_001
    send(page, long)
    expect(page.get_by_text("at most 20,000 can be sent").first).to_be_visible()
    expect(page.locator("#chat-message textarea")).to_have_value(long)
    expect(page.locator("#chat-sessions .open")).to_have_count(0)

    text = '<b>bold</b> <img src=http://203.0.113.9/x.png> </s> & <unk> {{1+1}} $a$ `c`\n\n# "two" \\(x\\)'
    say(page, text)
    expect(page.locator("#chat-message textarea")).to_have_value("")
    assert texts(page, "user") == [text]
    bad = "#chat-conversation b, #chat-conversation h1, .talk img, #chat-conversation code"
    assert page.locator(bad).count() == 0
    expect(page.locator("#chat-sessions .title")).to_contain_text("<b>bold</b>")

    # One more reply stands beside the first; a double click asks for one.
    first = texts(page)
    page.dblclick("#chat-conversation .again")
    expect(walker(page, "bot")).to_have_text("‹2/2›")
    second = texts(page)
    assert second != first
    page.click("#chat-conversation .said.bot .previous")
    expect(walker(page, "bot")).to_have_text("‹1/2›")
    assert texts(page) == first
    say(page, "go on")
    # An edited message begins a branch; all that was said stays, and can be walked to.
    page.locator("#chat-conversation .said.user .edit").first.click()
    page.fill("dialog textarea", "something else")
    page.click("dialog .sure")
    expect(walker(page, "user")).to_have_text("‹2/2›")
    expect(replies_of(page)).to_have_count(1)
    assert texts(page, "user") == ["something else"]
    page.click("#chat-conversation .said.user .next")
    expect(walker(page, "user")).to_have_text("‹1/2›")
    assert texts(page, "user") == [text, "go on"]
    shown = texts(page)
    page.reload()
    is_open(page)
    assert texts(page) == shown

    # What one thinks of a reply is kept; so is what it should have been.
    expect(page.locator("#chat-conversation .said.bot").first).to_be_visible()
    reply = page.locator("#chat-conversation .said.bot").first
    reply.locator(".like").click()
    expect(reply.locator(".like")).to_have_attribute("aria-pressed", "true")
    reply.locator(".correct").click()
    page.fill("dialog textarea", "<i>Yes</i>, gladly.")
    page.click("dialog .sure")
    expect(reply.locator(".correction")).to_contain_text("<i>Yes</i>, gladly.")
    reply.locator(".dislike").click()
    expect(reply.locator(".dislike")).to_have_attribute("aria-pressed", "true")
    page.reload()
    is_open(page)
    expect(reply.locator(".dislike")).to_have_attribute("aria-pressed", "true")
    expect(reply.locator(".like")).to_have_attribute("aria-pressed", "false")
    expect(reply.locator(".correction")).to_contain_text("<i>Yes</i>, gladly.")


def test_settings_seeds_and_candidates(new_page):
    page = new_page()
    details(page, max_tokens=8, seed=5)
    page.uncheck("#chat-fresh input")
    say(page, "hello")
    first = texts(page)
    expect(replies_of(page)).to_contain_text("hred · seed 5")
    page.click("#chat-conversation .again")
    expect(walker(page, "bot")).to_have_text("‹2/2›")
    assert texts(page) == first  # the same seed gives the same reply
    expect(page.locator(".how .scores")).to_be_hidden()
    page.check("#show-scores")
    expect(page.locator(".how .scores")).to_contain_text("log p -")
    choose(page, "chat-preset", "Most probable (beam)")
    expect(page.locator("#chat-beam-size input[type=number]")).to_have_value("5")
    expect(page.locator("#chat-temperature")).to_be_hidden()
    set_number(page, "chat-max-tokens", 9)
    expect(page.locator("#chat-preset input")).to_have_value("Own settings")
    page.click("#chat-conversation .again")
    expect(walker(page, "bot")).to_have_text("‹3/3›")
    expect(replies_of(page)).to_contain_text(re.compile(r"hred · beam of 5.*beam -\d"))
    page.get_by_text("Repetition, shortest reply").first.click()
    set_number(page, "chat-no-repeat-ngram", -1)
    send(page, "again")
    expect(page.get_by_text("no_repeat_ngram is -1")).to_be_visible()
    expect(page.locator("#chat-message textarea")).to_have_value("again")
    set_number(page, "chat-no-repeat-ngram", 0)
    choose(page, "chat-preset", "Lively")
    set_number(page, "chat-count", 3)
    set_number(page, "chat-max-tokens", 8)
    page.press("#chat-message textarea", "Enter")
    cards = page.locator("#chat-conversation .card")
    expect(cards).to_have_count(3)
    taken = cards.nth(2).locator(".text").inner_text()
    cards.nth(2).locator(".pick").click()
    expect(cards.nth(2)).to_have_class(re.compile("chosen"))
    set_number(page, "chat-count", 1)
    send(page, "and so on")
    expect(replies_of(page)).to_have_count(3)
    assert taken in texts(page)


def test_half_typed_japanese_is_not_sent(new_page):
    page = new_page(locale="ja-JP")
    expect(page.locator("#chat-send")).to_have_text("送信")
    box = page.locator("#chat-message textarea")
    box.focus()
    keyboard = page.context.new_cdp_session(page)
    keyboard.send("Input.imeSetComposition", {"text": "てがみ", "selectionStart": 3, "selectionEnd": 3})
    enter = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 229}
    keyboard.send("Input.dispatchKeyEvent", {"type": "rawKeyDown", **enter})
    keyboard.send("Input.dispatchKeyEvent", {"type": "keyUp", **enter})
    keyboard.send("Input.insertText", {"text": "手紙"})
    expect(box).to_have_value("手紙")
    assert page.locator("#chat-conversation .said").count() == 0
    box.press("Enter")
    expect(replies_of(page)).to_have_count(1)
    assert texts(page, "user") == ["手紙"]
    # The server's own sentences are Japanese, too, until another language is chosen; the choice is kept.
    send(page, "長" * 20_001)
    expect(page.get_by_text("送れるのは 20,000 文字までです").first).to_be_visible()
    with page.expect_navigation():
        page.select_option("#language-menu", "en")
    is_open(page)
    expect(page.locator("#chat-send")).to_have_text("Send")
    expect(replies_of(page)).to_contain_text("seed")
    assert page.evaluate("document.documentElement.lang") == "en"
    page.context.clear_cookies(name="hred_language")  # another browser of the same person
    page.reload()
    expect(page.locator("#chat-send")).to_have_text("Send")
    expect(page.locator("#language-menu")).to_have_value("en")


def test_two_tabs_in_one_chat_make_two_branches_and_lose_neither(new_page, server):
    page = new_page()
    say(page, "hello")
    other = page.context.new_page()
    open_page(other, server)
    expect(replies_of(other)).to_have_count(1)
    say(page, "from the first tab")
    say(other, "from the second tab")
    assert texts(page, "user") == ["hello", "from the first tab"]
    assert texts(other, "user") == ["hello", "from the second tab"]
    expect(walker(other, "user")).to_have_text("‹2/2›")
    other.click("#chat-conversation .said.user .previous")
    expect(walker(other, "user")).to_have_text("‹1/2›")
    assert texts(other) == texts(page)


def test_a_reply_goes_on_without_its_page_and_can_be_stopped(new_page):
    page = new_page()
    tell_a_story(page, 400)
    page.reload()
    is_open(page)
    expect(page.locator("#chat-conversation .said.bot .how")).to_contain_text("cut at its longest")
    assert len(texts(page)) == 1
    # Stopped: what came stays. A message that is sent meanwhile stops it, too, and is sent once.
    tell_a_story(page, 400)
    page.click("#chat-stop")
    expect(replies_of(page).nth(1)).to_contain_text("stopped")
    tell_a_story(page, 400)
    page.fill("#chat-message textarea", "another one, please")
    page.dblclick("#chat-send")
    expect(replies_of(page).nth(2)).to_contain_text("stopped")
    expect(page.locator("#chat-live .text:not(.waiting)")).to_be_visible()
    page.click("#chat-stop")
    expect(replies_of(page)).to_have_count(4)
    assert len(texts(page, "user")) == 4
    # Another chat is not written over by a reply that the page has left; that reply is whole when one comes back.
    tell_a_story(page, 400)
    page.click("#chat-new")
    expect(page.locator("#chat-conversation .empty")).to_be_visible()
    choose(page, "chat-model", "vhred")
    say(page, "another chat")
    page.locator("#chat-sessions").get_by_text("tell me a long story").click()
    expect(replies_of(page)).to_have_count(5)
    expect(replies_of(page).nth(4)).to_contain_text("cut at its longest")


def test_nine_tabs_of_one_browser_chat_at_once(new_page, server):
    page = new_page()
    tabs = [page, *(page.context.new_page() for _ in range(8))]
    for tab in tabs[1:]:
        open_page(tab, server)
    for number, tab in enumerate(tabs):
        send(tab, f"this is tab {number}")
    for number, tab in enumerate(tabs):
        expect(replies_of(tab)).to_have_count(1)
        assert texts(tab, "user") == [f"this is tab {number}"]
    page.reload()
    is_open(page)
    expect(page.locator("#chat-sessions .open")).to_have_count(9)


def test_chats_are_found_renamed_deleted_and_survive_a_restart(new_page, server):
    page, stranger = new_page(), new_page()
    say(page, "my secret is lemon")
    page.click("#chat-new")
    expect(page.locator("#chat-conversation .empty")).to_be_visible()
    say(page, "ときどき梨")
    page.locator("#chat-sessions .rename").click()
    page.fill("dialog input", "<i>pears</i>")
    page.click("dialog .sure")
    expect(page.locator("#chat-sessions .shown .title")).to_have_text("<i>pears</i>")
    search = page.locator("#chat-search input, #chat-search textarea")
    search.press_sequentially("梨")
    found = page.locator("#chat-found .title")
    expect(found).to_have_text("<i>pears</i>")
    expect(page.locator("#chat-sessions")).to_be_hidden()
    search.fill("")
    expect(page.locator("#chat-sessions")).to_be_visible()
    expect(page.locator("#chat-found")).to_be_hidden()
    # The answer to an older question comes late, after that to the last one, and is not shown.
    held = []
    page.route("**/chats/search", lambda route: held.append(route) if not held else route.continue_())
    with page.expect_request("**/chats/search"):
        search.fill("梨")
    search.fill("LEMON")
    search.press("Enter")
    expect(found).to_have_text("my secret is lemon")
    with page.expect_response(lambda answer: "梨" in (answer.request.post_data or "")) as late:
        held[0].continue_()
    assert "pears" in late.value.text()
    page.wait_for_timeout(300)  # there is no event of what must not be
    assert found.all_inner_texts() == ["my secret is lemon"]
    page.click("#chat-found .open")
    expect(page.locator("#chat-found .shown .title")).to_have_text("my secret is lemon")
    expect(page.locator("#chat-conversation")).to_contain_text("lemon")
    shown = texts(page)
    server.stop()
    server.start()
    page.reload()  # its address names the chat
    is_open(page)
    assert texts(page, "user") == ["my secret is lemon"] and texts(page) == shown
    # Somebody else finds none of it, also with the address.
    stranger.goto(page.url)
    is_open(stranger)
    expect(stranger.locator("#chat-conversation .empty")).to_be_visible()
    assert "lemon" not in stranger.content()
    with page.expect_download() as export:
        page.click("#chat-sessions .export")
    page.click("#chat-sessions .delete")
    page.click("dialog .sure")
    expect(page.locator("#chat-sessions .open")).to_have_count(1)
    page.reload()
    is_open(page)
    assert "lemon" not in page.content()
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Import").first.click()
    chooser.value.set_files(export.value.path())
    expect(page.locator("dialog")).to_contain_text("Chats added: 1")
    page.click("dialog .sure")
    expect(page.locator("#chat-sessions .open")).to_have_count(2)


def test_compare_on_a_phone_shows_all_models_and_goes_on_with_one(new_page):
    page = new_page(width=390, height=780, color_scheme="dark", has_touch=True)
    width = "() => document.documentElement.scrollWidth"
    expect(page.locator("body")).to_have_class(re.compile("dark"))
    say(page, "a word without end " + "x" * 300)
    assert page.evaluate(width) <= 390
    expect(page.locator("#chat-new")).to_be_hidden()
    page.click("#list-toggle")
    expect(page.locator("#chat-new")).to_be_visible()
    page.click("#chat-sessions .open")
    expect(page.locator("#chat-new")).to_be_hidden()
    page.get_by_role("tab", name="Compare").click()
    send(page, "who are you?", "compare")
    cards = page.locator("#compare-conversation .card")
    expect(cards).to_have_count(3)
    expect(cards.last.locator(".pick")).to_be_in_viewport()  # as tall as three screens, and read to its end
    assert page.evaluate(width) <= 390
    assert page.locator("#compare-conversation .card .model").all_inner_texts() == [
        "seq2seq",
        "hred",
        "vhred",
    ]
    send(page, "and now?", "compare")
    expect(page.get_by_text("no reply is chosen").first).to_be_visible()
    cards.nth(1).locator(".pick").click()
    expect(cards.nth(1)).to_have_class(re.compile("chosen"))
    page.press("#compare-message textarea", "Enter")
    expect(page.locator("#compare-conversation .said.user")).to_have_count(2)
    expect(cards).to_have_count(3)
    earlier = page.locator("#compare-conversation .said.bot:not(.card)")
    expect(earlier).to_have_count(1)
    expect(earlier).to_contain_text("hred")


def test_what_is_kept_and_learned_is_chosen(new_page, server):
    page = new_page()
    say(page, "this is kept")
    page.click("#data > button")
    page.uncheck("#data-keep input")
    page.check("#data-learn input")
    page.reload()
    is_open(page)
    page.click("#data > button")
    expect(page.locator("#data-keep input")).not_to_be_checked()
    expect(page.locator("#data-learn input")).to_be_checked()
    page.click("#chat-new")
    expect(page.locator("#chat-conversation .empty")).to_be_visible()
    say(page, "this is whispered")
    expect(page.locator("#chat-sessions .shown")).to_contain_text("temporary")
    page.reload()  # it stands in the server's memory, and its address names it
    is_open(page)
    assert texts(page, "user") == ["this is whispered"]
    written = [file.read_bytes() for file in server._data_folder.iterdir()]
    assert any(b"this is kept" in content for content in written)
    assert not any(b"whispered" in content for content in written)
    page.click("#chat-sessions .delete")
    page.click("dialog .sure")
    expect(page.locator("#chat-sessions .open")).to_have_count(1)
