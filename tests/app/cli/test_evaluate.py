"""`hred evaluate`: wrong usage is a sentence, and quick looks look at the first conversations."""

import json

import pytest

from dialog.errors import CorpusError, RunFolderError

SIZES = ("embedding_size=8", "hidden_size=8", "validate_conversations=2")


@pytest.fixture(scope="module")
def train(hred, corpus, tmp_path_factory):
    def train_one(model):
        folder = tmp_path_factory.mktemp("run") / model
        assignments = [part for value in SIZES for part in ("--set", value)]
        hred("train", corpus, "--model", model, "--out", folder, "--max-updates", 1, *assignments)
        return folder

    return train_one


@pytest.fixture(scope="module")
def run(train):
    return train("seq2seq")


@pytest.fixture(scope="module")
def latent_run(train):
    return train("vhred")


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


def test_the_bound_of_a_latent_model_is_under_that_of_one_sample(hred, latent_run, corpus) -> None:
    arguments = ("evaluate", latent_run, corpus, "--samples", 20, "--max-replies", 7)
    figures = json.loads(hred(*arguments, "--json").stdout)
    assert figures["num_replies"] == figures["bound"]["num_replies"] == 7
    bound = figures["bound"]
    assert bound["nats_per_token"] <= bound["elbo_nats_per_token"]  # of the same samples, by Jensen
    assert bound["nats_per_token_error"] > 0
    assert "20 samples" in bound["kind"]
    again, other = (json.loads(hred(*arguments, "--seed", seed, "--json").stdout) for seed in (0, 1))
    assert again == figures
    assert other["bound"]["nats_per_token"] != bound["nats_per_token"]
    latent = figures["latent"]
    assert latent["num_replies"] == 7
    assert latent["kl_per_reply"] == pytest.approx(figures["kl_per_reply"], abs=1e-4)
    assert sum(latent["kl_per_dimension"]) == pytest.approx(latent["kl_per_reply"])
    table = hred(*arguments).stdout
    assert f"{latent['mutual_information']:.4f}" in table
    assert table.split().count(f"{latent['kl_per_dimension'][-1]:.3f}") >= 1
    assert f"{bound['nats_per_reply']:.4f}" in table
    assert bound["kind"] in table


def test_without_a_latent_variable_it_says_that_the_likelihood_is_exact(hred, run, corpus) -> None:
    figures = json.loads(hred("evaluate", run, corpus, "--samples", 3, "--json").stdout)
    assert "exact" in figures["bound"]["kind"]
    assert figures["bound"]["nats_per_token"] == pytest.approx(figures["nats_per_token"], abs=1e-5)
    assert figures["bound"]["elbo_nats_per_token"] is None
    assert "latent" not in figures


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
