"""The gates that are drawn are those of the layer that was asked for, fed as in the model."""

import numpy as np
import pytest
import torch

from dialog.errors import UsageError
from dialog.evaluation.pictures.gates import draw_gates, gates_of
from dialog.layers.packing import Packing
from dialog.text.batches import BOS, EOS
from tests.dialog.evaluation.pictures.runs import TOKENIZER, run_of

TEXT = "hello number 7"
CELLS = {
    "lstm": ["input", "forget", "output"],
    "lstm_peephole": ["input", "forget", "output"],
    "gru": ["reset", "update"],
    "gru_reset_before": ["reset", "update"],
}


@pytest.mark.parametrize("name", ["seq2seq", "hred", "vhred", "vhcr", "autoencoder"])
@pytest.mark.parametrize("cell", CELLS)
def test_every_encoder_of_a_cell_with_gates_can_be_looked_into(name, cell) -> None:
    found = gates_of(run_of(name, encoder_cell=cell), TEXT)
    assert list(found.values) == CELLS[cell]
    for values in found.values.values():
        assert values.shape[1] == len(found.tokens)
        assert np.all((values > 0) & (values < 1))


@torch.no_grad()
def test_layers_and_directions_are_fed_as_in_the_model() -> None:
    run = run_of("hred", encoder_layers=2)
    tokens = [*TOKENIZER.encode(TEXT), EOS]
    packing, stack = Packing.of(torch.tensor([len(tokens)])), run.model.hierarchy.encoder.rnn
    inputs = run.model.table.embed(torch.tensor(tokens))
    between = torch.cat([layer(inputs, packing) for layer in stack.layers[0]], dim=1)
    for layer, given in ((1, inputs), (2, between)):
        for backward in (False, True):
            wanted = stack.layers[layer - 1][int(backward)].gates(given, packing)
            found = gates_of(run, TEXT, layer, backward).values
            for name, values in wanted.items():
                np.testing.assert_allclose(found[name], values.T.numpy(), atol=1e-6)


def test_a_language_model_reads_behind_the_start_token() -> None:
    run = run_of("lm", decoder_cell="lstm")
    found = gates_of(run, TEXT)
    assert found.tokens[0] == "(start)"
    with torch.no_grad():
        start = run.model.table.embed(torch.tensor([BOS]))
        wanted = run.model.rnn.layers[0][0].gates(start, Packing.of(torch.tensor([1])))
    np.testing.assert_allclose(found.values["forget"][:, 0], wanted["forget"][0].numpy(), atol=1e-6)


@pytest.mark.parametrize(
    ("name", "settings", "arguments", "sentence"),
    [
        ("hred", {"encoder_cell": "rnn_tanh"}, (TEXT,), "a cell that has no gates"),
        ("hred", {}, (TEXT, 2), "has no layer 2"),
        ("hred", {}, (TEXT, 0), "has no layer 0"),
        ("hred", {"encoder_directions": "forward"}, (TEXT, 1, True), "leave --backward out"),
        ("lm", {}, (TEXT, 1, True), "leave --backward out"),
        ("hred", {}, (" ",), "has no words"),
        ("window", {}, (TEXT,), "without a recurrent network"),
    ],
)
def test_what_cannot_be_looked_at_is_a_sentence(name, settings, arguments, sentence) -> None:
    with pytest.raises(UsageError, match=sentence):
        gates_of(run_of(name, **settings), *arguments)


def test_a_gate_is_a_heat_map_with_the_tokens_below(tmp_path) -> None:
    found = gates_of(run_of("hred"), TEXT)
    draw_gates(found, tmp_path / "a.svg")
    text = (tmp_path / "a.svg").read_text()
    assert text.count("<image") >= 2
    assert all(word in text for word in ("reset gate", "update gate"))
    assert all(f">{token}</text>" in text for token in found.tokens)
