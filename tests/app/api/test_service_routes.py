"""Health, figures, and the document of the API, which is held against the routes and against real answers."""

import json
import re

import pytest
from fastapi import FastAPI
from playwright.sync_api import sync_playwright
from prometheus_client.parser import text_string_to_metric_families

from app.api import add_api, make_router
from app.api.chat_routes import make_chat_router
from app.api.schemas import check
from app.api.service_routes import make_service_router
from app.bots import Bots
from dialog.errors import StoreError
from tests.app.api.served import TURNS, Served
from tests.browser import LAUNCH_ARGS, chromium_path

MESSAGES = [{"role": "user", "content": "hello"}]


def get(served, path):
    response, body = served.request("GET", path)
    return response.status, json.loads(body)


def figures(served):
    """Samples by name and labels."""
    response, body = served.request("GET", "/metrics")
    assert response.status == 200 and response.headers["content-type"].startswith("text/plain; version=0.0.4")
    families = text_string_to_metric_families(body.decode())
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in families
        for sample in family.samples
    }


def test_it_is_well_once_the_store_answers_and_a_model_is_loaded(api_folders):
    running = Served(Bots({"hred": api_folders["hred"], "vhred": api_folders["vhred"]}))
    try:
        assert get(running, "/healthz") == (
            503,
            {"status": "unavailable", "store": "ok", "models": {"loaded": 0, "of": 2}},
        )
        running.bots.engine("hred")
        well = {"status": "ok", "store": "ok", "models": {"loaded": 1, "of": 2}}
        assert get(running, "/healthz") == (200, well)
        running.store.close()
        assert get(running, "/healthz") == (503, {**well, "status": "unavailable", "store": "unavailable"})
    finally:
        running.close()


def test_a_store_that_hangs_is_not_well_and_holds_one_thread(served, monkeypatch):
    import threading

    from app.api import service_routes
    from app.store import Store

    served.bots.engine("hred")
    go_on, asked = threading.Event(), []

    def hangs(self, *_, **__):
        asked.append(1)
        go_on.wait(60)
        return ()

    monkeypatch.setattr(service_routes, "_STORE_SECONDS", 0.05)
    with monkeypatch.context() as patch:
        patch.setattr(Store, "sessions", hangs)
        assert [get(served, "/healthz")[0] for _ in range(3)] == [503] * 3
        assert len(asked) == 1
        go_on.set()
    monkeypatch.undo()
    served.wait_until(lambda: get(served, "/healthz")[0] == 200)


def test_figures_count_replies_tokens_and_seconds_of_all_that_is_decoded(served):
    before = figures(served)
    _, body = served.request("POST", "/api/reply", {"model": "vhred", "turns": TURNS, "num_replies": 2})
    _, other = served.request("POST", "/v1/chat/completions", {"model": "vhred", "messages": MESSAGES})
    tokens = sum(len(reply["tokens"]) for reply in json.loads(body)["replies"])
    tokens += json.loads(other)["usage"]["completion_tokens"]
    after = figures(served)

    def grown(*name):
        return after.get(name, 0) - before.get(name, 0)

    assert grown("hred_reply_tokens_total", "vhred") == tokens
    assert sum(grown("hred_replies_total", ended, "vhred") for ended in ("end", "length", "stop")) == 3
    assert grown("hred_reply_seconds_count", "vhred") == 3 and grown("hred_reply_seconds_sum", "vhred") > 0
    assert after["hred_model_loaded", "vhred"] == 1
    assert (after["hred_requests_waiting", "vhred"], after["hred_replies_running", "vhred"]) == (0, 0)


def test_figures_show_what_waits(crowded):
    engine = crowded.bots.engine("seq2seq")
    slow = {"model": "seq2seq", "messages": MESSAGES, "max_tokens": 400, "min_tokens": 400}
    waiting = [crowded.send("/v1/chat/completions", slow)]
    crowded.wait_until(lambda: engine.num_running == 1)
    waiting.append(crowded.send("/v1/chat/completions", slow))
    crowded.wait_until(lambda: engine.num_waiting == 1)
    found = figures(crowded)
    assert (found["hred_requests_waiting", "seq2seq"], found["hred_replies_running", "seq2seq"]) == (1, 1)
    assert found["hred_model_loaded", "hred"] == 0
    for connection in waiting:
        connection.close()


