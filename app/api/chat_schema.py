"""What `/v1/chat/completions` takes: the schema that the document shows and that each body is checked by.

https://platform.openai.com/docs/api-reference/chat/create
"""

from typing import Any

from app.api.requests import MAX_REPLIES, MAX_SPEAKER, MAX_TEXT, MAX_TOKENS, MAX_TURNS
from dialog.decoding.replies import CHAT_SAMPLING

__all__ = ["CHAT_REQUEST", "MAX_ID", "MAX_LISTED", "SESSION_CHANGE", "SESSION_REQUEST", "SPEAKERS"]

SPEAKERS = {"user": "user", "assistant": "bot"}
"""Roles, and what their speakers are called in the store."""
MAX_ID = 200
MAX_LISTED = 100
"""Chats that are listed at a time."""
_MAX_TOP = 20

_IGNORED = "Accepted and not read."
_TEXT_PART = {
    "type": "object",
    "properties": {"type": {"enum": ["text"]}, "text": {"type": "string", "maxLength": MAX_TEXT}},
    "required": ["type", "text"],
    "additionalProperties": False,
}
_MESSAGE = {
    "type": "object",
    "properties": {
        "role": {"type": "string", "enum": list(SPEAKERS)},
        "content": {
            "anyOf": [{"type": "string", "maxLength": MAX_TEXT}, {"type": "array", "items": _TEXT_PART}],
            "description": "What was said; parts of type `text` are joined.",
        },
        "name": {
            "type": "string",
            "maxLength": MAX_SPEAKER,
            "description": "Tells speakers of one role apart: two in a row by one speaker are one turn.",
        },
    },
    "required": ["role", "content"],
    "additionalProperties": False,
}


def _chosen(name: str) -> str:
    return f"{getattr(CHAT_SAMPLING, name)} when it is not given, as on the page."


CHAT_REQUEST: dict[str, Any] = {
    "type": "object",
    "required": ["model", "messages"],
    "additionalProperties": False,
    "properties": {
        "model": {"type": "string", "description": "One of `/v1/models`."},
        "messages": {
            "type": "array",
            "items": _MESSAGE,
            "minItems": 1,
            "maxItems": MAX_TURNS,
            "description": "The conversation, the last one of role `user`. With `session_id`: the new message alone.",
        },
        "n": {
            "type": "integer",
            "minimum": 1,
            "maximum": MAX_REPLIES,
            "description": "Replies; 1 when not given.",
        },
        "seed": {
            "type": "integer",
            "minimum": -(2**63),
            "maximum": 2**63 - 1,
            "description": "With the place of a reply it fixes that reply; drawn, and told, when it is not given.",
        },
        "temperature": {
            "type": "number",
            "minimum": 0,
            "maximum": 2,
            "description": f"0 takes the most probable token. {_chosen('temperature')}",
        },
        "top_p": {
            "type": "number",
            "minimum": 0,
            "maximum": 1,
            "description": f"Keep the most probable tokens that reach this share. {_chosen('top_p')}",
        },
        "max_tokens": {
            "type": "integer",
            "minimum": 1,
            "description": f"The longest reply; more than {MAX_TOKENS} counts as {MAX_TOKENS}. {_chosen('max_tokens')}",
        },
        "max_completion_tokens": {
            "type": "integer",
            "minimum": 1,
            "description": "The newer name of `max_tokens`.",
        },
        "stop": {
            "anyOf": [
                {"type": "string", "minLength": 1, "maxLength": 100},
                {
                    "type": "array",
                    "items": {"type": "string", "minLength": 1, "maxLength": 100},
                    "maxItems": 4,
                },
            ],
            "description": "The reply ends before the first of these texts.",
        },
        "stream": {"type": "boolean", "description": "Send the text as it comes, as server-sent events."},
        "stream_options": {
            "type": "object",
            "properties": {
                "include_usage": {
                    "type": "boolean",
                    "description": "A last event counts the tokens.",
                },
                "include_obfuscation": {"type": "boolean", "description": _IGNORED},
            },
            "additionalProperties": False,
            "description": "Read with `stream` alone.",
        },
        "logprobs": {
            "type": "boolean",
            "description": "Tell each token's log-probability under the model, in nats.",
        },
        "top_logprobs": {
            "type": "integer",
            "minimum": 0,
            "maximum": _MAX_TOP,
            "description": "And so many of the most probable tokens at its place. Read with `logprobs` alone.",
        },
        "top_k": {
            "type": "integer",
            "minimum": 0,
            "maximum": 2**31,
            "description": "Not of OpenAI's: keep the k most probable tokens; 0 keeps all.",
        },
        "min_p": {
            "type": "number",
            "minimum": 0,
            "maximum": 1,
            "description": "Not of OpenAI's: keep tokens at least this share as probable as the most probable one.",
        },
        "repetition_penalty": {
            "type": "number",
            "minimum": 1,
            "maximum": 100,
            "description": "Not of OpenAI's: makes tokens that the reply holds less probable; 1 is none.",
        },
        "min_tokens": {
            "type": "integer",
            "minimum": 1,
            "maximum": MAX_TOKENS,
            "description": "Not of OpenAI's: the shortest reply.",
        },
        "session_id": {
            "type": "string",
            "minLength": 1,
            "maxLength": MAX_ID,
            "description": "Not of OpenAI's: a stored chat of the caller's; it is read as the context, and takes "
            "message and replies.",
        },
        "client_id": {
            "type": "string",
            "minLength": 1,
            "maxLength": MAX_ID,
            "description": "Not of OpenAI's: made by the client for this message; the same one again stores nothing "
            "twice. The header `Idempotency-Key` says the same. Read with `session_id` alone.",
        },
        "user": {"type": "string", "description": _IGNORED},
        "safety_identifier": {"type": "string", "description": _IGNORED},
        "prompt_cache_key": {"type": "string", "description": _IGNORED},
        "metadata": {"type": "object", "description": _IGNORED},
        "parallel_tool_calls": {"type": "boolean", "description": _IGNORED},
        "service_tier": {"enum": ["auto", "default"], "description": _IGNORED},
        "store": {"enum": [False], "description": "A chat is stored by `session_id`."},
        "presence_penalty": {"enum": [0], "description": "Not supported: 0 alone."},
        "frequency_penalty": {"enum": [0], "description": "Not supported: 0 alone."},
        "logit_bias": {"type": "object", "maxProperties": 0, "description": "Not supported: empty alone."},
        "tools": {"type": "array", "maxItems": 0, "description": "Not supported: empty alone."},
        "tool_choice": {"enum": ["none", "auto"], "description": "There are no tools."},
        "modalities": {"enum": [["text"]], "description": "Text alone."},
        "response_format": {
            "type": "object",
            "properties": {"type": {"enum": ["text"]}},
            "required": ["type"],
            "additionalProperties": False,
            "description": "Text alone.",
        },
    },
}

SESSION_REQUEST: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "title": {
            "type": "string",
            "maxLength": 200,
            "description": "For the list of chats; its first message when not given.",
        },
        "model": {"type": "string", "maxLength": 200, "description": "The model that it is meant for."},
    },
}
"""What `POST /v1/sessions` takes."""

SESSION_CHANGE: dict[str, Any] = {
    "type": "object",
    "required": ["title"],
    "additionalProperties": False,
    "properties": {"title": SESSION_REQUEST["properties"]["title"]},
}
"""What `POST /v1/sessions/{session_id}` takes."""
