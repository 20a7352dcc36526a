"""The memory probe's corpus: what is right follows from the telling turn, and from nothing nearer."""

from collections import Counter, defaultdict
from itertools import pairwise

import pytest

from dialog.errors import UsageError
from dialog.evaluation.probes.memory import BOT, KINDS, MemoryProbe

PROBE = MemoryProbe(1, num_values=10)
TEST = list(PROBE.test(3))
TRAIN = list(PROBE.drawn("train", 480))


def told(question) -> list[str]:
    """Returns the values of the turn that is `distance` turns before the reply."""
    return PROBE.named(question.conversation.turns[-question.distance].text)[: len(KINDS)]


@pytest.mark.parametrize("questions", [TRAIN, TEST])
def test_an_oracle_that_remembers_is_always_right(questions) -> None:
    for question in questions:
        reply = f"well , {told(question)[KINDS.index(question.kind)]}"
        assert PROBE.is_right(question, reply) and PROBE.is_right(question, question.reply)


def test_whatever_sees_only_later_turns_is_right_by_chance_exactly() -> None:
    """The best reply that there is to the same later turns, chosen with the test before one's eyes."""
    right, total = Counter(), Counter()
    values = defaultdict(Counter)
    for question in TEST:
        nearer = tuple(turn.text for turn in question.conversation.turns[1 - question.distance :])
        if question.distance > 1:
            values[question.distance, nearer][question.value] += 1
    for (distance, _), found in values.items():
        right[distance] += max(found.values())
        total[distance] += found.total()
    assert {d: right[d] / total[d] for d in total} == {2: PROBE.chance, 4: PROBE.chance, 8: PROBE.chance}


def test_values_stand_in_the_telling_turn_alone() -> None:
    for question in TRAIN + TEST:
        turns = question.conversation.turns
        named = [len(PROBE.named(turn.text)) for turn in turns]
        assert named == [3 if place == len(turns) - question.distance else 0 for place in range(len(turns))]
        assert f" {question.kind} " in f" {turns[-1].text} "
        assert BOT not in {turn.speaker for turn in turns}
        assert question.answered.turns[:-1] == turns and question.answered.turns[-1].speaker == BOT
        assert all(one.speaker != other.speaker for one, other in pairwise(turns))


def test_distances_kinds_and_values_are_balanced() -> None:
    assert set(Counter((q.distance, q.kind) for q in TRAIN).values()) == {len(TRAIN) // 12}
    assert set(Counter((q.distance, q.kind, q.value) for q in TEST).values()) == {3}
    assert len(TEST) == 4 * PROBE.num_questions(3) == 4 * len(KINDS) * 3 * 10


def test_every_value_is_in_training_and_no_combination_of_the_test() -> None:
    valid = list(PROBE.drawn("valid", 240))
    combinations = [{tuple(told(question)) for question in some} for some in (TRAIN, valid, TEST)]
    assert not combinations[0] & combinations[2]
    assert not combinations[0] & combinations[1] and not combinations[1] & combinations[2]
    for place, kind in enumerate(KINDS):
        assert {values[place] for values in combinations[0]} == set(PROBE.values[kind])


def test_the_seed_makes_the_corpus() -> None:
    again, other = MemoryProbe(1, num_values=10), MemoryProbe(2, num_values=10)
    assert list(again.test(3)) == TEST and list(again.drawn("train", 480)) == TRAIN
    assert list(again.drawn("train", 12)) == TRAIN[:12]
    assert other.values != PROBE.values and list(other.drawn("train", 12)) != TRAIN[:12]
    for questions in (TRAIN, TEST):
        assert len({question.conversation.turns for question in questions}) == len(questions)
        assert len({question.conversation.id for question in questions}) == len(questions)


def test_a_reply_is_right_that_names_the_right_value_alone() -> None:
    question = TEST[0]
    other = next(word for word in PROBE.values[question.kind] if word != question.value)
    assert PROBE.is_right(question, f"{question.value} !")
    for reply in ("", "it was", f"it was {other}", f"{question.value} {other}", f"x{question.value}"):
        assert not PROBE.is_right(question, reply)


def test_what_cannot_be_is_a_sentence() -> None:
    for values in (0, 4, 12):
        with pytest.raises(UsageError, match=f"{values} values of a kind, but it must be a multiple of 5"):
            MemoryProbe(1, values)
    for distances in ((), (0, 2)):
        with pytest.raises(UsageError, match="must be 1 turn or more"):
            MemoryProbe(1, 5, distances)
