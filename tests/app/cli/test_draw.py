"""`hred draw`: a picture a command, its figures printed; what cannot be drawn is a sentence."""

import pytest
from typer.testing import CliRunner

from app.cli.main import app
from dialog.errors import ConfigError, UsageError


def drawn(*arguments) -> str:
    done = CliRunner().invoke(app, ["draw", *map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_gradients_are_drawn_and_printed(tmp_path) -> None:
    sizes = "--hidden", 4, "--steps", 12
    cells = "--cell", "rnn_tanh,scale=0.5", "--cell", "gru"
    head, *lines = drawn("gradients", "--out", tmp_path / "a.svg", *sizes, *cells).splitlines()
    assert head.split()[-2:] == ["d=1", "d=10"]
    assert [line.split()[0] for line in lines] == ["rnn_tanh,scale=0.5", "gru"]
    assert (tmp_path / "a.svg").stat().st_size > 1000
    by_input = drawn("gradients", "--out", tmp_path / "b.svg", *sizes, *cells, "--by", "input").splitlines()
    assert by_input[1:] != lines
    other = drawn("gradients", "--out", tmp_path / "b.svg", *sizes, *cells, "--seed", 2).splitlines()
    assert other[1:] != lines
    louder = drawn("gradients", "--out", tmp_path / "b.svg", *sizes, *cells, "--input-scale", 2).splitlines()
    assert louder[1:] != lines


def test_all_cells_are_drawn_unasked(tmp_path) -> None:
    found = drawn("gradients", "--out", tmp_path / "a.png", "--hidden", 4, "--steps", 2)
    assert {line.split(",")[0].split()[0] for line in found.splitlines()[1:]} >= {"esn", "lstm_peephole"}


def test_clipping_is_drawn_and_printed(tmp_path) -> None:
    sizes = "--length", 4, "--hidden", 4, "--updates", 3, "--seeds", 2
    found = drawn("clipping", "--out", tmp_path / "a.svg", *sizes, "--clip", 0.1)
    assert [line.split(":")[0] for line in found.splitlines()[1:]] == ["seed 1", "seed 2"]
    assert found != drawn("clipping", "--out", tmp_path / "a.svg", *sizes, "--clip", 0.2)
    assert found != drawn("clipping", "--out", tmp_path / "a.svg", *sizes, "--clip", 0.1, "--cell", "gru")


@pytest.mark.parametrize(
    ("arguments", "error", "sentence"),
    [
        (("gradients", "--out", "a.jpg"), UsageError, "let it end in .svg or .png"),
        (("gradients", "--out", "no-such/a.svg"), UsageError, "no-such"),
        (("gradients", "--out", "a.svg", "--by", "weight"), UsageError, "by the state or by the input"),
        (("gradients", "--out", "a.svg", "--cell", "tanh"), ConfigError, "'tanh'"),
        (("clipping", "--out", "a.svg", "--clip", "0"), UsageError, "above 0"),
        (("clipping", "--out", "a.svg", "--learning-rate", "-1"), UsageError, "above 0"),
        (("clipping", "--out", "a.svg", "--cell", "gru,leak=1"), ConfigError, "leak"),
    ],
)
def test_what_cannot_be_is_a_sentence(arguments, error, sentence, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=sentence):
        drawn(*arguments)
    assert not list(tmp_path.iterdir())
