"""`hred reply` and `hred chat` as processes, on a tiny model."""

import json
import subprocess
import sys

import pytest
import torch
from typer.testing import CliRunner

from app.cli.main import app
from dialog.errors import UsageError
from dialog.models.registry import build_model
from dialog.run_folder import save_run
from dialog.text.tokenizer import Tokenizer, train_tokenizer


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A model that replies, and two that rank, of one vocabulary."""
    texts = [f"hello number {n}, how are you?" for n in range(60)]
    tokenizer = Tokenizer.from_bytes(train_tokenizer(texts, 300))
    folder = tmp_path_factory.mktemp("runs")
    for name, kind, direction in (
        ("vhred", "vhred", "forward"),
        ("seq2seq", "seq2seq", "forward"),
        ("language", "lm", "forward"),
        ("backward", "seq2seq", "backward"),
    ):
        torch.manual_seed(1)
        sizes = {"embedding_size": 8, "hidden_size": 8} | ({"context_size": 8} if kind == "vhred" else {})
        model = build_model(kind, {"vocab_size": tokenizer.num_tokens, **sizes})
        save_run(folder / name, model, tokenizer, {"training": {"direction": direction}}, f"# {name}\n")
    return folder


@pytest.fixture(scope="module")
def run_folder(runs):
    return runs / "vhred"


def hred(*arguments, text=None):
    command = [sys.executable, "-m", "dialog", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, input=text, timeout=300)


def replied(*arguments, text=None):
    """Returns what the command prints, run in this process; its own errors come out as they are."""
    done = CliRunner().invoke(app, [*map(str, arguments)], input=text, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout.splitlines()


def test_reply_three_of_three_is_reply_three_of_five(run_folder):
    options = ["--context", "hello", "--context", "how are you?", "--seed", 7, "--json", "--max-tokens", 9]
    three = hred("reply", run_folder, *options, "-n", 3)
    five = hred("reply", run_folder, *options, "-n", 5)
    assert three.returncode == 0, three.stderr
    replies = [json.loads(line) for line in three.stdout.splitlines()]
    further = [json.loads(line) for line in five.stdout.splitlines()]
    assert len(further) == 5
    for one, other in zip(replies, further[:3], strict=True):
        # The batch's size may move a score by its last bits, never a token.
        for name in ("log_probability", "filtered_log_probability", "latent"):
            assert one.pop(name) == pytest.approx(other.pop(name), abs=1e-4)
        assert one == other
    assert [reply["index"] for reply in replies] == [0, 1, 2]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--context", "hi", "--top-p", 2], "top_p is 2.0"),
        (["--context", "hi", "--method", "best"], "must be 'greedy', 'sample' or 'beam'"),
        (["--context", "  "], "no text to answer"),
    ],
)
def test_what_cannot_be_is_one_sentence(run_folder, options, sentence):
    done = hred("reply", run_folder, *options)
    assert done.returncode == 2
    assert sentence in done.stderr and done.stderr.count("\n") == 1


def test_a_chat_that_is_piped_answers_each_line_and_remembers(run_folder):
    alone = hred("chat", run_folder, "--max-tokens", 5, "--seed", 3, text="hello\n")
    assert alone.returncode == 0, alone.stderr
    assert len(alone.stdout.splitlines()) == 1
    longer = hred(
        "chat", run_folder, "--max-tokens", 5, "--seed", 3, text="hello\nagain\n/new\nhello\n/quit\nx\n"
    )
    assert longer.stdout.splitlines()[0] == alone.stdout.splitlines()[0]
    assert len(longer.stdout.splitlines()) == 3


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--beam-size", 3], "--beam-size is read by --method beam alone"),
        (["--method", "beam", "--top-p", 0.9], "--top-p is read by --method sample alone"),
        (["--method", "greedy", "--temperature", 1], "by --method sample or beam alone"),
        (["--method", "beam", "--diversity", 1], "add --beam-groups"),
        (["--method", "beam", "--beam-groups", 2], "must divide beam_size (5) evenly"),
        (["--rerank", "best"], "must be one of anti-lm, backward, latent"),
        (["--rerank", "anti-lm"], "add --language-model RUN"),
        (["--rerank", "backward"], "add --backward RUN"),
        (["--backward", "x"], "--backward is read by --rerank backward alone"),
        (["--candidates", 3], "--candidates is for reranking"),
        (["--rerank", "latent", "-n", 11], "11 replies are asked for of 10 candidates"),
        (["--rerank", "latent", "--rerank-weight", -1], "the reranking weight is -1.0"),
    ],
)
def test_options_that_nothing_would_read_are_refused(run_folder, options, sentence):
    with pytest.raises(UsageError) as refused:
        replied("reply", run_folder, "--context", "hi", *options)
    assert sentence in str(refused.value)


ASKED = ("--context", "hello", "--seed", 7, "--max-tokens", 9)


def test_a_beam_and_its_scores(runs):
    asked = ["reply", runs / "seq2seq", *ASKED, "--method", "beam", "-n", 3]
    plain, (head, *lines) = replied(*asked, "--beam-size", 4), replied(*asked, "--beam-size", 4, "--scores")
    assert head.split() == ["log", "p", "beam", "tokens", "reply"]
    assert len(plain) == 3
    assert all(line.startswith("*") and line.endswith(text) for line, text in zip(lines, plain, strict=True))
    with pytest.raises(UsageError, match="a beam of 2 finds 2"):
        replied(*asked, "--beam-size", 2)


@pytest.mark.parametrize(
    ("model", "ranker", "options", "name"),
    [
        ("seq2seq", "anti-lm", {"--language-model": "language", "--anti-tokens": 2}, "anti_lm"),
        ("vhred", "backward", {"--backward": "backward", "--length-weight": 9}, "backward"),
        ("vhred", "latent", {}, "marginal"),
    ],
)
def test_the_best_of_the_candidates_is_replied_and_all_can_be_seen(runs, model, ranker, options, name):
    given = [part for flag, value in options.items() for part in (flag, value)]
    given = [runs / part if part in ("language", "backward") else part for part in given]
    asked = ["reply", runs / model, *ASKED, "--json", "--rerank", ranker, *given, "--candidates", 6]
    ranked = replied(*asked, "--scores")
    assert replied(*asked, "-n", 2) == ranked[:2]
    replies = [json.loads(line) for line in ranked]
    assert sorted(reply["index"] for reply in replies) == [*range(6)]
    totals = [reply["scores"]["total"] for reply in replies]
    assert totals == sorted(totals, reverse=True)
    assert all(name in reply["scores"] for reply in replies)
    drawn = replied("reply", runs / model, *ASKED, "-n", 6, "--json")
    assert {json.loads(line)["text"] for line in drawn} == {reply["text"] for reply in replies}


def test_what_cannot_rank_is_one_sentence(runs):
    backward = ["--rerank", "backward", "--backward"]
    for options, sentence in (
        (["--rerank", "anti-lm", "--language-model", runs / "vhred"], "--model lm"),
        ([*backward, runs / "language"], "was trained forward"),
        ([*backward, runs / "backward", "--method", "greedy"], "nothing to rerank"),
        (["--rerank", "latent"], "no latent variable"),
    ):
        with pytest.raises(UsageError, match=sentence):
            replied("reply", runs / "seq2seq", *ASKED, *options)


@pytest.mark.parametrize("command", [("reply", *ASKED), ("chat",)])
@pytest.mark.parametrize(
    ("run", "sentence"), [("backward", "give it as --backward"), ("language", "hred generate")]
)
def test_what_answers_nothing_is_refused(runs, command, run, sentence):
    name, *options = command
    with pytest.raises(UsageError, match=sentence):
        replied(name, runs / run, *options)


def test_a_chat_takes_the_best_and_tells_its_scores(runs):
    asked = ["--rerank", "latent", "--candidates", 4, "--max-tokens", 5, "--seed", 3]
    told = hred("chat", runs / "vhred", *asked, "--scores", text="hello\n")
    assert told.returncode == 0, told.stderr
    reply, head, *lines = told.stdout.splitlines()
    assert "marginal" in head and len(lines) == 4
    assert lines[0].startswith("*") and lines[0].endswith(reply)
    assert [line.strip() for line in replied("reply", runs / "vhred", "--context", "hello", *asked)] == [
        reply.strip()
    ]
