"""How VHCR is trained: unknown utterances, latents that collapse, weights of HRED and VHRED."""

import torch

from dialog.evaluation.latent import evaluate_latent
from dialog.text.batches import collate
from dialog.training.collapse import collapse_warnings
from dialog.training.config import LatentTrainingConfig
from tests.dialog.evaluation.test_likelihood import Talks
from tests.dialog.models.tiny import make_model, random_windows, scored
from tests.dialog.models.vhcr_pieces import OWN, SHARED, close, drawn, without_choice


def test_the_share_of_unknown_utterances_is_the_one_that_was_set() -> None:
    model = make_model("vhcr", utterance_dropout=0.25).train()
    batch = collate(random_windows([40] * 50, longest=2))
    reading = model.hierarchy.read(model.table, batch, torch.Generator().manual_seed(1), None)
    is_unknown = (reading.heard.vectors == model.hierarchy.unknown).all(1)
    is_known = (reading.heard.vectors == reading.windows.vectors).all(1)
    assert (is_unknown ^ is_known).all()
    error = (0.25 * 0.75 / 2000) ** 0.5
    assert abs(is_unknown.double().mean().item() - 0.25) < 5 * error
    share_of_turns = is_unknown.view(50, 40).double().mean(0)
    assert share_of_turns.min() > 0 and share_of_turns.max() < 1  # each has its own coin, not each turn
    model.loss(batch, torch.Generator().manual_seed(1)).nll.sum().backward()
    assert (model.hierarchy.unknown.grad != 0).all()
    read = model.eval().hierarchy.read(model.table, batch, torch.Generator(), None)
    assert read.heard is read.windows
    assert not any("unknown" in name for name, _ in make_model("vhcr").named_parameters())


def test_an_unknown_utterance_is_heard_by_both_posteriors_all_the_same() -> None:
    model = make_model("vhcr", utterance_dropout=0.999).train()
    batch = collate(random_windows([4, 3], seed=14))
    kl = drawn(model, batch)[0].conversation_kl
    close(kl, drawn(model.eval(), batch)[0].conversation_kl)
    reading = model.train().hierarchy.read(model.table, batch, torch.Generator(), None)
    assert (reading.heard.vectors == model.hierarchy.unknown).all()
    close(reading.targets, model.eval().hierarchy.read(model.table, batch, torch.Generator(), None).targets)


def test_every_weight_has_a_part_in_the_objective() -> None:
    model = make_model("vhcr", utterance_dropout=0.5, bag_of_words=True, word_dropout=0.2).train()
    parts = model.loss(collate(random_windows([9, 5])), torch.Generator().manual_seed(1))
    total = parts.nll.sum() + parts.kl.sum() + parts.conversation_kl.sum()
    (total + parts.auxiliary["bag_of_words"].sum()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


def test_a_latent_that_has_collapsed_is_named_and_what_to_turn() -> None:
    model = without_choice(make_model("vhcr"))
    config = LatentTrainingConfig(kl_annealing_updates=100, free_bits=0.1)
    own, shared = collapse_warnings(evaluate_latent(model, Talks()), model, 100, config)
    assert "latent variable has collapsed" in own and "nats a reply" in own and "utterance_dropout" not in own
    assert "variable of the conversation has collapsed" in shared and "nats a conversation" in shared
    assert "none of its 2 dimensions is active, so" in shared and "utterance_dropout=0.25" in shared
    with torch.no_grad():
        model.hierarchy.posterior.loc.weight.normal_(std=3.0)
    assert collapse_warnings(evaluate_latent(model, Talks()), model, 100, config) == [own]


def test_it_starts_from_hred_and_vhred_and_is_vhred_where_z_conv_is_not_heard() -> None:
    for other in (make_model("hred", seed=2), make_model("vhred", seed=2)):
        model = make_model("vhcr", seed=3)
        taken = model.initialise_from(other.state_dict())
        assert sorted(taken) == sorted(name for name, _ in other.named_parameters())
    config = model.config
    with torch.no_grad():
        model.hierarchy.initial.weight.zero_()
        model.hierarchy.initial.bias.zero_()
        for weight in (
            model.hierarchy.rnn.layers[0][0].weight_input,
            model.decoder.initial.weight,
            model.decoder.rnn.layers[0][0].weight_input,
            model.prior.hidden[0].weight,
            model.posterior.hidden[0].weight,
        ):
            weight[:, -config.conversation_latent_size :] = 0
    windows = random_windows([5, 2], seed=15)
    z = torch.randn(5, SHARED + OWN, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    close(scored(model, windows, z), scored(other, windows, z[:, SHARED:]))
    ours, theirs = model.describe_latents(collate(windows)), other.describe_latents(collate(windows))
    close(ours.prior_loc, theirs.prior_loc)
    close(ours.posterior_scale, theirs.posterior_scale)
