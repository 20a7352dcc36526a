"""Users, logins and keys: found by a hash, expired, ended and revoked."""

from datetime import UTC, datetime, timedelta
from threading import Thread

import pytest
from sqlalchemy import select

from app.store import Store
from app.store.tables import ApiKeyRow, LoginRow
from dialog.errors import StoreError, UsageError
from tests.app.store.conftest import BOTH

pytestmark = BOTH

SOON = timedelta(minutes=5)


def test_users_have_one_name_each_and_come_in_its_order(store: Store) -> None:
    names = ["Ｚoé", "anna", "Bob", "élan", "太郎", "a-b", "ab"]
    made = [store.create_user(name, None, is_admin=name == "Bob") for name in names]
    assert [user.name for user in store.users()] == ["a-b", "ab", "anna", "Bob", "Ｚoé", "élan", "太郎"]
    assert store.user_named("BOB") == made[2] and made[2].is_admin
    assert store.user_named("nobody") is None
    for taken in ("bob", "ＢＯＢ", " Bob "):
        with pytest.raises(StoreError, match="already"):
            store.create_user(taken, None)
    with pytest.raises(StoreError, match="needs a name"):
        store.create_user(" ", None)
    assert store.create_user("長" * 100, None).name == "長" * 100
    for long, count in (("x" * 101, "101"), ("x" * 100_000, "100,000"), ("\ufdfa" * 10, "180")):
        with pytest.raises(StoreError, match=f"has {count} letters, but may have at most 100"):
            store.create_user(long, None)
        with pytest.raises(UsageError, match="at most 100"):
            store.check_new_user(long)
    with pytest.raises(UsageError, match="already"):
        store.check_new_user("ＢＯＢ")


def test_a_user_owns_the_same_chats_from_every_browser(store: Store) -> None:
    user = store.create_user("Bob", "$argon2id$…")
    owner = store.owner_of_user(user.id)
    assert store.owner_of_user(user.id) == owner != store.owner_for("cookie")
    assert store.user_of_owner(owner) == user
    assert store.user_of_owner(store.owner_for("cookie")) is None
    assert "argon2" not in repr(user)
    with pytest.raises(StoreError, match="no such user"):
        store.owner_of_user("00000000-0000-4000-8000-000000000000")


def test_a_login_counts_until_it_expires_or_is_ended(store: Store) -> None:
    user, other = store.create_user("Bob", None), store.create_user("Eve", None)
    now = datetime.now(UTC)
    for token in ("one", "two"):
        store.add_login(user.id, token, now + SOON)
    store.add_login(user.id, "old", now - SOON)
    store.add_login(other.id, "other", now + SOON)
    assert store.user_of_login("one") == user
    assert store.user_of_login("old") is None
    assert store.user_of_login("three") is None
    store.end_login("one")
    assert (store.user_of_login("one"), store.user_of_login("two")) == (None, user)
    store.end_logins(user.id)
    assert (store.user_of_login("two"), store.user_of_login("other")) == (None, other)
    with store._reads() as transaction:
        assert "other" not in str([vars(row) for row in transaction.scalars(select(LoginRow))])


def test_a_key_counts_until_it_is_revoked_and_is_not_kept(store: Store, owner: str) -> None:
    key = store.add_key(owner, "hred-secret-key", "hred-se", "laptop")
    assert (key.last_used_at, key.revoked_at) == (None, None)
    assert store.owner_of_key("hred-secret-key") == owner
    assert store.owner_of_key("hred-other-key") is None
    (used,) = store.api_keys(owner)
    assert used.last_used_at is not None
    store.revoke_key(key.id)
    assert store.owner_of_key("hred-secret-key") is None
    assert store.api_keys(store.owner_for("another cookie")) == ()
    with pytest.raises(StoreError, match="no key"):
        store.revoke_key("nonsense")
    with store._reads() as transaction:
        assert "secret" not in str([vars(row) for row in transaction.scalars(select(ApiKeyRow))])


def test_an_owner_begins_only_so_many_chats(
    store: Store, owner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.store.chats.MAX_SESSIONS", 3)
    made = [store.create_session(owner) for _ in range(3)]
    with pytest.raises(StoreError, match="you have 3 chats, and no more can be begun; delete some"):
        store.create_session(owner)
    assert store.create_session(store.owner_for("somebody else"))
    store.delete_session(owner, made[0].id)
    assert store.create_session(owner)


def test_failed_logins_are_counted_by_the_database(store: Store) -> None:
    before = datetime.now(UTC) - timedelta(days=1)
    assert store.login_failures(["name ann", "address 1"]) == {}
    threads = [Thread(target=store.count_login_failure, args=(["name ann"], before)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store.count_login_failure(["address 1"], before)
    failures = store.login_failures(["name ann", "address 1", "name bob"])
    assert {subject: count for subject, (count, _) in failures.items()} == {"name ann": 8, "address 1": 1}
    store.forget_login_failures(["name ann"])
    assert list(store.login_failures(["name ann", "address 1"])) == ["address 1"]


def test_a_user_goes_with_logins_and_keys_but_not_before_their_chats(store: Store) -> None:
    user = store.create_user("Ann", "hash")
    owner = store.owner_of_user(user.id)
    store.add_login(user.id, "token", datetime.now(UTC) + timedelta(hours=1))
    store.add_key(owner, "hred-key", "hred", "")
    session = store.create_session(owner)
    with pytest.raises(StoreError, match="Ann still has 1 chats"):
        store.remove_user(user.id)
    assert store.user_of_login("token") == user
    store.delete_session(owner, session.id)
    store.remove_user(user.id)
    assert (store.user_of_login("token"), store.owner_of_key("hred-key"), store.users()) == (None, None, ())
    with pytest.raises(StoreError, match="there is no such user"):
        store.set_password(user.id, "other")
