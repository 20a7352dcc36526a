"""Whatever is sent, the answer is a status and one sentence, and the server goes on."""

import json

import pytest

from app.api import requests
from tests.app.api.served import TURNS

GOOD = {"model": "hred", "turns": TURNS}


def but(**changes):
    return {**GOOD, **changes}


@pytest.mark.parametrize(
    ("status", "sent", "named"),
    [
        (400, b"", "JSON"),
        (400, b'{"model":', "JSON"),
        (400, b"\xff\xfe", "JSON"),
        (400, b"[" * 100_000, "JSON"),
        (422, b"[]", "object"),
        (422, {"model": "hred"}, "turns"),
        (422, {"turns": TURNS}, "model"),
        (422, but(modle="x"), "modle"),
        (422, but(model=3), "model"),
        (404, but(model="gpt"), "choose one of hred"),
        (422, but(turns=[]), "no text"),
        (422, but(turns=[{"speaker": "A", "text": " "}]), "no text"),
        (422, but(turns=["hello"]), "turns[0]"),
        (422, but(turns=[*TURNS, {"speaker": "A", "text": 5}]), "turns[2]"),
        (422, but(turns=[{"speaker": "A", "text": "a" * 20_001}]), "turns[0]"),
        (422, but(turns=TURNS * 1001), "2000"),
        (422, but(num_replies=0), "num_replies"),
        (422, but(num_replies=33), "num_replies"),
        (422, but(num_replies=True), "num_replies"),
        (422, but(num_replies=1.5), "num_replies"),
        (422, but(seed=-1), "seed"),
        (422, but(seed=2**53), "seed"),
        (422, but(piece_seconds=0), "piece_seconds"),
        (422, b'{"model": "hred", "turns": [], "piece_seconds": NaN}', "piece_seconds"),
        (422, but(piece_seconds=10**400), "piece_seconds"),
        (422, but(sampling=[]), "sampling"),
        (422, but(sampling={"temprature": 1}), "temprature"),
        (422, but(sampling={"top_p": 0}), "top_p"),
        (422, but(sampling={"top_p": "high"}), "top_p"),
        (422, but(sampling={"top_k": 2.5}), "top_k"),
        (422, but(sampling={"max_tokens": 401}), "max_tokens"),
        (422, but(sampling={"method": "guess"}), "guess"),
        (422, but(sampling={"method": "beam", "beam_size": 40}), "beam_size"),
        (422, but(**{"\ud800": 1}), "ud800"),
        (413, b" " * (requests.MAX_BODY_BYTES + 1), "longer"),
    ],
)
@pytest.mark.parametrize("path", ["/api/reply", "/api/stream"])
def test_a_bad_body_is_one_sentence(served, path, status, sent, named):
    response, body = served.request("POST", path, sent)
    sentence = json.loads(body)["error"]
    assert response.status == status, sentence
    assert named in sentence and "\n" not in sentence and len(sentence) < 400 and "Traceback" not in sentence


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/reply", 405),
        ("DELETE", "/api/models", 405),
        ("GET", "/api/replies", 404),
        ("POST", "/api/../etc", 404),
        ("GET", "/api/" + "x" * 5000, 404),
    ],
)
def test_a_wrong_path_or_method_is_one_sentence(served, method, path, status):
    response, body = served.request(method, path)
    assert response.status == status and len(json.loads(body)["error"]) < 300


def test_a_body_must_say_that_it_is_json(served):
    response, _ = served.request("POST", "/api/reply", GOOD, "application/x-www-form-urlencoded")
    assert response.status == 415
    response, _ = served.request("POST", "/api/reply", GOOD, "application/json; charset=utf-8")
    assert response.status == 200


def test_text_that_is_no_unicode_is_answered_all_the_same(served):
    sent = but(turns=[{"speaker": "\ud800", "text": "\udfff \0 </s>"}])
    assert served.request("POST", "/api/reply", sent)[0].status == 200


def test_a_body_that_never_ends_is_given_up(served, monkeypatch):
    monkeypatch.setattr(requests, "BODY_SECONDS", 0.2)
    import socket

    with socket.create_connection(("127.0.0.1", served.port), timeout=300) as connection:
        head = "POST /api/reply HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
        connection.sendall(head.encode())
        assert b" 408 " in connection.recv(1000).split(b"\r\n")[0]


def test_a_model_that_cannot_be_loaded_is_told_and_the_others_answer(api_folders, tmp_path):
    from app.bots import Bots
    from tests.app.api.served import Served

    running = Served(Bots({"broken": tmp_path, "hred": api_folders["hred"]}))
    try:
        response, body = running.request("POST", "/api/reply", but(model="broken"))
        assert response.status == 500 and "manifest" in json.loads(body)["error"]
        assert running.request("POST", "/api/reply", GOOD)[0].status == 200
        described = json.loads(running.request("GET", "/api/models")[1])["models"]
        assert "error" in described[0] and described[1]["kind"] == "hred"
    finally:
        running.close()
