"""A model starts from another's weights only where they stand in the same equations, and in the same columns."""

import pytest
import torch

from dialog.errors import ConfigError
from dialog.models.base import ReplyModel
from dialog.models.transfer import check_same_kinds
from dialog.text.batches import collate
from tests.dialog.models.tiny import costs, make_model, random_windows


def start(ours: ReplyModel, theirs: ReplyModel) -> None:
    check_same_kinds(ours, ours.config.to_json(), theirs.state_dict(), theirs.config.to_json())
    ours.initialise_from(theirs.state_dict())


def test_with_attention_and_nothing_found_it_is_the_model_without() -> None:
    theirs, ours = make_model("hred", attention="none"), make_model("hred", seed=2)
    untouched = ours.decoder.combine.weight[:, :8].clone()
    start(ours, theirs)  # no weight of attention is shared
    found = ours.decoder.combine.weight
    assert torch.equal(found[:, :8], untouched) and torch.equal(found[:, 8:], theirs.decoder.combine.weight)
    with torch.no_grad():
        found[:, :8] = 0
    batch = collate(random_windows([5, 2, 4], seed=1))
    torch.testing.assert_close(
        costs(ours, batch).parts.nll, costs(theirs, batch).parts.nll, atol=1e-10, rtol=0
    )


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ({"encoder_cell": "gru"}, {"encoder_cell": "gru_reset_before"}),
        ({"context_cell": "rnn_tanh"}, {"context_cell": "leaky"}),
        ({"decoder_cell": "leaky"}, {"decoder_cell": "esn"}),
        ({"decoder_cell": "esn"}, {"decoder_cell": "esn", "spectral_radius": 0.5}),
        ({"attention": "general"}, {"attention": "additive"}),
        ({"time_skips": "5"}, {"time_skips": "2,5"}),
    ],
    ids=str,
)
def test_weights_of_another_equation_are_refused_by_the_name_of_the_setting(theirs, ours) -> None:
    first, second = make_model("hred", **theirs), make_model("hred", seed=2, **ours)
    before = {name: value.clone() for name, value in second.state_dict().items()}
    name = list(ours)[-1]
    there = first.config.to_json()[name]
    with pytest.raises(ConfigError, match=rf"^{name} is {there} .* and .* here.*--set {name}={there}"):
        start(second, first)
    assert all(torch.equal(before[name], value) for name, value in second.state_dict().items())


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ({}, {"time_skips": "3"}),
        ({"time_skips": "2"}, {"time_skips": "2,5"}),
        ({"decoder_cell": "lstm"}, {"decoder_cell": "lstm_peephole"}),
        ({"attention": "general"}, {"attention": "hard"}),
        ({"attention": "dot"}, {"attention": "general"}),
        ({"decoder_cell": "esn", "spectral_radius": 0.7}, {"decoder_cell": "esn", "spectral_radius": 0.7}),
    ],
    ids=str,
)
def test_what_is_more_of_the_same_is_taken(theirs, ours) -> None:
    first, second = make_model("hred", **theirs), make_model("hred", seed=2, **ours)
    start(second, first)
    taken, columns = first.state_dict(), second.state_dict()
    for name in taken.keys() & columns.keys():
        value = columns[name]
        assert torch.equal(value[:, : taken[name].shape[1]] if value.dim() == 2 else value, taken[name]), name


def test_a_model_of_an_earlier_version_had_no_choice() -> None:
    theirs = make_model("hred")
    weights, settings = theirs.state_dict(), {"vocab_size": 30}
    check_same_kinds(make_model("vhred"), make_model("vhred").config.to_json(), weights, settings)
    lstm = make_model("hred", context_cell="lstm")
    with pytest.raises(ConfigError, match="context_cell is gru"):
        check_same_kinds(lstm, lstm.config.to_json(), weights, settings)


def test_weights_that_are_not_shared_may_be_of_any_kind() -> None:
    """seq2seq's encoder is not HRED's by name."""
    start(make_model("hred", encoder_cell="lstm", context_size=8), make_model("seq2seq", encoder_cell="gru"))
