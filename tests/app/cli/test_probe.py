"""`hred probe` from end to end in the smallest size, what it keeps, and what it refuses."""

import json
import os
import signal

import pytest
from typer.testing import CliRunner

from app.cli.main import app
from app.cli.probe_rows import ROWS, Asked
from app.cli.probe_tables import course_tables, memory_table
from dialog.errors import UsageError
from dialog.evaluation.probes.course import SETS

TINY = [
    "--seeds",
    "1",
    "--updates",
    "1",
    "--conversations",
    "240",
    "--set",
    "hidden_size=8",
    "--set",
    "embedding_size=8",
]


def probe(*arguments: object):
    result = CliRunner().invoke(app, ["probe", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """The folder of a memory probe of two rows, and what was printed."""
    out = tmp_path_factory.mktemp("probe")
    done = probe("memory", "--rows", "seq2seq,hred", "--groups", 1, *TINY, "--out", out, "--json")
    return out, done


def test_the_memory_probe_prints_the_share_right_by_distance(kept) -> None:
    out, done = kept
    found = json.loads(done.stdout)["memory"]
    assert list(found["rows"]) == ["seq2seq", "hred"]
    assert found["chance"] == 0.05
    for row in found["rows"].values():
        (figures,) = row["figures"]
        assert list(figures["right"]) == ["1", "2", "4", "8"]
        assert all(0 <= share <= 0.2 for share in figures["right"].values())
        assert len(row["minutes"]) == 1 and row["updates"] == 1
    manifest = json.loads((out / "memory/seed-1/corpus/corpus.json").read_text())
    dropped = manifest["report"]["conversations"]["dropped"]
    assert set(dropped.values()) == {0}
    assert manifest["report"]["splits"]["train"]["targets"] == 240  # the bot's turns alone
    assert "hred train" in done.stderr and "--model hred" in done.stderr


def test_what_is_done_is_not_done_again_and_more_can_be_added(kept) -> None:
    out, done = kept
    before = (out / "memory/seed-1/hred/metrics.jsonl").stat().st_mtime_ns
    again = probe("memory", "--rows", "seq2seq,hred", "--groups", 1, *TINY, "--out", out)
    assert again.stdout.strip() == memory_table(json.loads(done.stdout)["memory"])
    (out / "memory/seed-1/seq2seq.json").unlink()  # trained, not measured
    more = probe("memory", "--groups", 1, *TINY, "--rows", "hred,seq2seq", "--out", out, "--json")
    assert json.loads(more.stdout) == json.loads(done.stdout)
    assert (out / "memory/seed-1/hred/metrics.jsonl").stat().st_mtime_ns == before
    with pytest.raises(UsageError, match="holds a probe with other sizes, updates or settings"):
        probe("memory", "--groups", 1, *TINY, "--updates", 2, "--out", out)


def test_the_course_probe_prints_a_table_for_each_set() -> None:
    done = probe("course", "--rows", "vhred", *TINY, "--replies", 4, "--json")
    found = json.loads(done.stdout)["course"]
    (figures,) = found["rows"]["vhred"]["figures"]
    assert list(figures) == list(SETS) == list(found["ideal"])
    for manners in figures.values():
        assert [one["agreement"] is None for one in manners.values()] == [False, False, True]
        for one in manners.values():
            assert 0 <= one["total_variation"] <= 1 and one["wrong"] <= one["total_variation"] + 1e-9
    assert "--set kl_annealing_updates=0" in done.stderr
    table = course_tables(found)
    assert table.count("| VHRED, ") == 9 and table.count("| perfect model, by z") == 3


def test_means_and_spreads_of_seeds() -> None:
    row = {"title": "HRED", "updates": 1000, "minutes": [1.0, 2.0]}
    row["figures"] = [{"right": {"2": 0.5}}, {"right": {"2": 0.7}}]
    lines = memory_table({"rows": {"hred": row}, "chance": 0.05, "questions": 240, "seeds": 2}).splitlines()
    assert [cell.strip() for cell in lines[2].split("|")[1:-1]] == ["HRED", "0.600 ± 0.141", "1,000", "1.5"]
    assert [cell.strip() for cell in lines[3].split("|")[1:-1]] == ["chance", "0.050", "", ""]
    assert (
        lines[-1] == "Greedy replies to 240 questions at each distance; mean ± standard deviation of 2 seeds."
    )


def test_settings_that_depend_on_the_updates_follow_them() -> None:
    row = Asked(1, updates=100, settings=("dropout=0.5",)).of("course")["vhred"]
    assert row.updates == 100
    assert {"decay_updates=100", "validate_every=25", "kl_annealing_updates=50"} < set(row.settings)
    assert row.settings[-1] == "dropout=0.5"  # the last one counts
    assert "kl_annealing" not in " ".join(Asked(1).of("course")["hred"].settings)
    assert list(Asked(1).of("memory")) == list(ROWS["memory"])


def test_a_stop_at_the_end_of_a_training_begins_no_other_and_is_gone_on_from(tmp_path, monkeypatch) -> None:
    """While the picture is drawn no update is to come that could heed the wish."""
    command = ("memory", "--rows", "seq2seq,hred", "--groups", 1, *TINY, "--out", tmp_path)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with monkeypatch.context() as patch:
        patch.setattr("dialog.training.curves.draw_curves", lambda *_: os.kill(os.getpid(), signal.SIGINT))
        stopped = CliRunner().invoke(app, ["probe", *map(str, command)])
    assert signal.signal(signal.SIGINT, before) is signal.default_int_handler
    assert stopped.exit_code != 0 and stopped.stdout == ""
    folder = tmp_path / "memory" / "seed-1"
    assert {path.name for path in folder.iterdir()} == {"log", "corpus", "seq2seq"}
    trained = (folder / "seq2seq" / "metrics.jsonl").read_bytes()
    assert "| HRED" in probe(*command).stdout
    assert (folder / "seq2seq" / "metrics.jsonl").read_bytes() == trained


def test_an_unknown_row_is_named() -> None:
    with pytest.raises(UsageError, match="there is no row 'gpt'; choose from hred, seq2seq, seq2seq-flat"):
        probe("memory", "--rows", "gpt")
