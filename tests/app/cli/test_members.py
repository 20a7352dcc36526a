"""Each member of the family is trained, saved, loaded and chatted with, by the commands, from DailyDialog's layout."""

import random
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from app.cli.main import app
from dialog.corpus.dailydialog import END_OF_UTTERANCE
from dialog.models.registry import MODELS, model_class
from dialog.run_folder import load_run
from tests.dialog.models.family import CELL_MEMBERS, FLAT, HIERARCHICAL, SCOPE_MEMBERS, settings_of

OF_RECURRENT = ("seq2seq", "hred", "vhred")
ROWS = (
    [("lm", member) for member in CELL_MEMBERS]
    + [("seq2seq", member) for member in FLAT]
    + [("hred", member) for member in SCOPE_MEMBERS]
    + [("vhred", member) for member in ("gru", "lstm", "esn", "gnmt", "hard over tokens_then_turns")]
)
OTHERS = [name for name in MODELS if name not in ("lm", *OF_RECURRENT)]
"""Models that are made of other parts: each as it is by default."""
SMALL = {
    "embedding_size": 8,
    "hidden_size": 8,
    "context_size": 8,
    "latent_size": 4,
    "heads": 2,
    "feedforward_size": 8,
    "latent_hidden_size": 4,
    "context_turns": 3,
    "code_size": 4,
}
TRAINING = {"batch_tokens": 400, "validate_conversations": 4, "measure_replies": 4, "learning_rate": 0.01}


def hred(*arguments: object, text: str | None = None) -> str:
    done = CliRunner().invoke(app, [*map(str, arguments)], input=text, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    folder, draw = tmp_path_factory.mktemp("daily"), random.Random(3)
    (folder / "dialogues_train.txt").write_text("\n".join(talk(draw) for _ in range(80)) + "\n")
    out = folder / "corpus"
    hred(
        "prepare", folder / "dialogues_train.txt", "--out", out, "--vocabulary-size", 320,
        "--workers", 1, "--valid-share", 0.2, "--test-share", 0.1,
    )  # fmt: skip
    return out


def talk(draw: random.Random) -> str:
    """A conversation in DailyDialog's layout."""
    name = "".join(draw.choice("bdfgklmnprst") + draw.choice("aeiou") for _ in range(3))
    said = [f"Who is {name} ?", f"{name} is a friend .", f"Is {name} well ?", "Yes , very ."]
    return f" {END_OF_UTTERANCE} ".join(said[: draw.randint(2, 4)]) + f" {END_OF_UTTERANCE}"


def train(corpus: Path, out: Path, name: str, settings: dict[str, Any]) -> None:
    sizes = settings_of(SMALL, model_class(name).config_class)
    assignments = {**sizes, **settings, **TRAINING}
    given = [part for key, value in assignments.items() for part in ("--set", f"{key}={value}")]
    said = hred("train", corpus, "--model", name, "--out", out, "--max-updates", 2, *given)
    assert "validation at update 2" in said


@pytest.mark.parametrize(("name", "member"), ROWS)
def test_a_member_is_trained_saved_loaded_and_talked_to(corpus, tmp_path, name, member) -> None:
    settings = settings_of(HIERARCHICAL[member], model_class(name).config_class)
    if name == "lm":
        settings["decoder_cell"] = HIERARCHICAL[member].get("decoder_cell", "gru")
    train(corpus, tmp_path / "run", name, settings)
    kept = load_run(tmp_path / "run").model.config.to_json()
    assert {key: kept[key] for key in settings} == settings
    talk_to(tmp_path / "run", name)


@pytest.mark.parametrize("name", OTHERS)
def test_a_model_is_trained_saved_loaded_and_talked_to(corpus, tmp_path, name) -> None:
    train(corpus, tmp_path / "run", name, {})
    talk_to(tmp_path / "run", name)


def talk_to(run: Path, name: str) -> None:
    """Uses a run by the command for what it can do, twice: it says the same again."""
    entry = MODELS[name]
    if "reply" in entry.abilities:
        asked: list[Any] = ["chat", run, "--max-tokens", 6, "--seed", 3]
        text = "Who is mara ?\nIs mara well ?\n"
    elif "generate" in entry.abilities:
        asked, text = ["generate", run, "-n", 2, "--max-tokens", 6, "--seed", 3], None
    else:
        asked, text = ["autoencode", run, "--text", "Who is mara ?", "--max-tokens", 6], None
    said = hred(*asked, text=text)
    assert said.count("\n") >= 1
    assert said == hred(*asked, text=text)


def test_the_preset_is_what_the_paper_says(corpus, tmp_path) -> None:
    train(corpus, tmp_path / "run", "seq2seq", {"preset": "gnmt"})
    config = load_run(tmp_path / "run").model.config
    assert (config.encoder_layers, config.decoder_layers, config.residual_from) == (8, 8, 3)
    assert (config.encoder_directions, config.attention_from, config.encoder_cell) == (
        "first",
        "bottom",
        "lstm",
    )
