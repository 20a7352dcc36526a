"""Replies over HTTP are the Replier's own, plain and streamed, whoever else asks at the same time."""

import json
import threading

import pytest

from app.bots import Bots
from app.settings import Serving
from dialog.conversation import Conversation, Turn
from dialog.decoding.replier import Replier, in_int8
from dialog.decoding.replies import CHAT_SAMPLING
from dialog.run_folder import load_run
from dialog.text.normalise import normalise
from tests.app.api.served import TURNS, Served, events

CONVERSATION = Conversation("", tuple(Turn(**turn) for turn in TURNS))


@pytest.fixture(scope="module", params=["hred", "vhred"])
def name(request):
    return request.param


def alone(api_folders, name, num_replies=1, seed=0):
    """What the Replier gives by itself, as JSON makes it."""
    replies = Replier.from_run(load_run(api_folders[name])).reply(
        CONVERSATION, CHAT_SAMPLING, num_replies, seed
    )
    return json.loads(json.dumps([reply.to_json() for reply in replies]))


def same(reply, other) -> bool:
    numbers = {"log_probability", "filtered_log_probability", "latent"}
    close = all(reply[key] == pytest.approx(other[key], abs=1e-3) for key in numbers)
    return close and all(reply[key] == other[key] for key in reply.keys() - numbers)


def test_a_plain_reply_is_the_repliers_own(served, api_folders, name):
    response, body = served.request(
        "POST", "/api/reply", {"model": name, "turns": TURNS, "num_replies": 3, "seed": 5}
    )
    assert response.status == 200
    replies, expected = json.loads(body)["replies"], alone(api_folders, name, 3, 5)
    assert len(replies) == 3 and all(map(same, replies, expected))
    assert replies[0].keys() >= {"text", "tokens", "log_probability", "scores", "model_hash", "context_hash"}


def test_a_stream_is_pieces_of_text_and_at_last_the_same_replies(served, api_folders, name):
    request = {"model": name, "turns": TURNS, "num_replies": 3, "seed": 5, "piece_seconds": 0.02}
    response, body = served.request("POST", "/api/stream", request)
    assert response.status == 200 and response.headers["content-type"].startswith("text/event-stream")
    *pieces, (last, value) = events(body)
    assert last == "replies" and all(kind == "piece" for kind, _ in pieces)
    assert all(map(same, value["replies"], alone(api_folders, name, 3, 5)))
    for index, reply in enumerate(value["replies"]):
        text = "".join(piece["text"] for _, piece in pieces if piece["index"] == index)
        assert normalise(text) == reply["text"] and "\0" not in text


def test_a_reply_can_be_asked_for_again_by_what_it_says_of_itself(served):
    request = {"model": "hred", "turns": TURNS, "sampling": {"temperature": 0.7, "top_k": 9}, "seed": 3}
    _, body = served.request("POST", "/api/reply", request)
    first = json.loads(body)["replies"][0]
    again = {"model": "hred", "turns": TURNS, "sampling": first["sampling"], "seed": first["seed"]}
    _, body = served.request("POST", "/api/reply", again)
    assert same(json.loads(body)["replies"][0], first)


def test_a_long_stream_comes_in_several_pieces_while_it_is_decoded(served):
    sampling = {"min_tokens": 400, "max_tokens": 400}
    request = {"model": "seq2seq", "turns": TURNS, "sampling": sampling, "piece_seconds": 0.02}
    _, body = served.request("POST", "/api/stream", request)
    assert sum(kind == "piece" for kind, _ in events(body)) >= 3


def test_many_at_once_get_what_each_gets_alone(served):
    def ask(seed, into):
        _, body = served.request("POST", "/api/reply", {"model": "hred", "turns": TURNS, "seed": seed})
        into[seed] = json.loads(body)["replies"][0]

    by_itself, together = {}, {}
    for seed in range(30):
        ask(seed, by_itself)
    threads = [threading.Thread(target=ask, args=(seed, together)) for seed in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(same(together[seed], by_itself[seed]) for seed in by_itself)


def test_the_models_are_told_with_kind_size_and_hash(served):
    response, body = served.request("GET", "/api/models")
    models = {model["name"]: model for model in json.loads(body)["models"]}
    assert response.status == 200 and list(models) == ["hred", "vhred", "seq2seq"]
    _, body = served.request("POST", "/api/reply", {"model": "vhred", "turns": TURNS})
    assert models["vhred"]["model_hash"] == json.loads(body)["replies"][0]["model_hash"]
    assert models["seq2seq"]["kind"] == "seq2seq"
    assert models["seq2seq"]["bytes"] == 4 * models["seq2seq"]["parameters"] > models["hred"]["bytes"]


def test_health_counts_tokens(served):
    served.request("POST", "/api/reply", {"model": "hred", "turns": TURNS})
    before = json.loads(served.request("GET", "/api/health")[1])["models"]["hred"]
    _, body = served.request("POST", "/api/reply", {"model": "hred", "turns": TURNS, "seed": 9})
    after = json.loads(served.request("GET", "/api/health")[1])["models"]["hred"]
    assert after["tokens"] - before["tokens"] == len(json.loads(body)["replies"][0]["tokens"])
    assert (after["waiting"], after["running"]) == (0, 0)


def test_a_server_that_decodes_in_int8_says_so_and_its_replies_carry_another_hash(api_folders):
    folders = {"hred": api_folders["hred"]}
    in_whole_numbers = Served(Bots(folders, Serving(int8=True)))
    try:
        (described,) = json.loads(in_whole_numbers.request("GET", "/api/models")[1])["models"]
        _, body = in_whole_numbers.request("POST", "/api/reply", {"model": "hred", "turns": TURNS, "seed": 5})
    finally:
        in_whole_numbers.close()
    run = load_run(api_folders["hred"])
    assert described["precision"] == "int8" and described["model_hash"] != run.model_hash
    (expected,) = Replier.from_run(in_int8(run)).reply(CONVERSATION, CHAT_SAMPLING, 1, 5)
    assert same(json.loads(body)["replies"][0], json.loads(json.dumps(expected.to_json())))
