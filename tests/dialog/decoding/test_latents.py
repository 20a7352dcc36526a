"""z and words drawn apart: together they are the replies of their seed, and each alone changes what it should."""

import pytest
import torch

from dialog.conversation import Conversation, Turn
from dialog.decoding.draws import Draw
from dialog.decoding.latents import LatentReplies
from dialog.decoding.replier import Replier
from dialog.decoding.replies import Sampling
from dialog.decoding.sampling import reply_generator
from dialog.errors import UsageError
from dialog.models.registry import MODELS, model_name
from tests.dialog.decoding.conftest import small_model

TALK = Conversation("", (Turn("A", "I have 3 cats"), Turn("B", "and you?"), Turn("A", "こんにちは")))
DRAWN = Sampling(max_tokens=12)


@pytest.fixture(scope="module", params=[name for name, entry in MODELS.items() if entry.has_latent])
def replier(request, tokenizer) -> Replier:
    model = small_model(request.param, tokenizer)
    with torch.no_grad():
        for parameter in model.prior.parameters() if hasattr(model, "prior") else []:
            parameter.mul_(4)  # z tells replies apart
    return Replier(model, tokenizer, "hash")


@pytest.mark.parametrize(
    "sampling", [DRAWN, Sampling("greedy", max_tokens=12), Sampling("beam", max_tokens=6)]
)
def test_z_and_words_of_one_draw_are_the_reply_of_that_seed(replier, sampling) -> None:
    draws = Draw(5).following(4)
    found = LatentReplies(replier).draw(TALK, sampling, draws, draws)
    wanted = replier.reply(TALK, sampling, 4, 5)
    assert [one.tokens for one in found] == [one.tokens for one in wanted]
    assert [(one.seed, one.index, one.context_hash) for one in found] == [
        (one.seed, one.index, one.context_hash) for one in wanted
    ]
    for one, other in zip(found, wanted, strict=True):
        assert one.latent == pytest.approx(other.latent, abs=1e-4)


def test_z_stays_while_words_change_and_words_draws_stay_while_z_changes(replier) -> None:
    latents = LatentReplies(replier)
    one, draws = Draw(5), Draw(9).following(4)
    same_z = latents.draw(TALK, DRAWN, [one] * 4, draws)
    assert len({reply.latent for reply in same_z}) == 1 and len({reply.tokens for reply in same_z}) > 1
    other_z = latents.draw(TALK, DRAWN, draws, [one] * 4)
    assert len({reply.latent for reply in other_z}) == 4
    assert {(reply.seed, reply.index) for reply in other_z} == {(5, 0)}
    # Each pair by itself is what it is beside the others.
    assert latents.draw(TALK, DRAWN, draws[2:3], [one])[0].tokens == other_z[2].tokens


def test_a_walk_ends_at_both_draws_and_every_point_is_as_long(replier) -> None:
    latents, sampling = LatentReplies(replier), Sampling("greedy", max_tokens=12)
    first, last = Draw(5), Draw(6, 2)
    way = latents.walk(TALK, sampling, first, last, 7, first)
    ends = latents.draw(TALK, sampling, [first, last], [first, first])
    assert [way[0].tokens, way[-1].tokens] == [end.tokens for end in ends]
    assert way[0].latent == pytest.approx(ends[0].latent, abs=1e-4)
    assert way[-1].latent == pytest.approx(ends[1].latent, abs=1e-4)
    assert len({point.latent for point in way}) == 7
    same = latents.walk(TALK, sampling, first, first, 3, first)
    assert same[1].latent == pytest.approx(ends[0].latent, abs=1e-4)


def test_z_is_made_of_noise_as_a_plan_makes_it(replier) -> None:
    model = replier.model
    reading = replier.open(TALK)
    replier.reader.read_all([reading])
    rows = reading.state.select([0, 0])
    planned = model.plan(rows, [reply_generator(3, 0), reply_generator(3, 1)])
    noise = torch.stack([torch.randn(model.noise_size, generator=reply_generator(3, i)) for i in (0, 1)])
    torch.testing.assert_close(model.latents_from(rows, noise), planned.latents)


def test_a_name_is_read_as_it_is_written() -> None:
    assert Draw.parse(str(Draw(7, 2))) == Draw(7, 2)
    assert Draw.parse(" 7 ") == Draw(7)
    for text in ("", "7/0", "a/1", "7/1/2", "-1/2", "²/1", "9" * 19):
        with pytest.raises(UsageError, match="names no draw"):
            Draw.parse(text)


def test_what_cannot_be_drawn_is_a_sentence(replier, hred, tokenizer) -> None:
    latents = LatentReplies(replier)
    with pytest.raises(UsageError, match="2 or more"):
        latents.walk(TALK, DRAWN, Draw(1), Draw(2), 1, Draw(1))
    with pytest.raises(UsageError, match="1 or more"):
        latents.draw(TALK, DRAWN, [], [])
    if "generate" in MODELS[model_name(replier.model)].abilities:
        assert latents.draw(Conversation("", ()), DRAWN, [Draw(1)], [Draw(1)])[0].context_hash == ""
    else:
        with pytest.raises(UsageError, match="no text to answer"):
            latents.draw(Conversation("", ()), DRAWN, [Draw(1)], [Draw(1)])
    with pytest.raises(UsageError, match="HRED has no latent variable"):
        LatentReplies(Replier(hred, tokenizer, "hash"))
    with pytest.raises(UsageError, match="HRED has no latent variable"):
        hred.latents_from(hred.start(1), torch.zeros(1, 1))


def test_nothing_is_kept_of_what_was_read(tokenizer) -> None:
    replier = Replier(small_model("vhred", tokenizer), tokenizer, "hash")
    LatentReplies(replier).draw(TALK, DRAWN, [Draw(1)], [Draw(1)])
    assert len(replier.open(TALK).unread) == 3
