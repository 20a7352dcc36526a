"""Changed contexts keep the targets; a model that hears no more than it did costs no more."""

import numpy as np
import pytest

from dialog.errors import UsageError
from dialog.evaluation.costs import measure_costs
from dialog.evaluation.perturb import CONTEXT_FIGURES, KINDS, Perturbed, measure_context_use
from dialog.models.registry import MODELS
from tests.dialog.evaluation.test_likelihood import Talks
from tests.dialog.models.tiny import make_model

SPLIT = Talks(turns=(2, 9, 5, 4), every_target=False)
IDS = ["a", "b", "c", "d"]
NAMES = sorted(set(MODELS) & {"seq2seq", "hred", "vhred", "vhcr", "lm", "transformer", "window"})


def texts(utterances) -> list[tuple[int, ...]]:
    return [tuple(words.tolist()) for words in utterances]


@pytest.mark.parametrize("kind", KINDS)
def test_each_target_stands_once_behind_its_context_and_is_all_that_is_scored(kind) -> None:
    changed = Perturbed(SPLIT, kind, seed=1)
    places = np.flatnonzero(SPLIT.targets)
    assert len(changed) == len(places)
    for row in range(len(changed)):
        conversation, turn = int(changed.conversations[row]), int(changed.turns[row])
        assert SPLIT.offsets[conversation] + turn == places[row]
        whole, found = texts(SPLIT[conversation].utterances), texts(changed[row].utterances)
        assert found[-1] == whole[turn]
        assert changed[row].targets.tolist() == [False] * (len(found) - 1) + [True]
        before = whole[:turn]
        if kind == "kept":
            assert found[:-1] == before
        elif kind == "shuffled":
            assert sorted(found[:-1]) == sorted(before)
            assert (found[:-1] != before) == (turn > 1)
        elif kind == "last":
            assert found[:-1] == before[-1:]
        elif kind == "none":
            assert found[:-1] == []
        else:
            starts = [texts(SPLIT[other].utterances)[:turn] for other in range(4) if other != conversation]
            most = max(map(len, starts))
            assert found[:-1] in [start for start in starts if len(start) == most]
        start, end = changed.offsets[row], changed.offsets[row + 1]
        assert changed.lengths[start:end].tolist() == list(map(len, found))
        assert changed.targets[start:end].tolist() == changed[row].targets.tolist()


def test_a_window_of_turns_and_of_conversations() -> None:
    changed = Perturbed(SPLIT, "kept", context_turns=2, max_conversations=2)
    assert set(changed.conversations.tolist()) <= {0, 1}
    for row in range(len(changed)):
        turn = int(changed.turns[row])
        whole = texts(SPLIT[int(changed.conversations[row])].utterances)
        assert texts(changed[row].utterances) == whole[max(0, turn - 2) : turn + 1]


def test_changes_are_those_of_the_seed_whatever_else_is_in_the_split() -> None:
    one, again, other = (Perturbed(SPLIT, "shuffled", seed) for seed in (1, 1, 2))
    as_texts = [[texts(split[row].utterances) for row in range(len(split))] for split in (one, again, other)]
    assert as_texts[0] == as_texts[1] != as_texts[2]
    part = Perturbed(SPLIT, "shuffled", 1, max_conversations=2)
    assert [texts(part[row].utterances) for row in range(len(part))] == as_texts[0][: len(part)]


@pytest.mark.parametrize("name", NAMES)
def test_every_model_can_be_asked_and_kept_contexts_cost_what_they_did(name) -> None:
    model = make_model(name)
    sums = measure_context_use(model, SPLIT, IDS, num_samples=2, context_turns=32)
    assert sums.ids == tuple(IDS)
    assert all(sums.has(figure) for figure in CONTEXT_FIGURES)
    rises = {figure.name: figure.of(sums) for figure in CONTEXT_FIGURES}
    assert all(np.isfinite(list(rises.values())))
    if not model.is_latent:
        whole = measure_costs(model, SPLIT).sums(IDS)
        np.testing.assert_allclose(sums.column("context_nats_kept"), whole.column("nats"), atol=1e-9)
        np.testing.assert_allclose(sums.column("context_tokens"), whole.column("tokens"))
    if name == "seq2seq":
        assert rises["rise_last"] == pytest.approx(0, abs=1e-12)  # it hears no more than the last turn
        assert abs(rises["rise_none"]) > 1e-3
    if name == "lm":
        assert list(rises.values()) == pytest.approx([0] * 4, abs=1e-12)
    if name == "hred":
        assert min(map(abs, rises.values())) > 1e-4


def test_other_conversations_are_drawn_evenly_from_all_that_have_as_many_turns() -> None:
    split = Talks(turns=(4, 2, 3, 4, 5, 4))
    long = {0, 3, 4, 5}
    drawn: dict[int, list[int]] = {}
    starts = {texts(split[number].utterances)[0]: number for number in range(6)}
    for seed in range(150):
        changed = Perturbed(split, "other", seed)
        for row in np.flatnonzero(changed.turns == 3):
            drawn.setdefault(int(changed.conversations[row]), []).append(
                starts[texts(changed[row].utterances)[0]]
            )
    assert set(drawn) == long
    for conversation, others in drawn.items():
        counts = np.bincount(others, minlength=6)
        assert set(np.flatnonzero(counts)) == long - {conversation} | {2}
        assert counts[counts > 0].min() > 150 / 4 / 2


def test_one_conversation_has_no_other_and_unknown_kinds_are_told() -> None:
    alone = Talks(turns=(4,))
    sums = measure_context_use(make_model("hred"), alone, ["a"])
    assert "context_nats_other" not in sums.columns
    assert "context_nats_shuffled" in sums.columns
    with pytest.raises(UsageError, match="no other one"):
        Perturbed(alone, "other")
    with pytest.raises(UsageError, match="no change of the context 'reversed': choose kept"):
        Perturbed(SPLIT, "reversed")
