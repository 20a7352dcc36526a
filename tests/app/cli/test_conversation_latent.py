"""A model whose replies share a latent of the conversation, from training to a reply by commands."""

import json

import pytest
from typer.testing import CliRunner

from app.cli.main import app
from dialog.run_folder import load_run

SIZES = ("embedding_size=8", "hidden_size=8", "context_size=8", "latent_size=3")
OWN = ("conversation_latent_size=2", "conversation_reader_size=8", "context_turns=4")
TRAINING = ("validate_every=4", "kl_annealing_updates=2", "free_bits=0.01", "measure_replies=0")


def hred(*arguments: object) -> str:
    done = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def settings(*assignments: str) -> list[str]:
    return [part for value in assignments for part in ("--set", value)]


@pytest.fixture(scope="module")
def run(corpus, tmp_path_factory):
    """A few updates, begun from a VHRED's weights and gone on with after a stop."""
    folder = tmp_path_factory.mktemp("runs")
    hred(
        "train", corpus, "--model", "vhred", "--out", folder / "vhred", "--max-updates", 2, *settings(*SIZES)
    )
    said = hred(
        "train", corpus, "--model", "vhcr", "--out", folder / "vhcr", "--init-from", folder / "vhred",
        "--max-updates", 4, "--log-every", 2, *settings(*SIZES, *OWN, *TRAINING, "batches_per_update=2"),
    )  # fmt: skip
    assert "nats/reply and " in said and "nats/conversation" in said
    hred("train", corpus, "--out", folder / "vhcr", "--resume", "--max-updates", 8, "--log-every", 2)
    return folder / "vhcr"


def test_its_log_has_the_kl_of_conversations(run) -> None:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [line["update"] for line in lines if line["split"] == "train"] == [2, 4, 6, 8]
    assert all(line["conversation_kl_per_conversation"] > 0 and line["kl_per_reply"] > 0 for line in lines)
    valid = [line for line in lines if line["split"] == "valid"]
    assert all(line["latent"]["conversation"]["dimensions"] == 2 for line in valid)
    assert "reply and conversation" in (run / "model_card.md").read_text()


def test_evaluate_gives_a_bound_a_conversation(run, corpus) -> None:
    figures = json.loads(hred("evaluate", run, corpus, "--split", "valid", "--samples", 8, "--json"))
    bound = figures["bound"]
    assert bound["kind"] == "upper bound by 8 samples a conversation"
    assert bound["nats_per_token"] < bound["elbo_nats_per_token"]
    assert bound["elbo_nats_per_token"] == pytest.approx(figures["nats_per_token"], rel=0.1)
    shared = figures["latent"]["conversation"]
    assert shared["kl_per_conversation"] == pytest.approx(figures["conversation_kl_per_conversation"])
    assert sum(shared["kl_per_dimension"]) == pytest.approx(shared["kl_per_conversation"])
    table = hred("evaluate", run, corpus, "--split", "valid", "--samples", 8)
    assert f"{shared['kl_per_conversation']:.4f}" in table


def test_it_replies_and_the_third_of_three_is_the_third_of_five(run) -> None:
    said = ["--context", "hello, who are you?", "--context", "I am bidofu.", "--max-tokens", 6, "--json"]
    three, five = (
        [json.loads(line) for line in hred("reply", run, *said, "-n", count).splitlines()] for count in (3, 5)
    )
    config = load_run(run).model.config
    for one, other in zip(three, five[:3], strict=True):
        assert one["text"] == other["text"]
        assert len(one["latent"]) == config.conversation_latent_size + config.latent_size
        assert one["latent"] == pytest.approx(other["latent"], abs=1e-4)
    assert len({tuple(reply["latent"]) for reply in five}) == 5
    ranked = hred("reply", run, *said[:-1], "--rerank", "latent", "--candidates", 3)
    assert len(ranked.splitlines()) == 1
    scored = json.loads(
        hred("score", run, "--context", "hello", "--text", "I am well.", "--samples", 5, "--json")
    )
    assert scored["nats"] > 0 and "upper bound" in scored["kind"]
