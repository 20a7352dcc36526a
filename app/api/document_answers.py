"""The schemas of what the routes answer, for the OpenAPI document; a test checks real answers by them."""

from typing import Any

__all__ = ["ANSWERS"]

_TEXT = {"type": "string"}
_WHOLE = {"type": "integer"}
_NUMBER = {"type": "number"}
_YES = {"type": "boolean"}


def _object(optional: tuple[str, ...] = (), /, **properties: Any) -> dict[str, Any]:
    """Returns an object that has these fields and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }


def _list(item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": item}


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


def _of(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


_TOKEN = {"token": _TEXT, "logprob": {**_NUMBER, "description": "Nats."}, "bytes": _list(_WHOLE)}
_CHOICE = _object(
    index=_WHOLE,
    message=_object(role={"enum": ["assistant"]}, content=_TEXT, refusal={"type": "null"}),
    logprobs=_or_null(
        _object(
            content=_list(_object(**_TOKEN, top_logprobs=_list(_object(**_TOKEN)))), refusal={"type": "null"}
        )
    ),
    finish_reason={
        "enum": ["stop", "length"],
        "description": "`stop`: the reply ended by itself or before a stop sequence.",
    },
)
_MODEL = _object(id=_TEXT, object={"enum": ["model"]}, created=_WHOLE, owned_by=_TEXT)
_SESSION = {
    "id": _TEXT,
    "object": {"enum": ["session"]},
    "title": _TEXT,
    "model": _TEXT,
    "created": {**_WHOLE, "description": "Seconds since 1970, as everywhere here."},
    "updated": _WHOLE,
}
_SESSION_MESSAGE = _object(
    id=_TEXT, role={"enum": ["user", "assistant"]}, content=_TEXT, created=_WHOLE, model=_or_null(_TEXT)
)
_REPLY = _object(
    text=_TEXT,
    tokens=_list(_WHOLE),
    ended={"enum": ["end", "length", "stop"]},
    log_probability={**_NUMBER, "description": "Nats of all its tokens under the model."},
    filtered_log_probability={**_NUMBER, "description": "Nats under what was drawn from."},
    latent=_or_null(_list(_NUMBER)),
    seed=_WHOLE,
    index=_WHOLE,
    sampling={"type": "object", "description": "How its tokens were chosen."},
    model_hash=_TEXT,
    context_hash=_TEXT,
    scores={"type": "object", "description": "Further figures by name, in nats."},
)

ANSWERS: dict[str, Any] = {
    "ChatCompletion": _object(
        id=_TEXT,
        object={"enum": ["chat.completion"]},
        created=_WHOLE,
        model=_TEXT,
        system_fingerprint={**_TEXT, "description": "Of the model's weights."},
        choices=_list(_CHOICE),
        usage=_object(prompt_tokens=_WHOLE, completion_tokens=_WHOLE, total_tokens=_WHOLE),
        hred=_object(
            ("session_id", "message_id"),
            seed={**_WHOLE, "description": "Send it again to get the same replies."},
            model_hash=_TEXT,
            context_hash=_TEXT,
            session_id=_TEXT,
            message_id=_TEXT,
        ),
    ),
    "Problem": _object(
        error=_object(
            message={**_TEXT, "description": "One sentence."},
            type={"enum": ["invalid_request_error", "server_error"]},
            param=_or_null(_TEXT),
            code=_or_null(_TEXT),
        )
    ),
    "OwnProblem": _object(error={**_TEXT, "description": "One sentence."}),
    "Model": _MODEL,
    "ModelList": _object(object={"enum": ["list"]}, data=_list(_MODEL)),
    "Session": _object(**_SESSION),
    "SessionList": _object(object={"enum": ["list"]}, data=_list(_object(**_SESSION)), has_more=_YES),
    "SessionDeleted": _object(id=_TEXT, object={"enum": ["session.deleted"]}, deleted=_YES),
    "SessionMessages": _object(**_SESSION, messages=_list(_SESSION_MESSAGE)),
    "Replies": _object(replies=_list(_REPLY)),
    "OwnModels": _object(
        models=_list(
            _object(
                ("kind", "precision", "parameters", "bytes", "model_hash", "error"),
                name=_TEXT,
                kind=_TEXT,
                precision=_TEXT,
                parameters=_WHOLE,
                bytes=_WHOLE,
                model_hash=_TEXT,
                error={**_TEXT, "description": "Why it could not be loaded."},
            )
        )
    ),
    "Health": _object(
        models={
            "type": "object",
            "additionalProperties": _object(
                ("waiting", "running", "tokens"),
                is_loaded=_YES,
                waiting=_WHOLE,
                running=_WHOLE,
                tokens=_WHOLE,
            ),
        }
    ),
    "Healthz": _object(
        status={"enum": ["ok", "unavailable"]},
        store={"enum": ["ok", "unavailable"]},
        models=_object(loaded=_WHOLE, of=_WHOLE),
    ),
}
