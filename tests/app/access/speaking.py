"""What a page and a program say to a server, in Gradio's protocol and the API's."""

import json
from typing import Any

from tests.app.access.house_of_servers import Browser, ask

__all__ = ["call", "data_for", "id_of", "loading", "say", "sending"]

BOX, SESSION, LEAF = ("chat-message", "message"), ("chat-session", "session-id"), ("chat-leaf",)
CONVERSATION = ("chat-conversation", "conversation")
"""Names that elements of the page have or had."""


def id_of(config: dict[str, Any], names: tuple[str, ...]) -> int:
    return next(one["id"] for one in config["components"] if one["props"].get("elem_id") in names)


def sending(config: dict[str, Any]) -> dict[str, Any]:
    box = id_of(config, BOX)
    return next(one for one in config["dependencies"] if [box, "submit"] in one["targets"])


def loading(config: dict[str, Any]) -> dict[str, Any]:
    shown = id_of(config, CONVERSATION)
    events = [one for one in config["dependencies"] if any(name == "load" for _, name in one["targets"])]
    return next(one for one in events if shown in one["outputs"])


def data_for(config: dict[str, Any], dependency: dict[str, Any], given: dict[str, Any]) -> list[Any]:
    """The values that the page would send: the components' own, and what is given for some, by `elem_id`."""
    components = {one["id"]: one["props"] for one in config["components"]}
    inputs = [components[number] for number in dependency["inputs"]]
    return [given.get(one.get("elem_id"), one.get("value")) for one in inputs]


def say(browser: Browser, text: str, session_id: str = "", leaf: str = "") -> tuple[int, str]:
    """Opens the page, sends a message, and returns the status and all that comes of it."""
    config = browser.open()
    values = ((BOX, text), (SESSION, session_id), (LEAF, leaf))
    given: dict[str, Any] = {name: value for names, value in values for name in names}
    given["chat-max-tokens"] = 5
    return browser.send(sending(config), data_for(config, sending(config), given))


def call(port: int, method: str, path: str, key: str = "", values: Any = None) -> tuple[int, bytes]:
    """Calls the API as a program does, with a key and no cookie."""
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}
    answer, body = ask(port, method, path, None if values is None else json.dumps(values).encode(), headers)
    return answer.status, body
