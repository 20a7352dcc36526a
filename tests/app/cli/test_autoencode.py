"""`hred autoencode` on fresh models, and on ones that the commands trained: what is said again, walked and refused."""

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from app.bots import Bots
from app.cli.main import app
from dialog.errors import ConfigError, UsageError
from dialog.models.registry import MODELS
from dialog.run_folder import load_run
from tests.app.cli.tiny_runs import make_runs

NAMES = [name for name, entry in MODELS.items() if "reconstruct" in entry.abilities]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return make_runs(tmp_path_factory.mktemp("runs"), [*NAMES, "hred"])


@pytest.fixture(params=NAMES)
def name(request) -> str:
    return request.param


def said(*arguments, given=None) -> list[str]:
    asked = ["autoencode", *map(str, arguments), "--max-tokens", "8"]
    done = CliRunner().invoke(app, asked, input=given, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout.splitlines()


def told(*arguments, given=None) -> list[dict]:
    return [json.loads(line) for line in said(*arguments, "--json", given=given)]


def test_options_and_lines_of_standard_input_are_said_alike(runs, name) -> None:
    texts = [f"hello number {n}, how are you?" for n in range(70)]
    by_lines = said(runs / name, given="\n".join(texts))
    assert len(by_lines) == 70
    some = (0, 3, 69)
    options = [part for n in some for part in ("--text", texts[n])]
    assert said(runs / name, *options) == [by_lines[n] for n in some]
    found = told(runs / name, *options)
    assert [one["given"] for one in found] == [texts[n] for n in some]
    assert [one["text"] for one in found] == [by_lines[n] for n in some]
    assert all(len(one["code"]) == 8 and one["sampling"]["method"] == "greedy" for one in found)


def test_a_line_without_words_is_an_empty_line(runs, name) -> None:
    given = "hello\n\n  \nhow are you?\r\n"
    lines = said(runs / name, "--method", "sample", "-n", 2, given=given)
    assert len(lines) == 8 and lines[2:6] == [""] * 4
    assert [one["given"] for one in told(runs / name, given=given)] == ["hello", "how are you?"]
    assert told(runs / name, given=b"caf\xe9\n")[0]["given"] == "caf\ufffd"
    assert said(runs / name, given="") == []


def test_sampling_options_are_read_and_a_seed_gives_the_same(runs, name) -> None:
    asked = (runs / name, "--text", "hello", "--method", "sample", "--temperature", 1.2, "-n", 3)
    found = told(*asked, "--seed", 4)
    assert found == told(*asked, "--seed", 4) != told(*asked, "--seed", 5)
    assert len({tuple(one["tokens"]) for one in found}) == 3
    beam = told(runs / name, "--text", "hello", "--method", "beam", "--beam-size", 2, "--min-tokens", 3)
    assert "beam" in beam[0]["scores"] and len(beam[0]["tokens"]) > 3


def test_a_walk_has_its_points_and_their_shares(runs, name) -> None:
    ends = ("hello number 3", "how are you?")
    assert len(said(runs / name, "--between", *ends)) == 7
    walk = told(runs / name, "--between", *ends, "--steps", 5)
    assert [one["share"] for one in walk] == [0, 0.25, 0.5, 0.75, 1]
    assert all(one["between"] == list(ends) for one in walk)
    again = told(runs / name, *[part for end in ends for part in ("--text", end)])
    assert [walk[0]["text"], walk[-1]["text"]] == [one["text"] for one in again]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--between", "a", "b", "--text", "c"], "leave --text and -n out"),
        (["--between", "a", "b", "-n", "2"], "leave --text and -n out"),
        (["--text", "a", "--steps", "3"], "--steps are of a walk"),
        (["--text", " "], "no word in ' '"),
        (["--between", "a", ""], "no word in ''"),
        (
            ["--text", "a", "--temperature", "0.5"],
            "read by --method sample or beam alone, and the method is greedy",
        ),
    ],
)
def test_wrong_usage_is_a_sentence(runs, name, options, sentence) -> None:
    with pytest.raises(UsageError, match=sentence):
        said(runs / name, *options)


