"""A reply ends before its first stop sequence, however it is decoded and read; what is noted of its tokens is true."""

import functools

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from dialog.conversation import Conversation, Turn
from dialog.decoding.draft import Draft
from dialog.decoding.engine import Engine
from dialog.decoding.pieces import ReplyPieces, text_of
from dialog.decoding.replier import Replier
from dialog.decoding.replies import Sampling
from dialog.decoding.sampling import History
from dialog.decoding.stopping import StopWatch
from dialog.errors import UsageError
from dialog.text.batches import EOS
from dialog.text.normalise import normalise
from dialog.text.tokenizer import Tokenizer, train_tokenizer

CHAT = Conversation("", (Turn("A", "I have 3 cats"), Turn("B", "こんにちは")))
TOKENIZER = Tokenizer(train_tokenizer(["ab abc cab bca a b c こんにちは! 元気?"] * 40, 300))
words = st.text("abc c!？こんに", min_size=1, max_size=4).filter(str.strip)


def draft_of(text: str, stop: tuple[str, ...]) -> Draft:
    """A reply whose model draws the tokens of `text`, until something ends it."""
    sampling = Sampling("greedy", max_tokens=500, stop=stop)
    draft = Draft(History(sampling, None), 0, 0, "")
    draft.stops = StopWatch(TOKENIZER, stop)
    for token in [*TOKENIZER.encode(text), EOS]:
        draft.add(token, 0.0, 0.0)
        if draft.ended:
            break
    return draft


@given(st.text("abc !？こんにちは", max_size=40), st.lists(words, min_size=1, max_size=4))
@example("abcab", ["abd", "cab", "b"])
@example("aab", ["ab"])
@example("abab abac", ["abac"])
def test_the_text_ends_before_the_first_stop_sequence(text: str, stops: list[str]) -> None:
    """Held against a search in the whole text."""
    whole = normalise(text)
    wanted = [" ".join(normalise(f"|{stop}|").split(" "))[1:-1] for stop in stops]
    ends = [whole.find(stop) + len(stop) for stop in wanted if stop in whole]
    draft = draft_of(text, tuple(stops))
    if not ends:
        assert (draft.ended, text_of(draft, TOKENIZER)) == ("end", whole)
        return
    end = min(ends)
    starts = [end - len(stop) for stop in wanted if whole[:end].endswith(stop)]
    assert (draft.ended, text_of(draft, TOKENIZER)) == ("stop", whole[: min(starts)].strip())


@given(st.text("abc !？こんにちは", max_size=40), st.lists(words, min_size=1, max_size=4))
def test_pieces_show_nothing_that_is_taken_back(text: str, stops: list[str]) -> None:
    """Each state of the reply is read: what is shown always begins the text that it will have."""
    draft = draft_of(text, tuple(stops))
    final = text_of(draft, TOKENIZER)
    growing = Draft(History(draft.sampling, None), 0, 0, "")
    growing.stops = StopWatch(TOKENIZER, draft.sampling.stop)
    pieces, shown = ReplyPieces(growing, TOKENIZER), ""
    for token in draft.tokens:
        growing.add(token, 0.0, 0.0)
        shown += pieces.take()
        assert final.startswith(shown)
        spelled = len(TOKENIZER.decode(draft.tokens[: pieces.num_tokens - 1]))
        assert not pieces.num_tokens or spelled < len(final) + 1
    assert shown + pieces.finish() == final


def test_a_stop_sequence_is_met_in_the_form_that_models_write() -> None:
    """NFKC, and runs of spaces as one; a line break is no space."""
    assert text_of(draft_of("元気!ab", ("！",)), TOKENIZER) == "元気"
    assert text_of(draft_of("a b c", ("b  c",)), TOKENIZER) == "a"
    assert text_of(draft_of("a b c", ("\n",)), TOKENIZER) == "a b c"
    assert text_of(draft_of("a b c", (" ",)), TOKENIZER) == "a"
    assert text_of(draft_of("abc", ("a",)), TOKENIZER) == ""


def stopped(sampling: Sampling, *stop: str) -> Sampling:
    return Sampling(
        sampling.method, temperature=sampling.temperature, max_tokens=sampling.max_tokens, stop=stop
    )


