"""Logins and keys on a real store: what opens what, how tries are slowed, what ends a login."""

import secrets
import sqlite3
from datetime import UTC, datetime, timedelta
from functools import cache
from urllib.parse import urlencode

import pytest

from app.access import Rules, guard
from app.access.identity import gradio_user, is_admin, owner_of, user_of
from app.access.logins import wait_after
from app.access.passwords import hash_password, is_password
from app.store import Store
from tests.app.access.asking import Spy, ask

PASSWORD = "correct horse"
LOGINS = Rules.make(require_login=True, environment={})


@cache
def stored_password():
    return hash_password(PASSWORD)  # slow on purpose


class House:
    """A store with two users, and an application behind the guards."""

    def __init__(self, path, rules=LOGINS):
        self.path = path
        self.store = Store.open(f"sqlite:///{path}")
        self.spy = Spy()
        self.app = guard(self.spy, rules, self.store)
        hashed = stored_password()
        self.ann = self.store.create_user("Ann", hashed, is_admin=True)
        self.bob = self.store.create_user("Bob", hashed)

    def log_in(self, name="Ann", password=PASSWORD, **more):
        body = urlencode({"name": name, "password": password}).encode()
        return ask(self.app, "POST", "/login", body=body, **more)

    def cookie(self, name="Ann"):
        """Returns the cookie of a new login, without the slow look at the password."""
        token = secrets.token_hex(8)
        self.store.add_login(self.store.user_named(name).id, token, datetime.now(UTC) + timedelta(hours=1))
        return {"cookie": f"hred_login={token}"}

    def key(self, user, key="hred-1-secret"):
        self.store.add_key(self.store.owner_of_user(user.id), key, key[:6], "")
        return {"authorization": f"Bearer {key}"}

    def reached(self, path="/", headers=None, method="GET"):
        """Returns the state with which a request reached the application; None when it did not."""
        self.spy.seen.clear()
        ask(self.app, method, path, headers)
        return self.spy.seen[0]["state"] if self.spy.seen else None


@pytest.fixture
def house(tmp_path):
    made = House(tmp_path / "sessions.db")
    yield made
    made.store.close()


@pytest.fixture(scope="module")
def standing(tmp_path_factory):
    """A house that tests look at and do not change."""
    made = House(tmp_path_factory.mktemp("house") / "sessions.db")
    made.login, made.bearer = made.cookie(), made.key(made.ann)
    yield made
    made.store.close()


EVERYTHING = ["/", "/assets/x.js", "/static/x", "/theme.css", "/config", "/docs", "/openapi.json", "/sessions/export",
              "/gradio_api/queue/data?session_hash=1", "/v1/models", "/api/models", "/api", "/v1", "/metrics",
              "/login/", "/LOGIN", "//login", "/anything"]  # fmt: skip
OF_KEYS = ("/v1", "/api", "/metrics")


@pytest.mark.parametrize("path", EVERYTHING)
def test_without_login_and_key_nothing_answers(standing, path):
    standing.spy.seen.clear()
    for method in ("GET", "POST", "HEAD", "OPTIONS"):
        answer = ask(standing.app, method, path)
        assert answer.status == 401 and standing.spy.seen == []
    browser = ask(standing.app, "GET", path, {"accept": "text/html,*/*"})
    if path.startswith(OF_KEYS):
        assert browser.status == 401 and browser.all("www-authenticate") == ["Bearer"]
    else:
        assert browser.status == 303 and browser.all("location") == ["/login"]


@pytest.mark.parametrize("path", EVERYTHING)
def test_a_login_opens_the_pages_and_a_key_the_api_and_neither_the_other(standing, path):
    login, key = standing.login, standing.bearer
    opens, opens_not = (key, login) if path.startswith(OF_KEYS) else (login, key)
    state = standing.reached(path, opens)
    owner = standing.store.owner_of_user(standing.ann.id)
    assert {name: state[name] for name in ("owner", "user", "is_admin")} == {
        "owner": owner,
        "user": "Ann",
        "is_admin": True,
    }
    assert standing.reached(path, opens_not) is None


def test_health_is_told_to_everybody_and_nothing_else_of_it(house):
    assert house.reached("/healthz") == {"owner": None, "user": None, "is_admin": False}
    assert house.reached("/healthz/x") is None


