"""`hred generate`: the same seed gives the same texts, however many are asked for."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from app.cli.main import app
from dialog.errors import UsageError
from tests.app.cli.tiny_runs import make_runs


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return make_runs(tmp_path_factory.mktemp("runs"), ["lm", "vae", "hred", "autoencoder"])


def generated(run, *arguments) -> list[dict]:
    given = ["generate", run, "--json", "--max-tokens", 8, *arguments]
    done = CliRunner().invoke(app, [*map(str, given)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("name", ["lm", "vae"])
def test_text_two_of_two_is_text_two_of_four(runs, name) -> None:
    two, four = (generated(runs / name, "-n", count, "--seed", 3) for count in (2, 4))
    assert [one["tokens"] for one in two] == [one["tokens"] for one in four[:2]]
    assert [one["tokens"] for one in generated(runs / name, "-n", 2, "--seed", 4)] != [
        one["tokens"] for one in two
    ]


def test_each_text_of_a_variational_autoencoder_is_of_a_z_from_the_prior(runs) -> None:
    found = generated(runs / "vae", "-n", 64, "--method", "greedy", "--max-tokens", 2)
    latents = np.array([one["latent"] for one in found])
    assert latents.shape == (64, 8) and len({tuple(z) for z in latents}) == 64
    assert abs(latents.mean()) < 5 / 512**0.5 and abs(latents.std() - 1) < 5 / 1024**0.5


def test_a_prompt_begins_each_text_and_options_are_read(runs) -> None:
    found = generated(runs / "lm", "-n", 2, "--prompt", " hello  number", "--min-tokens", 8)
    assert all(one["text"].startswith("hello number") and len(one["tokens"]) == 8 for one in found)
    greedy = generated(runs / "lm", "-n", 2, "--method", "greedy")
    assert greedy[0]["tokens"] == greedy[1]["tokens"]


def test_without_json_a_text_is_a_line(runs) -> None:
    asked = ["generate", str(runs / "lm"), "-n", "3", "--prompt", "hello"]
    done = CliRunner().invoke(app, asked, catch_exceptions=False)
    assert len(done.stdout.split("\n")) == 4


def test_a_model_that_needs_a_context_is_refused(runs) -> None:
    for name, instead in (("hred", "`hred reply .*"), ("autoencoder", "`hred autoencode`")):
        with pytest.raises(UsageError, match=f"makes no text without a context: .*{instead}"):
            generated(runs / name)
