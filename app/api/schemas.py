"""JSON Schema, the part of it that these routes need: what the document says of a request is what checks it.

https://json-schema.org/draft/2020-12. A value is checked against `type`, `enum`, `minimum`, `maximum`,
`minLength`, `maxLength`, `minItems`, `maxItems`, `maxProperties`, `items`, `properties`, `required`,
`additionalProperties: false` and `anyOf`; other keywords are for readers.
"""

import json
from collections.abc import Mapping
from typing import Any

from app.api.problems import Problem

__all__ = ["check", "nullable", "shown"]

Schema = Mapping[str, Any]

_FEW_NAMES = 8
_KINDS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}
_NAMES = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}
_SIZES = {
    "minLength": (len, "{name} must have {limit} characters or more"),
    "maxLength": (len, "{name} has {size} characters, but may have at most {limit}"),
    "minItems": (len, "{name} is empty; it must hold {limit} or more"),
    "maxItems": (len, "{name} holds {size}, but may hold at most {limit}"),
    "maxProperties": (len, "{name} holds {size}, but may hold at most {limit}"),
}


def check(value: Any, schema: Schema, name: str) -> None:
    """Checks a value.

    Args:
        value: as JSON gave it.
        schema: what it must be.
        name: of the field, for the sentence; empty for the whole body.

    Raises:
        Problem: 400, in one sentence that names the field.
    """
    if "anyOf" in schema:
        _check_any(value, schema["anyOf"], name)
        return
    kind = schema.get("type")
    if kind is not None and not _is(value, kind):
        raise _problem(name, f"{name or 'the body'} is {shown(value)}, but must be {_NAMES[kind]}")
    if "enum" in schema and not any(_same(value, allowed) for allowed in schema["enum"]):
        allowed = " or ".join(map(shown, schema["enum"]))
        raise _problem(name, f"{name} is {shown(value)}, but must be {allowed}")
    _check_range(value, schema, name)
    for word, (size_of, sentence) in _SIZES.items():
        if word in schema:
            size, limit = size_of(value), schema[word]
            if size < limit if word.startswith("min") else size > limit:
                raise _problem(name, sentence.format(name=name, size=size, limit=limit))
    if isinstance(value, list) and "items" in schema:
        for place, item in enumerate(value):
            check(item, schema["items"], f"{name}[{place}]")
    if isinstance(value, dict) and "properties" in schema:
        _check_object(value, schema, name)


def nullable(schema: Schema) -> Schema:
    """Returns the schema of a field that may be null, too, which counts as not given."""
    return {"anyOf": [schema, {"type": "null"}]}


def shown(value: Any) -> str:
    """Returns a value as JSON, cut where it is long."""
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _check_any(value: Any, schemas: list[Schema], name: str) -> None:
    fitting = [schema for schema in schemas if "type" not in schema or _is(value, schema["type"])]
    if not fitting:
        kinds = " or ".join(_NAMES[schema["type"]] for schema in schemas)
        raise _problem(name, f"{name} is {shown(value)}, but must be {kinds}")
    check(value, fitting[0], name)


def _check_range(value: Any, schema: Schema, name: str) -> None:
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is None and most is None:
        return
    if (least is None or value >= least) and (most is None or value <= most):  # NaN is neither
        return
    limits = f"{least} to {most}" if most is not None else f"{least} or more"
    raise _problem(name, f"{name} is {shown(value)}, but must be {limits}")


def _check_object(value: dict[str, Any], schema: Schema, name: str) -> None:
    known, where = schema["properties"], f"{name}." if name else ""
    for key in value:
        if key not in known and schema.get("additionalProperties") is False:
            raise Problem(
                400,
                f"{where}{shown(key)[1:-1]} is not known; {_known(known)}",
                _clean(f"{where}{key}"),
                "unknown_parameter",
            )
    for key in schema.get("required", ()):
        if key not in value:
            raise Problem(400, f"{where}{key} is missing", f"{where}{key}", "missing_required_parameter")
    for key, inner in known.items():
        if key in value:
            check(value[key], inner, f"{where}{key}")


def _known(names: Mapping[str, Any]) -> str:
    return f"choose of {', '.join(names)}" if len(names) <= _FEW_NAMES else "/docs tells the fields that are"


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):  # `true` is no whole number
        return kind == "boolean"
    return isinstance(value, _KINDS[kind])


def _same(value: Any, allowed: Any) -> bool:
    return bool(value == allowed) and isinstance(value, bool) == isinstance(allowed, bool)


def _problem(name: str, sentence: str) -> Problem:
    return Problem(400, sentence, _clean(name) or None, "invalid_value")


def _clean(name: str) -> str:
    """Returns a field's name that any client can show: the sender may have made it up."""
    return name.encode("ascii", "backslashreplace").decode()[:100]
