"""`hred users` and `hred keys`: secrets come by the input, go out once, and are never an argument."""

import pytest
from typer.testing import CliRunner

from app.access.passwords import is_password
from app.cli.main import app
from app.store import Store
from dialog.errors import StoreError, UsageError

PASSWORD = "correct horse"


@pytest.fixture
def store(tmp_path, monkeypatch):
    url = f"sqlite:///{tmp_path}/sessions.db"
    monkeypatch.setenv("HRED_DATABASE_URL", url)
    with Store.open(url) as opened:
        yield opened


def hred(*arguments, given=""):
    done = CliRunner().invoke(
        app, list(arguments), input=given, catch_exceptions=False, standalone_mode=False
    )
    return done.stdout


def test_users_come_change_and_go(store):
    assert (
        hred("users", "add", "Ann", "--admin", given=f"{PASSWORD}\n")
        == "Ann may log in, as an administrator\n"
    )
    hred("users", "add", "bob", given="another horse\nignored\n")
    ann, bob = store.users()
    assert ann.is_admin and not bob.is_admin and is_password("another horse", bob.password_hash)
    assert [line.split("\t")[:2] for line in hred("users", "list").splitlines()] == [
        ["Ann", "administrator"],
        ["bob", "user"],
    ]
    hred("users", "password", "BOB", given="third horse\n")
    assert is_password("third horse", store.user_named("bob").password_hash)
    hred("users", "remove", "bob")
    assert [user.name for user in store.users()] == ["Ann"]


@pytest.mark.parametrize(
    ("arguments", "given", "sentence"),
    [
        (["users", "add", "ann"], "correct horse\n", "there is a user 'ann' already"),
        (["users", "add", "e" * 101], "", "has 101 letters, but may have at most 100"),
        (["users", "add", "eve"], "short\n", "the password has 5 characters, but needs 8 to 1000"),
        (["users", "add", "eve"], "", "the password has 0 characters"),
        (["users", "logout", "eve"], "", "there is no user 'eve'; `hred users list`"),
        (["keys", "add", "eve"], "", "make one: hred users add eve"),
        (["keys", "revoke", "hred-none"], "", "0 keys begin with 'hred-none'"),
    ],
)
def test_what_cannot_be_is_one_sentence(store, arguments, given, sentence):
    hred("users", "add", "Ann", given=f"{PASSWORD}\n")
    with pytest.raises(UsageError, match=sentence):
        hred(*arguments, given=given)
    assert len(store.users()) == 1


def test_a_user_with_chats_goes_only_with_them(store):
    hred("users", "add", "Ann", given=f"{PASSWORD}\n")
    owner = store.owner_of_user(store.users()[0].id)
    for number in range(3):
        store.create_session(owner, title=f"chat {number}")
    with pytest.raises(StoreError, match="Ann still has 3 chats"):
        hred("users", "remove", "Ann")
    hred("users", "remove", "Ann", "--with-chats")
    assert store.users() == ()


def test_a_key_is_shown_once_and_counts_until_it_is_revoked(store):
    hred("users", "add", "Ann", given=f"{PASSWORD}\n")
    key = hred("keys", "add", "Ann", "--name", "notebook").strip()
    assert len(key) > 50 and store.owner_of_key(key) == store.owner_of_user(store.users()[0].id)
    listed = hred("keys", "list")
    shown = listed.split("\t")[0]
    assert key.startswith(shown) and len(shown) <= 16 and key not in listed
    assert "Ann" in listed and "notebook" in listed
    hred("keys", "revoke", shown)
    assert store.owner_of_key(key) is None and "revoked" in hred("keys", "list")
