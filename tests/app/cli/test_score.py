"""`hred score`: a table and JSON that say the same, texts from options, files and standard input."""

import json

import pytest
from typer.testing import CliRunner

from app.cli.main import app
from dialog.errors import UsageError
from tests.app.cli.tiny_runs import make_runs

TEXTS = ["hello, how are you?", "number 7", ""]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return make_runs(tmp_path_factory.mktemp("runs"), ["lm", "hred", "vhred"])


def scored(*arguments, given=None) -> list[str]:
    done = CliRunner().invoke(app, ["score", *map(str, arguments)], input=given, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout.splitlines()


def asked(texts=TEXTS, option="--text") -> list[str]:
    return [part for text in texts for part in (option, text)]


def test_options_a_file_and_standard_input_are_scored_alike(runs, tmp_path) -> None:
    given = "".join(f"{text}\n" for text in TEXTS)
    (tmp_path / "texts.txt").write_text(given.replace("\n", "\r\n"))
    by_options = scored(runs / "lm", *asked(), "--json")
    assert scored(runs / "lm", tmp_path / "texts.txt", "--json") == by_options
    assert scored(runs / "lm", "--json", given=given) == by_options
    assert [json.loads(line)["text"] for line in by_options] == TEXTS


def test_many_texts_are_scored_in_their_order(runs) -> None:
    texts = [f"number {n}" for n in range(150)]
    lines = scored(runs / "lm", "--json", given="\n".join(texts))
    assert [json.loads(line)["text"] for line in lines] == texts
    (alone,) = scored(runs / "lm", "--json", "--text", texts[130])
    assert json.loads(lines[130])["nats"] == pytest.approx(json.loads(alone)["nats"], abs=1e-4)


def test_the_table_says_what_the_json_says(runs) -> None:
    found = [json.loads(line) for line in scored(runs / "lm", *asked(), "--json")]
    table = scored(runs / "lm", *asked())
    assert table[0].split() == ["nats", "tokens", "a", "token", "perplexity", "text"]
    words = " ".join(table).split()
    for one in found:
        assert f"{one['nats']:.3f}" in words
        for piece, nats in zip(one["pieces"], one["token_nats"], strict=True):
            assert f"{piece} {nats:.2f}" in " ".join(words)
    nats, tokens = sum(one["nats"] for one in found), sum(one["num_tokens"] for one in found)
    assert table[-1].split()[:2] == [f"{nats:.3f}", str(tokens)] and table[-1].endswith("all 3 texts")


def test_a_reply_is_scored_after_its_context(runs) -> None:
    alone, after = (
        json.loads(scored(runs / "hred", *asked(turns, "--context"), "--text", "number 7", "--json")[0])[
            "nats"
        ]
        for turns in (["hello"], ["hello", "how are you?", "hello"])
    )
    assert alone != after


def test_a_latent_model_is_scored_by_samples(runs) -> None:
    given = (runs / "vhred", "--context", "hello", *asked())
    one = json.loads(scored(*given, "--json", "--samples", 3)[0])
    assert one["kind"] == "upper bound by 3 samples" and one["token_nats"] is None
    assert "by 100 samples" in scored(*given, "--json")[0]
    assert scored(*given)[0].split()[:2] == ["≤", "nats"]
    assert scored(*given, "--seed", 1) != scored(*given) == scored(*given)


@pytest.mark.parametrize(
    ("run", "options", "sentence"),
    [
        ("hred", ["--text", "a"], "give its turns by --context"),
        ("hred", ["--text", "a", "--context", " "], "no text to answer"),
        ("lm", ["--text", "a", "--context", "b"], "knows no context; leave --context out"),
        ("lm", ["--text", "a", "--samples", 3], "nothing is sampled"),
        ("lm", ["some-file", "--text", "a"], "both --text and some-file are given"),
    ],
)
def test_what_cannot_be_is_one_sentence(runs, run, options, sentence) -> None:
    with pytest.raises(UsageError, match=sentence) as refused:
        scored(runs / run, *options)
    assert "\n" not in str(refused.value)


def test_what_is_no_file_is_refused_for_that(runs, tmp_path) -> None:
    for path in (tmp_path / "none.txt", tmp_path):
        with pytest.raises(UsageError, match=f"^{path} is no file; give one"):
            scored(runs / "lm", path)


def test_bytes_that_are_no_text_are_named_by_their_line(runs, tmp_path) -> None:
    (tmp_path / "texts.txt").write_bytes("good\nna\xefve\n".encode("latin-1"))
    with pytest.raises(UsageError, match="line 2 of .*texts.txt is not UTF-8"):
        scored(runs / "lm", tmp_path / "texts.txt")
