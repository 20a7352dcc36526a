"""The tree of a session, as the page walks it."""

import pytest

from dialog.errors import StoreError


def test_each_message_stands_after_the_one_above_it(store):
    owner, other = store.owner_for("someone"), store.owner_for("somebody else")
    session = store.create_session(owner).id
    assert store.branches(owner, session) == {}
    first = store.add_user_message(owner, session, None, "a", "1").id
    second = store.add_user_message(owner, session, first, "b", "2").id
    beside = store.add_user_message(owner, session, None, "c", "3").id
    below = store.add_user_message(owner, session, first, "d", "4").id
    expected = [(first, None), (second, first), (beside, None), (below, first)]
    assert list(store.branches(owner, session).items()) == expected
    with pytest.raises(StoreError, match="there is no chat"):
        store.branches(other, session)
