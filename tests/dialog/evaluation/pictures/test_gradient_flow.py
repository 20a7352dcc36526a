"""Gradients over distance: known where the chain rule is a power, and by finite differences everywhere."""

import pytest
import torch

from dialog.errors import ConfigError, UsageError
from dialog.evaluation.pictures.cells import CellSpec
from dialog.evaluation.pictures.gradient_flow import (
    PANELS,
    Curve,
    FlowOptions,
    draw_flow,
    gradient_norms,
    measure_flow,
)
from dialog.layers.cells import CELLS

SMALL = FlowOptions(steps=6, hidden_size=5, num_rows=3)
SPECS = [
    *CELLS,
    "lstm,keep=2",
    "rnn_tanh,scale=1.5,skips=2+4",
    "gru,skips=3",
    "lstm,skips=2",
    "leaky,leak=0.1",
]


@pytest.mark.parametrize("spec", SPECS)
def test_it_is_1_where_it_starts(spec) -> None:
    norms = gradient_norms(CellSpec.parse(spec), SMALL)
    assert len(norms) == 7
    assert norms[0] == pytest.approx(1, abs=1e-12)


def test_units_that_stay_open_multiply_it_by_their_scale_at_each_step(monkeypatch) -> None:
    """max(0, s h + b) with a large b has the derivative s."""
    made = CellSpec.make

    def open_units(self, *sizes):
        layer = made(self, *sizes)
        layer.bias_input.data.fill_(100)
        return layer

    monkeypatch.setattr(CellSpec, "make", open_units)
    norms = gradient_norms(CellSpec.parse("rnn_relu,scale=0.9"), SMALL)
    assert norms == pytest.approx([0.9**d for d in range(7)], rel=1e-6)


def test_a_leaky_unit_without_recurrence_keeps_its_share() -> None:
    norms = gradient_norms(CellSpec.parse("leaky,scale=0,leak=0.1"), SMALL)
    assert norms == pytest.approx([0.9**d for d in range(7)], rel=1e-6)


def test_a_skip_connection_is_a_shorter_way() -> None:
    options = FlowOptions(steps=30, hidden_size=8)
    plain, skips = (
        gradient_norms(CellSpec.parse(f"rnn_tanh,scale=0.5{more}"), options)[30] for more in ("", ",skips=10")
    )
    assert skips > 1e3 * plain


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("distance", [0, 1, 4])
def test_by_the_input_it_is_what_a_small_change_there_does(spec, distance) -> None:
    options = FlowOptions(steps=6, hidden_size=5, num_rows=1, by="input")
    parsed = CellSpec.parse(spec)
    measured = gradient_norms(parsed, options)
    assert len(measured) == 6
    layer = parsed.make(5, 5, options.seed).double()
    generator = torch.Generator().manual_seed(options.seed)
    inputs = torch.randn(12, 1, 5, generator=generator, dtype=torch.float64) * 0.1
    direction = torch.randn(1, 5, generator=generator, dtype=torch.float64)
    direction /= direction.norm()

    @torch.no_grad()
    def pulled(change: torch.Tensor) -> float:
        state = torch.zeros(1, layer.state_size, dtype=torch.float64)
        for time, one in enumerate(inputs):
            state = layer.step(one + change if time == 11 - distance else one, state)
        return float((state[:, :5] * direction).sum())

    step = 1e-6
    slopes = [(pulled(step * unit) - pulled(-step * unit)) / (2 * step) for unit in torch.eye(5).double()]
    assert measured[distance] == pytest.approx(float(torch.tensor(slopes).norm()), rel=1e-5, abs=1e-10)


def test_the_known_orders_hold() -> None:
    """Scale decides whether the simple network's gradient vanishes or explodes; gates that keep hold it."""
    options = FlowOptions(steps=60, hidden_size=32)
    names = ["rnn_tanh,scale=0.5", "rnn_tanh", "rnn_tanh,scale=2", "lstm,keep=0", "lstm", "gru", "gru,keep=3"]
    end = {name: gradient_norms(CellSpec.parse(name), options)[-1] for name in names}
    assert end["rnn_tanh,scale=0.5"] < 1e-12 < end["rnn_tanh"] < 1 < 100 < end["rnn_tanh,scale=2"]
    assert end["lstm,keep=0"] < 1e-3 * end["lstm"]
    assert end["gru"] < 1e-3 * end["gru,keep=3"]


def test_the_seed_decides_and_torchs_own_generator_is_left_alone() -> None:
    spec, before = CellSpec.parse("esn"), torch.random.get_rng_state()
    same = [gradient_norms(spec, SMALL) for _ in range(2)]
    assert same[0] == same[1] != gradient_norms(spec, FlowOptions(6, 5, num_rows=3, seed=2))
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("option", ["input_scale", "hidden_size", "num_rows"])
def test_every_option_is_read(option) -> None:
    spec, changed = CellSpec.parse("gru"), {"input_scale": 1.0, "hidden_size": 6, "num_rows": 4}[option]
    sizes = {"steps": 6, "hidden_size": 5, "num_rows": 3, option: changed}
    assert gradient_norms(spec, FlowOptions(**sizes)) != gradient_norms(spec, SMALL)


def test_what_is_drawn_unasked_has_every_cell() -> None:
    drawn = {CellSpec.parse(text).options.cell for texts in PANELS.values() for text in texts}
    assert drawn == set(CELLS)


@pytest.mark.parametrize(
    ("text", "error", "sentence"),
    [
        ("tanh", ConfigError, "'tanh'"),
        ("gru,size=3", UsageError, "sets 'size'"),
        ("gru,scale=big", UsageError, "scale to 'big'"),
        ("gru,scale=nan", UsageError, "scale to 'nan'"),
        ("gru,scale", UsageError, "scale to ''"),
        ("rnn_tanh,keep=1", UsageError, "sets keep, but only lstm"),
        ("gru,leak=0.1", ConfigError, "leak"),
        ("rnn_tanh,skips=1", ConfigError, "skips"),
        ("rnn_tanh,skips=2.5", UsageError, "skips to '2.5'"),
        ("rnn_tanh,scale=2,scale=3", UsageError, "scale twice"),
    ],
)
def test_a_cell_that_cannot_be_is_a_sentence(text, error, sentence) -> None:
    with pytest.raises(error, match=sentence):
        CellSpec.parse(text)


@pytest.mark.parametrize("kind", ["svg", "png"])
def test_the_same_figures_are_the_same_bytes(kind, tmp_path) -> None:
    panels = {"": measure_flow([CellSpec.parse("rnn_tanh"), CellSpec.parse("rnn_relu,scale=0")], SMALL)}
    for name in ("a", "b"):
        draw_flow(panels, SMALL, tmp_path / f"{name}.{kind}")
    first, second = ((tmp_path / f"{name}.{kind}").read_bytes() for name in ("a", "b"))
    assert first == second
    assert first[:5] in (b"<?xml", b"\x89PNG\r")


def test_a_picture_holds_a_line_for_each_curve(tmp_path) -> None:
    spec = CellSpec.parse("gru")
    draw_flow({"title of it": [Curve(spec, (1.0, 0.5, 0.0, 1e-30))]}, SMALL, tmp_path / "one.svg")
    assert "title of it" in (tmp_path / "one.svg").read_text()
    assert ">gru</text>" in (tmp_path / "one.svg").read_text()
