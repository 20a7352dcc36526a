"""The store's calls on battles: two hidden models, one message, one vote a voter."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, cast, get_args

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session as Transaction

from app.store import queries
from app.store.base import StoreBase
from app.store.tables import BattleRow, VoteRow
from dialog.errors import StoreError

__all__ = ["BattleCalls", "Choice", "StoredBattle", "Vote", "battle_of", "battle_record"]

Choice = Literal["a", "b", "tie", "both_bad"]
State = Literal["open", "voted", "abandoned"]


@dataclass(frozen=True, slots=True)
class StoredBattle:
    """A battle; whoever shows it before the vote leaves the models out.

    Attributes:
        id: a random UUID.
        session_id: the session of the message.
        prompt_id: the message that both models answer.
        model_a: the name of the model on the left.
        model_a_hash: its hash.
        model_b: the name of the model on the right.
        model_b_hash: its hash.
        reply_a_id: the message that the left one answered with, None for not yet.
        reply_b_id: the same of the right one.
        state: how far it is.
        created_at: when it began, UTC.
        choice: the vote of its owner, None for not yet.
    """

    id: str
    session_id: str
    prompt_id: str
    model_a: str
    model_a_hash: str
    model_b: str
    model_b_hash: str
    reply_a_id: str | None
    reply_b_id: str | None
    state: State
    created_at: datetime
    choice: Choice | None


@dataclass(frozen=True, slots=True)
class Vote:
    """A vote, as a ranking counts it.

    Attributes:
        battle_id: the battle it ended.
        model_a: the name of the model on the left.
        model_a_hash: its hash.
        model_b: the name of the model on the right.
        model_b_hash: its hash.
        voter: the owner who voted.
        choice: the left one, the right one, both alike, or both bad.
        created_at: when, UTC.
    """

    battle_id: str
    model_a: str
    model_a_hash: str
    model_b: str
    model_b_hash: str
    voter: str
    choice: Choice
    created_at: datetime


class BattleCalls(StoreBase):
    """Battles and votes."""

    def create_battle(
        self,
        owner: str,
        session_id: str,
        prompt_id: str,
        model_a: str,
        model_a_hash: str,
        model_b: str,
        model_b_hash: str,
    ) -> StoredBattle:
        """Begins a battle: both models answer one message of a session of this owner.

        Args:
            owner: who asks, and will vote.
            session_id: the session that holds the message; best of kind "battle", which no list of chats shows.
            prompt_id: the message that both answer.
            model_a: the model on the left; the caller draws the sides.
            model_a_hash: its hash.
            model_b: the model on the right.
            model_b_hash: its hash.
        """
        with self._writes() as transaction:
            queries.session_of(transaction, owner, session_id, lock=True)
            queries.known_message(transaction, session_id, prompt_id)
            row = BattleRow(
                id=queries.new_id(),
                session_id=session_id,
                owner_id=owner,
                prompt_id=prompt_id,
                model_a=model_a,
                model_a_hash=model_a_hash,
                model_b=model_b,
                model_b_hash=model_b_hash,
                reply_a_id=None,
                reply_b_id=None,
                state="open",
                created_at=queries.now(),
            )
            transaction.add(row)
            transaction.flush()
            return battle_record(row, None)

    def battle(self, owner: str, battle_id: str) -> StoredBattle:
        """Returns a battle of this owner, with their vote."""
        with self._reads() as transaction:
            row = battle_of(transaction, owner, battle_id)
            vote = transaction.get(VoteRow, (battle_id, owner))
            return battle_record(row, vote)

    def set_battle_reply(self, owner: str, battle_id: str, side: str, message_id: str) -> StoredBattle:
        """Says which message is the reply of a side, "a" or "b"."""
        with self._writes() as transaction:
            row = battle_of(transaction, owner, battle_id, lock=True)
            queries.known_message(transaction, row.session_id, message_id)
            if side == "a":
                row.reply_a_id = message_id
            elif side == "b":
                row.reply_b_id = message_id
            else:
                raise StoreError(
                    f"a battle has the sides a and b, but {side[:10]!r} was named; name one of them"
                )
            transaction.flush()
            return battle_record(row, transaction.get(VoteRow, (battle_id, owner)))

    def vote(self, owner: str, battle_id: str, choice: str) -> StoredBattle:
        """Keeps a vote and ends the battle; the same vote again changes nothing.

        The reply that won becomes the active leaf of its session.

        Raises:
            StoreError: the choice is none, or this owner has voted otherwise before.
        """
        if choice not in get_args(Choice):
            raise StoreError(f"{choice[:20]!r} is no vote; vote one of {', '.join(get_args(Choice))}")
        with self._writes() as transaction:
            row = battle_of(transaction, owner, battle_id, lock=True)
            vote = VoteRow(battle_id=battle_id, voter_id=owner, choice=choice, created_at=queries.now())
            try:
                with transaction.begin_nested():
                    transaction.add(vote)
            except IntegrityError:
                before = transaction.get_one(VoteRow, (battle_id, owner))
                if before.choice != choice:
                    raise StoreError(
                        "you have voted in this battle before, and a vote stands; begin another battle"
                    ) from None
                vote = before
            row.state = "voted"
            winner = {"a": row.reply_a_id, "b": row.reply_b_id}.get(choice)
            if winner is not None:  # the session goes on with the better reply, as far as it is learned from
                queries.session_of(transaction, owner, row.session_id, lock=True).active_leaf_id = winner
            return battle_record(row, vote)

    def votes(self) -> Iterator[Vote]:
        """Yields every vote of everybody with the models that it is about, the oldest first; no words of a chat."""
        columns = (
            BattleRow.id,
            BattleRow.model_a,
            BattleRow.model_a_hash,
            BattleRow.model_b,
            BattleRow.model_b_hash,
            VoteRow.voter_id,
            VoteRow.choice,
            VoteRow.created_at,
        )
        statement = select(*columns).join(VoteRow, VoteRow.battle_id == BattleRow.id)
        with self._reads() as transaction:
            rows = transaction.execute(statement.order_by(VoteRow.created_at, BattleRow.id)).all()
        for row in rows:
            yield Vote(*row[:6], cast(Choice, row[6]), row[7])


def battle_of(transaction: Transaction, owner: str, battle_id: str, *, lock: bool = False) -> BattleRow:
    """Returns a battle of this owner, locked if the caller writes to it.

    Raises:
        StoreError: there is none, or it is somebody else's: the same sentence.
    """
    statement = select(BattleRow).where(BattleRow.id == battle_id, BattleRow.owner_id == owner)
    row = None
    if queries.is_id(battle_id) and queries.is_id(owner):
        row = transaction.scalar(statement.with_for_update() if lock else statement)
    if row is None:
        raise StoreError(f"there is no battle {battle_id[:40]!r} of yours in the store; begin another one")
    return row


def battle_record(row: BattleRow, vote: VoteRow | None) -> StoredBattle:
    """Returns a row of `battles`, and its owner's vote, as a record."""
    return StoredBattle(
        id=row.id,
        session_id=row.session_id,
        prompt_id=row.prompt_id,
        model_a=row.model_a,
        model_a_hash=row.model_a_hash,
        model_b=row.model_b,
        model_b_hash=row.model_b_hash,
        reply_a_id=row.reply_a_id,
        reply_b_id=row.reply_b_id,
        state=cast(State, row.state),
        created_at=row.created_at,
        choice=None if vote is None else cast(Choice, vote.choice),
    )
