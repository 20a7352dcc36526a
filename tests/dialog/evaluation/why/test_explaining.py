"""What is told of a reply is what the model computed when it said it."""

import math

import numpy as np
import pytest
import torch

from dialog.decoding.replier import Replier
from dialog.decoding.replies import Sampling
from dialog.errors import UsageError
from dialog.evaluation.pictures.attention import looks_of
from dialog.evaluation.text_scores import read_context, score_texts
from dialog.evaluation.why.explaining import explain
from dialog.text.batches import EOS, utterances_of
from tests.dialog.evaluation.pictures.runs import TOKENIZER, conversation, run_of

TALK = conversation("hello number 5", "are you number 3?", "hello, how are you?")
SAMPLINGS = [
    Sampling(temperature=0.7, top_p=0.6, max_tokens=9),
    Sampling(top_k=3, max_tokens=9),
    Sampling(temperature=1.3, min_p=0.2, repetition_penalty=1.5, no_repeat_ngram=2, max_tokens=9),
    Sampling("greedy", max_tokens=9),
    Sampling("beam", beam_size=3, max_tokens=9),
]


def explained(run, tokens, talk=TALK, **options):
    return explain(run.model, run.tokenizer, talk, tokens, **options)


@pytest.mark.parametrize("name", ["seq2seq", "hred", "transformer", "window"])
def test_probabilities_are_those_of_the_ordinary_scoring(name) -> None:
    run = run_of(name)
    text = "number 7"
    (score,) = score_texts(run.model, TOKENIZER, [text], read_context(run.model, TOKENIZER, TALK))
    found = explained(run, [*TOKENIZER.encode(text), EOS])
    own = [math.log(step.taken.own) for step in found.steps]
    np.testing.assert_allclose(own, [-nats for nats in score.token_nats], atol=1e-5)
    assert found.log_probability == pytest.approx(-score.nats, abs=1e-5)
    assert found.drawn_log_probability == pytest.approx(found.log_probability, abs=1e-6)
    assert found.latent == "none" and found.num_tokens == len(found.steps)


@pytest.mark.parametrize("sampling", SAMPLINGS, ids=str)
@pytest.mark.parametrize("name", ["hred", "vhred", "vhcr"])
def test_a_reply_that_was_decoded_has_the_probabilities_that_it_was_decoded_with(name, sampling) -> None:
    run = run_of(name)
    (reply,) = Replier.from_run(run).reply(TALK, sampling, 1, seed=3)
    found = explained(run, reply.tokens, sampling=sampling, latent=reply.latent)
    assert found.log_probability == pytest.approx(reply.log_probability, abs=1e-4)
    if sampling.method == "sample":
        assert found.drawn_log_probability == pytest.approx(reply.filtered_log_probability, abs=1e-4)
    if sampling.method == "greedy":
        assert {step.rank for step in found.steps} == {1}
    for step in found.steps:
        shares = [step.taken.drawn, *(other.drawn for other in step.others)]
        assert sum(shares) <= 1 + 1e-9 and step.taken.drawn > 0
        assert list(shares[1:]) == sorted(shares[1:], reverse=True)
        assert len(step.others) == 5
        if sampling.top_k == 3:
            assert sum(share > 0 for share in shares) == 3
    assert found.latent == ("none" if name == "hred" else "given")


@pytest.mark.parametrize("name", ["vhred", "vhcr"])
def test_a_z_that_is_not_the_models_gives_way_to_the_priors_mean(name) -> None:
    run = run_of(name)
    tokens = [*TOKENIZER.encode("number 7"), EOS]
    state = read_context(run.model, TOKENIZER, TALK)
    with torch.inference_mode():
        mean = run.model.prior_mean(state)
        draws = run.model.plan(
            state.select([0] * 2000), [torch.Generator().manual_seed(seed) for seed in range(2000)]
        )
    if name == "vhred":
        np.testing.assert_allclose(draws.latents.mean(0), mean[0], atol=0.1)
    wanted = explained(run, tokens, latent=mean[0].tolist())
    for wrong in (None, (), (0.0,), (math.nan,) * mean.shape[1]):
        found = explained(run, tokens, latent=wrong)
        assert (found.latent, wanted.latent) == ("mean", "given")
        assert found.log_probability == pytest.approx(wanted.log_probability, abs=1e-6)