def test_other_runs_are_refused_here_and_these_runs_elsewhere(runs, name) -> None:
    with pytest.raises(UsageError, match="a run of hred, which does not say again.*hred chat"):
        said(runs / "hred", "--text", "a")
    for command, *more in (["reply", "--context", "a"], ["chat"], ["serve"]):
        with pytest.raises(UsageError, match=f"a run of {name}: .* answers nothing: .*`hred autoencode`"):
            CliRunner().invoke(app, [command, str(runs / name), *more], catch_exceptions=False)
    with pytest.raises(UsageError, match="`hred autoencode`"):
        Bots.of([str(runs / name)])
    generates = "generate" in MODELS[name].abilities
    for command in (["generate"], ["score", "--text", "a"]):
        asked = [command[0], str(runs / name), *command[1:]]
        if generates:
            assert CliRunner().invoke(app, asked, catch_exceptions=False).exit_code == 0
        else:
            with pytest.raises(UsageError, match="makes no text without a context|no probability of its own"):
                CliRunner().invoke(app, asked, catch_exceptions=False)


def settings(*assignments: str) -> list[str]:
    return [part for assignment in assignments for part in ("--set", assignment)]


@pytest.fixture(scope="module")
def trained(hred, corpus, tmp_path_factory):
    """A run of each on eighty short sentences, of which it sees the same few again and again."""
    folder, output = tmp_path_factory.mktemp("trained"), {}
    for name in NAMES:
        latent = ("kl_annealing_updates=20",) if "generate" in MODELS[name].abilities else ()
        size = "latent_size=12" if latent else "code_size=12"
        done = hred(
            "train", corpus, "--model", name, "--out", folder / name, "--max-updates", 40,
            *settings("embedding_size=12", "hidden_size=24", size, "batch_tokens=400", "validate_every=20",
                      "learning_rate=0.02", "warmup_updates=0", "validate_conversations=0", "dropout=0", *latent),
        )  # fmt: skip
        output[name] = done.output
    return folder, output


def test_it_is_trained_and_what_is_shown_is_said_to_be_reconstructed(trained, name) -> None:
    folder, output = trained[0] / name, trained[1][name]
    assert "of the utterances looked at are said again word for word" in output
    assert "said again: " in output and "→" not in output and "replies are dull" not in output
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    valid = [line for line in lines if line["split"] == "valid"]
    assert valid[1]["nats_per_token"] < valid[0]["nats_per_token"]
    assert all(line["replies"] is None and 0 <= line["said_again_exactly"] <= 1 for line in valid)
    assert all(one.keys() == {"utterance", "said_again"} for line in valid for one in line["samples"])
    card = (folder / "model_card.md").read_text()
    assert f"A model of the kind {name}" in card and "continues conversations" not in card
    assert "`hred autoencode`" in card


def test_it_is_evaluated_exported_and_used_in_a_fresh_process(hred, corpus, trained, name, tmp_path) -> None:
    folder = trained[0] / name
    found = json.loads(hred("evaluate", folder, corpus, "--samples", 3, "--json").stdout)
    chosen = load_run(folder).config["chosen_by"]
    assert found["nats_per_token"] == pytest.approx(chosen["nats_per_token"], rel=0.5)
    assert ("latent" in found) == load_run(folder).model.is_latent
    export = ["export", str(folder), "--out", str(tmp_path / "out")]
    assert CliRunner().invoke(app, export, catch_exceptions=False).exit_code == 0
    assert "said_again" not in (tmp_path / "out" / "metrics.jsonl").read_text().replace(
        "said_again_exactly", ""
    )
    asked = ["--text", "me too.", "--text", "hello, who are you?"]
    here = said(folder, *asked)
    command = [
        sys.executable,
        "-m",
        "dialog",
        "autoencode",
        str(tmp_path / "out"),
        *asked,
        "--max-tokens",
        "8",
    ]
    fresh = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert (fresh.returncode, fresh.stdout.splitlines(), fresh.stderr) == (0, here, "")


def test_it_is_not_trained_backwards(hred, corpus, tmp_path, name) -> None:
    with pytest.raises(ConfigError, match=f"direction is 'backward', but {name} reads no turn before"):
        hred("train", corpus, "--model", name, "--out", tmp_path / "run", *settings("direction=backward"))
    with pytest.raises(ConfigError, match="has no setting 'attention': .*past the code"):
        hred("train", corpus, "--model", name, "--out", tmp_path / "run", *settings("attention=none"))
