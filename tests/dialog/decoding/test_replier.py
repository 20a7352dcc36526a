"""A reply is fixed by model, context, sampling, seed and index, and by nothing else."""

import functools
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from dialog.conversation import Conversation, Turn, join_neighbours
from dialog.decoding.context_cache import ContextCache, prefix_hashes
from dialog.decoding.replier import Replier
from dialog.decoding.replies import Reply, Sampling
from dialog.errors import UsageError
from dialog.models.hierarchy import HierarchicalState
from dialog.text.batches import BOS, EOS, PAD, UNK, utterances_of
from dialog.text.normalise import normalise


def conversation(*texts: str) -> Conversation:
    return Conversation("", tuple(Turn("AB"[place % 2], text) for place, text in enumerate(texts)))


def tokens_of(replies: list[Reply]) -> list[tuple[int, ...]]:
    """What "the same reply" means; log-probabilities may differ by a rounding."""
    return [reply.tokens for reply in replies]


ASKED = Sampling(temperature=1.3, top_p=0.98, max_tokens=12)
CHAT = conversation("I have 3 cats", "and you?", "こんにちは 🙂", "I have 12 cats and you?")


def fresh(model, tokenizer) -> Replier:
    return Replier(model, tokenizer, "hash")


def streamed(replier: Replier, *arguments, **named) -> tuple[list[str], Reply]:
    *pieces, reply = replier.stream(*arguments, **named)
    return pieces, reply


def test_the_same_seed_gives_the_same_reply_whatever_else_is_in_the_batch(model, tokenizer) -> None:
    replier = fresh(model, tokenizer)
    ten = replier.reply(CHAT, ASKED, 10, seed=7)
    assert len({reply.text for reply in ten}) > 3
    assert tokens_of(replier.reply(CHAT, ASKED, 5, seed=7)) == tokens_of(ten[:5])
    others = [conversation("you?"), conversation("I", "have", "cats " * 30)]
    beside = fresh(model, tokenizer).reply_all([others[0], CHAT, others[1]], ASKED, 4, seed=7)[1]
    assert tokens_of(beside) == tokens_of(ten[:4])
    _, third = streamed(fresh(model, tokenizer), CHAT, ASKED, seed=7, index=3)
    assert (third.tokens, third.text, third.index) == (ten[3].tokens, ten[3].text, 3)
    assert third.log_probability == pytest.approx(ten[3].log_probability, abs=1e-3)
    assert tokens_of(replier.reply(CHAT, ASKED, 5, seed=8)) != tokens_of(ten[:5])


def test_replies_have_words_and_no_control_token(model, tokenizer) -> None:
    replies = fresh(model, tokenizer).reply(CHAT, Sampling(temperature=3.0, max_tokens=6), 300, seed=1)
    assert {"end", "length"} <= {reply.ended for reply in replies}
    for reply in replies:
        *body, last = reply.tokens
        assert not {PAD, UNK, BOS, EOS} & set(body)
        assert (last == EOS) == (reply.ended == "end")
        assert len(reply.tokens) == 6 or reply.ended == "end"
        assert body or last != EOS
        assert reply.text == normalise(tokenizer.decode(reply.tokens).replace("\0", "\ufffd"))


def test_pieces_join_to_the_text_and_never_end_inside_a_character(model, tokenizer) -> None:
    replier, held_back = fresh(model, tokenizer), 0
    for seed in range(25):
        pieces, reply = streamed(replier, CHAT, Sampling(temperature=4.0, max_tokens=15), seed=seed)
        assert "".join(pieces) == reply.text
        assert "\0" not in reply.text
        # Each piece but the last, which may be the rest of broken bytes, comes with some token.
        assert len(pieces) <= len(reply.tokens) + 1
        held_back += len(pieces) < len(reply.tokens) - 1
    assert held_back  # bytes did wait for their character


def test_a_stream_stops_at_any_token(model, tokenizer) -> None:
    asked = Sampling(temperature=1.3, max_tokens=8)
    whole = fresh(model, tokenizer).reply(CHAT, asked, seed=11)[0]
    for stop_after in range(len(whole.tokens)):
        answers = iter([False] * stop_after + [True])
        pieces, reply = streamed(
            fresh(model, tokenizer), CHAT, asked, seed=11, stop=functools.partial(next, answers)
        )
        assert (reply.ended, reply.tokens) == ("stop", whole.tokens[:stop_after])
        assert "".join(pieces) == reply.text
    never = streamed(fresh(model, tokenizer), CHAT, asked, seed=11, stop=lambda: False)[1]
    assert never.tokens == whole.tokens


