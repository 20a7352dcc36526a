"""What the store gives out: frozen records, never rows of the database; and what it takes in, checked.

A score or a latent that is not a finite number is kept and comes back as what it was: SQLite has no NaN
(it keeps NULL, read back as NaN for a bot's message) and JSON has neither NaN nor infinity (kept as words).
"""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal, NamedTuple, cast

import orjson

from app.store.tables import SessionRow
from dialog.decoding.replies import Ended, Reply, Sampling
from dialog.errors import DialogError, StoreError
from dialog.text.normalise import normalise

__all__ = [
    "Kind",
    "Role",
    "StoredMessage",
    "StoredSession",
    "checked_json",
    "checked_text",
    "make_title",
    "message_record",
    "reply_columns",
    "session_record",
]

Role = Literal["user", "bot"]
Kind = Literal["chat", "compare", "battle"]

TITLE_LENGTH = 60  # characters


@dataclass(frozen=True, slots=True)
class StoredSession:
    """A stored chat.

    Attributes:
        id: a random UUID.
        title: for the list of chats; empty until the first message when none was given.
        model_name: the run or model that it was started with; may be empty.
        created_at: when it was made, UTC.
        updated_at: when a message or its title last changed, UTC.
        active_leaf_id: the last message of the branch that is shown, None for an empty chat.
        kind: where it is shown.
        reviewed_at: when somebody found it fit to learn from, UTC; None for not yet.
    """

    id: str
    title: str
    model_name: str
    created_at: datetime
    updated_at: datetime
    active_leaf_id: str | None
    kind: Kind = "chat"
    reviewed_at: datetime | None = None


class StoredMessage(NamedTuple):
    """One message; it never changes.

    A named tuple, unlike the other records: a frozen dataclass takes six times as long to make, and a chat may
    have thousands of messages.

    Attributes:
        id: a random UUID.
        session_id: the session it stands in.
        parent_id: the message it follows, None for a first one.
        position: its place among the messages of its session as they came, from 0.
        role: who said it.
        text: what was said, raw.
        created_at: when it was stored, UTC.
        client_id: the id that the client made for it, unique within its session.
        model_name: the model that said it; None for a user's message.
        reply: all that is needed to replay it; None for a user's message.
    """

    id: str
    session_id: str
    parent_id: str | None
    position: int
    role: Role
    text: str
    created_at: datetime
    client_id: str
    model_name: str | None
    reply: Reply | None


def checked_text(text: str, name: str) -> str:
    """Returns `text`; one that not every database can keep is refused.

    Raises:
        StoreError: a NUL character or a lone surrogate.
    """
    if "\0" in text:
        raise StoreError(
            f"the {name} holds a NUL character, which the store cannot keep; take it out and send it again"
        )
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise StoreError(
            f"the {name} holds half a character (U+{ord(text[error.start]):04X}), "
            "which is no text; take it out and send it again"
        ) from None
    return text


def checked_json(value: object, name: str) -> object:
    """Returns `value`; what JSON cannot say is refused.

    Raises:
        StoreError: another type than JSON's, a number that is not finite, or what `checked_text` refuses.
    """
    try:
        checked_text(json.dumps(value, ensure_ascii=False, allow_nan=False), name)
    except (TypeError, ValueError, RecursionError) as error:
        raise StoreError(f"the {name} cannot be written as JSON ({error}); send plain values") from None
    return value


def make_title(text: str) -> str:
    """Returns `text` as a title: one line, cut at `TITLE_LENGTH` characters, between words where it can."""
    line = normalise(text)
    if len(line) <= TITLE_LENGTH:
        return line
    cut = line[: TITLE_LENGTH - 1]
    between_words = cut.rpartition(" ")[0]
    return (between_words if len(between_words) > TITLE_LENGTH // 2 else cut) + "…"


def session_record(row: SessionRow) -> StoredSession:
    """Returns a row of `sessions` as a record."""
    return StoredSession(
        id=row.id,
        title=row.title,
        model_name=row.model_name,
        created_at=row.created_at,
        updated_at=row.updated_at,
        active_leaf_id=row.active_leaf_id,
        kind=cast(Kind, row.kind),
        reviewed_at=row.reviewed_at,
    )


def reply_columns(reply: Reply, model_name: str) -> dict[str, Any]:
    """Returns the columns of a bot's message that its reply fills."""
    return {
        "text": checked_text(reply.text, "reply"),
        "model_name": checked_text(model_name, "model's name"),
        "model_hash": checked_text(reply.model_hash, "model's hash"),
        "context_hash": checked_text(reply.context_hash, "context's hash"),
        "seed": str(int(reply.seed)),
        "reply_index": int(reply.index),
        "sampling": asdict(reply.sampling),
        "tokens": [int(token) for token in reply.tokens],
        "ended": reply.ended,
        "log_probability": float(reply.log_probability),
        "filtered_log_probability": float(reply.filtered_log_probability),
        "latent": None if reply.latent is None else [_to_json(float(value)) for value in reply.latent],
        "scores": {name: _to_json(float(value)) for name, value in reply.scores.items()},
    }


def message_record(columns: Sequence[Any]) -> StoredMessage:
    """Returns a row of `messages` as a record.

    Args:
        columns: those of `queries.MESSAGE`.

    Raises:
        StoreError: a reply in the row is not one that this version knows.
    """
    # By their order, for to look up each column by its name takes as long as all else.
    identity, parent_id, session_id, position, role, text, created_at, client_id, model_name, *said = columns
    reply = None
    if role == "bot":
        try:
            reply = _reply(text, *said)
        except (AttributeError, KeyError, TypeError, ValueError, DialogError) as error:
            raise StoreError(
                f"message {identity} holds a reply that this version of hred cannot read, "
                "it was written by another version or damaged; update hred or delete that chat"
            ) from error
    return StoredMessage(
        identity, session_id, parent_id, position, role, text, created_at, client_id, model_name, reply
    )


def _reply(
    text: str,
    model_hash: str,
    context_hash: str,
    seed: str,
    index: int,
    sampling: str,
    tokens: str,
    ended: Ended,
    log_probability: float | None,
    filtered_log_probability: float | None,
    latent: str | None,
    scores: str | None,
) -> Reply:
    return Reply(
        text=text,
        tokens=tuple(orjson.loads(tokens)),
        ended=ended,
        log_probability=_from_score(log_probability),
        filtered_log_probability=_from_score(filtered_log_probability),
        latent=None if latent is None else tuple(map(float, orjson.loads(latent))),
        seed=int(seed),
        index=index,
        sampling=_sampling(sampling),
        model_hash=model_hash,
        context_hash=context_hash,
        scores={name: float(value) for name, value in orjson.loads(scores or "{}").items()},
    )


@lru_cache(maxsize=256)
def _sampling(settings: str) -> Sampling:
    """Returns decoder settings; most replies of a chat have the same."""
    return Sampling(**orjson.loads(settings))


def _to_json(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)


def _from_score(value: float | None) -> float:
    return math.nan if value is None else value
