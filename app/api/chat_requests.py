"""`/v1/chat/completions`: the body as OpenAI's clients send it, checked by its schema, and read."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.api.chat_schema import CHAT_REQUEST, SPEAKERS
from app.api.problems import Problem
from app.api.requests import MAX_TOKENS
from app.api.schemas import check, shown
from dialog.conversation import Conversation, Turn
from dialog.decoding.replies import CHAT_SAMPLING, Sampling

__all__ = ["ChatAsked", "read_chat_request", "read_object"]


@dataclass(frozen=True, slots=True)
class ChatAsked:
    """A request for chat completions.

    Attributes:
        model: a bot's name.
        conversation: whose last turn is answered; with a session, the new message alone.
        sampling: how tokens are chosen.
        num_replies: how many.
        seed: of all; None to draw one.
        is_streamed: whether the text is sent as it comes.
        includes_usage: whether a stream ends with the counts of tokens.
        num_top: how many of the most probable tokens are told at each place; None tells no log-probabilities.
        session_id: the stored chat that is meant, or None.
        client_id: the client's own id of the message, or None.
    """

    model: str
    conversation: Conversation
    sampling: Sampling
    num_replies: int
    seed: int | None
    is_streamed: bool
    includes_usage: bool
    num_top: int | None
    session_id: str | None
    client_id: str | None


def read_object(body: bytes) -> dict[str, Any]:
    """Returns the JSON object of a body, without the fields that are null.

    Raises:
        Problem: it is none.
    """
    try:
        values = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Problem(400, f"the body is no JSON ({error}); send one JSON object") from None
    if not isinstance(values, dict):
        raise Problem(400, f"the body is {shown(values)}, but must be a JSON object")
    return {name: value for name, value in values.items() if value is not None}


def read_chat_request(body: bytes, idempotency_key: str | None = None) -> ChatAsked:
    """Returns what a body asks for.

    Args:
        body: of the request.
        idempotency_key: the header of that name.

    Raises:
        Problem: it is no JSON, or a field is missing, unknown, not supported, or out of range.
    """
    values = read_object(body)
    if isinstance(values.get("messages"), list):
        values["messages"] = [_message(message, n) for n, message in enumerate(values["messages"])]
    check(values, CHAT_REQUEST, "")
    _check_pairs(values)
    session_id = values.get("session_id")
    conversation = _conversation(values["messages"], session_id is not None)
    logprobs = values.get("logprobs", False)
    return ChatAsked(
        model=values["model"],
        conversation=conversation,
        sampling=_sampling(values),
        num_replies=values.get("n", 1),
        seed=values.get("seed"),
        is_streamed=values.get("stream", False),
        includes_usage=values.get("stream_options", {}).get("include_usage", False),
        num_top=values.get("top_logprobs", 0) if logprobs else None,
        session_id=session_id,
        client_id=values.get("client_id", idempotency_key) if session_id is not None else None,
    )


def _message(message: Any, place: int) -> Any:
    """Returns a message without what says nothing: a reply that a client sends back has many empty fields."""
    if not isinstance(message, dict):
        return message
    role = message.get("role")
    if role in ("system", "developer"):
        raise Problem(
            400,
            f"messages[{place}] is of role {role}, but these models learned from conversations and follow no "
            "instructions; leave it out",
            f"messages[{place}].role",
            "unsupported_value",
        )
    return {
        name: value for name, value in message.items() if value not in (None, [], {}) or name == "content"
    }


def _check_pairs(values: Mapping[str, Any]) -> None:
    """Checks what one field says against another."""
    for name, other, is_read in (
        ("top_logprobs", "logprobs", values.get("logprobs", False)),
        ("stream_options", "stream", values.get("stream", False)),
        ("client_id", "session_id", "session_id" in values),
    ):
        if name in values and not is_read:
            raise Problem(
                400,
                f"{name} is read with {other} alone; give that, too, or leave it out",
                name,
                "invalid_value",
            )
    limits = {values[name] for name in ("max_tokens", "max_completion_tokens") if name in values}
    if len(limits) > 1:
        raise Problem(
            400,
            "max_tokens and max_completion_tokens say the same, but differ; give one of them",
            "max_tokens",
            "invalid_value",
        )


def _conversation(messages: list[dict[str, Any]], is_in_session: bool) -> Conversation:
    last = len(messages) - 1
    if messages[last]["role"] != "user":
        raise Problem(
            400,
            f"messages[{last}] is of role {messages[last]['role']}, but the last one must be a user's to be answered",
            f"messages[{last}].role",
            "invalid_value",
        )
    if is_in_session and last > 0:
        raise Problem(
            400,
            f"messages holds {last + 1}, but with session_id the store knows the earlier ones; send the new one alone",
            "messages",
            "invalid_value",
        )
    return Conversation("", tuple(Turn(_speaker(message), _text(message)) for message in messages))


def _speaker(message: Mapping[str, Any]) -> str:
    speaker = SPEAKERS[message["role"]]
    return f"{speaker} {message['name']}" if message.get("name") else speaker


def _text(message: Mapping[str, Any]) -> str:
    content = message["content"]
    return content if isinstance(content, str) else " ".join(part["text"] for part in content)


def _sampling(values: Mapping[str, Any]) -> Sampling:
    is_greedy = values.get("temperature") == 0 or values.get("top_p") == 0
    drawn: dict[str, Any] = {}
    if not is_greedy:
        drawn = {"temperature": CHAT_SAMPLING.temperature, "top_p": CHAT_SAMPLING.top_p}
    for name in () if is_greedy else ("temperature", "top_p", "min_p"):
        if name in values:
            drawn[name] = float(values[name])
    if not is_greedy and "top_k" in values:
        drawn["top_k"] = values["top_k"]
    longest = values.get("max_tokens", values.get("max_completion_tokens", CHAT_SAMPLING.max_tokens))
    stop = values.get("stop", [])
    return Sampling(
        "greedy" if is_greedy else "sample",
        repetition_penalty=float(values.get("repetition_penalty", 1.0)),
        min_tokens=values.get("min_tokens", 1),
        max_tokens=min(longest, MAX_TOKENS),
        stop=(stop,) if isinstance(stop, str) else tuple(stop),
        **drawn,
    )
