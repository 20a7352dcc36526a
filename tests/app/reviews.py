"""Chats with reviewed replies in a real store, for what learns from them."""

import dataclasses

from app.store import Store
from tests.app.api.test_sessions_files import make_reply

__all__ = ["add_reviews"]


def add_reviews(store: Store, token: str, count: int, *, learns: bool) -> str:
    """Keeps `count` chats of a guest, of whose replies every second one is liked and the others are corrected.

    Returns:
        The owner.
    """
    owner = store.owner_for(token)
    for number in range(count):
        chat = store.create_session(owner).id
        asked = store.add_user_message(owner, chat, None, f"hello number {number} of {token}", "u").id
        reply = make_reply(text=f"number {number}, how are you, {token}?")
        answer = store.add_reply(owner, chat, asked, reply, "hred", "b").id
        better = f"hello {number}, are you well, {token}?" if number % 2 else None
        store.set_feedback(owner, chat, answer, -1 if better else 1, better)
    settings = store.owner_settings(owner)
    store.set_owner_settings(owner, dataclasses.replace(settings, store=True, learn=learns))
    return owner