def test_figures_count_what_the_database_could_not_do(served, tmp_path):
    from app.store import Store

    before = figures(served)["hred_store_failures_total",]
    (tmp_path / "s.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreError):
        Store.open(f"sqlite:///{tmp_path}/s.db")
    assert figures(served)["hred_store_failures_total",] >= before + 1


def test_figures_are_for_administrators(served, api_folders):
    """The server's guard says who is one; here a small one says that nobody is."""
    import asyncio

    app = FastAPI()
    add_api(app, served.bots, served.store)
    sent = []

    async def ask():
        scope = {"type": "http", "method": "GET", "path": "/metrics", "headers": [], "query_string": b""}

        async def receive():
            return {"type": "http.disconnect"}

        async def send(message):
            sent.append(message)

        await app({**scope, "state": {"is_admin": False}}, receive, send)

    asyncio.run(ask())
    assert sent[0]["status"] == 403 and b"administrators" in sent[1]["body"]


def document(served):
    return get(served, "/openapi.json")[1]


def test_the_document_has_every_route_and_no_other(served):
    nobody = Bots({})
    routers = (
        make_router(nobody),
        make_chat_router(nobody, served.store),
        make_service_router(nobody, served.store),
    )
    routes = {
        (method, route.path.replace(":path", ""))
        for router in routers
        for route in router.routes
        if "rest" not in route.path
        for method in route.methods
    }
    assert {
        (method.upper(), path) for path, item in document(served)["paths"].items() for method in item
    } == routes


def resolved(schema, schemas):
    """A schema without references, for the checker knows none."""
    if isinstance(schema, dict):
        if "$ref" in schema:
            return resolved(schemas[schema["$ref"].rpartition("/")[2]], schemas)
        return {name: resolved(value, schemas) for name, value in schema.items()}
    return [resolved(item, schemas) for item in schema] if isinstance(schema, list) else schema


def test_answers_are_as_the_document_says(served):
    found = document(served)
    schemas = found["components"]["schemas"]
    session = json.loads(served.request("POST", "/v1/sessions", {"title": "t"})[1])["id"]
    chat = {
        "model": "vhred",
        "messages": MESSAGES,
        "session_id": session,
        "logprobs": True,
        "top_logprobs": 2,
    }
    own = {"model": "vhred", "turns": TURNS, "sampling": {"stop": ["never"]}}
    sent = {
        "/v1/chat/completions": chat,
        "/v1/sessions": {},
        "/v1/sessions/{session_id}": {"title": "another"},
        "/api/reply": own,
    }
    asked = 0
    for path, item in found["paths"].items():
        for method, operation in item.items():
            content = operation["responses"]["200"]["content"]
            if "schema" not in content.get("application/json", {}):
                continue
            place = path.replace("{model}", "hred").replace("{session_id}", session)
            body = sent[path] if method == "post" else None
            response, data = served.request(method.upper(), place, body)
            assert response.status == 200, (path, data)
            check(json.loads(data), resolved(content["application/json"]["schema"], schemas), path)
            asked += 1
    assert asked == 12
    _, data = served.request("POST", "/v1/chat/completions", {"model": "hred"})
    check(json.loads(data), resolved(schemas["Problem"], schemas), "problem")
    _, data = served.request("POST", "/api/reply", {"model": "hred"})
    check(json.loads(data), resolved(schemas["OwnProblem"], schemas), "problem")


def examples(schema):
    """Values that a schema allows, its limits among them."""
    if "anyOf" in schema:
        return [value for option in schema["anyOf"] for value in examples(option)]
    if "enum" in schema:
        return schema["enum"]
    if schema["type"] in ("integer", "number"):
        return [schema[word] for word in ("minimum", "maximum") if word in schema] or [1]
    if schema["type"] == "object":
        needed = schema.get("required", ())
        return [{name: examples(schema["properties"][name])[0] for name in needed}]
    by_type = {"string": ["x"], "boolean": [True, False], "null": [None], "array": [[]]}
    return by_type[schema["type"]]


@pytest.mark.parametrize(("path", "name"), [("/v1/chat/completions", "Chat"), ("/api/reply", "Reply")])
def test_every_field_of_the_document_is_taken(served, path, name):
    """Each with the values at its limits; those that lead to long replies beside a small `max_tokens`."""
    fields = document(served)["components"]["schemas"][f"{name}Request"]["properties"]
    needed = {"model": "hred", "messages": MESSAGES} if name == "Chat" else {"model": "hred", "turns": TURNS}
    session = json.loads(served.request("POST", "/v1/sessions", {})[1])["id"]
    partners = {
        "top_logprobs": {"logprobs": True},
        "stream_options": {"stream": True},
        "client_id": {"session_id": session},
        "min_tokens": {"max_tokens": 400},
    }
    taken = 0
    for field, schema in fields.items():
        if field in needed or field == "session_id":
            continue
        for value in examples(schema):
            small = {} if "tokens" in field or name == "Reply" else {"max_tokens": 2}
            response, data = served.request(
                "POST", path, {**small, **needed, **partners.get(field, {}), field: value}
            )
            assert response.status == 200, (field, value, data)
            taken += 1
    assert taken > (50 if name == "Chat" else 5)


def test_each_setting_of_the_document_is_taken(served):
    fields = document(served)["components"]["schemas"]["ReplyRequest"]["properties"]["sampling"]["properties"]
    for field, schema in fields.items():
        sampling = {field: schema["default"]}
        response, data = served.request(
            "POST", "/api/reply", {"model": "hred", "turns": TURNS, "sampling": sampling}
        )
        assert response.status == 200, (field, data)


def test_the_page_of_the_document_shows_in_a_browser_and_asks_nobody_else(served):
    """Under the policy that the whole server sends; here it is put on by the browser's own hand."""
    policy = "default-src 'self'; img-src 'self' data:; base-uri 'self'; object-src 'none'"
    asked, said = [], []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=LAUNCH_ARGS)
        page = browser.new_page(viewport={"width": 390, "height": 800})
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))

        def with_policy(route):
            response = route.fetch()
            route.fulfill(response=response, headers={**response.headers, "content-security-policy": policy})

        page.route("**/*", with_policy)
        page.goto(f"{served.url}/docs")
        assert page.title() == "dialog: the API"
        assert page.locator("h2").count() == len(
            [1 for item in document(served)["paths"].values() for _ in item]
        ) + len(document(served)["components"]["schemas"])
        for name in ("messages[].content", "session_id", "sampling.stop"):
            assert page.locator("td code", has_text=re.compile(f"^{re.escape(name)}$")).count()
        assert page.evaluate("getComputedStyle(document.body).maxWidth") == "960px"  # its style came
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.click("text=ChatRequest >> nth=0")
        assert page.url.endswith("#ChatRequest")
        browser.close()
    assert said == []
    assert {url for url in asked if not url.startswith("data:")} == {
        f"{served.url}/docs",
        f"{served.url}/docs/style.css",
    }


def test_texts_of_a_document_are_shown_and_never_run():
    from app.api.document_page import document_page

    bad = "<script>alert(1)</script>"
    content = {"application/json": {"schema": {"type": "string"}}}
    operation = {"summary": bad, "responses": {"200": {"description": bad, "content": content}}}
    made = {
        "info": {"title": bad, "description": bad},
        "paths": {f"/{bad}": {"get": operation}},
        "components": {"schemas": {"A": {"properties": {bad: {"enum": [bad], "description": bad}}}}},
    }
    assert "<script" not in document_page(made)
