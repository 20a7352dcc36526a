"""The page's own scripts in a real Chromium, before a server that dies, comes back and is another on demand."""

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import expect

from app.web.script import page_head
from app.web.words import say

WAIT = 120_000  # milliseconds
LOST, AGAIN = say("chat.connection_lost", "en"), say("chat.connected_again", "en")
BODY = """<script>window.gradio_config = {app_id: %d};</script>
<div class="talk" id="chat-talk">
  <div class="side"><div id="chat-search"><input></div>
    <div id="chat-sessions" class="list"><p class="files">all</p></div></div>
  <div id="chat-conversation"><div class="log" data-session="s" data-leaf="l">%s</div></div>
  <div class="composer"><div id="chat-message"><textarea></textarea></div></div>
  <div id="chat-action"><textarea></textarea></div><button id="chat-act"></button>
</div>"""
TOAST = "<div class=toast-body>Connection to the server was lost. Attempting reconnection...</div>"
"""What Gradio shows when its stream has broken."""
UNREAD = "<div class=toast-body>Error × Could not parse server response: SyntaxError: Unexpected token</div>"
"""And when a proxy answers an event, in HTML, for a server that is gone."""


class House:
    """What a server of the page answers, on one port, from one process after another."""

    def __init__(self):
        self.process, self.loads, self.said, self.found = 1, 0, "", []
        self._server, self._port = None, 0
        self.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self._port}/"

    def start(self):
        house = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_GET(self):
                if self.path.startswith("/gradio_api/app_id"):
                    self.put(json.dumps({"app_id": house.process}), "application/json")
                    return
                house.loads += self.path.split("?")[0] == "/"
                self.put(
                    f"<!doctype html><html lang=en><head>{page_head()}</head>{BODY % (house.process, house.said)}"
                )

            def do_POST(self):
                asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
                house.found.append(asked["text"])
                self.put(f"<p>found {asked['text']}</p>")

            def put(self, text, kind="text/html; charset=utf-8"):
                body = text.encode()
                self.send_response(200)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), Handler)
        self._server.daemon_threads = True
        self._port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def house():
    house = House()
    yield house
    house.stop()


@pytest.fixture
def page(house, browser):
    page, failed = browser.new_page(), []
    page.set_default_timeout(WAIT)
    expect.set_options(timeout=WAIT)
    page.on("pageerror", lambda error: failed.append(error))
    page.goto(house.url)
    yield page
    page.close()
    assert failed == []


def look(page):
    """Has the page look for its server now, as when one comes back to its tab."""
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def test_the_page_says_that_its_server_is_lost_and_there_again_and_keeps_what_was_typed(house, page):
    bar, box = page.locator("#connection"), page.locator("#chat-message textarea")
    box.fill("half a thought")
    # Another server at rest: nothing is loaded anew under somebody's hands, the chat is asked for.
    house.process = 2
    look(page)
    expect(bar).to_contain_text(AGAIN)
    expect(page.locator("#chat-action textarea")).to_have_value(re.compile('"do":"look"'))
    page.click("#connection button")
    expect(bar).to_have_count(0)
    # Nobody answers, then somebody does.
    house.stop()
    look(page)
    expect(bar).to_have_text(LOST)
    house.start()
    expect(bar).to_contain_text(AGAIN)
    assert house.loads == 1 and box.input_value() == "half a thought"
    # A stream has broken: Gradio takes no event any more, so the page is loaded anew, and says why in its own words.
    toast = page.locator(".toast-body")
    page.evaluate("toast => document.body.insertAdjacentHTML('beforeend', toast)", TOAST)
    expect(toast).to_have_count(0)
    expect(bar).to_contain_text(AGAIN)
    expect(box).to_have_value("half a thought")
    assert house.loads == 2
    # What was sent and stored before the answer was lost is not put back, for it would be sent twice.
    house.said = (
        '<div class="said user"><div class="text">half a thought</div></div><i class="unanswered">made</i>'
    )
    page.evaluate("toast => document.body.insertAdjacentHTML('beforeend', toast)", TOAST)
    expect(page.locator(".unanswered")).to_be_visible()
    expect(bar).to_contain_text(AGAIN)
    expect(box).to_have_value("")
    page.reload()  # this time nothing was lost
    expect(page.locator(".unanswered")).to_be_visible()
    expect(bar).to_have_count(0)


def test_an_event_that_a_proxy_answers_for_a_dead_server_is_a_lost_connection(house, page):
    bar, box = page.locator("#connection"), page.locator("#chat-message textarea")
    box.fill("half a thought")
    for loads in (1, 2):
        page.evaluate("toast => document.body.insertAdjacentHTML('beforeend', toast)", UNREAD)
        expect(page.locator(".toast-body:visible")).to_have_count(0)
        expect(bar).to_have_text(LOST)
        expect(bar).to_contain_text(AGAIN)
        expect(box).to_have_value("half a thought")
        assert (
            house.loads == loads
        )  # a young page is not loaded anew, or one that cannot send would never stand
        page.evaluate("performance.now = () => 60_000")


@pytest.mark.parametrize(
    ("status", "kind", "body", "sentence"),
    [
        (200, "application/json", '{"added": 2, "known": 1}', "Chats added: 2; there already: 1"),
        (422, "application/json", '{"error": "line 1 is none"}', "line 1 is none"),
        (429, "text/plain; charset=utf-8", "wait a moment\n", "wait a moment"),
        (413, "text/html", "<html>Too Large</html>", say("chat.refused", "en").format(status=413)),
        (502, "text/html", "<html>Bad Gateway</html>", say("chat.unreachable", "en")),
        (502, "text/html", "", say("chat.unreachable", "en")),
        (None, "", "", say("chat.unreachable", "en")),
    ],
)
def test_whoever_answers_an_import_it_ends_with_a_sentence(page, status, kind, body, sentence):
    def answer(route):
        route.fulfill(status=status, content_type=kind, body=body) if status else route.abort()

    page.route("**/chats/import", answer)
    page.evaluate(
        "document.querySelector('.side').insertAdjacentHTML('beforeend', '<button data-do=import>')"
    )
    with page.expect_file_chooser() as chooser:
        page.click("[data-do=import]")
    chooser.value.set_files({"name": "chats.jsonl", "mimeType": "", "buffer": b"{}"})
    expect(page.locator("dialog.ask label")).to_have_text(sentence)
    page.click("dialog.ask .sure")
    expect(page.locator("dialog.ask")).to_have_count(0)


def test_what_was_found_is_asked_for_again_when_the_list_of_all_chats_is_drawn_anew(house, page):
    search, found = page.locator("#chat-search input"), page.locator("#chat-found")
    search.fill("lemon")
    expect(found).to_have_text("found lemon")
    with page.expect_response("**/chats/search"):
        page.evaluate("document.querySelector('#chat-sessions').innerHTML = '<p class=files>renamed</p>'")
    assert house.found == ["lemon", "lemon"]
    house.stop()
    search.press("Enter")
    expect(found).to_have_text(say("chat.unreachable", "en"))
    house.start()
    page.route("**/chats/search", lambda route: route.fulfill(status=502, body="<html>Bad Gateway</html>"))
    search.press("Enter")
    expect(found.locator("p.none")).to_have_text(say("chat.unreachable", "en"))
    search.fill("")
    expect(found).to_be_hidden()
