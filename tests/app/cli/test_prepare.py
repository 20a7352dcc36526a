"""`hred prepare` as a command: what it shows, and that it shows one sentence where it cannot."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from app.cli.prepare import prepare
from dialog.corpus.tokenized import TokenizedCorpus
from dialog.errors import LogError, UsageError

application = typer.Typer()
application.command()(prepare)


def run(*arguments: object):
    """Runs the command; its own errors come out as they are, for `main` prints them."""
    return CliRunner().invoke(application, [str(argument) for argument in arguments])


@pytest.fixture
def log(tmp_path) -> Path:
    path = tmp_path / "log.csv"
    rows = [f"{number},{'AB'[turn % 2]},word{number} and {turn}" for number in range(40) for turn in range(4)]
    path.write_text("\n".join(["Thread,Who,Said", *rows, ""]))
    return path


COLUMNS = ("--column-conversation", "Thread", "--column-speaker", "Who", "--column-text", "Said")


def test_it_prepares_and_reports_in_plain_text(tmp_path, log) -> None:
    out = tmp_path / "corpus"
    done = run(log, "--out", out, *COLUMNS, "--reply-as", "B", "--vocabulary-size", 300, "--seed", 5)
    assert done.exit_code == 0, done.output
    assert "read\t40" in done.stdout
    assert "\x1b" not in done.output
    assert "Reading the logs" in done.stderr
    corpus = TokenizedCorpus.open(out, verify=True)
    manifest = json.loads((out / "corpus.json").read_text())
    assert (manifest["seed"], manifest["reply_as"]) == (5, "B")
    assert manifest["settings"]["vocabulary_size"] == 300 >= corpus.tokenizer.num_tokens
    assert corpus.split("train")[0].targets.tolist() == [False, True, False, True]


def test_bad_records_and_empty_splits_are_shown(tmp_path, log) -> None:
    with log.open("a") as stream:
        stream.write("0,A,again\n")
    arguments = (*COLUMNS, "--vocabulary-size", 300, "--valid-share", 0, "--test-share", 0, "--max-bad", 0.1)
    done = run(log, "--out", tmp_path / "corpus", *arguments)
    assert done.exit_code == 0, done.output
    assert "1 of 41 records are bad" in done.stdout
    assert f"{log}:162: the conversation '0' goes on here" in done.stdout
    assert "The split valid is empty." in done.stdout


def test_given_files_are_splits(tmp_path) -> None:
    files = []
    for name, numbers in (("a", range(30)), ("b", range(30, 34)), ("c", range(34, 40))):
        files.append(tmp_path / f"{name}.txt")
        files[-1].write_text("\n\n".join(f"Ann: word{number}\nBob: and {number}" for number in numbers))
    out = tmp_path / "corpus"
    given = ("--train", files[0], "--valid", files[1], "--test", files[2])
    done = run(*given, "--out", out, "--vocabulary-size", 300, "--tokenizer", "bpe")
    assert done.exit_code == 0, done.output
    corpus = TokenizedCorpus.open(out)
    assert [len(corpus.split(name)) for name in ("train", "valid", "test")] == [30, 4, 6]


def test_parts_are_merged_into_what_one_command_makes(tmp_path, log) -> None:
    settings = (*COLUMNS, "--vocabulary-size", 300)
    assert run(log, "--out", tmp_path / "one", *settings).exit_code == 0
    parts = [tmp_path / f"part{number}" for number in (1, 2)]
    for number, part in enumerate(parts, 1):
        done = run(log, "--out", part, "--shard", f"{number}/2", *settings)
        assert done.exit_code == 0, done.output
        assert f"{40 if number == 1 else 0} records read, 0 bad" in done.stdout  # a small file is not cut
    done = run("--merge", *parts, "--out", tmp_path / "merged")
    assert done.exit_code == 0, done.output
    assert "read\t40" in done.stdout
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "merged" / path.name).read_bytes()
    done = run("--merge", *parts, "--out", tmp_path / "other", "--seed", 3)
    assert isinstance(done.exception, UsageError)
    assert "--seed does not go with --merge" in str(done.exception)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((), UsageError),
        (("--valid-share", "2", "x"), UsageError),
        (("no-such-file",), LogError),
        (("x", "--shard", "2"), UsageError),
        (("x", "--shard", "3/2"), UsageError),
    ],
)
def test_its_errors_are_those_that_main_prints(tmp_path, arguments, error) -> None:
    done = run(*arguments, "--out", tmp_path / "corpus")
    assert isinstance(done.exception, error)
    assert not (tmp_path / "corpus").exists()


@pytest.mark.parametrize("arguments", [("--format", "xml"), ("--vocabulary-size", "10"), ("--workers", "-1")])
def test_wrong_usage_ends_with_2(arguments) -> None:
    assert run("x", *arguments).exit_code == 2


def test_every_option_says_what_it_does() -> None:
    command = typer.main.get_command(application)
    assert [parameter.name for parameter in command.params if not getattr(parameter, "help", None)] == []


def test_importing_it_loads_nothing_heavy() -> None:
    code = (
        "import sys, app.cli.prepare\n"
        "print([name for name in ('torch', 'gradio', 'pyarrow', 'sentencepiece', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout.strip() == "[]"


def test_preparing_loads_neither_torch_nor_gradio(tmp_path, log) -> None:
    code = (
        "import sys, typer, app.cli.prepare\n"
        "try: typer.run(app.cli.prepare.prepare)\n"
        "except SystemExit as end: assert not end.code\n"
        "print([name for name in ('torch', 'gradio') if name in sys.modules])"
    )
    arguments = [str(log), "--out", str(tmp_path / "corpus"), *COLUMNS, "--vocabulary-size", "300"]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, check=True, text=True
    )
    assert done.stdout.strip().endswith("[]")
