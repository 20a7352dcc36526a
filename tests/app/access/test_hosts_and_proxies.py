"""Foreign names, foreign pages, forwarded headers: what reaches the application, and as what."""

import json

import pytest

from app.access.headers import StrictHeaders
from app.access.hosts import OwnHost
from app.access.proxies import Forwarding
from app.access.rules import Rules
from dialog.errors import UsageError
from tests.app.access.asking import Spy, ask

OPEN = Rules.make(environment={})
NAMED = Rules.make(hosts=["Chat.Example.org"], environment={})


def guarded(rules=OPEN):
    spy = Spy()
    return Forwarding(OwnHost(spy, rules), rules.proxies), spy


@pytest.mark.parametrize("host", ["127.0.0.1:7860", "localhost", "LOCALHOST:9000", "[::1]:7860", "127.8.8.8"])
def test_the_loopback_is_answered_by_all_its_names(host):
    app, spy = guarded()
    assert ask(app, headers={"host": host}).status == 200 and len(spy.seen) == 1


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "192.168.1.5:7860", "localhost.evil.example", "", "a@localhost",
     "localhost,evil.example", "localhost:80:80", "[::1", "localhost:x", "2130706433"],
)  # fmt: skip
def test_a_strange_name_is_400_and_reaches_nothing(host):
    app, spy = guarded()
    answer = ask(app, headers={"host": host})
    assert answer.status == 400 and spy.seen == []
    assert "this server does not answer to the name" in answer.text and "--allowed-host" in answer.text


def test_two_names_are_none():
    app, spy = guarded()
    assert ask(app, headers=[("host", "localhost"), ("host", "localhost")]).status == 400 and spy.seen == []


def test_a_configured_name_is_answered_whatever_its_letters_and_port():
    for host in ("chat.example.org", "CHAT.example.ORG:8443", "chat.example.org."):
        app, _ = guarded(NAMED)
        assert ask(app, headers={"host": host}).status == 200


def test_the_address_that_is_listened_on_is_a_name_and_demands_a_login():
    rules = Rules.make("192.168.1.5", environment={})
    assert rules.knows_host("192.168.1.5") and rules.requires_login
    assert not Rules.make("0.0.0.0", environment={}).knows_host("192.168.1.5")
    for address in ("127.0.0.1", "localhost", "::1"):
        assert not Rules.make(address, environment={}).requires_login
    assert Rules.make(environment={"HRED_REQUIRE_LOGIN": "1"}).requires_login


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "http://127.0.0.1:8080"},  # another program of this machine
        {"origin": "http://localhost:7860"},
        {"origin": "null"},
        {"origin": "file://127.0.0.1:7860"},
        {"origin": "http://127.0.0.1:7860.evil.example"},
        {"origin": "http://127.0.0.1:99999"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_a_foreign_page_changes_nothing(method, headers):
    app, spy = guarded()
    answer = ask(app, method, "/gradio_api/queue/join", headers, b"{}")
    assert answer.status == 403 and spy.seen == []
    assert "another site" in json.loads(answer.body)["detail"]


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://127.0.0.1:7860", "sec-fetch-site": "same-origin"},
        {},  # no browser
        {"origin": "https://chat.example.org", "host": "chat.example.org"},
        {"origin": "https://chat.example.org:443", "host": "chat.example.org:443"},
        {"origin": "http://[::1]:7860", "host": "[::1]:7860"},
    ],
)
def test_its_own_pages_and_programs_may_change(headers):
    app, _ = guarded(NAMED)
    assert ask(app, "POST", "/", headers).status == 200


def test_reading_is_open_to_links_from_elsewhere():
    app, _ = guarded()
    assert ask(app, "GET", "/", {"sec-fetch-site": "cross-site"}).status == 200


FORWARDED = {
    "x-forwarded-for": "6.6.6.6, 203.0.113.9, 10.0.0.7",
    "x-forwarded-proto": "https",
    "x-forwarded-host": "chat.example.org",
    "x-gradio-server": "http://evil.example",
    "x-real-ip": "6.6.6.6",
    "forwarded": "for=6.6.6.6",
}


