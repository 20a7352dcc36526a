"""Battles in a real Chromium: blind until the vote, one vote, over a reload, and the ranking after it."""

import json
import re
import sqlite3
from contextlib import closing
from urllib.parse import urlsplit

import pytest
import torch
from playwright.sync_api import expect

from app.store import Store
from dialog.models.registry import build_model
from dialog.run_folder import save_run
from dialog.text.tokenizer import Tokenizer, train_tokenizer
from tests.app.web.conftest import Server
from tests.app.web.tap import Tap

WAIT = 120_000  # milliseconds; these machines are slow at times
NAMES = ("lemon<b>drop", "quartz&$$co$$*")
"""Names with markup in them, of words that nothing else on the page has."""


@pytest.fixture(scope="module")
def data_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def tap(tmp_path_factory, data_folder):
    texts = [f"hello number {n}, how are you this {w} day?" for n in range(50) for w in ("fine", "grey")]
    tokenizer = Tokenizer.from_bytes(train_tokenizer(texts, 320))
    folders = []
    for number, name in enumerate(NAMES):
        torch.manual_seed(number)
        settings = {"vocab_size": tokenizer.num_tokens, "embedding_size": 16, "hidden_size": 16}
        folders.append(tmp_path_factory.mktemp("runs") / name)
        save_run(folders[-1], build_model("hred", settings), tokenizer, {}, "# a model\n")
    server = Server(folders, data_folder)
    relay = Tap(urlsplit(server.url).port)
    yield relay
    relay.close()
    server.stop()


@pytest.fixture
def page(browser, tap):
    expect.set_options(timeout=WAIT)
    context = browser.new_context(viewport={"width": 1280, "height": 1000}, locale="en-US")
    context.set_default_timeout(WAIT)
    yield open_battles(context.new_page(), tap)
    context.close()


def open_battles(page, tap):
    page.goto(tap.url)
    page.locator("#tab-battle-button").click()
    expect(page.locator("#battle-now [role=status]")).to_have_count(1)  # written by the handler that loads
    return page


def said(page, side):
    return page.locator(f"#battle-{side} .text")


def say(page, text, messages):
    page.fill("#battle-message textarea", text)
    page.press("#battle-message textarea", "Enter")
    for side in "ab":
        expect(said(page, side)).to_have_count(messages)
    expect(page.locator("#battle-vote-a")).to_be_enabled()


def rows(data_folder, query):
    with closing(sqlite3.connect(data_folder / "sessions.db")) as database:
        return database.execute(query).fetchall()


def blank(written):
    """Takes what people and models said, and the letter of the side, out of what an event writes."""
    if isinstance(written, dict):
        return {name: blank(each) for name, each in written.items()}
    if isinstance(written, list):
        return [blank(each) for each in written]
    if not isinstance(written, str):
        return written
    without = re.sub(r'(<div class="text">)[^<]*', r"\1", written)
    return without.replace('aria-label="B"', 'aria-label="A"').replace("<h3>B</h3>", "<h3>A</h3>")


def battle_events(received):
    """The outputs of all events that write both conversations: what is written to A's and to B's."""
    for found in re.findall(rb"data: (\{.*?\})\n\n", received):
        data = (json.loads(found).get("output") or {}).get("data") or []
        if len(data) == 11:  # as many as the tab's outputs
            yield data[0], data[1]


