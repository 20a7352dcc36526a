"""The proxies' settings of docs/compose, in nginx and Caddy, before servers that stream, die and ask who it is."""

import http.client
import json
import signal
import threading
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest

from app.access.passwords import hash_password
from app.store import Store
from tests.app.access.house_of_servers import SECONDS, Browser, ServerProcess, ask, started
from tests.app.access.shipped_proxies import NAMES, ShippedProxy, find_program, program
from tests.app.access.speaking import call, loading, say
from tests.app.cli.tiny_runs import make_runs
from tests.app.store.databases import new_database, running_server

PASSWORD = "correct horse"
STRANGER, NEIGHBOUR = "203.0.113.9", "127.0.0.2"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Streaming(BaseHTTPRequestHandler):
    """Sends a piece, and the next one when it is told to; tells when its reader has gone."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.send_response(200)
        self.send_header("content-type", "text/event-stream; charset=utf-8")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        try:
            self.piece(b"first")
            assert self.server.goes_on.wait(SECONDS)
            if self.path == "/dies":
                self.close_connection = True
                return
            while True:  # the end of it is the reader's
                self.piece(b"next")
        except OSError:
            self.server.has_gone.set()

    def piece(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))


@pytest.fixture
def streaming():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Streaming)
    server.daemon_threads = True
    server.goes_on, server.has_gone = threading.Event(), threading.Event()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.goes_on.set()
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("name", NAMES)
def test_pieces_are_passed_on_at_once_and_an_end_to_both_sides(name, streaming, tmp_path):
    program(name)
    proxy = ShippedProxy(name, tmp_path, [streaming.server_port] * 2)
    try:
        for path in ("/dies", "/goes-on"):
            streaming.goes_on.clear()
            connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=SECONDS)
            connection.request("GET", path)
            answer = connection.getresponse()
            # The second piece does not come before this one was read.
            assert answer.status == 200 and answer.read1(5) == b"first"
            streaming.goes_on.set()
            if path == "/dies":
                with pytest.raises(http.client.IncompleteRead):  # and no clean end, as of a whole reply
                    answer.read()
            else:
                assert answer.read1(4) == b"next"
            answer.close()
            connection.close()
        assert streaming.has_gone.wait(SECONDS)
    finally:
        proxy.close()


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """Two servers of one PostgreSQL, and before them each proxy that is here."""
    house = SimpleNamespace(proxies={})
    folder = tmp_path_factory.mktemp("shipped")
    make_runs(folder, ["hred"])
    with ExitStack() as stack:
        url = stack.enter_context(new_database(stack.enter_context(running_server())))
        house.store = stack.enter_context(Store.open(url))
        user = house.store.create_user("Ann", hash_password(PASSWORD))
        house.owner = house.store.owner_of_user(user.id)
        house.store.add_key(house.owner, "key of Ann", "Ann", "")
        settings = {"HRED_HOSTS": "chat.example.org", "HRED_TRUSTED_PROXIES": "127.0.0.1"}
        watch = folder / "sent.txt"
        house.servers = [ServerProcess([folder / "hred"], url, watch, **settings) for _ in range(2)]
        for server in house.servers:
            stack.callback(server.end)
        started(house.servers)
        for name in filter(find_program, NAMES):
            house.proxies[name] = ShippedProxy(name, folder / name, [one.port for one in house.servers])
            stack.callback(house.proxies[name].close)
        yield house


@pytest.fixture
def proxy(request):
    """The proxy of a test's `name`; the servers are not started for one that is not here."""
    name = request.getfixturevalue("name")
    program(name)
    return request.getfixturevalue("house").proxies[name]


def process_of(port, cookies):
    """Returns by which process a browser is served."""
    answer, body = ask(port, "GET", "/gradio_api/app_id", headers={"Cookie": cookies})
    assert answer.status == 200
    return json.loads(body)["app_id"]


def server_of(house, browser):
    """Returns the server that a proxy has led a browser to, and that it stays with."""
    here = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    (process,) = {process_of(browser.port, here) for _ in range(6)}
    living = [one for one in house.servers if one.runs]
    (server,) = [one for one in living if process_of(one.port, browser.login) == process]
    return server