def test_a_kept_context_gives_the_reply_of_a_fresh_replier(model, tokenizer) -> None:
    replier = fresh(model, tokenizer)
    for length in (1, 3, 2, 4, 4):
        part = Conversation("", CHAT.turns[:length])
        live, anew = (
            replier.reply(part, ASKED, 2, seed=3),
            fresh(model, tokenizer).reply(part, ASKED, 2, seed=3),
        )
        assert tokens_of(live) == tokens_of(anew)
        assert [reply.context_hash for reply in live] == [reply.context_hash for reply in anew]


def test_a_further_turn_reads_that_turn_alone(model, tokenizer, monkeypatch) -> None:
    read = []
    observe = type(model).observe

    def counted(self, state, utterances):
        read.append(tokenizer.decode(utterances.tokens[0].tolist()))
        return observe(self, state, utterances)

    monkeypatch.setattr(type(model), "observe", counted)
    replier = fresh(model, tokenizer)
    replier.reply(Conversation("", CHAT.turns[:3]), ASKED)
    del read[:]
    replier.reply(CHAT, ASKED)
    assert read == [CHAT.turns[3].text]


def test_log_probabilities_are_those_that_the_model_scores(model, tokenizer) -> None:
    replier = fresh(model, tokenizer)
    for asked in (ASKED, Sampling("greedy", max_tokens=9), Sampling(top_k=1, max_tokens=9)):
        reply = replier.reply(CHAT, asked, seed=2)[0]
        ids = list(reply.tokens[:-1] if reply.ended == "end" else reply.tokens)
        replies = utterances_of([ids])
        if reply.ended != "end":
            replies = replies.cut(len(ids))
        with torch.inference_mode():
            state = model.start(1)
            for turn in CHAT.turns:
                state = model.observe(state, utterances_of([tokenizer.encode(turn.text)]))
            latents = None if reply.latent is None else torch.tensor([reply.latent])
            scored = model.score(model.plan(state, [torch.Generator()], latents), replies).sum().item()
        assert reply.log_probability == pytest.approx(scored, abs=1e-4)
        if asked.temperature == 1.0:  # another need not make what was drawn more probable
            assert reply.filtered_log_probability >= reply.log_probability - 1e-9
        if asked is not ASKED:
            assert reply.filtered_log_probability == 0.0


def test_greedy_takes_the_most_probable_token_each_time(model, tokenizer) -> None:
    reply = fresh(model, tokenizer).reply(CHAT, Sampling("greedy", max_tokens=9), seed=2)[0]
    with torch.inference_mode():
        state = model.start(1)
        for turn in CHAT.turns:
            state = model.observe(state, utterances_of([tokenizer.encode(turn.text)]))
        latents = None if reply.latent is None else torch.tensor([reply.latent])
        decoder = model.plan(state, [torch.Generator()], latents)
        before = BOS
        for place, token in enumerate(reply.tokens):
            logits, decoder = model.step(torch.tensor([before]), decoder)
            logits[:, [PAD, UNK, BOS] + [EOS] * (place == 0)] = -torch.inf
            assert logits.argmax().item() == token
            before = token


def test_top_k_of_one_is_greedy_for_the_same_latent(model, tokenizer) -> None:
    greedy = fresh(model, tokenizer).reply(CHAT, Sampling("greedy", max_tokens=9), 3, seed=2)
    narrow = fresh(model, tokenizer).reply(CHAT, Sampling(top_k=1, max_tokens=9), 3, seed=2)
    assert tokens_of(narrow) == tokens_of(greedy)
    if model.is_latent:
        assert len({reply.latent for reply in greedy}) == 3
    else:
        assert greedy[0].latent is None
        assert len({reply.tokens for reply in greedy}) == 1


def test_several_threads_get_the_replies_that_one_gets(model, tokenizer) -> None:
    chats = [Conversation("", CHAT.turns[: 1 + number % 4]) for number in range(16)]
    alone = [fresh(model, tokenizer).reply(chat, ASKED, 2, seed=number) for number, chat in enumerate(chats)]
    shared, together = fresh(model, tokenizer), threading.Barrier(4)

    def answer(number: int) -> list[Reply]:
        if number < 4:
            together.wait(120)
        return shared.reply(chats[number], ASKED, 2, seed=number)

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(answer, range(16)))
    assert [*map(tokens_of, found)] == [*map(tokens_of, alone)]


