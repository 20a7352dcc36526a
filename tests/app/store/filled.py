"""Stores with something in every table that a session has rows in."""

import math
from collections.abc import Callable, Iterable

from sqlalchemy import select

from app.store import Store
from app.store.rows import to_json
from app.store.tables import Base
from dialog.decoding.replies import Reply

WORDS = "SECRET of 東京 👋 \\ % _"


def fill(
    store: Store, owner: str, make_reply: Callable[..., Reply], word: str = WORDS, times: int = 1
) -> str:
    """Makes a chat with three beginnings, candidates, feedback and battles, and returns its id."""
    session = store.create_session(owner, f"about {word}", "hred").id
    last = None
    for number in range(times):
        asked = store.add_user_message(owner, session, last, f"{word}? {number}", f"u{number}")
        odd = make_reply(
            text=f"{word}! {number}", log_probability=math.nan, scores={"lm": -math.inf, "z": math.nan}
        )
        plain = make_reply(text="fine", latent=None, seed=-(2**63), scores={})
        first = store.add_reply(owner, session, asked.id, odd, "vhred", f"b{number}")
        other = store.add_reply(owner, session, asked.id, plain, "hred", f"c{number}", activate=False)
        store.set_feedback(owner, session, first.id, 1)
        store.set_feedback(owner, session, other.id, -1, f"better: {word}")
        last = first.id
    models = ("hred", "a" * 64, "vhred", "b" * 64)
    for state in ("voted", "open"):
        again = store.add_user_message(owner, session, None, f"otherwise {state} {word}", state)
        battle = store.create_battle(owner, session, again.id, *models)
        for side in ("a", "b"):
            reply = make_reply(text=f"{state} {side}", seed=7)
            message = store.add_reply(
                owner, session, again.id, reply, "hred", f"{state} {side}", activate=side == "a"
            )
            store.set_battle_reply(owner, battle.id, side, message.id)
        if state == "voted":
            store.vote(owner, battle.id, "tie")
    return session


def rows_of(store: Store, tables: Iterable[str] | None = None) -> dict[str, list[str]]:
    """Returns all rows of all tables, as text, in an order of their own."""
    found = {}
    with store._reads() as transaction:
        for table in Base.metadata.sorted_tables:
            if tables is None or table.name in tables:
                rows = transaction.execute(select(table)).mappings()
                found[table.name] = sorted(repr(to_json(table, row)) for row in rows)
    return found
