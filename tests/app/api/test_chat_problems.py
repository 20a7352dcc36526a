"""Whatever is sent to `/v1`, the answer is one sentence in OpenAI's form that names the field."""

import json
import math

import openai
import pytest

from app.api import requests
from app.api.chat_schema import CHAT_REQUEST
from tests.app.api.test_chat_completions import MESSAGES

GOOD = {"model": "hred", "messages": MESSAGES}


def but(**changes):
    return {**GOOD, **changes}


def problem(served, sent, path="/v1/chat/completions", method="POST"):
    response, body = served.request(method, path, sent)
    error = json.loads(body)["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    assert error["type"] == ("invalid_request_error" if response.status < 500 else "server_error")
    sentence = error["message"]
    assert "\n" not in sentence and len(sentence) < 400 and "Traceback" not in sentence
    return response.status, sentence, error["param"]


def user(content):
    return [{"role": "user", "content": content}]


@pytest.mark.parametrize(
    ("param", "sent", "named"),
    [
        (None, b"", "no JSON"),
        (None, b'{"model":', "no JSON"),
        (None, b"\xff\xfe", "no JSON"),
        (None, b"[" * 100_000, "no JSON"),
        (None, b"[]", "object"),
        ("messages", {"model": "hred"}, "messages is missing"),
        ("model", {"messages": MESSAGES}, "model is missing"),
        ("modle", but(modle="x"), "modle is not known"),
        ("model", but(model=3), "text"),
        ("messages", but(messages=[]), "empty"),
        ("messages", but(messages="hello"), "list"),
        ("messages[0]", but(messages=["hello"]), "object"),
        ("messages[0].content", but(messages=[{"role": "user"}]), "missing"),
        ("messages[0].content", but(messages=user(None)), "null"),
        ("messages[0].content", but(messages=user("a" * 20_001)), "20000"),
        ("messages[0].content[0].type", but(messages=user([{"type": "image_url", "text": ""}])), "text"),
        (
            "messages[0].role",
            but(messages=[{"role": "system", "content": "be kind"}, *MESSAGES]),
            "instructions",
        ),
        ("messages[0].role", but(messages=[{"role": "tool", "content": "x"}]), "assistant"),
        ("messages[1].role", but(messages=MESSAGES[:2]), "last"),
        ("messages[0].tool_calls", but(messages=[{**MESSAGES[0], "tool_calls": [{"id": "1"}]}]), "not known"),
        ("messages", but(messages=MESSAGES[:1] * 2001), "2000"),
        (None, but(messages=user(" ")), "no text"),
        ("n", but(n=0), "1 to 32"),
        ("n", but(n=33), "1 to 32"),
        ("n", but(n=True), "whole number"),
        ("n", but(n=1.5), "whole number"),
        ("seed", but(seed=2**63), "seed"),
        ("temperature", but(temperature=2.1), "0 to 2"),
        ("temperature", but(temperature="hot"), "a number"),
        ("temperature", json.dumps(but(temperature=math.nan)).encode(), "0 to 2"),
        ("top_p", but(top_p=-0.1), "0 to 1"),
        ("max_tokens", but(max_tokens=0), "1 or more"),
        ("max_tokens", but(max_tokens=5, max_completion_tokens=6), "differ"),
        ("stop", but(stop=["a"] * 5), "at most 4"),
        ("stop[0]", but(stop=[""]), "1 characters"),
        ("stop", but(stop=5), "a text or a list"),
        ("top_logprobs", but(top_logprobs=3), "logprobs alone"),
        ("top_logprobs", but(logprobs=True, top_logprobs=21), "0 to 20"),
        ("stream_options", but(stream_options={"include_usage": True}), "stream alone"),
        ("stream_options.usage", but(stream=True, stream_options={"usage": True}), "not known"),
        ("client_id", but(client_id="1"), "session_id alone"),
        ("presence_penalty", but(presence_penalty=0.5), "must be 0"),
        ("logit_bias", but(logit_bias={"5": 1}), "at most 0"),
        ("tools", but(tools=[{"type": "function"}]), "at most 0"),
        ("store", but(store=True), "false"),
        ("response_format.type", but(response_format={"type": "json_object"}), "text"),
        ("reasoning_effort", but(reasoning_effort="high"), "not known"),
        ("\\ud800", but(**{"\ud800": 1}), "ud800"),
        (None, but(min_tokens=9, max_tokens=3), "min_tokens is 9"),
    ],
)
def test_a_bad_field_is_named_in_one_sentence(served, param, sent, named):
    status, sentence, told = problem(served, sent)
    assert (status, told) == (400, param) and named in sentence


def test_every_number_is_checked_at_both_ends(served):
    for name, schema in CHAT_REQUEST["properties"].items():
        for word, step in (("minimum", -1), ("maximum", 1)):
            if word in schema:
                needed = {"logprobs": True} if name == "top_logprobs" else {}
                status, _, told = problem(served, but(**needed, **{name: schema[word] + step}))
                assert (status, told) == (400, name)


def test_status_and_class_are_those_that_clients_know(served):
    with openai.OpenAI(base_url=f"{served.url}/v1", api_key="none", max_retries=0, timeout=120) as client:
        with pytest.raises(openai.NotFoundError) as caught:
            client.chat.completions.create(model="gpt-4", messages=MESSAGES)
        assert (caught.value.code, caught.value.param) == ("model_not_found", "model")
        assert "choose one of hred" in caught.value.message
        with pytest.raises(openai.BadRequestError, match="presence_penalty"):
            client.chat.completions.create(model="hred", messages=MESSAGES, presence_penalty=1)
        with pytest.raises(openai.NotFoundError, match="there is no /v1/embeddings"):
            client.embeddings.create(model="hred", input="x")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/chat/completions", 405),
        ("DELETE", "/v1/models", 405),
        ("PUT", "/v1/sessions/x", 405),
        ("GET", "/v1/completions", 404),
        ("GET", "/v1/" + "x" * 5000, 404),
    ],
)
def test_a_wrong_path_or_method_is_one_sentence(served, method, path, status):
    assert problem(served, None, path, method)[0] == status


def test_a_body_is_json_and_not_too_long(served):
    response, body = served.request("POST", "/v1/chat/completions", GOOD, "text/plain")
    assert response.status == 415 and "application/json" in json.loads(body)["error"]["message"]
    assert problem(served, b" " * (requests.MAX_BODY_BYTES + 1))[0] == 413


def test_text_that_is_no_unicode_is_answered_all_the_same(served):
    assert (
        served.request("POST", "/v1/chat/completions", but(messages=user("\udfff \0 </s>")))[0].status == 200
    )


def test_a_full_queue_says_when_to_try_again(crowded):
    engine = crowded.bots.engine("seq2seq")
    slow = {"model": "seq2seq", "messages": MESSAGES, "max_tokens": 400, "min_tokens": 400, "stream": True}
    waiting = [crowded.send("/v1/chat/completions", slow)]
    crowded.wait_until(lambda: engine.num_running == 1)
    waiting += [crowded.send("/v1/chat/completions", slow) for _ in range(2)]
    crowded.wait_until(lambda: engine.num_waiting == 2)
    try:
        status, sentence, _ = problem(crowded, {"model": "seq2seq", "messages": MESSAGES})
        assert status == 503 and "try again" in sentence
    finally:
        for connection in waiting:
            connection.close()
    crowded.wait_until(lambda: engine.num_running == engine.num_waiting == 0)  # their readers have gone
