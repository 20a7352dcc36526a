"""What is the autoencoder's own: nothing is drawn, its code is what it was made for, and it learns to repeat."""

import numpy as np
import pytest
import torch

from dialog.errors import UsageError
from dialog.text.batches import Window, collate, utterances_of
from tests.dialog.models.tiny import generators, greedy, make_model, random_words


def test_nothing_is_drawn_and_there_is_no_latent_variable() -> None:
    model = make_model("autoencoder")
    state = model.observe(model.start(1), utterances_of([[5, 6, 7]]))
    generator = torch.Generator().manual_seed(3)
    before = generator.get_state()
    plan = model.plan(state, [generator])
    assert torch.equal(generator.get_state(), before) and plan.latents is None and not model.is_latent
    with pytest.raises(UsageError, match="no latent variable"):
        model.describe_latents(collate([Window([[5], [6]], [False, True])]))


def test_the_code_is_a_linear_image_of_the_encoders_ends() -> None:
    model = make_model("autoencoder")
    text = utterances_of([[5, 6, 7, 8], [9]])
    vectors = model.encoder(model.table, text).vectors
    codes = model.codes(model.observe(model.start(2), text), generators(2))
    torch.testing.assert_close(codes, vectors @ model.code.weight.t() + model.code.bias)
    assert codes.shape == (2, 3)
    halves = torch.full((2,), 0.25)
    torch.testing.assert_close(
        model.between(codes, codes.flip(0), halves), 0.75 * codes + 0.25 * codes.flip(0)
    )


def test_what_the_decoder_knows_of_an_utterance_is_its_code_at_every_step() -> None:
    """With the code's columns at zero, all utterances are said alike; with those of h_0 alone, they are not."""
    model = make_model("autoencoder")
    text = utterances_of([[5, 6, 7, 8], [9, 10, 11, 12]])
    words = utterances_of([[20, 21, 22]] * 2)

    @torch.no_grad()
    def difference() -> float:
        plan = model.plan(model.observe(model.start(2), text), generators(2))
        return float(model.score(plan, words).diff(dim=0).abs().max())

    with torch.no_grad():
        model.decoder.initial.weight.zero_()
        assert difference() > 1e-3  # each step is given the code
        first = model.decoder.rnn.layers[0][0].weight_input
        assert first.shape[1] == model.config.embedding_size + model.config.code_size
        first[:, model.config.embedding_size :] = 0
    assert difference() == 0


def test_sixteen_utterances_are_learned_by_heart_and_said_again_from_their_codes() -> None:
    model = make_model("autoencoder", torch.float32, embedding_size=24, hidden_size=48, code_size=24).train()
    with torch.no_grad():
        model.table.weight.mul_(0.25)
    draw = np.random.default_rng(21)
    texts = [random_words(draw, 6) for _ in range(16)]
    batch = collate([Window([texts[0], *texts], np.arange(17) > 0)])
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-2)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1, 0.1, 60)
    for _ in range(60):
        parts = model.loss(batch, torch.Generator().manual_seed(1))
        optimizer.zero_grad()
        (parts.nll.sum() / parts.num_tokens.sum()).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    model.eval()
    for text in texts:
        state = model.observe(model.start(1), utterances_of([text]))
        assert greedy(model, model.plan(state, generators(1)), 12) == text.tolist()
    assert len({tuple(text) for text in texts}) == 16