def test_a_context_is_read_as_its_joined_normalised_turns(hred, tokenizer) -> None:
    said = (
        Turn("A", " I  have\n3 "),
        Turn("A", "cats"),
        Turn("B", " \n"),
        Turn("A", "\uff41nd"),
        Turn("B", "you?"),
    )
    clean = join_neighbours(Turn(t.speaker, normalise(t.text)) for t in said if normalise(t.text))
    messy, tidy = (
        fresh(hred, tokenizer).reply(Conversation("", turns), ASKED, seed=4)[0] for turns in (said, clean)
    )
    assert [turn.text for turn in clean] == ["I have 3 cats and", "you?"]
    assert messy == tidy


@pytest.mark.parametrize("turns", [(), (Turn("A", " \n "),)])
def test_nothing_to_answer_is_a_sentence(hred, tokenizer, turns) -> None:
    replier = fresh(hred, tokenizer)
    with pytest.raises(UsageError, match="at least one turn with words"):
        replier.reply(Conversation("", turns), ASKED)
    with pytest.raises(UsageError, match="must be 1 or more"):
        replier.reply(CHAT, ASKED, 0)


def test_kept_states_stay_below_their_bound_and_the_least_used_go_first() -> None:
    def state() -> HierarchicalState:
        return HierarchicalState(
            torch.zeros(1, 10),
            torch.zeros(1, 1, 10),
            torch.zeros(1, 1, 0, 4),
            torch.zeros(1, 1, 0, dtype=torch.bool),
        )

    cache = ContextCache(max_bytes=3 * state().num_bytes)
    for name in "abc":
        cache.keep(name, state())
    assert cache.longest(["x", "a"])[0] == 1
    cache.keep("d", state())
    cache.keep("d", state())
    assert [cache.longest([name])[1] is not None for name in "abcd"] == [True, False, True, True]
    ContextCache(0).keep("a", state())  # one that cannot be kept is let go


def test_prefixes_have_hashes_that_depend_on_all_before() -> None:
    one, two = prefix_hashes(["ab", "c", "d"]), prefix_hashes(["a", "bc", "d"])
    assert one[0] == two[0]
    assert not {*one[1:]} & {*two[1:]}
    assert prefix_hashes(["ab", "c"]) == one[:3]


BEAM = Sampling("beam", beam_size=6, max_tokens=8)


def test_a_beam_search_finds_what_scores_best_alone_or_beside_others(model, tokenizer) -> None:
    replier = fresh(model, tokenizer)
    found = replier.reply(CHAT, BEAM, 4, seed=3)
    assert all(reply.filtered_log_probability == 0.0 and "beam" in reply.scores for reply in found)
    _, streamed_reply = streamed(fresh(model, tokenizer), CHAT, BEAM, seed=3, index=2)
    assert streamed_reply.tokens == found[2].tokens
    others = [conversation("you?"), conversation("I", "have", "cats " * 30)]
    beside = fresh(model, tokenizer).reply_all([others[0], CHAT, others[1]], BEAM, 4, seed=3)[1]
    assert tokens_of(beside) == tokens_of(found)
    one = fresh(model, tokenizer).reply(CHAT, Sampling("beam", beam_size=1, max_tokens=8), 1, seed=3)
    assert tokens_of(one) == tokens_of(
        fresh(model, tokenizer).reply(CHAT, Sampling("greedy", max_tokens=8), 1, 3)
    )
    if model.is_latent:  # each has a z of its own
        assert len({reply.latent for reply in found}) == 4
    else:  # the best of one search, in order
        ends = [(reply.ended != "end", -reply.scores["beam"]) for reply in found]
        assert ends == sorted(ends)
        assert len(set(tokens_of(found))) == 4
        with pytest.raises(UsageError, match="a beam of 6 finds 6"):
            replier.reply(CHAT, BEAM, 7)


def test_a_beam_that_is_stopped_gives_what_it_has(model, tokenizer) -> None:
    answers = iter([False, False, True])
    pieces, reply = streamed(fresh(model, tokenizer), CHAT, BEAM, stop=functools.partial(next, answers))
    assert reply.ended == "stop"
    assert "".join(pieces) == reply.text
    assert reply.tokens
