"""Requests: the bytes of a body in, checked values out, or one sentence that says what is wrong.

A body is read under a bound of size and of time, so that no sender can fill the memory or hold a place open.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from starlette.requests import ClientDisconnect, Request

from app.api.problems import Problem
from dialog.conversation import Conversation, Turn
from dialog.decoding.replies import CHAT_SAMPLING, Sampling
from dialog.errors import UsageError

__all__ = [
    "MAX_BODY_BYTES",
    "MAX_REPLIES",
    "MAX_TOKENS",
    "MAX_TURNS",
    "Asked",
    "BodyLimits",
    "read_body",
    "read_request",
]

MAX_BODY_BYTES = 2**20
MAX_TURNS = 2_000
MAX_TEXT = 20_000
"""Characters of a turn."""
MAX_SPEAKER = 200
"""Characters of a speaker's name."""
MAX_REPLIES = 32
MAX_TOKENS = 400
MAX_SEED = 2**53 - 1
"""What a JSON number holds exactly everywhere."""
PIECE_SECONDS = (0.02, 10.0)
BODY_SECONDS = 20.0
"""How long a sender may take."""

_FIELDS = ("model", "turns", "sampling", "num_replies", "seed", "piece_seconds")
_NAMES = {str: "a text", int: "a whole number", float: "a number", list: "a list", dict: "an object"}


@dataclass(frozen=True, slots=True)
class Asked:
    """A request for replies.

    Attributes:
        model: a bot's name.
        conversation: whose last turn is answered.
        sampling: how tokens are chosen.
        num_replies: how many.
        seed: fixes them.
        piece_seconds: how long the text of a stream is gathered before it is sent.
    """

    model: str
    conversation: Conversation
    sampling: Sampling = CHAT_SAMPLING
    num_replies: int = 1
    seed: int = 0
    piece_seconds: float = 0.25


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """What a body may be.

    Attributes:
        kind: its media type.
        what: what the sentences call it.
        most: bytes.
        when_longer: what its sender should do then.
        seconds: that its sender may take.
    """

    kind: str
    what: str
    most: int
    when_longer: str
    seconds: float


async def read_body(request: Request, limits: BodyLimits | None = None) -> bytes:
    """Returns a request's body.

    Args:
        request: whose.
        limits: those of JSON that asks for replies when None.

    Raises:
        Problem: it is of another type by its header, too long, or too slow.
    """
    limits = limits or BodyLimits(
        "application/json", "the body", MAX_BODY_BYTES, "send the last turns alone", BODY_SECONDS
    )
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != limits.kind:  # a page of somebody else cannot send this type unasked
        raise Problem(
            415,
            f"{limits.what} came as {kind or 'no named type'}; send it with 'Content-Type: {limits.kind}'",
        )
    parts, size = [], 0
    try:
        async with asyncio.timeout(limits.seconds):
            async for part in request.stream():
                size += len(part)
                if size > limits.most:
                    raise Problem(
                        413, f"{limits.what} is longer than {limits.most:,} bytes; {limits.when_longer}"
                    )
                parts.append(part)
    except TimeoutError:
        raise Problem(
            408, f"{limits.what} did not come within {limits.seconds:g} seconds; send it again"
        ) from None
    except ClientDisconnect:
        raise Problem(400, "the sender has gone") from None  # nobody reads it
    return b"".join(parts)


def read_request(body: bytes) -> Asked:
    """Returns what a body asks for.

    Raises:
        Problem: it is no JSON, a field is missing, unknown, of another type or out of range.
    """
    try:
        values = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Problem(400, f"the body is no JSON ({error}); send one JSON object") from None
    if not isinstance(values, dict):
        raise Problem(422, 'the body is no JSON object; send {"model": …, "turns": […]}')
    _refuse_unknown(values, _FIELDS, "")
    for name in ("model", "turns"):
        if name not in values:
            raise Problem(422, f'{name} is missing; send {{"model": …, "turns": […]}}')
    return Asked(
        model=_value(values, "model", str, ""),
        conversation=_conversation(_value(values, "turns", list, [])),
        sampling=_sampling(_value(values, "sampling", dict, {})),
        num_replies=_within(values, "num_replies", int, 1, 1, MAX_REPLIES),
        seed=_within(values, "seed", int, 0, 0, MAX_SEED),
        piece_seconds=_within(values, "piece_seconds", float, 0.25, *PIECE_SECONDS),
    )


def _conversation(turns: list[Any]) -> Conversation:
    if len(turns) > MAX_TURNS:
        raise Problem(
            422, f"turns holds {len(turns)} turns, but at most {MAX_TURNS} may be sent: the last ones"
        )
    read = []
    for place, turn in enumerate(turns):
        if not isinstance(turn, dict) or turn.keys() != {"speaker", "text"}:
            raise Problem(422, f'turns[{place}] must be an object {{"speaker": …, "text": …}}')
        speaker, text = turn["speaker"], turn["text"]
        if not isinstance(speaker, str) or not isinstance(text, str):
            raise Problem(422, f"speaker and text of turns[{place}] must be texts")
        if len(text) > MAX_TEXT or len(speaker) > MAX_SPEAKER:
            raise Problem(
                422,
                f"turns[{place}] is too long; a text may have {MAX_TEXT} characters, a speaker's name {MAX_SPEAKER}",
            )
        read.append(Turn(speaker, text))
    return Conversation("", tuple(read))


def _sampling(values: Mapping[str, Any]) -> Sampling:
    defaults = asdict(CHAT_SAMPLING)
    _refuse_unknown(values, tuple(defaults), "sampling.")
    given = {
        field.name: _value(values, field.name, _kind(defaults[field.name]), None, "sampling.")
        for field in fields(Sampling)
        if field.name in values
    }
    try:
        sampling = replace(CHAT_SAMPLING, **given)
    except UsageError as error:
        raise Problem(422, f"sampling: {error}") from None
    if sampling.max_tokens > MAX_TOKENS:
        raise Problem(422, f"sampling: max_tokens is {sampling.max_tokens}, but must be at most {MAX_TOKENS}")
    if sampling.method == "beam" and sampling.beam_size > MAX_REPLIES:
        raise Problem(422, f"sampling: beam_size is {sampling.beam_size}, but must be at most {MAX_REPLIES}")
    return sampling


def _kind(default: Any) -> type:
    """Returns the type that a setting has in JSON."""
    return list if isinstance(default, tuple) else type(default)


def _within(values: Mapping[str, Any], name: str, kind: type, default: Any, least: Any, most: Any) -> Any:
    value = _value(values, name, kind, default)
    if not least <= value <= most:
        raise Problem(422, f"{name} is {value}, but must be {least} to {most}")
    return value


def _value(values: Mapping[str, Any], name: str, kind: type, default: Any, where: str = "") -> Any:
    value = values.get(name, default)
    if kind is float and type(value) is int:
        value = float(value) if abs(value) <= MAX_SEED else value
    if type(value) is not kind:  # `True` is no whole number
        raise Problem(422, f"{where}{name} is {_shown(value)}, but must be {_NAMES[kind]}")
    return value


def _refuse_unknown(values: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    for name in values:
        if name not in known:
            raise Problem(422, f"{where}{_shown(name)[1:-1]} is not known; choose of {', '.join(known)}")


def _shown(value: Any) -> str:
    """Returns a value as JSON, cut where it is long."""
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
