"""The store's calls on a battle as it goes: rounds of one message and two replies, and the votes counted.

A battle is one session of kind "battle". Its first message is answered by both models; a further message follows
each model's reply, so that each reads its own conversation alone. Both replies of a round are stored in one
transaction: whoever reads the battle sees both or none.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import func, select
from sqlalchemy.orm import Session as Transaction

from app.store import queries
from app.store.base import StoreBase
from app.store.battles import StoredBattle, battle_of, battle_record
from app.store.records import StoredMessage, checked_text, make_title, message_record, reply_columns
from app.store.tables import BattleRow, MessageRow, OwnerRow, SessionRow, VoteRow
from dialog.decoding.replies import Reply
from dialog.errors import StoreError
from dialog.evaluation.ranking.votes import Outcome, Player, Tally, Vote

__all__ = ["BattleRoundCalls", "Side"]

Side = Literal["a", "b"]

_SIDES: tuple[Side, ...] = ("a", "b")
_OUTCOMES: dict[str, Outcome] = {"a": "left", "b": "right", "tie": "tie", "both_bad": "both_bad"}


class BattleRoundCalls(StoreBase):
    """Battles as they go, and their votes counted."""

    def begin_battle(
        self, owner: str, text: str, client_id: str, left: Player, right: Player
    ) -> StoredBattle:
        """Stores a message in a session of its own, and which two models answer it.

        Args:
            owner: who asks, and will vote.
            text: the message.
            client_id: made by the client for this message; the same one again returns the battle that it began.
            left: the model on the left, A; the caller draws the sides.
            right: the model on the right, B.
        """
        _check(text, client_id)
        with self._writes() as transaction:
            queries.owner_of(transaction, owner)
            transaction.execute(select(OwnerRow.id).where(OwnerRow.id == owner).with_for_update())
            latest = _latest(transaction, owner)
            if latest is not None and _client_id_of(transaction, latest.prompt_id) == client_id:
                return battle_record(latest, transaction.get(VoteRow, (latest.id, owner)))
            time = queries.now()
            session = SessionRow(
                id=queries.new_id(),
                owner_id=owner,
                title=make_title(text),
                model_name="",
                created_at=time,
                updated_at=time,
                active_leaf_id=None,
                kind="battle",
            )
            transaction.add(session)
            transaction.flush()
            prompt = queries.insert_message(transaction, session, None, "user", client_id, {"text": text})
            session.active_leaf_id = prompt.id
            row = BattleRow(
                id=queries.new_id(),
                session_id=session.id,
                owner_id=owner,
                prompt_id=prompt.id,
                model_a=left.name,
                model_a_hash=left.model_hash,
                model_b=right.name,
                model_b_hash=right.model_hash,
                reply_a_id=None,
                reply_b_id=None,
                state="open",
                created_at=time,
            )
            transaction.add(row)
            transaction.flush()
            return battle_record(row, None)

    def say_in_battle(self, owner: str, battle_id: str, text: str, client_id: str) -> StoredBattle:
        """Adds a further message after the latest replies of both models.

        Raises:
            StoreError: the battle has ended, or the replies to the message before are not there yet.
        """
        _check(text, client_id)
        with self._writes() as transaction:
            row = battle_of(transaction, owner, battle_id, lock=True)
            session = queries.session_of(transaction, owner, row.session_id, lock=True)
            if row.state != "open":
                raise StoreError("this battle has ended; begin another one")
            if _client_id_of(transaction, row.prompt_id) == client_id:
                return battle_record(row, None)
            for side, leaf in (("a", row.reply_a_id), ("b", row.reply_b_id)):
                name = f"{client_id}:{side}"
                if queries.message_of(transaction, session.id, name, by_client=True) is not None:
                    continue  # sent a second time
                if leaf is None or queries.children_of(transaction, session.id, leaf):
                    raise StoreError("your last message has not been answered yet; wait for the replies")
                queries.insert_message(transaction, session, leaf, "user", name, {"text": text})
            session.updated_at = queries.now()
            return battle_record(row, None)

    def battle_branches(
        self, owner: str, battle_id: str
    ) -> tuple[tuple[StoredMessage, ...], tuple[StoredMessage, ...]]:
        """Returns the messages of A's conversation and of B's; each ends with a reply, or with what awaits one."""
        with self._reads() as transaction:
            row = battle_of(transaction, owner, battle_id)
            left, right = (_branch(transaction, row, leaf) for leaf in (row.reply_a_id, row.reply_b_id))
            return left, right

    def answer_battle(
        self, owner: str, battle_id: str, replies: Mapping[Side, tuple[str, Reply]]
    ) -> StoredBattle:
        """Stores both replies of a round at once; if the round has been answered meanwhile, those stay.

        Args:
            owner: whose battle.
            battle_id: which.
            replies: of each side, the id of the message that it answers, and the reply.
        """
        with self._writes() as transaction:
            row = battle_of(transaction, owner, battle_id, lock=True)
            session = queries.session_of(transaction, owner, row.session_id, lock=True)
            vote = transaction.get(VoteRow, (battle_id, owner))
            leaves: dict[Side, str | None] = {"a": row.reply_a_id, "b": row.reply_b_id}
            waiting = {side: _branch(transaction, row, leaf)[-1].id for side, leaf in leaves.items()}
            if row.state != "open" or any(replies[side][0] != waiting[side] for side in _SIDES):
                return battle_record(row, vote)
            stored: dict[str, str] = {}
            names: dict[Side, str] = {"a": row.model_a, "b": row.model_b}
            for side, name in names.items():
                parent, reply = replies[side]
                columns = reply_columns(reply, name)
                answer_id = f"{battle_id}:{side}:{parent}"
                inserted = queries.insert_message(transaction, session, parent, "bot", answer_id, columns)
                stored[side] = inserted.id
            row.reply_a_id, row.reply_b_id = stored["a"], stored["b"]
            session.updated_at = queries.now()
            transaction.flush()
            return battle_record(row, vote)

    def latest_battle(self, owner: str) -> StoredBattle | None:
        """Returns the battle that this owner began last, unless it was abandoned."""
        with self._reads() as transaction:
            row = _latest(transaction, owner)
            if row is None or row.state == "abandoned":
                return None
            return battle_record(row, transaction.get(VoteRow, (row.id, owner)))

    def abandon_battle(self, owner: str, battle_id: str) -> None:
        """Ends a battle without a vote; one that has its vote stays as it is."""
        with self._writes() as transaction:
            row = battle_of(transaction, owner, battle_id, lock=True)
            if row.state == "open":
                row.state = "abandoned"

    def tally(self, since: datetime | None = None) -> Tally:
        """Returns all votes of everybody, counted by the database.

        Args:
            since: only those from this time on, which has a zone.
        """
        columns = (
            BattleRow.model_a,
            BattleRow.model_a_hash,
            BattleRow.model_b,
            BattleRow.model_b_hash,
            VoteRow.choice,
        )
        statement = select(*columns, func.count()).join(VoteRow, VoteRow.battle_id == BattleRow.id)
        if since is not None:
            statement = statement.where(VoteRow.created_at >= since)
        with self._reads() as transaction:
            rows = transaction.execute(statement.group_by(*columns)).all()
        return Tally.of(
            Vote(Player(name_a, hash_a), Player(name_b, hash_b), _OUTCOMES[choice], count)
            for name_a, hash_a, name_b, hash_b, choice, count in rows
        )


def _check(text: str, client_id: str) -> None:
    checked_text(text, "message")
    if not checked_text(client_id, "message's id"):
        raise StoreError("the message came without an id, by which a retry is known; reload the page")


def _latest(transaction: Transaction, owner: str) -> BattleRow | None:
    if not queries.is_id(owner):
        return None
    statement = select(BattleRow).where(BattleRow.owner_id == owner)
    return transaction.scalar(statement.order_by(BattleRow.created_at.desc(), BattleRow.id).limit(1))


def _client_id_of(transaction: Transaction, message_id: str) -> Any:
    return transaction.scalar(select(MessageRow.client_id).where(MessageRow.id == message_id))


def _branch(transaction: Transaction, row: BattleRow, leaf: str | None) -> tuple[StoredMessage, ...]:
    path = queries.path_to(transaction, row.session_id, leaf or row.prompt_id)
    waiting = [] if leaf is None else queries.children_of(transaction, row.session_id, leaf)
    return tuple(message_record(message) for message in [*path, *waiting])
