"""A reader that is slow, never reads or goes away holds up nobody; a full queue says so."""

import json
import socket
import time

from tests.app.api.served import TURNS, events

LONG = {"min_tokens": 400, "max_tokens": 400}


def slow(**changes):
    """A request that takes many seconds to decode."""
    return {"model": "seq2seq", "turns": TURNS, "sampling": LONG, "num_replies": 4, **changes}


def read_all(connection: socket.socket) -> bytes:
    data = b""
    while b"event: replies" not in data or not data.endswith(b"0\r\n\r\n"):
        part = connection.recv(65536)
        assert part, data[-300:]
        data += part
    return data


def test_readers_that_never_read_hold_up_nobody(served):
    """They ask for far more than any buffer takes, so that their sending stands still."""
    asked = {"model": "hred", "turns": TURNS, "sampling": LONG, "num_replies": 32, "piece_seconds": 0.02}
    unread = [served.send("/api/stream", asked) for _ in range(3)]
    readers = [served.send("/api/stream", {"model": "hred", "turns": TURNS, "seed": n}) for n in range(20)]
    try:
        for connection in readers:
            assert read_all(connection).startswith(b"HTTP/1.1 200")
        engine = served.bots.engine("hred")
        served.wait_until(lambda: engine.num_running == engine.num_waiting == 0)  # theirs were decoded, too
        assert served.request("POST", "/api/reply", {"model": "hred", "turns": TURNS})[0].status == 200
    finally:
        for connection in (*unread, *readers):
            connection.close()


def test_a_reader_that_vanishes_ends_its_reply(served):
    engine = served.bots.engine("seq2seq")
    for path in ("/api/reply", "/api/stream"):
        before = engine.num_tokens
        connection = served.send(path, slow())
        served.wait_until(lambda: engine.num_running == 4)
        connection.close()
        served.wait_until(lambda: engine.num_running == 0)
        assert engine.num_tokens - before < 4 * 400


def test_one_that_vanishes_while_it_waits_is_never_decoded(crowded):
    first = crowded.send("/api/stream", slow())
    engine = crowded.bots.engine("seq2seq")
    crowded.wait_until(lambda: engine.num_running == 1)
    second = crowded.send("/api/reply", {"model": "seq2seq", "turns": TURNS})
    crowded.wait_until(lambda: engine.num_waiting == 1)
    second.close()
    time.sleep(0.1)
    first.close()
    crowded.wait_until(lambda: engine.num_waiting == engine.num_running == 0)
    before = engine.num_tokens
    time.sleep(0.1)
    assert engine.num_tokens == before


def test_a_full_queue_says_busy_and_when_to_try_again(crowded):
    engine = crowded.bots.engine("seq2seq")
    waiting = [crowded.send("/api/stream", slow())]
    crowded.wait_until(lambda: engine.num_running == 1)
    waiting += [crowded.send("/api/stream", slow()) for _ in range(2)]
    crowded.wait_until(lambda: engine.num_waiting == 2)
    try:
        for path in ("/api/reply", "/api/stream"):
            response, body = crowded.request("POST", path, {"model": "seq2seq", "turns": TURNS})
            assert response.status == 503 and int(response.headers["retry-after"]) >= 1
            assert json.loads(body)["error"].startswith("busy") and "try again" in json.loads(body)["error"]
    finally:
        for connection in waiting:
            connection.close()
    crowded.wait_until(lambda: engine.num_running == engine.num_waiting == 0)
    assert crowded.request("POST", "/api/reply", {"model": "seq2seq", "turns": TURNS})[0].status == 200


def test_a_server_that_stops_tells_those_that_wait(api_folders):
    from app.bots import Bots
    from tests.app.api.served import Served

    running = Served(Bots(api_folders))
    engine = running.bots.engine("seq2seq")
    connection = running.send("/api/stream", slow())
    running.wait_until(lambda: engine.num_running == 4)
    engine.close()
    data = b""
    while not data.endswith(b"0\r\n\r\n"):
        data += connection.recv(65536)
    told = b"event: error" + data.partition(b"event: error")[2].partition(b"\r\n")[0]
    assert "stopping" in events(told)[0][1]["error"]
    assert running.request("POST", "/api/reply", slow())[0].status == 503
    connection.close()
    running.close()
