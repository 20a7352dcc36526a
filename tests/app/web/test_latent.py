"""The latent-space tab in a real Chromium: drawn again exactly, frozen halves, a walk, maps, one's own chats alone."""

import contextlib
import re

import pytest
from playwright.sync_api import TimeoutError as PlaywrightTimeout
from playwright.sync_api import expect

from tests.app.web.conftest import Server

WAIT = 240_000  # milliseconds; these machines are slow at times
CONTEXT = "hello <b>you</b>\nhow are you?\nthis $fine$ day"


@pytest.fixture(scope="module")
def server(run_folders, tmp_path_factory):
    running = Server(run_folders[1:], tmp_path_factory.mktemp("data"))  # without the large one
    yield running
    running.stop()


@pytest.fixture
def new_page(browser, server):
    """Opens the tab for new people: each call has cookies of its own."""
    expect.set_options(timeout=WAIT)
    contexts = []

    def opened(locale="en-US", width=1280):
        context = browser.new_context(viewport={"width": width, "height": 900}, locale=locale)
        context.set_default_timeout(WAIT)
        contexts.append(context)
        page = context.new_page()
        page.goto(server.url)
        open_tab(page)
        return page

    yield opened
    for context in contexts:
        context.close()


def open_tab(page):
    expect(page.locator("#chat-conversation .log")).to_be_visible()  # the page has loaded
    button = page.locator("#tab-latent-button")
    if not button.is_visible():  # on a phone the last tabs are in a menu
        page.locator(".overflow-menu > button").click()
        page.locator(".overflow-dropdown button").filter(has_text=re.compile("Latent space|潜在空間")).click()
    else:
        button.click()
    expect(page.locator("#latent-context textarea")).to_be_visible()


def fill(page, name, value):
    boxed(page, name).fill(str(value))


def draw(page, count):
    """Draws by the names in the boxes."""
    fill(page, "count", count)
    page.click("#latent-again")
    expect(cards(page)).to_have_count(count)
    return texts(page)


def cards(page):
    return page.locator("#latent-found .spoken")


def texts(page):
    return page.locator("#latent-found .spoken .words").all_inner_texts()


def boxed(page, name):
    return page.locator(f"#latent-{name} :is(input, textarea)")


def refused(page, action, sentence):
    """Sends what no button of this page would, until it is refused: on a busy machine the click may come first."""
    told = page.get_by_text(sentence).first
    for _ in range(8):
        page.evaluate(
            """action => {
                const box = document.querySelector("#latent-action textarea");
                box.value = action;
                box.dispatchEvent(new Event("input", { bubbles: true }));
                setTimeout(() => document.getElementById("latent-act").click(), 200);
            }""",
            action,
        )
        with contextlib.suppress(PlaywrightTimeout):
            told.wait_for(timeout=WAIT / 8)
            return
    raise AssertionError(f"nothing said: {sentence}")


def test_each_half_stays_while_the_other_is_drawn_and_names_draw_all_again(new_page):
    page = new_page()
    fill(page, "context", CONTEXT)
    fill(page, "z", "7/1")
    fill(page, "words", "7/1")
    first = draw(page, 4)
    assert len(set(first)) > 1
    seeds = page.locator("#latent-found small")
    expect(seeds.nth(2)).to_contain_text("z 7/3 · words 7/3 · KL")

    # A point of the map says its words and marks its card, by pointer and by keyboard.
    points = page.locator("#latent-found .point")
    expect(points).to_have_count(4)
    points.nth(1).hover()
    expect(page.locator("#latent-found .pointed").first).to_have_text(re.compile(r"^2\."))
    points.nth(2).focus()
    expect(page.locator("#latent-found .pointed").first).to_have_text(re.compile(r"^3\."))
    expect(page.locator("#latent-found .spoken.marked")).to_have_attribute("data-number", "3")
    expect(page.locator("#latent-found .bars rect")).to_have_count(100)

    # z stays, other words; then the words' draws stay, other z.
    cards(page).nth(1).locator("[data-do=other_words]").click()
    expect(page.locator("#latent-found [role=status]")).to_contain_text("All of z 7/2.")
    expect(page.get_by_role("radio", name="the words, z stays")).to_be_checked()
    for line in seeds.all_inner_texts():
        assert line.startswith("z 7/2 · words ")
    expect(boxed(page, "z")).to_have_value("7/2")
    expect(boxed(page, "words")).not_to_have_value("7/1")
    named = seeds.first.inner_text()
    words = re.search(r"words (\d+/\d+)", named)[1]
    cards(page).first.locator("[data-do=other_z]").click()
    expect(page.locator("#latent-found [role=status]")).to_contain_text(f"draws {words}.")

    # A walk ends at what its two z say with those words' draws.
    cards(page).nth(0).locator("[data-do=from_here]").click()
    cards(page).nth(2).locator("[data-do=to_here]").click()
    third = re.match(r"z (\d+/3)", seeds.nth(2).inner_text())[1]
    expect(boxed(page, "end")).to_have_value(third)
    ends = texts(page)
    fill(page, "points", 5)
    page.click("#latent-walk")
    steps = page.locator("#latent-way .step")
    expect(steps).to_have_count(5)
    assert steps.first.locator(".words").inner_text() == ends[0]
    same = steps.nth(4).locator("span.same")
    assert same.count() or steps.nth(4).locator(".words").inner_text() == ends[2]

    # All of it again, by its names alone.
    page.reload()
    open_tab(page)
    fill(page, "context", CONTEXT)
    fill(page, "z", "7/1")
    fill(page, "words", "7/1")
    assert draw(page, 4) == first
    assert page.locator("#latent-found b:not(.number), #latent-found .katex").count() == 0


