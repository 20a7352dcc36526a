"""`hred ranking` on real votes in a real store."""

import json
from datetime import datetime, timedelta

import pytest
from typer import Typer
from typer.testing import CliRunner

from app.cli.ranking import ranking
from app.store import Store
from dialog.decoding.replies import Reply, Sampling
from dialog.errors import UsageError
from dialog.evaluation.ranking.votes import Player

A, B, AGAIN, MARKED = (
    Player(name, digit * 64)
    for name, digit in (("hred", "a"), ("vhred", "b"), ("hred", "c"), ("[red]x[/red]", "d"))
)
REPLY = Reply("hm", (5,), "end", -1.0, -1.0, None, 1, 0, Sampling(), "a" * 64, "b" * 64)


@pytest.fixture
def hred(tmp_path, monkeypatch):
    """Runs the command on a store of its own."""
    monkeypatch.setenv("HRED_DATABASE_URL", f"sqlite:///{tmp_path}/sessions.db")
    application = Typer(pretty_exceptions_enable=False)
    application.command()(ranking)

    def run(*arguments):
        result = CliRunner().invoke(application, list(arguments))
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == 0
        return result.output

    return run


def vote(*votes):
    """Battles, begun, answered and voted as the page does it."""
    with Store.open() as store:
        owner = store.owner_for("a cookie")
        for number, (left, right, choice) in enumerate(votes):
            battle = store.begin_battle(owner, "hi", f"{left} {right} {number}", left, right)
            prompt = store.battle_branches(owner, battle.id)[0][-1].id
            store.answer_battle(owner, battle.id, {"a": (prompt, REPLY), "b": (prompt, REPLY)})
            store.vote(owner, battle.id, choice)
        return [one.created_at for one in store.votes()]


def test_without_votes_it_says_where_they_come_from(hred) -> None:
    assert "no votes yet" in hred() and "hred serve" in hred()
    assert json.loads(hred("--json"))["ranking"] is None


def test_the_table_and_what_must_be_read_with_it(hred) -> None:
    vote(*[(A, B, "a")] * 6, *[(B, A, "a")] * 2, (A, B, "tie"), (A, MARKED, "both_bad"), (AGAIN, B, "b"))
    shown = hred()
    lines = [line.split() for line in shown.splitlines()]
    assert [line[1:3] for line in lines[1:5]].count(["hred", "a" * 12]) == 1  # name and weights
    assert ["hred", "c" * 12] in [line[1:3] for line in lines[1:5]]
    assert "[red]x[/red]" in shown  # a name is no markup
    assert "11 votes. Preliminary" in shown
    assert "Never won, so how much weaker is not known: hred (cccccccc)." in shown
    assert "6·2·1·0" in shown and "0·0·0·1" in shown
    found = json.loads(hred("--json"))
    assert found["models"][0] == {"name": "[red]x[/red]", "model_hash": "d" * 64}
    assert found["votes"] == 11 and found["preliminary"] and not found["refused"]


def test_groups_that_never_met_are_refused(hred) -> None:
    vote((A, B, "a"), (AGAIN, MARKED, "b"))
    shown = hred()
    assert "No ranking of 2 votes" in shown and "no common scale" in " ".join(shown.split())
    assert "hred (aaaaaaaa), vhred (bbbbbbbb)" in " ".join(shown.split())


def test_a_side_that_wins_too_often_is_told(hred) -> None:
    vote(*[(A, B, "a"), (B, A, "a")] * 6)
    assert "Voters prefer a side: left won 12 and right 0" in " ".join(hred().split())


def test_seed_and_time(hred) -> None:
    times = vote(*[(A, B, "a"), (A, B, "b"), (B, A, "tie")] * 3)
    assert hred("--json") == hred("--json", "--seed", "0") != hred("--json", "--seed", "1")
    assert json.loads(hred("--json", "--since", times[4].isoformat()))["votes"] == 5
    later = (times[-1] + timedelta(days=1)).date().isoformat()
    assert json.loads(hred("--json", "--since", later))["votes"] == 0
    local = times[4].astimezone(datetime.fromisoformat("2026-01-01T00:00+09:00").tzinfo).isoformat()
    assert json.loads(hred("--json", "--since", local))["votes"] == 5
    with pytest.raises(UsageError, match="must be a day or a time"):
        hred("--since", "yesterday")
