"""The OpenAPI document as one HTML page: no script, nothing from outside, every text escaped."""

import html
import json
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["PAGE_STYLE", "document_page"]

PAGE_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 0 auto; padding: 1rem; }
h2 { margin-top: 2.5rem; border-top: 1px solid #8886; padding-top: 1rem; font-size: 1.1rem; }
code, pre { font-family: ui-monospace, monospace; font-size: .9em; }
table { border-collapse: collapse; width: 100%; display: block; overflow-x: auto; }
th, td { text-align: left; vertical-align: top; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid #8884; }
.method { text-transform: uppercase; font-weight: 700; margin-right: .5rem; }
nav ul { columns: 2; padding-left: 1.2rem; }
"""

_SIZES = {
    "minimum": "from {}",
    "maximum": "to {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "maxItems": "at most {}",
    "maxProperties": "at most {}",
}


def document_page(document: Mapping[str, Any]) -> str:
    """Returns the page of an OpenAPI document."""
    info, schemas = document["info"], document["components"]["schemas"]
    operations = [
        (method, path, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
    ]
    links = "".join(
        f'<li><a href="#{_anchor(method, path)}">{_name(method, path)}</a></li>'
        for method, path, _ in operations
    )
    parts = [
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{_text(info['title'])}: the API</title>",
        '<link rel="icon" href="data:,"><link rel="stylesheet" href="docs/style.css"></head><body>',
        f"<h1>{_text(info['title'])}: the API</h1><p>{_prose(info['description'])}</p>",
        f'<p>The same for programs: <a href="openapi.json">openapi.json</a>.</p><nav><ul>{links}</ul></nav>',
    ]
    for method, path, operation in operations:
        parts += _operation(method, path, operation)
    for name, schema in schemas.items():
        parts.append(f'<h2 id="{name}">{name}</h2>{_table(schema)}')
    return "".join([*parts, "</body></html>\n"])


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> Iterator[str]:
    yield f'<h2 id="{_anchor(method, path)}">{_name(method, path)}</h2><p>{_prose(operation["summary"])}</p>'
    for parameter in operation.get("parameters", ()):
        about = _prose(parameter.get("description", ""))
        yield f"<p><code>{_text(parameter['name'])}</code> (in the {parameter['in']}) {about}</p>"
    if "requestBody" in operation:
        yield f"<p>Takes {_contents(operation['requestBody']['content'])}.</p>"
    rows = "".join(
        f"<tr><td>{status}</td><td>{_prose(response['description'])}</td><td>{_contents(response['content'])}</td></tr>"
        for status, response in operation["responses"].items()
    )
    yield f"<table><thead><tr><th>status</th><th>means</th><th>answer</th></tr></thead><tbody>{rows}</tbody></table>"


def _contents(content: Mapping[str, Any]) -> str:
    return " or ".join(
        f"<code>{_text(kind)}</code> {_kind(value['schema']) if 'schema' in value else ''}"
        for kind, value in content.items()
    )


def _table(schema: Mapping[str, Any]) -> str:
    """Returns the fields of a schema, those of objects within it by their full names."""
    rows = "".join(
        f"<tr><td><code>{_text(name)}</code>{' (needed)' if is_needed else ''}</td><td>{_kind(inner)}</td>"
        f"<td>{_prose(inner.get('description', ''))}</td></tr>"
        for name, inner, is_needed in _fields(schema, "")
    )
    return (
        f"<table><thead><tr><th>field</th><th>is</th><th>means</th></tr></thead><tbody>{rows}</tbody></table>"
    )


def _fields(schema: Mapping[str, Any], where: str) -> Iterator[tuple[str, Mapping[str, Any], bool]]:
    for name, inner in schema.get("properties", {}).items():
        yield f"{where}{name}", inner, name in schema.get("required", ())
        for option in inner.get("anyOf", [inner]):
            item = option.get("items", option)
            mark = "[]" if "items" in option else ""
            yield from _fields(item, f"{where}{name}{mark}.")
    others = schema.get("additionalProperties")
    if isinstance(others, Mapping):
        yield from _fields(others, f"{where}*.")


def _kind(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        name = _text(schema["$ref"].rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(map(_kind, schema["anyOf"]))
    if "enum" in schema:
        return " or ".join(f"<code>{_text(json.dumps(value))}</code>" for value in schema["enum"])
    kind = _text(schema.get("type", "anything"))
    if "items" in schema:
        kind += f" of {_kind(schema['items'])}"
    sizes = [text.format(schema[word]) for word, text in _SIZES.items() if word in schema]
    if "default" in schema:
        sizes.append(f"{json.dumps(schema['default'])} when not given")
    about = f" ({_text(', '.join(sizes))})" if sizes else ""
    return kind + about


def _name(method: str, path: str) -> str:
    return f'<span class="method">{method}</span><code>{_text(path)}</code>'


def _anchor(method: str, path: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in f"{method}{path}")


def _prose(text: str) -> str:
    """Returns a text with what stands in backquotes as code."""
    parts = _text(text).split("`")
    return "".join(f"<code>{part}</code>" if place % 2 else part for place, part in enumerate(parts))


def _text(text: str) -> str:
    return html.escape(text, quote=True)
