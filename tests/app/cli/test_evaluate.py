"""`hred evaluate`: wrong usage is a sentence, and quick looks look at the first conversations."""

import json

import pytest

from dialog.errors import CorpusError, RunFolderError

SIZES = ("embedding_size=8", "hidden_size=8", "validate_conversations=2")


@pytest.fixture(scope="module")
def run(hred, corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "seq2seq"
    assignments = [part for value in SIZES for part in ("--set", value)]
    hred("train", corpus, "--model", "seq2seq", "--out", folder, "--max-updates", 1, *assignments)
    return folder


def test_a_table_and_an_object_say_the_same(hred, run, corpus) -> None:
    table = hred("evaluate", run, corpus).stdout
    figures = json.loads(hred("evaluate", run, corpus, "--json").stdout)
    assert (figures["model"], figures["split"]) == ("seq2seq", "test")
    assert f"{figures['nats_per_token']:.4f}" in table
    assert "kl_per_reply" not in table


def test_a_quick_look_takes_the_first_conversations(hred, run, corpus) -> None:
    found = json.loads(
        hred("evaluate", run, corpus, "--split", "train", "--max-conversations", 3, "--json").stdout
    )
    assert found["num_conversations"] == 3


def test_wrong_usage_is_a_sentence(hred, run, corpus, make_corpus, tmp_path) -> None:
    for arguments, error, words in (
        ([tmp_path / "none", corpus], RunFolderError, "none"),
        ([run, tmp_path], CorpusError, "no prepared corpus"),
        ([run, corpus, "--split", "dev"], CorpusError, "train, valid or test"),
        ([run, make_corpus(3)], CorpusError, "--tokenizer-from"),
    ):
        with pytest.raises(error) as caught:
            hred("evaluate", *arguments)
        assert words in str(caught.value)
        assert "\n" not in str(caught.value)