@pytest.mark.parametrize(
    "asked", [Sampling(temperature=1.5, max_tokens=20), Sampling("greedy", max_tokens=20)]
)
def test_alone_beside_others_and_streamed_it_stops_at_the_same_place(model, tokenizer, asked) -> None:
    whole = Replier(model, tokenizer, "hash").reply(CHAT, asked, 1, seed=4)[0]
    middle = whole.text[len(whole.text) // 2 :][:2]
    asked = stopped(asked, middle, "never there")
    replier = Replier(model, tokenizer, "hash")
    alone = replier.reply(CHAT, asked, 1, seed=4)[0]
    assert alone.ended == "stop" and middle not in alone.text and whole.text.startswith(alone.text)
    assert alone.tokens == whole.tokens[: len(alone.tokens)] and alone.sampling.stop == (
        middle,
        "never there",
    )
    beside = replier.reply_all([CHAT, Conversation("", CHAT.turns[:1])], asked, 3, seed=4)[0][0]
    *pieces, streamed = replier.stream(CHAT, asked, seed=4)
    engine = Engine(replier)
    *others, through = engine.stream(CHAT, asked, seed=4)
    engine.close()
    for reply in (beside, streamed, through):
        assert (reply.text, reply.tokens, reply.ended) == (alone.text, alone.tokens, "stop")
    assert "".join(pieces) == "".join(others) == alone.text


def test_a_beam_takes_no_stop_sequence_and_its_tokens_are_not_noted(hred, tokenizer) -> None:
    with pytest.raises(UsageError, match="beam"):
        Sampling("beam", stop=("a",))
    engine = Engine(Replier(hred, tokenizer, "hash"))
    with pytest.raises(UsageError, match="beam"):
        engine.submit(CHAT, Sampling("beam"), num_top=0)
    engine.close()


@pytest.mark.parametrize("stop", ["text", ("",), (5,), ("a",) * 5, ("a" * 101,)])
def test_what_is_no_list_of_short_texts_is_refused(stop) -> None:
    with pytest.raises(UsageError, match="stop"):
        Sampling(stop=stop)


def test_a_list_as_it_comes_from_json_is_the_same_setting() -> None:
    assert Sampling(stop=["a", "b"]) == Sampling(stop=("a", "b"))
    assert hash(Sampling(stop=["a"])) == hash(Sampling(stop=("a",)))


def traces(model, tokenizer, count: int, num_top: int | None):
    engine = Engine(Replier(model, tokenizer, "hash"))
    ticket = engine.submit(CHAT, Sampling(temperature=1.5, max_tokens=9), count, 3, num_top=num_top)
    replies = ticket.future.result(60)
    engine.close()
    return replies, [draft.trace for draft in ticket.drafts]


def test_noted_tokens_are_those_that_the_model_finds_most_probable(model, tokenizer) -> None:
    replies, noted = traces(model, tokenizer, 2, 4)
    alone = traces(model, tokenizer, 1, 4)[1][0]  # decoded by itself, where the model has a way for that
    for reply, trace in zip(replies, noted, strict=True):
        assert len(trace.top) == len(trace.log_probabilities) == len(reply.tokens)
        assert sum(trace.log_probabilities) == pytest.approx(reply.log_probability, abs=1e-3)
        for token, nats, top in zip(reply.tokens, trace.log_probabilities, trace.top, strict=True):
            assert [value for _, value in top] == sorted((value for _, value in top), reverse=True)
            assert len(top) == 4 and nats <= top[0][1] + 1e-4
            assert dict(top).get(token, nats) == pytest.approx(nats, abs=1e-4)
    for ours, others in zip(alone.top, noted[0].top, strict=True):
        assert [value for _, value in ours] == pytest.approx([value for _, value in others], abs=1e-3)


def test_the_first_place_is_the_models_own_distribution(hred, tokenizer) -> None:
    replier = Replier(hred, tokenizer, "hash")
    reading = replier.open(CHAT)
    replier.reader.read_all([reading])
    with torch.inference_mode():
        state = hred.plan(reading.state, [torch.Generator()])
        logits, _ = hred.step(torch.tensor([2]), state)
        wanted = torch.log_softmax(logits.double(), 1).topk(4, dim=1)
    (trace, _) = traces(hred, tokenizer, 2, 4)[1]
    assert [token for token, _ in trace.top[0]] == wanted.indices[0].tolist()
    assert [nats for _, nats in trace.top[0]] == pytest.approx(wanted.values[0].tolist(), abs=1e-4)


def test_nothing_is_noted_unless_it_is_asked_for(hred, tokenizer) -> None:
    assert traces(hred, tokenizer, 2, None)[1] == [None, None]
    (trace, _) = traces(hred, tokenizer, 2, 0)[1]
    assert trace.log_probabilities and set(trace.top) == {()}


def test_each_reply_that_ends_is_told_with_its_seconds(hred, tokenizer) -> None:
    told = []
    engine = Engine(
        Replier(hred, tokenizer, "hash"), on_reply=lambda reply, seconds: told.append((reply, seconds))
    )
    replies = engine.reply(CHAT, Sampling(max_tokens=5), 3, 1)
    engine.close()
    assert [reply for reply, _ in told] == replies and all(0 < seconds < 600 for _, seconds in told)


def test_a_reader_that_stops_a_reply_gets_what_was_held_back(hred, tokenizer) -> None:
    """Of a sequence that may be coming, the beginning is text like any other once the reply has ended."""
    replier = Replier(hred, tokenizer, "hash")
    whole = replier.reply(CHAT, Sampling("greedy", max_tokens=6), 1)[0]
    asked = Sampling("greedy", max_tokens=6, stop=(whole.text[:3] + "\n",))
    answers = iter([False] * 3 + [True])
    *pieces, reply = replier.stream(CHAT, asked, stop=functools.partial(next, answers))
    assert reply.ended == "stop" and len(reply.tokens) == 3
    assert "".join(pieces) == reply.text
