"""`hred draw`: a picture a command, its figures printed; what cannot be drawn is a sentence."""

import pytest
from typer.testing import CliRunner

from app.cli.main import app
from dialog.errors import ConfigError, RunFolderError, UsageError
from tests.app.cli.tiny_runs import make_runs

TALK = "--context", "hello", "--context", "how are you?"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return make_runs(tmp_path_factory.mktemp("runs"), ["hred", "vhred", "lm"])


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


def test_stacks_are_drawn_and_printed(tmp_path) -> None:
    sizes = "--hidden", 4, "--length", 3
    lines = drawn("stack", "--out", tmp_path / "a.svg", *sizes, "--layers", 2).splitlines()
    assert [line.split(":")[0] for line in lines][:2] == ["plain", "residual from layer 2"]
    assert "layer 2" in lines[0]
    assert "token 3" in lines[-1]
    for other in (("--cell", "gru"), ("--seed", 2), ("--layers", 3)):
        assert (
            drawn("stack", "--out", tmp_path / "a.svg", *sizes, "--layers", 2, *other).splitlines() != lines
        )


def test_gates_of_a_run(runs, tmp_path) -> None:
    found = drawn("gates", runs / "hred", "--text", "hello", "--out", tmp_path / "a.svg")
    assert found.splitlines()[0].split() == ["reset", "update"]
    assert found.splitlines()[-1].startswith("(end)")
    backward = drawn("gates", runs / "hred", "--text", "hello", "--out", tmp_path / "b.svg", "--backward")
    assert backward != found
    assert (tmp_path / "b.svg").exists()


def test_attention_of_a_reply(runs, tmp_path) -> None:
    found = drawn("attention", runs / "hred", *TALK, "--reply", "me too", "--out", tmp_path / "a.svg")
    assert found.splitlines()[0] == "me too"
    assert found.splitlines()[-1].startswith("(end)")
    drawn("attention", runs / "vhred", *TALK, "--seed", 3, "--out", tmp_path / "b.svg")
    assert (tmp_path / "b.svg").exists()


def test_context_turn_by_turn(runs, tmp_path) -> None:
    lines = drawn("context", runs / "hred", *TALK, "--out", tmp_path / "a.svg").splitlines()
    assert [line.split(maxsplit=1)[1] for line in lines] == ["hello", "how are you?"]


def test_latent_draws(runs, tmp_path) -> None:
    options = "-n", 4, "--side", 2, "--words", 1, "--seed", 5
    lines = drawn("latent", runs / "vhred", *TALK, *options, "--out", tmp_path / "a.svg").splitlines()
    assert sum(int(line.split()[0]) for line in lines if line.endswith("…")) == 4


@pytest.mark.parametrize(
    ("arguments", "error", "sentence"),
    [
        (("gates", "lm", "--text", " "), UsageError, "no words"),
        (("attention", "lm", *TALK), UsageError, "answers nothing"),
        (("context", "lm", *TALK), UsageError, "no context state"),
        (("latent", "hred", *TALK), UsageError, "no latent variable"),
        (("context", "no-such", *TALK), RunFolderError, "no-such"),
    ],
)
def test_a_run_that_cannot_be_drawn_is_a_sentence(
    arguments, error, sentence, runs, tmp_path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    what, run, *more = arguments
    with pytest.raises(error, match=sentence):
        drawn(what, runs / run, *more, "--out", "a.svg")
    with pytest.raises(UsageError, match="end in .svg or .png"):
        drawn(what, runs / run, *more, "--out", "a.pdf")
    assert not list(tmp_path.iterdir())


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
