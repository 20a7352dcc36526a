"""`hred probe corpus`: runs beside people, on the same contexts."""

import json

import pytest
from typer.testing import CliRunner

from app.cli.main import app
from dialog.errors import CorpusError, UsageError


def probe(*arguments: object):
    result = CliRunner().invoke(app, ["probe", "corpus", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture(scope="module")
def run(hred, corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "seq2seq"
    sizes = ("--set", "embedding_size=8", "--set", "hidden_size=8")
    hred("train", corpus, "--model", "seq2seq", "--out", folder, "--max-updates", 1, *sizes)
    return folder


def test_people_and_runs_reply_to_the_same_contexts(run, corpus) -> None:
    arguments = (run, run, corpus, "-n", 12, "--max-tokens", 6)
    found = json.loads(probe(*arguments, "--json").stdout)
    people, *models = found["rows"]
    assert found["replies"] == 12 and found["split"] == "test" and 1 < found["conversations"] <= 12
    assert people["name"] == "people" and models[0] == models[1]
    for row in found["rows"]:
        assert set(row["figures"]) == {"length", "distinct_2", "top_share"}
        for figure in row["figures"].values():
            assert figure["low"] <= figure["value"] <= figure["high"]
    assert 0 < people["figures"]["length"]["value"] <= 6  # cut as the models' replies are
    table = probe(*arguments).stdout
    assert table.count(f"| {run}") == 2
    assert f"{people['figures']['distinct_2']['value']:.3f} [" in table
    assert people["top_reply"] in table
    again = json.loads(probe(*arguments, "--json").stdout)
    assert again == found
    other = json.loads(probe(*arguments, "--seed", 1, "--json").stdout)
    assert other["rows"] != found["rows"]


def test_greedy_replies_of_a_fresh_model_are_all_alike(run, corpus) -> None:
    found = json.loads(probe(run, corpus, "--method", "greedy", "--max-tokens", 6, "--json").stdout)
    people, model = found["rows"]
    assert model["figures"]["top_share"]["value"] > people["figures"]["top_share"]["value"]


def test_what_cannot_be_is_a_sentence(run, corpus) -> None:
    with pytest.raises(UsageError, match="at least one run is needed before the corpus"):
        probe(corpus)
    with pytest.raises(CorpusError, match="choose train, valid or test"):
        probe(run, corpus, "--split", "dev")