def test_nothing_tells_the_models_until_the_vote_which_counts_once(page, tap, data_folder):
    at_load = bytes(tap.received)
    tap.received.clear()
    say(page, "hello <i>you</i>", 2)
    say(page, "and then?", 4)
    other = open_battles(page.context.new_page(), tap)  # a second tab takes the battle up
    expect(said(other, "b")).to_have_count(4)
    page.reload()  # so does the first one after a reload
    page.locator("#tab-battle-button").click()
    expect(said(page, "a")).to_have_count(4)
    expect(page.locator("#battle-vote-b")).to_be_enabled()
    assert said(page, "a").nth(0).inner_text() == "hello <i>you</i>"
    blind = bytes(tap.received)

    ((name_a, hash_a, name_b, hash_b),) = rows(
        data_folder, "SELECT model_a, model_a_hash, model_b, model_b_hash FROM battles"
    )
    assert {name_a, name_b} == set(NAMES) and hash_a != hash_b
    secrets = [
        hash_a[:8],
        hash_b[:8],
        *(id for ids in rows(data_folder, "SELECT id, session_id FROM messages") for id in ids),
    ]
    assert not [secret for secret in secrets if secret.encode() in blind]
    for word in (b"lemon", b"quartz"):
        # The other tabs list the models, in a fixed order: as often in each of the two loads as in the first.
        assert blind.count(word) == 2 * at_load.count(word) > 0
    first_places = [
        at_load.index(b"lemon") < at_load.index(b"quartz"),
        blind.index(b"lemon") < blind.index(b"quartz"),
    ]
    assert first_places == [True, True]
    events = list(battle_events(blind))
    assert len(events) >= 6
    for left, right in events:
        assert blank(left) == blank(right)
    texts = [said(page, side).nth(1).inner_text() for side in "ab"]
    assert texts[0] != texts[1]  # two models, so what was compared was not one and the same
    assert all(
        json.dumps(text)[1:-1].encode() in blind for text in texts if text.isascii() and "&" not in text
    )

    page.click("#battle-vote-b")
    expect(page.locator("#battle-now")).to_contain_text(
        f"Your vote: B is better. A was {name_a}, B was {name_b}."
    )
    expect(page.locator("#battle-vote-b")).to_be_disabled()
    expect(page.locator("#battle-a")).to_contain_text(f"A · {name_a}")
    ranking = page.locator("#battle-ranking")
    expect(ranking).to_contain_text("Preliminary")
    expect(ranking.locator("tbody").first.locator("tr").first).to_contain_text(name_b)
    expect(ranking).to_contain_text(hash_b[:12])
    assert (
        page.locator("#battle-ranking b, #battle-now b, #battle-ranking .katex, #battle-a h3 b").count() == 0
    )
    other.click("#battle-vote-a")
    expect(other.get_by_text("a vote stands").first).to_be_visible()
    assert rows(data_folder, "SELECT choice FROM votes") == [("b",)]


def test_a_battle_goes_on_where_the_store_says(page, tap, data_folder):
    say(page, "hello again", 2)
    with Store.open(f"sqlite:///{data_folder}/sessions.db") as store:
        # As a server leaves it that is killed in the middle of the replies.
        owner, battle = rows(
            data_folder, "SELECT owner_id, id FROM battles ORDER BY created_at DESC LIMIT 1"
        )[0]
        store.say_in_battle(owner, battle, "are you there?", "an id of another tab")
    page.reload()
    page.locator("#tab-battle-button").click()
    for side in "ab":
        expect(said(page, side)).to_have_count(4)
        expect(said(page, side).nth(2)).to_have_text("are you there?")
    page.click("#battle-new")
    expect(said(page, "a")).to_have_count(0)
    expect(page.locator("#battle-vote-tie")).to_be_disabled()
    assert rows(data_folder, f"SELECT state FROM battles WHERE id = '{battle}'") == [("abandoned",)]
    say(page, "forget this", 2)
    page.click("#battle-delete")
    page.click("#battle-delete-sure")
    expect(said(page, "a")).to_have_count(0)
    assert rows(data_folder, "SELECT count(*) FROM messages WHERE text = 'forget this'") == [(0,)]
    page.click("#tab-latent-button")  # neither model has a latent variable
    expect(page.locator("#latent-none")).to_contain_text("hred serve vhred")
    expect(page.locator("#latent-context")).to_have_count(0)
    page.click("#tab-battle-button")
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