def test_who_logs_in_is_who_they_are(house):
    answer = house.log_in("  bOB ")  # names are one that look alike
    assert answer.status == 303 and answer.all("location") == ["/"]
    line = answer.all("set-cookie")[0]
    assert "HttpOnly" in line and "SameSite=Lax" in line and "Secure" not in line
    state = house.reached("/", {"cookie": line.split(";")[0]})
    assert (state["user"], state["is_admin"]) == ("Bob", False)
    assert "Secure" in house.log_in(scheme="https").all("set-cookie")[0]
    assert house.reached("/", {"cookie": line.split(";")[0][:-1]}) is None
    assert house.reached("/", {"cookie": "hred_owner=guest"}) is None


def test_the_store_holds_no_token_no_key_and_no_password(house):
    token = house.cookie()["cookie"].partition("=")[2]
    house.key(house.ann, "hred-1-very-secret-key")
    house.store.close()
    with sqlite3.connect(house.path) as connection:
        dump = "\n".join(connection.iterdump())
    connection.close()
    assert "argon2id" in dump and house.ann.id in dump
    for secret in (token, "very-secret-key", PASSWORD):
        assert secret not in dump


@pytest.mark.parametrize(
    ("name", "password"), [("Ann", "wrong horse"), ("Nobody", PASSWORD), ("", ""), ("A\0nn", "x")]
)
def test_a_wrong_name_and_a_wrong_password_are_one_sentence(house, name, password):
    answer = house.log_in(name, password)
    assert answer.status == 401 and "the name or the password is wrong" in answer.text
    assert answer.all("set-cookie") == []
    assert "horse" not in answer.text


def test_the_page_speaks_the_browsers_language_and_shows_names_as_text(house):
    assert "パスワード" in ask(house.app, "GET", "/login", {"accept-language": "ja"}).text
    assert (
        "Password"
        in ask(house.app, "GET", "/login", {"cookie": "hred_language=en", "accept-language": "ja"}).text
    )
    answer = house.log_in('"><script>alert(1)</script>')
    assert "<script" not in answer.text and "&lt;script&gt;" in answer.text
    assert "script-src" in answer.all("content-security-policy")[0]


def test_another_site_can_neither_log_in_nor_out(house):
    login = house.cookie()
    for path in ("/login", "/logout"):
        assert ask(house.app, "POST", path, {"origin": "http://evil.example", **login}).status == 403
    assert house.reached("/", login) is not None


def test_failures_are_slowed_by_name_on_every_server_that_shares_the_store(house):
    other = guard(Spy(), LOGINS, house.store)
    assert house.log_in("Ann", "wrong horse").status == 401
    assert house.store.login_failures(["name ann"])["name ann"][0] == 1
    for _ in range(14):
        house.store.count_login_failure(["name ann"], datetime.now(UTC) - timedelta(days=1))
    body = urlencode({"name": "ann", "password": PASSWORD}).encode()
    answer = ask(other, "POST", "/login", body=body, client="203.0.113.77")
    assert answer.status == 429 and 1 <= int(answer.all("retry-after")[0]) <= 60
    assert "too many tries have failed" in answer.text and answer.all("set-cookie") == []
    assert house.log_in("Bob").status == 303  # others are not held up


def test_failures_are_slowed_by_address_whatever_the_name(house):
    for _ in range(28):
        house.store.count_login_failure(["address 203.0.113.9"], datetime.now(UTC) - timedelta(days=1))
    assert house.log_in("Bob", client="203.0.113.9").status == 429
    assert house.log_in("Bob", client="203.0.113.8").status == 303


def test_a_success_forgets_the_failures_of_a_name_but_not_those_of_an_address(house):
    house.log_in("Ann", "wrong horse")
    house.log_in("Ann")
    left = house.store.login_failures(["name ann", "address 127.0.0.1"])
    assert list(left) == ["address 127.0.0.1"] and left["address 127.0.0.1"][0] == 1


def test_the_wait_doubles_up_to_its_longest():
    now = datetime(2026, 1, 1, tzinfo=UTC)
    waits = [wait_after(failures, now, now, free=5, longest=60.0) for failures in range(13)]
    assert waits == [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60]
    assert wait_after(10**9, now, now, 5, 60.0) == 60.0
    assert wait_after(8, now - timedelta(seconds=3), now, 5, 60.0) == 5.0
    assert wait_after(8, now - timedelta(seconds=9), now, 5, 60.0) == 0.0


def test_old_failures_are_forgotten(house):
    long_ago = datetime.now(UTC) + timedelta(seconds=1)  # everything up to now counts as old
    house.store.count_login_failure(["a"], long_ago)
    house.store.count_login_failure(["b"], long_ago)
    assert list(house.store.login_failures(["a", "b"])) == ["b"]
    house.store.count_login_failure(["b"], long_ago - timedelta(days=1))
    assert house.store.login_failures(["b"])["b"][0] == 2


