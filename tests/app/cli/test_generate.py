"""`hred generate`: the same seed gives the same texts, however many are asked for."""

import json

import pytest
from typer.testing import CliRunner

from app.cli.main import app
from dialog.errors import UsageError
from tests.app.cli.tiny_runs import make_runs


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return make_runs(tmp_path_factory.mktemp("runs"), ["lm", "hred"])


def generated(run, *arguments) -> list[dict]:
    given = ["generate", run, "--json", "--max-tokens", 8, *arguments]
    done = CliRunner().invoke(app, [*map(str, given)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_text_two_of_two_is_text_two_of_four(runs) -> None:
    two, four = (generated(runs / "lm", "-n", count, "--seed", 3) for count in (2, 4))
    assert [one["tokens"] for one in two] == [one["tokens"] for one in four[:2]]
    assert [one["tokens"] for one in generated(runs / "lm", "-n", 2, "--seed", 4)] != [
        one["tokens"] for one in two
    ]


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
    with pytest.raises(UsageError, match="makes no text without a context"):
        generated(runs / "hred")
