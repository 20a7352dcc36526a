"""What people found good, as conversations to learn from: only of owners who agreed that models learn.

    {"format": "hred-reviewed/1", "id": "…", "messages": [{"role": "user", "content": "…"}, …],
     "reviewed": [{"message": "…", "why": "liked", "model_name": "…", "model_hash": "…"}, …]}

`hred prepare` trains on what the role `assistant` says and on nothing else, with all turns as context. So exactly
the replies that were found good have that role, each in one line; other replies on the way are a `bot`'s.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Row, exists, or_, select
from sqlalchemy.orm import Session as Transaction

from app.store import queries
from app.store.base import StoreBase
from app.store.owners import OwnerSettings
from app.store.rows import JsonObject
from app.store.tables import BattleRow, FeedbackRow, OwnerRow, SessionRow, VoteRow

__all__ = ["REVIEWED_FORMAT", "ReviewCalls"]

REVIEWED_FORMAT = "hred-reviewed/1"

Message = Row[*tuple[Any, ...]]


class ReviewCalls(StoreBase):
    """Reviewed replies."""

    def reviewed(self, owner: str | None = None) -> Iterator[JsonObject]:
        """Yields conversations that end in a reply worth learning; the same reviews give the same, in one order.

        A reply is worth it when its owner liked it, when it won a battle (with the winner's earlier replies
        in it), or when it stands on the shown branch of a session that was marked as read through; never when it
        was disliked. A correction is learned in the place of the reply.

        Args:
            owner: whose; everybody's who agreed when None.
        """
        for session_id, owner_id in self._with_reviews(owner):
            with self._reads() as transaction:
                row = transaction.get(SessionRow, session_id)
                if row is None:  # deleted in the meantime
                    continue
                messages = {str(one.id): one for one in queries.all_of(transaction, session_id)}
                good, better = _judged(transaction, row, owner_id, messages)
            yield from _conversations(session_id, messages, good, better)

    def _with_reviews(self, owner: str | None) -> list[tuple[str, str]]:
        owners = select(OwnerRow.id, OwnerRow.settings)
        if owner is not None:
            owners = owners.where(OwnerRow.id == owner)
        has_feedback = exists().where(FeedbackRow.session_id == SessionRow.id)
        has_battle = exists().where(BattleRow.session_id == SessionRow.id, BattleRow.state == "voted")
        found: list[tuple[str, str]] = []
        with self._reads() as transaction:
            agreed = [
                owner_id
                for owner_id, settings in transaction.execute(owners.order_by(OwnerRow.id))
                if OwnerSettings.from_json(settings or {}).learn
            ]
            for owner_id in agreed:
                mine = select(SessionRow.id).where(
                    SessionRow.owner_id == owner_id,
                    or_(has_feedback, has_battle, SessionRow.reviewed_at.is_not(None)),
                )
                ordered = mine.order_by(SessionRow.created_at, SessionRow.id)
                found += [(session_id, owner_id) for session_id in transaction.scalars(ordered)]
        return found


def _judged(
    transaction: Transaction, session: SessionRow, owner: str, messages: Mapping[str, Message]
) -> tuple[dict[str, str], dict[str, str]]:
    """Returns why each good reply is good, and what others should have been, by message id."""
    mine = (FeedbackRow.session_id == session.id, FeedbackRow.owner_id == owner)
    feedback = {row.message_id: row for row in transaction.scalars(select(FeedbackRow).where(*mine))}
    better = {key: row.correction for key, row in feedback.items() if row.correction}
    good: dict[str, str] = {}
    if session.reviewed_at is not None:
        good |= dict.fromkeys(_path(messages, session.active_leaf_id), "read through")
    votes = (
        select(BattleRow, VoteRow.choice)
        .join(VoteRow, VoteRow.battle_id == BattleRow.id)
        .where(BattleRow.session_id == session.id, VoteRow.voter_id == owner)
    )
    for battle, choice in transaction.execute(votes):
        winner = {"a": battle.reply_a_id, "b": battle.reply_b_id}.get(choice)
        path = _path(messages, winner)
        if battle.prompt_id in path:
            good |= dict.fromkeys(path[path.index(battle.prompt_id) :], "won")
    good |= {key: "liked" for key, row in feedback.items() if row.value == 1}
    disliked = {key for key, row in feedback.items() if row.value == -1}
    return {
        key: why
        for key, why in good.items()
        if messages[key].role == "bot" and key not in better and key not in disliked
    }, better


def _conversations(
    session_id: str, messages: Mapping[str, Message], good: Mapping[str, str], better: Mapping[str, str]
) -> Iterator[JsonObject]:
    inner = {above for key in good for above in _path(messages, key)[:-1]}
    taught: set[str] = set()
    for key in sorted({*good} - inner, key=lambda key: int(messages[key].position)):
        path = _path(messages, key)
        targets = [each for each in path if each in good and each not in taught]
        taught.update(targets)
        yield _line(session_id, messages, path, dict.fromkeys(targets, None), good)
    for key in sorted(better, key=lambda key: int(messages[key].position)):
        yield _line(session_id, messages, _path(messages, key), {key: better[key]}, {key: "corrected"})


def _line(
    session_id: str,
    messages: Mapping[str, Message],
    path: Sequence[str],
    targets: Mapping[str, str | None],
    why: Mapping[str, str],
) -> JsonObject:
    """Returns the conversation down to the end of `path`; a target with a text of its own is told in that one."""
    said: list[dict[str, Any]] = []
    reviewed = []
    for key in path:
        row = messages[key]
        said.append(
            {
                "role": "assistant" if key in targets else row.role,
                "content": targets.get(key) or row.text,
            }
        )
        if key in targets:
            names = {"model_name": row.model_name, "model_hash": row.model_hash}
            reviewed.append({"message": key, "why": why[key], **names})
    return {
        "id": f"{session_id}/{messages[path[-1]].position}" + ("/corrected" if targets[path[-1]] else ""),
        "format": REVIEWED_FORMAT,
        "messages": said,
        "reviewed": reviewed,
    }


def _path(messages: Mapping[str, Message], leaf: str | None) -> list[str]:
    path = []
    while leaf is not None:
        path.append(leaf)
        leaf = messages[leaf].parent_id
    return path[::-1]
