"""The OpenAPI document of every route that people call: written here, held against the routes by a test.

https://spec.openapis.org/oas/v3.1.0. The schemas of `/v1` requests are those that bodies are checked by.
"""

from dataclasses import asdict, fields
from typing import Any

import dialog
from app.api.chat_schema import CHAT_REQUEST, MAX_LISTED, SESSION_CHANGE, SESSION_REQUEST
from app.api.document_answers import ANSWERS
from app.api.requests import (
    MAX_REPLIES,
    MAX_SEED,
    MAX_SPEAKER,
    MAX_TEXT,
    MAX_TOKENS,
    MAX_TURNS,
    PIECE_SECONDS,
)
from app.api.schemas import nullable
from dialog.decoding.replies import CHAT_SAMPLING, Sampling

__all__ = ["make_document"]

_JSON = "application/json"
_KINDS = {str: "string", int: "integer", float: "number"}


def make_document() -> dict[str, Any]:
    """Returns the document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "dialog",
            "version": dialog.__version__,
            "description": "Replies of small models that learned to talk from conversations, and the chats that are "
            "stored. `/v1` is OpenAI's API as far as such models can serve it; `/api` tells all there is to tell of a "
            "reply. Where the server demands a login, each call needs an API key as a bearer token.",
        },
        "security": [{}, {"key": []}],
        "paths": {**_chat_paths(), **_own_paths(), **_service_paths()},
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            "schemas": {
                "ChatRequest": _with_nulls(CHAT_REQUEST),
                "SessionRequest": _with_nulls(SESSION_REQUEST),
                "SessionChange": _with_nulls(SESSION_CHANGE),
                "ReplyRequest": _reply_request(),
                **ANSWERS,
            },
        },
    }


def _chat_paths() -> dict[str, Any]:
    key = {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "schema": {"type": "string"},
        "description": "The same as the field `client_id`, which wins.",
    }
    completion = _operation("Reply to a conversation.", "ChatCompletion", "ChatRequest", (400, 404, 409, 503))
    completion["responses"]["200"]["content"]["text/event-stream"] = {
        "schema": {
            "type": "string",
            "description": "With `stream`: chunks (`chat.completion.chunk`), each behind `data: `, then `[DONE]`.",
        }
    }
    listing = _operation(
        "List the caller's chats, the one changed last first.", "SessionList", None, (400, 404)
    )
    return {
        "/v1/models": {"get": _operation("List the models.", "ModelList")},
        "/v1/models/{model}": {"get": _operation("Tell one model.", "Model", None, (404,), "model")},
        "/v1/chat/completions": {"post": {**completion, "parameters": [key]}},
        "/v1/sessions": {
            "get": {**listing, "parameters": _pages()},
            "post": _operation("Make an empty chat.", "Session", "SessionRequest", (400,)),
        },
        "/v1/sessions/{session_id}": {
            "get": _operation(
                "Tell a chat with its messages.", "SessionMessages", None, (404,), "session_id"
            ),
            "post": _operation(
                "Give a chat another title.", "Session", "SessionChange", (400, 404), "session_id"
            ),
            "delete": _operation(
                "Delete a chat and all its messages, for good.", "SessionDeleted", None, (404,), "session_id"
            ),
        },
    }


def _pages() -> list[dict[str, Any]]:
    """Returns the parameters of a list that comes in pages."""
    given: dict[str, tuple[dict[str, Any], str]] = {
        "limit": (
            {"type": "integer", "minimum": 1, "maximum": MAX_LISTED, "default": MAX_LISTED},
            "At most so many.",
        ),
        "after": ({"type": "string"}, "The id of the last chat of the page before."),
    }
    return [
        {"name": name, "in": "query", "required": False, "schema": schema, "description": words}
        for name, (schema, words) in given.items()
    ]


def _own_paths() -> dict[str, Any]:
    stream = _operation(
        "The same, as the text comes.", "Replies", "ReplyRequest", (400, 404, 422, 503), own=True
    )
    stream["responses"]["200"]["content"] = {
        "text/event-stream": {
            "schema": {
                "type": "string",
                "description": "Events `piece` ({index, text}), at last `replies` (as of `/api/reply`) or `error`.",
            }
        }
    }
    return {
        "/api/models": {"get": _operation("Tell each model's kind, size and hash.", "OwnModels")},
        "/api/health": {"get": _operation("Tell how busy each model is.", "Health")},
        "/api/reply": {
            "post": _operation(
                "Reply, with all that is needed to get the reply again.",
                "Replies",
                "ReplyRequest",
                (400, 404, 422, 503),
                own=True,
            )
        },
        "/api/stream": {"post": stream},
    }


def _service_paths() -> dict[str, Any]:
    health = _operation("Whether the store answers and a model is loaded.", "Healthz")
    health["responses"]["503"] = {**health["responses"]["200"], "description": "One of both is not so."}
    return {
        "/healthz": {"get": health},
        "/metrics": {"get": _text("Figures for Prometheus; for administrators.", "text/plain")},
        "/openapi.json": {
            "get": {
                "summary": "This document.",
                "responses": {"200": {"description": "It.", "content": {_JSON: {}}}},
            }
        },
        "/docs": {"get": _text("This document as a page.", "text/html")},
        "/docs/style.css": {"get": _text("How that page looks.", "text/css")},
    }


def _operation(
    summary: str,
    answer: str,
    request: str | None = None,
    problems: tuple[int, ...] = (),
    in_path: str | None = None,
    own: bool = False,
) -> dict[str, Any]:
    """Returns an operation that answers with JSON; `own` problems are of the form {"error": sentence}."""
    responses = {"200": {"description": "Done.", "content": {_JSON: {"schema": _of(answer)}}}}
    for status in problems:
        schema = _of("OwnProblem" if own else "Problem")
        responses[str(status)] = {"description": _STATUSES[status], "content": {_JSON: {"schema": schema}}}
    operation: dict[str, Any] = {"summary": summary, "responses": responses}
    if request is not None:
        operation["requestBody"] = {"required": True, "content": {_JSON: {"schema": _of(request)}}}
    if in_path is not None:
        parameter = {"name": in_path, "in": "path", "required": True, "schema": {"type": "string"}}
        operation["parameters"] = [parameter]
    return operation


_STATUSES = {
    400: "The request cannot be read, or one of its fields cannot be.",
    404: "There is no such model or chat.",
    409: "The id stands for another message.",
    422: "A field cannot be.",
    503: "Busy: try again in a moment.",
}


def _text(summary: str, kind: str) -> dict[str, Any]:
    content = {kind: {"schema": {"type": "string"}}}
    return {"summary": summary, "responses": {"200": {"description": "It.", "content": content}}}


def _of(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _with_nulls(schema: dict[str, Any]) -> dict[str, Any]:
    """Returns the schema of a body whose fields may be null, which counts as not given."""
    needed = schema.get("required", ())
    properties = {
        name: inner if name in needed else _nullable(inner) for name, inner in schema["properties"].items()
    }
    return {**schema, "properties": properties}


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    inner = {word: value for word, value in schema.items() if word != "description"}
    return {**nullable(inner), **({"description": schema["description"]} if "description" in schema else {})}


def _reply_request() -> dict[str, Any]:
    turn = {
        "type": "object",
        "properties": {
            "speaker": {"type": "string", "maxLength": MAX_SPEAKER},
            "text": {"type": "string", "maxLength": MAX_TEXT},
        },
        "required": ["speaker", "text"],
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "required": ["model", "turns"],
        "additionalProperties": False,
        "properties": {
            "model": {"type": "string", "description": "One of `/api/models`."},
            "turns": {
                "type": "array",
                "items": turn,
                "maxItems": MAX_TURNS,
                "description": "The conversation.",
            },
            "sampling": _sampling(),
            "num_replies": {"type": "integer", "minimum": 1, "maximum": MAX_REPLIES, "default": 1},
            "seed": {"type": "integer", "minimum": 0, "maximum": MAX_SEED, "default": 0},
            "piece_seconds": {
                "type": "number",
                "minimum": PIECE_SECONDS[0],
                "maximum": PIECE_SECONDS[1],
                "default": 0.25,
                "description": "How long the text of a stream is gathered.",
            },
        },
    }


def _sampling() -> dict[str, Any]:
    defaults = asdict(CHAT_SAMPLING)
    properties: dict[str, Any] = {}
    for setting in fields(Sampling):
        default = defaults[setting.name]
        kind = (
            {"type": "array", "items": {"type": "string"}}
            if default == ()
            else {"type": _KINDS[type(default)]}
        )
        properties[setting.name] = {**kind, "default": list(default) if default == () else default}
    properties["max_tokens"]["maximum"] = MAX_TOKENS
    properties["method"]["enum"] = ["greedy", "sample", "beam"]
    return {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "description": "How tokens are chosen.",
    }