def test_a_login_ends_by_logging_out_here_or_everywhere_by_a_new_password_and_by_time(house):
    first, second, bobs = house.cookie(), house.cookie(), house.cookie("Bob")
    assert "Log out" in ask(house.app, "GET", "/logout", first).text
    answer = ask(house.app, "POST", "/logout", first)
    assert answer.status == 303 and "Max-Age=0" in answer.all("set-cookie")[0]
    assert house.reached("/", first) is None and house.reached("/", second) is not None
    third = house.cookie()
    ask(house.app, "POST", "/logout", second, b"everywhere=1")
    assert house.reached("/", second) is None and house.reached("/", third) is None
    assert house.reached("/", bobs) is not None
    house.store.set_password(house.bob.id, hash_password("another horse"))
    assert house.reached("/", bobs) is None
    assert house.log_in("Bob").status == 401 and house.log_in("Bob", "another horse").status == 303
    house.store.add_login(house.ann.id, "late", datetime.now(UTC) - timedelta(seconds=1))
    house.store.add_login(house.ann.id, "early", datetime.now(UTC) + timedelta(minutes=1))
    assert house.reached("/", {"cookie": "hred_login=late"}) is None
    assert house.reached("/", {"cookie": "hred_login=early"}) is not None


def test_a_key_counts_until_it_is_revoked_or_its_user_goes(house):
    key, bobs = house.key(house.ann), house.key(house.bob, "hred-2-other")
    assert house.reached("/v1/models", bobs)["is_admin"] is False
    house.store.revoke_key(house.store.api_keys()[0].id)
    assert house.reached("/v1/models", key) is None
    house.store.remove_user(house.bob.id)
    assert house.reached("/v1/models", bobs) is None
    for wrong in ("Bearer", "Bearer ", "Basic aGVsbG8=", "hred-1-secret", "Bearer " + "x" * 5000):
        assert house.reached("/v1/models", {"authorization": wrong}) is None


def test_without_logins_a_cookie_tells_guests_apart_and_all_sit_at_the_machine(tmp_path):
    house = House(tmp_path / "open.db", Rules.make(environment={}))
    first = ask(house.app)
    cookie = first.all("set-cookie")[0].split(";")[0]
    state, again = house.reached("/", {"cookie": cookie}), house.reached("/x", {"cookie": cookie})
    assert state == again == {"owner": state["owner"], "user": None, "is_admin": True} and state["owner"]
    assert house.reached("/", {"cookie": "hred_owner=other"})["owner"] != state["owner"]
    assert house.reached("/v1/models", {"cookie": cookie})["owner"] is None  # the API reads no cookies
    assert house.reached("/v1/models", house.key(house.bob))["owner"] == house.store.owner_of_user(
        house.bob.id
    )
    assert house.reached("/v1/models", {"authorization": "Bearer whatever"})["owner"] is None
    assert ask(house.app, "GET", "/login").text == "reached"  # there is nothing to log in to
    house.store.close()


def test_too_many_requests_of_one_person_are_a_sentence_and_others_are_served(tmp_path):
    house = House(
        tmp_path / "busy.db", Rules.make(environment={"HRED_RATE": "0.001"})
    )  # a burst of less than one
    house.app = guard(house.spy, Rules(requests_per_second=0.001, burst=2.0), house.store)
    ann, bob = {"cookie": "hred_owner=ann"}, {"cookie": "hred_owner=bob"}
    assert [ask(house.app, "POST", "/x", ann).status for _ in range(3)] == [200, 200, 429]
    refused = ask(house.app, "POST", "/x", ann)
    assert "0.001 times a second" in refused.text and 900 <= int(refused.all("retry-after")[0]) <= 1000
    assert ask(house.app, "POST", "/x", bob).status == 200 and ask(house.app, "GET", "/x", ann).status == 200
    house.store.close()


def test_a_store_that_cannot_be_asked_is_told(house):
    house.store.close()
    answer = ask(house.app, "GET", "/", {"cookie": "hred_login=x"})
    assert answer.status == 503 and "cannot be found out who asks" in answer.text and house.spy.seen == []


def test_what_passed_no_guard_is_nobody():
    class Bare:
        state = object()

    assert (owner_of(Bare()), user_of(Bare()), is_admin(Bare()), gradio_user(Bare())) == (
        None,
        None,
        False,
        None,
    )


def test_a_password_is_checked_slowly_also_where_there_is_none():
    stored = hash_password(PASSWORD)
    assert stored.startswith("$argon2id$") and is_password(PASSWORD, stored)
    assert not is_password("wrong", stored) and not is_password("", None) and not is_password("x", "no hash")
    assert not is_password("x" * 1001, hash_password("x" * 1001))
