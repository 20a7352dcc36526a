"""Requests join and leave the batch of one worker and get the replies that they would get alone."""

import itertools
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from dialog.conversation import Conversation, Turn
from dialog.decoding.engine import Engine
from dialog.decoding.replier import Replier
from dialog.decoding.replies import Reply, Sampling
from dialog.errors import BusyError, UsageError

TEXTS = [
    "I have 3 cats",
    "and you?",
    "こんにちは 🙂",
    "12",
    "I have 7 cats and you? And 5 more",
    "元気ですか",
]
ASKED = [
    Sampling(temperature=1.3, max_tokens=12),
    Sampling("greedy", max_tokens=7),
    Sampling(top_p=0.9, max_tokens=15),
    Sampling(top_k=9, no_repeat_ngram=2, min_tokens=3, max_tokens=9),
    Sampling("beam", beam_size=3, max_tokens=8),
]
LONG = Sampling(temperature=2.0, min_tokens=400, max_tokens=400)
ENDLESS = Sampling(temperature=2.0, min_tokens=20_000, max_tokens=20_000)


def conversation(seed: int) -> Conversation:
    draw = random.Random(seed)
    turns = (Turn("AB"[place % 2], draw.choice(TEXTS)) for place in range(draw.randint(1, 6)))
    return Conversation("", tuple(turns))


def key(reply: Reply) -> tuple:
    return reply.tokens, reply.text, reply.ended, reply.seed, reply.index, reply.context_hash, reply.sampling


@pytest.fixture
def engine(model, tokenizer):
    engine = Engine(Replier(model, tokenizer, "hash"), max_rows=8, max_waiting=20)
    yield engine
    engine.close()


def alone(model, tokenizer, seed: int, num_replies: int = 1) -> list[tuple]:
    replier = Replier(model, tokenizer, "hash")
    asked = ASKED[seed % len(ASKED)]
    return [key(reply) for reply in replier.reply(conversation(seed), asked, num_replies, seed)]


def test_many_at_once_get_the_replies_that_they_would_get_alone(engine, model, tokenizer) -> None:
    def ask(seed: int) -> list[tuple]:
        count = 1 + seed % 3
        return [key(r) for r in engine.reply(conversation(seed), ASKED[seed % len(ASKED)], count, seed)]

    with ThreadPoolExecutor(12) as threads:
        found = list(threads.map(ask, range(40)))
    assert found == [alone(model, tokenizer, seed, 1 + seed % 3) for seed in range(40)]


def test_more_replies_than_rows_come_all_and_in_order(engine, model, tokenizer) -> None:
    replies = engine.reply(conversation(4), ASKED[0], 30, seed=4)
    assert [reply.index for reply in replies] == list(range(30))
    wanted = Replier(model, tokenizer, "hash").reply(conversation(4), ASKED[0], 30, seed=4)
    assert list(map(key, replies)) == list(map(key, wanted))


def test_a_stream_has_the_text_of_its_reply(engine, model, tokenizer) -> None:
    def read(seed: int) -> tuple[str, Reply]:
        *pieces, reply = engine.stream(conversation(seed), ASKED[seed % len(ASKED)], seed)
        return "".join(pieces), reply

    with ThreadPoolExecutor(6) as threads:
        found = list(threads.map(read, range(12)))
    for seed, (text, reply) in enumerate(found):
        assert text == reply.text
        assert [key(reply)] == alone(model, tokenizer, seed)


def test_a_reader_that_does_not_read_holds_nobody_up(engine, model, tokenizer) -> None:
    lazy = [engine.stream(conversation(seed), ENDLESS, seed) for seed in range(4)]
    for stream in lazy:
        next(stream)  # one piece, and never again
    assert list(map(key, engine.reply(conversation(1), ASKED[1], 1, 1))) == alone(model, tokenizer, 1)
    del lazy, stream  # whose replies end, for nobody reads them
    wait_for(lambda: engine.num_running == 0)


def test_what_is_cancelled_ends_where_it_stands(engine) -> None:
    ticket = engine.submit(conversation(3), ENDLESS, 2, seed=1)
    wait_for(lambda: ticket.num_tokens > 8)
    ticket.cancel()
    replies = ticket.future.result(60)
    assert [reply.ended for reply in replies] == ["stop", "stop"]
    assert all(reply.tokens for reply in replies)
    whole = engine.replier.reply(conversation(3), LONG, 2, seed=1)
    for stopped, reply in zip(replies, whole, strict=True):
        assert reply.tokens[: len(stopped.tokens)] == stopped.tokens[: len(reply.tokens)]


def test_a_stream_that_is_stopped_ends_in_its_reply(engine) -> None:
    answers = itertools.chain([False, False], itertools.repeat(True))
    *pieces, reply = engine.stream(conversation(3), ENDLESS, 1, stop=lambda: next(answers))
    assert reply.ended == "stop"
    assert "".join(pieces) == reply.text


