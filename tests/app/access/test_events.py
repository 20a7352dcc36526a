"""How many events of the page one person may have open: the next one is a sentence, and those that end make room."""

import json

import pytest

from app.access.events import OpenEvents
from app.access.gate import GradioGate
from tests.app.access.asking import ask


class Gradio:
    """Answers `queue/join` with an event's id, and `queue/data` with what the test wants to be told of a page."""

    def __init__(self):
        self.num_begun = 0
        self.told = []

    async def __call__(self, scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        if scope["method"] == "POST":
            self.num_begun += 1
            answer = json.dumps({"event_id": f"e{self.num_begun}"}).encode()
            await send({"type": "http.response.body", "body": answer[:5], "more_body": True})
            await send({"type": "http.response.body", "body": answer[5:]})
        for told in self.told:
            assert told is not None, "the browser has gone"
            await send({"type": "http.response.body", "body": told, "more_body": True})


class House:
    """A gate that lets two events of an owner be open, and a clock."""

    def __init__(self):
        self.time, self.gradio = 0.0, Gradio()
        self.gate = GradioGate(self.gradio, OpenEvents(2, lambda: self.time))

    def join(self, page="p1", owner="ann", path="/gradio_api/queue/join", **more):
        body = json.dumps({"session_hash": page, "data": []}).encode()
        return ask(self.gate, "POST", path, body=body, state={"owner": owner}, **more)

    def listen(self, *told, page="p1", owner="ann"):
        self.gradio.told = told
        path = f"/gradio_api/queue/data?session_hash={page}"
        try:
            return ask(self.gate, "GET", path, state={"owner": owner}).body
        finally:
            self.gradio.told = []


@pytest.fixture
def house():
    return House()


def completed(event):
    return f'data: {{"msg":"process_completed","event_id":"{event}","output":{{}}}}\n\n'.encode()


def test_one_event_too_many_is_a_sentence_and_others_are_not_held_up(house):
    assert [house.join(page).status for page in ("p1", "p2", "p1")] == [200, 200, 429]
    answer = house.join(headers={"accept-language": "ja"})
    assert "多すぎます" in json.loads(answer.body)["detail"]
    assert house.gradio.num_begun == 2
    assert house.join("p3", owner="bob").status == 200
    assert (
        house.join(path="/gradio_api/run/predict").status == 200
    )  # is answered at once, and waits in no queue


def test_what_has_ended_makes_room_while_the_stream_goes_on(house):
    for page in ("p1", "p2"):
        house.join(page)
    has_room = []
    real = house.gate._inner

    async def inner(scope, receive, send):
        if scope["method"] != "GET":
            await real(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        said = b'data: {"msg":"process_generating","event_id":"e1","output":{"data":["process_completed e1"]}}\n\n'
        for told in (said, completed("e9"), completed("e1")):
            await send({"type": "http.response.body", "body": told, "more_body": True})
            has_room.append(house.gate._events.has_room("ann"))

    house.gate._inner = inner
    house.listen()
    assert has_room == [False, False, True]
    assert [house.join("p3").status for _ in range(2)] == [200, 429]


def test_a_closed_page_takes_its_events_along(house):
    for page in ("p1", "p2"):
        house.join(page)
    with pytest.raises(AssertionError, match="has gone"):
        house.listen(None)
    assert [house.join("p1").status for _ in range(2)] == [200, 429]
    assert house.listen(page="p2", owner="bob") and house.join("p1").status == 429  # it is not his


def test_an_event_that_nobody_listens_to_counts_no_longer_than_one_can_take(house):
    assert [house.join().status for _ in range(3)] == [200, 200, 429]
    house.time += 899.0
    assert house.join().status == 429
    house.time += 2.0
    assert [house.join().status for _ in range(3)] == [200, 200, 429]
