"""Totals are the stated sums of scores that are computed here anew, one reply at a time."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from dialog.conversation import Conversation, Turn
from dialog.decoding.replier import Replier
from dialog.decoding.replies import Reply, Sampling
from dialog.decoding.rerank import AntiLanguageModel, BackwardModel, LatentDraws, Ranker
from dialog.errors import UsageError
from dialog.run_folder import Run
from dialog.text.batches import EOS, Window, collate, utterances_of
from dialog.text.tokenizer import Tokenizer, train_tokenizer
from tests.dialog.decoding.conftest import small_model

CHAT = Conversation(
    "", (Turn("A", "I have 3 cats"), Turn("B", "and you?"), Turn("A", " I have 12"), Turn("A", "cats"))
)
SAMPLED = Sampling(temperature=1.3, max_tokens=7)
BEAM = Sampling("beam", beam_size=8, max_tokens=7)


@pytest.fixture(scope="module")
def repliers(tokenizer) -> dict[str, Replier]:
    return {
        name: Replier(ending(small_model(name, tokenizer)), tokenizer, "hash") for name in ("hred", "vhred")
    }


def ending(model):
    """Makes a fresh model end some of its replies before long."""
    with torch.no_grad():
        model.decoder.combine.bias.add_(model.table.weight[EOS])
    return model


@pytest.fixture(scope="module")
def helpers(tokenizer):
    return small_model("lm", tokenizer, seed=5), small_model("hred", tokenizer, seed=6)


def run_of(name, tokenizer, direction="forward") -> Run:
    config = {"training": {"direction": direction}}
    return Run(Path(f"runs/{name}"), name, small_model(name, tokenizer), tokenizer, "hash", config)


def rankers(replier, helpers, tokenizer, **named) -> list[Ranker]:
    language, backward = helpers
    found = [AntiLanguageModel(language, **named), BackwardModel(backward, tokenizer, **named)]
    return [*found, LatentDraws(replier, **named)] if replier.model.is_latent else found


def scored(model, context: list[list[int]], tokens: tuple[int, ...], latent=None) -> list[float]:
    """log p of each of `tokens`, by the model's promises alone."""
    with torch.inference_mode():
        state = model.start(1)
        for turn in context:
            state = model.observe(state, utterances_of([turn]))
        planned = model.plan(state, [torch.Generator()], None if latent is None else torch.tensor([latent]))
        words = [token for token in tokens if token != EOS]
        return model.score(planned, utterances_of([words]).cut(len(tokens)))[0].tolist()


def candidates(replier, asked) -> list[Reply]:
    found = replier.reply(CHAT, asked, 8, seed=4)
    assert {reply.ended for reply in found} >= {"end", "length"} or asked is BEAM  # both are scored
    return found


@pytest.mark.parametrize("asked", [SAMPLED, BEAM])
@pytest.mark.parametrize("name", ["hred", "vhred"])
def test_totals_are_the_stated_sums_of_separate_scores(repliers, helpers, tokenizer, name, asked):
    replier, (language, backward) = repliers[name], helpers
    found = candidates(replier, asked)
    source = tokenizer.encode("I have 12 cats")
    context = [tokenizer.encode("I have 3 cats"), tokenizer.encode("and you?"), source]
    for first in (0, 3):
        ranked = AntiLanguageModel(language, 0.7, first, length_weight=0.3).rerank(CHAT, found)
        for reply in ranked:
            own = sum(scored(replier.model, context, reply.tokens, reply.latent))
            against = sum(scored(language, [], reply.tokens)[: first or None])
            assert reply.scores["anti_lm"] == pytest.approx(against, abs=1e-4)
            total = own - 0.7 * against + 0.3 * len(reply.tokens)
            assert reply.scores["total"] == pytest.approx(total, abs=1e-3)
            assert reply.scores["per_token"] == pytest.approx(own / len(reply.tokens), abs=1e-4)
    for reply in BackwardModel(backward, tokenizer, 0.7, length_weight=-0.2).rerank(CHAT, found):
        own = sum(scored(replier.model, context, reply.tokens, reply.latent))
        back = sum(scored(backward, [tokenizer.encode(reply.text)], (*source, EOS)))
        assert reply.scores["backward"] == pytest.approx(back, abs=1e-4)
        total = own + 0.7 * back - 0.2 * len(reply.tokens)
        assert reply.scores["total"] == pytest.approx(total, abs=1e-3)


