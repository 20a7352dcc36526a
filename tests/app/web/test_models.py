"""The loop in a real Chromium: chat, like and correct, agree, train, see the curve, load, meet the model again."""

from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from app.store import Store
from app.trainings import Trainings
from tests.app.cli.tiny_runs import make_runs
from tests.app.web.conftest import Server
from tests.browser import LAUNCH_ARGS, chromium_path

WAIT = 300_000  # milliseconds; these machines are slow at times


@pytest.fixture(scope="module")
def data_folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def server(tmp_path_factory, data_folder):
    runs = make_runs(tmp_path_factory.mktemp("first"), ["hred"])
    (runs / "hred" / "model_card.md").write_text(
        "# A card <script>x</script>\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"
    )
    running = Server([runs / "hred"], data_folder)
    yield running
    running.stop()


@pytest.fixture
def page(server):
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=LAUNCH_ARGS)
        context = browser.new_context(viewport={"width": 1280, "height": 1000}, locale="en-US")
        context.set_default_timeout(WAIT)
        expect.set_options(timeout=WAIT)
        opened = context.new_page()
        opened.goto(server.url)
        expect(opened.locator("#chat-conversation .log")).to_be_visible()
        yield opened
        browser.close()


def say(page, text, tab="chat"):
    page.fill(f"#{tab}-message textarea", text)
    page.press(f"#{tab}-message textarea", "Enter")


def open_tab(page, name):
    page.click(f"#tab-{name}-button")


def run(page, name):
    return page.locator(f'#models-board [data-run="{name}"]')


def review_two_chats(page):
    """Chats twice; likes the one reply and corrects the other."""
    for number, button in enumerate(("like", "correct")):
        say(page, f"hello number {number}")
        expect(page.locator("#chat-conversation .how")).to_have_count(1)
        page.click(f"#chat-conversation .said.bot .{button}")
        if button == "correct":
            page.fill("dialog textarea", "hello, are you well?")
            page.click("dialog .sure")
            expect(page.locator("#chat-conversation .correction")).to_be_visible()
        else:
            expect(page.locator('#chat-conversation .like[aria-pressed="true"]')).to_be_visible()
            page.click("#chat-new")
            expect(page.locator("#chat-conversation .said")).to_have_count(0)


def test_the_loop_closes(page, data_folder):
    review_two_chats(page)
    open_tab(page, "models")
    expect(page.locator("#models-count")).to_contain_text("Nothing to learn from yet")
    expect(run(page, "hred").locator(".state")).to_have_text("answers")
    run(page, "hred").locator("summary").click()
    expect(run(page, "hred").locator("h4").last).to_have_text("A card <script>x</script>")
    page.click("#models-start")  # nobody has agreed to it
    expect(page.get_by_text("too little to learn from").first).to_be_visible()
    assert not (data_folder / "runs").exists()

    page.click("#data > button")
    page.check("#data-learn input")
    with Store.open(f"sqlite:///{data_folder}/sessions.db") as store:
        while not any(store.reviewed()):
            page.wait_for_timeout(50)
    open_tab(page, "chat")
    open_tab(page, "models")
    expect(page.locator("#models-count")).to_contain_text("2 replies (1 corrected, 1 liked) in 2 chats")
    page.fill("#models-updates input", "3")
    page.fill("#models-learning-rate input", "0.05")
    page.press("#models-learning-rate input", "Tab")
    page.click("#models-start")
    expect(page.locator("#models-told [role=status]")).to_have_text("The training hred-v2 has begun.")
    trained = run(page, "hred-v2")
    expect(trained.locator(".state")).to_have_text("done")
    curve = trained.locator("svg[role=img]")
    expect(curve.locator("polyline.valid")).to_have_count(1)
    expect(curve).to_have_attribute("aria-label", curve.locator("title").text_content())
    expect(trained.locator("dl")).to_contain_text("Started from")

    trained.locator('[data-model="load"]').click()
    expect(trained.locator(".state")).to_have_text("answers")
    # The page that is open has it in its menus, without a reload.
    open_tab(page, "compare")
    page.click("#compare-models input")
    page.get_by_role("option", name="hred-v2", exact=True).click()
    say(page, "hello again", "compare")
    expect(page.locator("#compare-conversation .card .model")).to_have_text(["hred", "hred-v2"])
    open_tab(page, "battle")
    say(page, "who are you?", "battle")
    page.click("#battle-vote-a")
    expect(page.locator("#battle-now")).to_contain_text("hred-v2")
    page.reload()  # a new page has it, too
    expect(page.locator("#chat-conversation .log")).to_be_visible()
    page.click("#chat-model input")
    expect(page.get_by_role("option", name="hred-v2", exact=True)).to_be_visible()
    page.keyboard.press("Escape")

    open_tab(page, "models")
    page.fill("#models-path input, #models-path textarea", str(data_folder))
    page.click("#models-load-path")
    expect(page.get_by_text("has no manifest.json").first).to_be_visible()
    page.set_viewport_size({"width": 390, "height": 800})
    expect(run(page, "hred-v2").locator("svg")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    run(page, "hred-v2").locator('[data-model="unload"]').click()
    expect(run(page, "hred-v2").locator(".state")).to_have_text("done")
    expect(run(page, "hred").locator("[data-model]")).to_have_count(0)  # the last one stays

    # What a server that starts now, or another one on this machine, finds of it.
    found = Trainings(data_folder / "runs", "").of(data_folder / "runs" / "hred-v2", None)
    assert found is not None and (found.state, found.plan.updates) == ("done", 3)
