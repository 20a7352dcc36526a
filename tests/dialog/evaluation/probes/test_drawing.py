"""Words redrawn for a z: the replies of a group share it, and nothing else."""

import pytest
import torch

from dialog.conversation import Conversation, Turn
from dialog.decoding.replier import Replier
from dialog.decoding.replies import Sampling
from dialog.evaluation.probes.drawing import redraw
from dialog.models.registry import build_model
from dialog.text.tokenizer import Tokenizer, train_tokenizer

ASKED = Conversation("c", (Turn("ann", "one two"), Turn("ben", "three")))
DRAWN = Sampling(max_tokens=8)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer(train_tokenizer([f"one two three {number}" for number in range(50)], 300))


def replier(name: str, tokenizer: Tokenizer) -> Replier:
    torch.manual_seed(1)
    sizes = {"vocab_size": tokenizer.num_tokens, "embedding_size": 8, "hidden_size": 8, "context_size": 6}
    sizes |= {"latent_size": 3} if name == "vhred" else {}
    model = build_model(name, sizes)
    with torch.no_grad():
        model.table.weight.mul_(20)
    return Replier(model, tokenizer, "")


def test_without_latents_they_are_the_replies_of_the_replier(tokenizer) -> None:
    hred = replier("hred", tokenizer)
    (group,) = redraw(hred, ASKED, DRAWN, None, 5, seed=3)
    assert group == hred.reply(ASKED, DRAWN, 5, seed=3)
    assert len({reply.tokens for reply in group}) > 1


def test_with_latents_the_words_vary_and_z_does_not(tokenizer) -> None:
    vhred = replier("vhred", tokenizer)
    latents = torch.tensor([reply.latent for reply in vhred.reply(ASKED, DRAWN, 3, seed=1)])
    groups = redraw(vhred, ASKED, DRAWN, latents, 4, seed=3)
    assert [len(group) for group in groups] == [4, 4, 4]
    assert all(len({reply.tokens for reply in group}) > 1 for group in groups)
    greedy = redraw(vhred, ASKED, Sampling("greedy", max_tokens=8), latents, 4, seed=3)
    drawn = vhred.reply(ASKED, Sampling("greedy", max_tokens=8), 3, seed=1)
    for group, reply in zip(greedy, drawn, strict=True):
        assert {other.tokens for other in group} == {reply.tokens}
    again = redraw(vhred, ASKED, DRAWN, latents[1:2].repeat(3, 1), 4, seed=3)
    assert [reply.tokens for reply in again[1]] == [reply.tokens for reply in groups[1]]
