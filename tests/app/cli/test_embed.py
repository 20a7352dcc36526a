"""`hred embed`, and a training that starts from what it made."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

from app.cli.main import app
from dialog.corpus.tokenized import TokenizedCorpus
from dialog.errors import ConfigError, UsageError
from dialog.evaluation.vectors import read_vectors
from dialog.run_folder import load_run
from dialog.training.word_vectors import nearest

pytest.importorskip("gensim")


def hred(*arguments) -> str:
    done = CliRunner().invoke(app, [*map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture(scope="module")
def made(corpus, tmp_path_factory):
    """A file of vectors, and what the command said."""
    out = tmp_path_factory.mktemp("vectors") / "v.txt"
    return out, hred("embed", corpus, "--out", out, "--size", 12)


def test_it_tells_how_many_and_what_is_near(made) -> None:
    out, said = made
    vectors = read_vectors(out)
    assert f"{len(vectors.rows)} vectors of 12 numbers" in said
    shown = [line.strip().split(": ") for line in said.splitlines()[1:]]
    assert shown
    for name, near in shown:
        assert near.split(", ") == nearest(vectors, name, 5)


def test_the_file_beside_says_how_it_was_made(made, corpus) -> None:
    out, _ = made
    told = json.loads(out.with_name("v.txt.json").read_text())
    opened = TokenizedCorpus.open(corpus)
    assert told["corpus"]["hash"] == opened.hash
    assert told["corpus"]["tokenizer_sha256"] == opened.tokenizer.hash
    assert (told["settings"]["size"], told["settings"]["method"]) == (12, "skipgram")
    assert told["vectors"] == len(read_vectors(out).rows)


def test_another_process_writes_the_same_bytes(made, corpus, tmp_path) -> None:
    """Python's own hashes of texts differ between processes."""
    again = tmp_path / "again.txt"
    command = [sys.executable, "-m", "dialog", "embed", str(corpus), "--out", str(again), "--size", "12"]
    done = subprocess.run(
        command, env={**os.environ, "PYTHONHASHSEED": "7"}, capture_output=True, text=True, timeout=300
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert again.read_bytes() == made[0].read_bytes()


def test_words_are_another_unit(corpus, tmp_path) -> None:
    hred("embed", corpus, "--out", tmp_path / "w.txt", "--unit", "words", "--method", "cbow", "--epochs", 1)
    names = read_vectors(tmp_path / "w.txt").rows
    assert {"hello", "who", "are", "you", "well"} <= set(names)
    assert json.loads((tmp_path / "w.txt.json").read_text())["settings"]["min_count"] == 5


def trained(corpus, out, *options):
    sizes = (
        "embedding_size=12",
        "hidden_size=8",
        "sample_replies=0",
        "measure_replies=0",
        "warmup_updates=1000",
    )
    assignments = [part for value in sizes for part in ("--set", value)]
    return hred("train", corpus, "--model", "lm", "--out", out, "--max-updates", 1, *assignments, *options)


def test_a_training_starts_from_vectors(made, corpus, tmp_path) -> None:
    out, _ = made
    vectors, opened = read_vectors(out), TokenizedCorpus.open(corpus)
    known = opened.tokenizer.num_tokens
    said = trained(corpus, tmp_path / "run", "--embedding-from", out, "--set", "weight_decay=0")
    assert f"{len(vectors.rows)} of {known} tokens start from {out}" in said
    run = load_run(tmp_path / "run")
    places = [opened.tokenizer.pieces.index(name) for name in vectors.rows]
    # One update at a thousandth of the learning rate moves each number by a millionth.
    np.testing.assert_allclose(run.model.table.weight.detach().numpy()[places], vectors.values, atol=2e-6)
    assert run.config["corpus"]["embedding_from"] == "v.txt"
    assert "v.txt" in (tmp_path / "run" / "model_card.md").read_text()
    trained_plain = trained(corpus, tmp_path / "plain")
    assert "start from" not in trained_plain
    plain = load_run(tmp_path / "plain").model.table.weight.detach().numpy()[places]
    assert np.abs(plain - vectors.values).max() > 0.01


def test_what_cannot_be_is_one_sentence(made, corpus, tmp_path) -> None:
    out, _ = made
    for options, error, words in (
        (["embed", corpus, "--out", out], UsageError, "is there already"),
        (["embed", corpus, "--out", tmp_path / "v.txt", "--method", "glove"], ConfigError, "cbow, skipgram"),
        (
            ["train", corpus, "--out", tmp_path / "r", "--embedding-from", out],
            ConfigError,
            "embedding_size=12",
        ),
        (
            ["train", corpus, "--out", tmp_path / "r", "--embedding-from", out, "--init-from", tmp_path],
            UsageError,
            "leave it or --embedding-from out",
        ),
        (
            ["train", corpus, "--out", tmp_path / "r", "--embedding-from", out, "--resume"],
            UsageError,
            "--resume goes on with",
        ),
        (
            ["train", corpus, "--out", tmp_path / "r", "--embedding-from", tmp_path / "none"],
            UsageError,
            "cannot be read",
        ),
    ):
        with pytest.raises(error) as refused:
            hred(*options)
        assert words in str(refused.value) and "\n" not in str(refused.value)