def test_too_many_requests_are_told_to_try_again(engine) -> None:
    running = [engine.submit(conversation(0), ENDLESS, 8)]
    wait_for(lambda: engine.num_running == 8)
    running += [engine.submit(conversation(seed), ENDLESS, 1, seed) for seed in range(20)]
    with pytest.raises(BusyError, match="busy: 20 requests wait.*try again"):
        engine.reply(conversation(1), LONG)
    for ticket in running:
        ticket.cancel()
    for ticket in running:
        assert {reply.ended for reply in ticket.future.result(60)} <= {"stop"}
    assert len(engine.reply(conversation(1), ASKED[0], 1, 1)) == 1


def test_bad_requests_are_refused_at_once(engine) -> None:
    with pytest.raises(UsageError, match="no text to answer"):
        engine.submit(Conversation("", (Turn("A", "  "),)), ASKED[0])
    with pytest.raises(UsageError, match="0 replies"):
        engine.reply(conversation(1), ASKED[0], 0)
    with pytest.raises(UsageError, match="beam size is 9.*8 rows"):
        engine.reply(conversation(1), Sampling("beam", beam_size=9))


def test_a_failure_is_told_and_the_next_request_is_answered(engine, model, tokenizer, monkeypatch) -> None:
    def broken(*_):
        raise torch.OutOfMemoryError("no memory is left")

    running = [engine.submit(conversation(seed), ENDLESS, 1, seed) for seed in range(3)]
    wait_for(lambda: engine.num_running == 3)
    monkeypatch.setattr(type(model), "step", broken)
    for ticket in running:
        with pytest.raises(torch.OutOfMemoryError, match="no memory"):
            ticket.future.result(60)
    monkeypatch.undo()
    assert list(map(key, engine.reply(conversation(6), ASKED[1], 1, 6))) == alone(model, tokenizer, 6)


def test_a_reply_that_cannot_begin_is_told_so(engine, model, tokenizer, monkeypatch) -> None:
    def broken(asked):
        raise torch.OutOfMemoryError("no memory is left")

    monkeypatch.setattr(engine.replier, "begin", broken)
    with pytest.raises(torch.OutOfMemoryError, match="no memory"):
        engine.submit(conversation(1), ASKED[0], 2, 1).future.result(60)
    monkeypatch.undo()
    assert list(map(key, engine.reply(conversation(6), ASKED[1], 1, 6))) == alone(model, tokenizer, 6)


def test_a_long_history_is_read_beside_the_replies_of_others(engine) -> None:
    history = Conversation("", tuple(Turn("AB"[place % 2], TEXTS[place % 6]) for place in range(301)))
    other = engine.submit(conversation(1), ENDLESS, 1, seed=1)
    wait_for(lambda: other.num_tokens > 0)
    engine.submit(history, ASKED[1]).future.result(60)
    assert other.num_tokens >= 300
    other.cancel()


def test_a_closed_engine_answers_nobody(model, tokenizer) -> None:
    engine = Engine(Replier(model, tokenizer, "hash"), max_rows=2)
    tickets = [engine.submit(conversation(seed), ENDLESS, 1, seed) for seed in range(5)]
    engine.close()
    for ticket in tickets:
        with pytest.raises(BusyError, match="stopping"):
            ticket.future.result(60)
    with pytest.raises(BusyError, match="stopping"):
        engine.reply(conversation(1), LONG)
    assert not any(thread.name == "engine" and thread is engine._worker for thread in threading.enumerate())


def test_an_engine_that_is_given_time_answers_what_it_was_asked(
    engine, model, tokenizer, monkeypatch
) -> None:
    begin, beginning, closing = engine.replier.begin, threading.Event(), threading.Event()

    def begin_late(asked):
        """The request is read, and no reply of it is being decoded yet."""
        beginning.set()
        assert closing.wait(60)
        return begin(asked)

    monkeypatch.setattr(engine.replier, "begin", begin_late)
    tickets = [engine.submit(conversation(seed), ASKED[seed % 5], 1, seed) for seed in range(5)]
    assert beginning.wait(60)
    assert engine.num_waiting == 5 and engine.num_running == 0
    closer = threading.Thread(target=engine.close, args=(120.0,))
    closer.start()
    closer.join(0.3)
    assert closer.is_alive()
    closing.set()
    for seed, ticket in enumerate(tickets):
        assert list(map(key, ticket.future.result(60))) == alone(model, tokenizer, seed)
    closer.join(60)
    assert not closer.is_alive()
    with pytest.raises(BusyError, match="stopping"):
        engine.reply(conversation(1), LONG)


def test_an_engine_whose_time_is_up_answers_no_more(model, tokenizer) -> None:
    engine = Engine(Replier(model, tokenizer, "hash"), max_rows=2)
    ticket = engine.submit(conversation(1), ENDLESS, 1, 1)
    wait_for(lambda: ticket.num_tokens > 0)
    engine.close(0.05)
    with pytest.raises(BusyError, match="stopping"):
        ticket.future.result(0)


def wait_for(is_so, seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.002)