def test_a_stranger_forwards_nothing():
    app, spy = guarded(NAMED)
    assert ask(app, headers=FORWARDED, client="203.0.113.9").status == 200
    scope = spy.seen[0]
    assert (scope["client"][0], scope["scheme"]) == ("203.0.113.9", "http")
    assert scope["headers"] == [(b"host", b"127.0.0.1:7860")]


def test_a_named_proxy_is_believed_as_far_as_it_can_know():
    rules = Rules.make(hosts=["chat.example.org"], proxies=["127.0.0.1", "10.0.0.0/24"], environment={})
    app, spy = guarded(rules)
    assert ask(app, headers=FORWARDED).status == 200
    scope = spy.seen[0]
    # 6.6.6.6 is what the caller made up; 10.0.0.7 is a proxy, too.
    assert (scope["client"][0], scope["scheme"]) == ("203.0.113.9", "https")
    assert scope["headers"] == [(b"host", b"chat.example.org")]


def test_a_name_that_is_forwarded_must_be_configured_too():
    rules = Rules.make(proxies=["127.0.0.1"], environment={})
    app, spy = guarded(rules)
    assert ask(app, headers=FORWARDED).status == 400 and spy.seen == []


def test_an_ipv4_proxy_is_known_on_a_socket_that_takes_both():
    rules = Rules.make(hosts=["chat.example.org"], proxies=["10.0.0.5"], environment={})
    app, spy = guarded(rules)
    ask(app, headers=FORWARDED, client="::ffff:10.0.0.5")
    assert spy.seen[0]["scheme"] == "https"


def test_each_answer_is_strict_and_no_other_site_may_read_it():
    spy = Spy(headers=[(b"access-control-allow-origin", b"http://evil.example"), (b"x-frame-options", b"ALLOW"),
                       (b"content-security-policy", b"default-src 'none'"), (b"etag", b"1")])  # fmt: skip
    for app in (StrictHeaders(spy), StrictHeaders(OwnHost(spy, OPEN))):
        answer = ask(app)
        policies = answer.all("content-security-policy")
        assert policies[0] == "default-src 'none'" and len(policies) == 2  # a browser obeys both
        for part in ("default-src 'self'", "base-uri 'self'", "object-src 'none'", "frame-ancestors 'none'"):
            assert part in policies[1]
        assert "unsafe-eval" not in policies[1] and "://" not in policies[1]
        assert answer.all("x-frame-options") == ["DENY"] and answer.all("x-content-type-options") == [
            "nosniff"
        ]
        assert answer.all("access-control-allow-origin") == [] and answer.all("etag") == ["1"]
    assert ask(StrictHeaders(OwnHost(spy, OPEN)), headers={"host": "evil"}).all("x-frame-options") == ["DENY"]


def test_sentences_are_japanese_for_who_reads_that_and_in_openais_form_for_its_client():
    app, _ = guarded()
    headers = {"host": "evil.example", "accept-language": "fr, ja;q=0.9, en;q=0.5"}
    assert "という名前では応答しません" in ask(app, headers=headers).text
    assert "does not answer" in ask(app, headers={**headers, "accept-language": "en-GB, ja;q=0.9"}).text
    error = json.loads(ask(app, path="/v1/models", headers=headers).body)["error"]
    assert "does not answer" in error["message"] and error["type"] == "invalid_request_error"
    assert "does not answer" in json.loads(ask(app, path="/api/models", headers=headers).body)["error"]


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"HRED_REQUIRE_LOGIN": "yes"}, "HRED_REQUIRE_LOGIN is 'yes'"),
        ({"HRED_TRUSTED_PROXIES": "10.0.0.0/24, everybody"}, "'everybody' is no address of a proxy"),
        ({"HRED_HOSTS": "https://chat.example.org/"}, "is no name of a host"),
        ({"HRED_RATE": "0"}, "HRED_RATE is '0'"),
        ({"HRED_RATE": "nan"}, "HRED_RATE is 'nan'"),
    ],
)
def test_rules_that_cannot_be_are_told(variables, sentence):
    with pytest.raises(UsageError, match=sentence):
        Rules.make(environment=variables)