def without(run, texts, latent=None):
    """log p of each token behind the turns `texts`, each of them read as one turn."""
    with torch.inference_mode():
        state = run.model.start(1)
        for tokens in TOKENIZER.encode_all(texts):
            state = run.model.observe(state, utterances_of([tokens]))
        z = None if latent is None else torch.tensor([latent])
        planned = run.model.plan(state, [torch.Generator()], z)
        return run.model.score(planned, utterances_of([TOKENIZER.encode("number 7")]))[0].numpy()


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("seq2seq", {"context_turns": 2}),
        ("hred", {"attention_over": "tokens_then_turns", "attention_turns": 2}),
        ("hred", {"attention": "none"}),
        ("vhred", {}),
        ("transformer", {"context_turns": 3}),
    ],
    ids=str,
)
def test_a_turn_counts_what_the_reply_loses_without_it(name, settings) -> None:
    run = run_of(name, **settings)
    texts = [turn.text for turn in TALK.turns]
    latent = [0.5, -0.5, 1.0] if name == "vhred" else None
    found = explained(run, [*TOKENIZER.encode("number 7"), EOS], latent=latent)
    whole = without(run, texts, latent)
    for place, count in enumerate(found.turns):
        left = without(run, texts[:place] + texts[place + 1 :], latent)
        np.testing.assert_allclose(count.falls, whole - left, atol=1e-5)
        assert count.fall == pytest.approx(float((whole - left).sum()), abs=1e-5)
        assert count.turn == TALK.turns[place]
    assert abs(found.turns[-1].fall) > 1e-4


@pytest.mark.parametrize(("name", "seen"), [("seq2seq", 1), ("transformer", 2)])
def test_leaving_out_a_turn_that_the_model_cannot_see_changes_nothing(name, seen) -> None:
    found = explained(run_of(name, context_turns=seen), [*TOKENIZER.encode("number 7"), EOS])
    assert found.turns_seen == seen
    assert [count.is_seen for count in found.turns] == [place >= 3 - seen for place in range(3)]
    for count in found.turns[:-seen]:
        np.testing.assert_allclose(count.falls, 0.0, atol=1e-5)


def test_of_a_long_talk_and_a_long_reply_the_last_turns_and_the_first_tokens_are_looked_at() -> None:
    run, texts = run_of("hred"), [f"number {place}" for place in range(6)]
    tokens = [*TOKENIZER.encode("number 7, how are you?"), EOS]
    short = explained(run, tokens, conversation(*texts), most_turns=2, most_tokens=3)
    whole = explained(run, tokens, conversation(*texts))
    assert [count.falls is None for count in short.turns] == [True] * 4 + [False] * 2
    assert short.turns[0].fall is None
    for some, all_of_it in zip(short.turns[4:], whole.turns[4:], strict=True):
        np.testing.assert_allclose(some.falls, all_of_it.falls[:3], atol=1e-5)
    assert len(short.steps) == 3 and short.num_tokens == len(tokens) == len(whole.steps)


def test_neighbours_of_one_speaker_are_one_turn_and_empty_ones_none() -> None:
    run = run_of("hred")
    talk = conversation("hello", "", "number 5", "are you")  # A says the first and the third
    found = explained(run, [EOS], talk)
    assert [count.turn.text for count in found.turns] == ["hello number 5", "are you"]
    assert len(explained(run, [EOS], conversation("hello")).turns) == 1


def test_it_looked_where_the_picture_of_its_attention_says() -> None:
    run = run_of("hred", attention_turns=2)
    picture = looks_of(run, TALK, "number 7")
    found = explained(run, [*TOKENIZER.encode("number 7"), EOS])
    assert (found.places.names, found.places.starts) == (picture.columns, picture.starts)
    np.testing.assert_allclose(found.weights, picture.weights, atol=1e-6)
    assert tuple(step.taken.name for step in found.steps) == picture.rows
    blind = explained(run_of("hred", attention="none"), [EOS])
    assert blind.places is None and blind.weights is None


def test_what_cannot_be_looked_at_is_refused() -> None:
    run = run_of("hred")
    with pytest.raises(UsageError, match="the context has no words"):
        explained(run, [EOS], conversation(" "))
    with pytest.raises(UsageError, match="the reply has no words"):
        explained(run, [])
    for token in (-1, TOKENIZER.num_tokens):
        with pytest.raises(UsageError, match="not written by this model"):
            explained(run, [EOS, token])