@pytest.mark.parametrize("asked", [SAMPLED, BEAM])
def test_best_of_latents_is_by_the_mean_probability_over_the_draws(repliers, tokenizer, asked):
    replier = repliers["vhred"]
    found = candidates(replier, asked)
    context = [tokenizer.encode(text) for text in ("I have 3 cats", "and you?", "I have 12 cats")]
    for reply in LatentDraws(replier).rerank(CHAT, found):
        under = [math.exp(sum(scored(replier.model, context, reply.tokens, one.latent))) for one in found]
        assert reply.scores["marginal"] == pytest.approx(math.log(sum(under) / len(under)), abs=1e-3)
        assert reply.scores["total"] == reply.scores["marginal"]
        turns = [*context, [token for token in reply.tokens if token != EOS]]
        window = Window(
            [torch.tensor(turn).numpy() for turn in turns], torch.tensor([0, 0, 0, 1]).bool().numpy()
        )
        both = replier.model.describe_latents(collate([window]))
        kl = kl_divergence(
            Normal(both.posterior_loc, both.posterior_scale), Normal(both.prior_loc, both.prior_scale)
        )
        assert reply.scores["kl"] == pytest.approx(kl.sum().item(), abs=1e-4)
        assert found[int(reply.scores["z"])].latent == reply.latent


@pytest.mark.parametrize("name", ["hred", "vhred"])
def test_a_weight_of_zero_is_the_order_by_log_probability(repliers, helpers, tokenizer, name):
    found = candidates(repliers[name], SAMPLED)
    by_probability = sorted(found, key=lambda one: -one.log_probability)
    for ranker in rankers(repliers[name], helpers, tokenizer, weight=0.0):
        assert [one.index for one in ranker.rerank(CHAT, found)] == [one.index for one in by_probability]


@pytest.mark.parametrize("name", ["hred", "vhred"])
def test_the_same_replies_come_back_with_further_scores_the_best_first(repliers, helpers, tokenizer, name):
    found = candidates(repliers[name], BEAM)
    for ranker in rankers(repliers[name], helpers, tokenizer, weight=1.0, length_weight=0.5):
        ranked = ranker.rerank(CHAT, found)
        totals = [one.scores["total"] for one in ranked]
        assert totals == sorted(totals, reverse=True)
        bare = sorted((replace(one, scores={}) for one in ranked), key=lambda one: one.index)
        assert bare == [replace(one, scores={}) for one in found]
        assert all(one.scores["beam"] == found[one.index].scores["beam"] for one in ranked)
        assert all(("z" in one.scores) == (name == "vhred") for one in ranked)
        (alone,) = ranker.rerank(CHAT, found[2:3])
        assert replace(alone, scores=found[2].scores) == found[2]
        assert ranker.rerank(CHAT, []) == []


def test_batch_mates_change_no_score(repliers, helpers, tokenizer):
    found = candidates(repliers["hred"], SAMPLED)
    for ranker in rankers(repliers["hred"], helpers, tokenizer, weight=1.0):
        together = {one.index: one.scores for one in ranker.rerank(CHAT, found)}
        for one in found:
            assert ranker.rerank(CHAT, [one])[0].scores == pytest.approx(together[one.index], abs=1e-4)


def test_what_cannot_rank_is_one_sentence(repliers, tokenizer):
    other = Tokenizer(train_tokenizer([f"no {number} dogs, we?" for number in range(200)], 300))
    with pytest.raises(UsageError, match="no latent variable"):
        LatentDraws(repliers["hred"])
    with pytest.raises(UsageError, match="train one with --model lm"):
        AntiLanguageModel.from_run(run_of("hred", tokenizer), tokenizer)
    for name, direction, sentence in (
        ("hred", "forward", "was trained forward"),
        ("vhred", "backward", "only up to its z"),
        ("lm", "backward", "reads no reply"),
    ):
        with pytest.raises(UsageError, match=sentence):
            BackwardModel.from_run(run_of(name, tokenizer, direction), tokenizer)
    with pytest.raises(UsageError, match="another vocabulary"):
        AntiLanguageModel.from_run(run_of("lm", tokenizer), other)
    with pytest.raises(UsageError, match="another vocabulary"):
        BackwardModel.from_run(run_of("seq2seq", tokenizer, "backward"), other)
    for wrong in ({"weight": -1.0}, {"weight": math.nan}, {"length_weight": math.inf}, {"anti_tokens": -1}):
        with pytest.raises(UsageError, match="but must be"):
            AntiLanguageModel(small_model("lm", tokenizer), **wrong)
