"""Gradients over layers and tokens: where they start from, and the orders that depth and direction have."""

import pytest

from dialog.errors import ConfigError
from dialog.evaluation.pictures.stacks import (
    READINGS,
    VARIANTS,
    StackCurve,
    draw_stacks,
    layer_gradients,
    token_gradients,
)


@pytest.mark.parametrize("cell", ["rnn_tanh", "lstm", "gru_reset_before"])
def test_the_last_layers_own_output_is_where_it_starts(cell) -> None:
    assert layer_gradients(cell, 3, 6, 4, 1)[-1] == pytest.approx(1)
    assert layer_gradients(cell, 3, 6, 4, 1, residual_from=2)[-1] == pytest.approx(1)


def test_residual_connections_bring_it_down_to_the_lowest_layer() -> None:
    plain, residual = (
        layer_gradients("lstm", 6, 16, 10, 1, **VARIANTS[name]) for name in ("plain", "residual from layer 2")
    )
    assert plain[0] < 0.1
    assert residual[0] > 1


def test_a_residual_stack_of_layers_that_say_nothing_hands_it_down_whole(monkeypatch) -> None:
    import torch

    from dialog.layers.stack import Stack

    made = Stack.__init__

    def silent(self, *given, **more):
        made(self, *given, **more)
        for level in self.layers[1:]:
            level[0].weight_input.data.zero_()

    monkeypatch.setattr(Stack, "__init__", silent)
    assert layer_gradients("rnn_tanh", 4, 6, 1, 1, residual_from=2) == pytest.approx([1] * 4)
    assert torch.is_grad_enabled()


def test_two_directions_see_both_ends() -> None:
    forward, both = (token_gradients("gru", directions, 16, 12, 1) for directions in READINGS.values())
    assert list(forward) == sorted(forward)
    assert both[0] > 20 * forward[0]
    assert both[0] == pytest.approx(both[-1], rel=0.5)
    assert min(both) == min(both[3:9])


def test_seed_and_sizes_are_read() -> None:
    assert layer_gradients("gru", 2, 6, 4, 1) == layer_gradients("gru", 2, 6, 4, 1)
    assert len({layer_gradients("gru", 2, 6, *last) for last in ((4, 1), (4, 2), (5, 1))}) == 3
    with pytest.raises(ConfigError, match="odd|even"):
        token_gradients("gru", "both", 5, 4, 1)
    with pytest.raises(ConfigError, match="no cell"):
        layer_gradients("tanh", 2, 6, 4, 1)


def test_it_is_drawn(tmp_path) -> None:
    draw_stacks([StackCurve("deep", (1.0, 2.0))], [StackCurve("read", (1.0, 0.0))], "gru", tmp_path / "a.svg")
    text = (tmp_path / "a.svg").read_text()
    assert all(word in text for word in (">deep</text>", ">read</text>", "vector by a token, gru"))
