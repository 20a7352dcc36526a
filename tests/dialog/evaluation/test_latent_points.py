"""Where z goes for single replies: the same KL as over a split, whatever is looked at beside it."""

import numpy as np
import pytest

from dialog.conversation import Conversation, Turn
from dialog.decoding.replier import Replier
from dialog.errors import UsageError
from dialog.evaluation.latent_points import points_of, points_of_replies
from dialog.evaluation.pictures.latent import principal_plane
from tests.dialog.evaluation.pictures.runs import conversation, run_of

TEXTS = ("hello, how are you?", "are you number 3?", "hello number 4", "how are you?")


@pytest.fixture(params=["vhred", "vhcr"])
def replier(request) -> Replier:
    return Replier.from_run(run_of(request.param))


def test_a_reply_has_the_same_place_and_kl_after_its_context_and_within_its_chat(replier) -> None:
    within = points_of(replier, [conversation(*TEXTS[:2])], 10)
    alone = points_of_replies(replier, conversation(TEXTS[0]), [TEXTS[1], "something else", " "])
    assert within.texts == TEXTS[1:2] and alone.texts == (TEXTS[1], "something else")
    np.testing.assert_allclose(alone.places[0], within.places[0], atol=1e-5)
    np.testing.assert_allclose(alone.kl[0], within.kl[0], atol=1e-5)
    assert (alone.kl >= 0).all() and alone.kl.shape == alone.places.shape
    assert not np.allclose(alone.places[0], alone.places[1])
    np.testing.assert_allclose(alone.kl_per_dimension, alone.kl.sum(0) / 2)
    has_two = replier.model.bound_unit == "conversation"
    assert (alone.conversation_kl is None) != has_two
    if has_two:
        assert alone.conversation_kl.shape[0] == 2 and within.conversation_kl.shape[0] == 1


def test_chats_are_looked_at_from_their_ends_up_to_a_limit(replier) -> None:
    chats = [conversation(*TEXTS), conversation("hello"), conversation(*TEXTS[::-1])]
    assert points_of(replier, chats, 100).texts == (*TEXTS[1:], *TEXTS[-2::-1])
    assert points_of(replier, chats, 4).texts == (*TEXTS[1:], TEXTS[0])
    assert points_of(replier, chats, 2).texts == TEXTS[2:]
    assert points_of(replier, chats[1:2], 10) is None
    same_speaker = Conversation(
        "", (Turn("A", "hello"), Turn("A", "you"), Turn("B", " "), Turn("A", "there"))
    )
    assert points_of(replier, [same_speaker], 10) is None
    assert points_of_replies(replier, chats[0], [""]) is None


def test_it_may_be_laid_out_on_a_plane(replier) -> None:
    found = points_of(replier, [conversation(*TEXTS)], 100)
    places, _ = principal_plane(found.places)
    assert places.shape == (3, 2)


def test_a_model_without_one_says_so() -> None:
    with pytest.raises(UsageError, match="HRED has no latent variable to look at"):
        points_of(Replier.from_run(run_of("hred")), [conversation(*TEXTS)], 10)
