"""`hred reply` and `hred chat` as processes, on a tiny model."""

import json
import subprocess
import sys

import pytest
import torch

from dialog.models.registry import build_model
from dialog.run_folder import save_run
from dialog.text.tokenizer import Tokenizer, train_tokenizer


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    texts = [f"hello number {n}, how are you?" for n in range(60)]
    tokenizer = Tokenizer.from_bytes(train_tokenizer(texts, 300))
    torch.manual_seed(1)
    sizes = {"embedding_size": 8, "hidden_size": 8, "context_size": 8}
    model = build_model("vhred", {"vocab_size": tokenizer.num_tokens, **sizes})
    folder = tmp_path_factory.mktemp("runs") / "vhred"
    save_run(folder, model, tokenizer, {}, "# vhred\n")
    return folder


def hred(*arguments, text=None):
    command = [sys.executable, "-m", "dialog", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, input=text, timeout=120)


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