@pytest.mark.parametrize("name", NAMES)
def test_a_browser_stays_with_one_server_and_chats_with_it(name, proxy, house):
    answer, _ = ask(proxy.port, "GET", "/", headers={"Accept": "text/html"})
    assert answer.status == 303 and answer.getheader("location") == "/login"
    ann = Browser(proxy.port, "Ann", PASSWORD)
    server_of(house, ann)
    status, events = say(ann, f"hello by {name}")
    assert status == 200 and f"hello by {name}" in events and "process_completed" in events
    asked = {"model": "hred", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 3}
    statuses = [call(proxy.port, "POST", "/v1/chat/completions", key, asked)[0] for key in ("key of Ann", "")]
    assert statuses == [200, 401]
    # A file of chats is larger than what proxies take if they are not told, and it is the server that looks at it.
    answer, body = ann.ask(
        "POST", "/chats/import", b"x" * 3 * 2**20, {"Content-Type": "application/x-ndjson"}
    )
    assert answer.status == 422 and "line 1 cannot be imported" in json.loads(body)["error"]


@pytest.mark.parametrize("name", NAMES)
def test_the_servers_learn_who_asks_by_which_name_and_from_which_page(name, proxy, house):
    def wrong(port, **headers):
        sent = {**FORM, **{key.replace("_", "-"): value for key, value in headers.items()}}
        return ask(port, "POST", "/login", b"name=nobody&password=wrong", sent, NEIGHBOUR)[0].status

    def failures(address):
        return house.store.login_failures([f"address {address}"]).get(f"address {address}", (0, None))[0]

    before = failures(NEIGHBOUR)
    assert wrong(proxy.port, X_Forwarded_For=STRANGER) == 401
    assert wrong(house.servers[0].port, X_Forwarded_For=STRANGER) == 401  # it is no proxy that says so
    assert failures(NEIGHBOUR) == before + 2 and failures(STRANGER) == failures("127.0.0.1") == 0
    assert ask(proxy.port, "GET", "/login", headers={"Host": "evil.example"})[0].status == 400
    assert ask(proxy.port, "GET", "/login", headers={"X-Forwarded-Host": "evil.example"})[0].status == 200
    assert wrong(proxy.port, Host="chat.example.org", Origin="http://evil.example") == 403
    assert wrong(proxy.port, Host="chat.example.org", Origin="http://chat.example.org") == 401
    house.store.forget_login_failures(["name nobody", f"address {NEIGHBOUR}"])


def test_what_a_dead_server_served_goes_on_at_the_other(house_of_all):
    house, dying = house_of_all, house_of_all.servers[0]
    pinned = {}
    for name, proxy in house.proxies.items():
        while name not in pinned:  # a proxy leads every second login to it
            ann = Browser(proxy.port, "Ann", PASSWORD)
            if server_of(house, ann) is dying:
                pinned[name] = ann
        assert say(pinned[name], f"before the end, by {name}")[0] == 200
    dying.end(signal.SIGKILL)
    for name, ann in pinned.items():
        before = dict(ann.cookies)
        # The first thing that is sent has a body, and no page has been asked for yet.
        answer, _ = ann.ask("POST", "/login", f"name=Ann&password={PASSWORD}".encode(), FORM)
        assert answer.status == 303
        ann.cookies = before
        config = ann.open()
        assert f"before the end, by {name}" in ann.send(loading(config), [])[1]
        chats = {one.title: one for one in house.store.sessions(house.owner)}
        chat = chats[f"before the end, by {name}"]
        leaf = house.store.messages(house.owner, chat.id)[-1].id
        status, events = say(ann, "after it", chat.id, leaf)
        assert status == 200 and f"before the end, by {name}" in events and "after it" in events
        roles = [message.role for message in house.store.messages(house.owner, chat.id)]
        assert roles == ["user", "bot", "user", "bot"]
        assert server_of(house, ann) is house.servers[1]
        assert {call(ann.port, "GET", "/v1/models", "key of Ann")[0] for _ in range(6)} == {200}


@pytest.fixture
def house_of_all(request):
    """The house, if any of the proxies is here."""
    if not any(map(find_program, NAMES)):
        program(NAMES[0])
    return request.getfixturevalue("house")