def test_chats_are_taken_over_and_looked_at_by_their_owner_alone(new_page):
    page = new_page()
    page.click("#latent-mine-button")
    expect(page.locator("#latent-mine")).to_contain_text("You have no chats yet")
    page.click("#latent-chats > button")
    page.click("#latent-look")
    expect(page.locator("#latent-looked-at")).to_contain_text("There is no message to look at")

    page.click("#tab-chat-button")
    for number, text in enumerate(("<b>bold</b>\n& two lines", "and then?"), 1):
        page.fill("#chat-message textarea", text)
        page.press("#chat-message textarea", "Enter")
        expect(page.locator("#chat-conversation .how")).to_have_count(number)
    session = page.locator("#chat-conversation .log").get_attribute("data-session")
    page.click("#tab-latent-button")
    page.click("#latent-mine-button")
    page.locator("#latent-mine [data-do=take]").click()
    expect(page.locator("#latent-mine")).to_contain_text("Taken over: “<b>bold</b>")
    # What the model replied, which has learnt nothing, stands between the two messages.
    taken = re.compile(r"^<b>bold</b> & two lines\n(.*\n)?and then\?$")
    expect(page.locator("#latent-context textarea")).to_have_value(taken)
    page.click("#latent-look")
    expect(page.locator("#latent-looked-at .point").first).to_be_visible()
    expect(page.locator("#latent-looked-at tbody")).to_contain_text("and then?")

    other = new_page(locale="ja-JP", width=390)
    refused(other, f'{{"do": "take", "id": "{session}"}}', f"'{session}' はありません")
    expect(other.locator("#latent-context textarea")).to_have_value("")
    refused(other, "[]", "ページからの要求を読み取れません")


def test_limits_and_empty_boxes_are_sentences_in_both_languages(new_page):
    page = new_page()
    page.click("#latent-draw")
    expect(page.get_by_text("no text to answer").first).to_be_visible()
    fill(page, "context", "hello")
    fill(page, "count", 25)
    page.click("#latent-again")
    expect(page.get_by_text("25 replies were asked for, but at once it can be 1 to 24").first).to_be_visible()
    fill(page, "points", 13)
    page.click("#latent-walk")
    expect(page.get_by_text("13 points were asked for, but at once it can be 2 to 12").first).to_be_visible()
    expect(cards(page)).to_have_count(0)

    page = new_page(locale="ja-JP", width=390)
    expect(page.locator("#latent-draw")).to_have_text("新しいシードで抽選")
    fill(page, "context", "hello\nhow are you?")
    fill(page, "z", "seven")
    page.get_by_label("言葉だけ").click()
    page.click("#latent-again")
    expect(page.get_by_text("'seven' は抽選の名前ではありません").first).to_be_visible()
    fill(page, "z", "7/2")
    draw(page, 3)
    expect(page.locator("#latent-found [role=status]")).to_contain_text("どれも z 7/2 です")
    expect(page.locator("#latent-found figcaption")).to_contain_text("次元は 100 のうち")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
