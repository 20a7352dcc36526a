"""A run is scored in parts that are kept: what a stop leaves is not done again, and nothing is scored twice."""

from pathlib import Path

import numpy as np
import pytest

from dialog.evaluation.comparison import scoring
from dialog.evaluation.comparison.cache import Cache
from dialog.evaluation.comparison.decoders import parse_decoder
from dialog.evaluation.comparison.material import SomeOf
from dialog.evaluation.comparison.plan import Plan
from dialog.evaluation.comparison.runs import RunEntry
from dialog.evaluation.comparison.scoring import score_run
from dialog.evaluation.costs import measure_costs
from tests.dialog.evaluation.comparison_cases import TEXTS, make_material, make_tiny, make_tokenizer

TOKENIZER = make_tokenizer()
PLAN = Plan((parse_decoder("greedy"),), ("words",), num_samples=3, num_prior_samples=2, num_context_samples=2)


def entry(model) -> RunEntry:
    facts = {"model": "m", "settings": model.config.to_json(), "latent": model.is_latent}
    return RunEntry("run", Path(), TOKENIZER, "w", facts)


def scored(name, folder, material=None, model=None):
    tiny = make_tiny(name, TOKENIZER)
    return score_run(
        entry(tiny),
        model or (lambda: tiny),
        material or make_material(TOKENIZER),
        PLAN,
        Cache(folder),
        lambda what, total: lambda done: None,
    )


@pytest.mark.parametrize("name", ["seq2seq", "hred", "vhred", "vhcr", "transformer"])
def test_parts_add_up_and_are_kept(name, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(scoring, "_BLOCK", 2)
    found = scored(name, tmp_path)
    model, material = make_tiny(name, TOKENIZER), make_material(TOKENIZER)
    halves = [
        measure_costs(model, SomeOf(material.split, start, end), 3, 2, seed=start).sums(
            material.ids[start:end]
        )
        for start, end in ((0, 2), (2, 4))
    ]
    for column in halves[0].columns:
        wanted = np.concatenate([half.column(column) for half in halves])
        assert found.sums.column(column) == pytest.approx(wanted)
    assert (found.latent is not None) == model.is_latent
    assert found.sums.column("context_nats_kept") == pytest.approx(found.sums.column("nats"), rel=0.2)

    def never():
        raise AssertionError("all of it is kept")

    again = scored(name, tmp_path, model=never)
    assert np.array_equal(again.sums.values, found.sums.values)
    assert again.latent == found.latent


def test_what_a_stop_left_is_not_done_again(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(scoring, "_BLOCK", 1)
    whole = scored("vhred", tmp_path / "whole").sums
    calls = []

    def stopped():
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return make_tiny("vhred", TOKENIZER)

    with pytest.raises(KeyboardInterrupt):
        scored("vhred", tmp_path / "again", model=stopped)
    kept = sorted((tmp_path / "again").glob("costs-*"))
    before = [path.stat().st_mtime_ns for path in kept]
    assert len(kept) == 2
    again = scored("vhred", tmp_path / "again").sums
    assert [path.stat().st_mtime_ns for path in kept] == before
    assert np.array_equal(again.values, whole.values)


def test_a_part_of_the_split_is_what_it_is_in_the_whole(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(scoring, "_BLOCK", 2)
    whole = scored("vhred", tmp_path).sums
    part = scored("vhred", tmp_path, make_material(TOKENIZER, max_conversations=2)).sums
    for column in ("nats", "kl", "prior_nats", "tokens"):
        assert part.column(column) == pytest.approx(whole.column(column)[:2], rel=1e-5)


def test_conversations_without_a_target_are_scored_with_others(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(scoring, "_BLOCK", 1)
    material = make_material(TOKENIZER, [["hello you"], *TEXTS[:2], ["bye"]])
    sums = scored("hred", tmp_path, material).sums
    assert sums.ids == material.ids
    assert sums.column("tokens")[[0, 3]].tolist() == [0, 0] and (sums.column("nats")[1:3] > 0).all()
