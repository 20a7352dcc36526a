"""What the shipped models learn from last: names are exchanged throughout, and a drill asks for what it told."""

import random
import sys
from pathlib import Path

import pytest

from app.shipped import shipped_conversations

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))

from shipped_drills import drill
from shipped_names import UNDRILLED, made_up_names
from shipped_talk import NAMES, Talk, drilled_names, exchange_names, small_talks

LANGUAGES = sorted(NAMES)


def test_a_name_is_exchanged_wherever_it_stands() -> None:
    talk: Talk = (
        ("User", "hi, I have a dog called Zorro"),
        ("Bot", "Zorro! Is Zorro old?"),
        ("User", "no, Zorro's young. Zorrow is his brother, and on Sunday we ride"),
        ("Bot", "Have a good Sunday, then."),
    )
    other = exchange_names(talk, NAMES["en"], random.Random(1))
    assert other is not None
    new = other[0][1].split()[-1]
    assert new in NAMES["en"].pools[0]
    assert other[1][1] == f"{new}! Is {new} old?"
    assert other[2][1] == f"no, {new}'s young. Zorrow is his brother, and on Sunday we ride"
    assert other[3] == talk[3]


@pytest.mark.parametrize("language", LANGUAGES)
def test_only_what_the_user_told_before_the_bot_said_it_is_exchanged(language) -> None:
    talks = list(small_talks(shipped_conversations(language)))
    changed = [(talk, exchange_names(talk, NAMES[language], random.Random(2))) for talk in talks]
    assert sum(other is not None for _, other in changed) > 80
    for talk, other in changed:
        if other is not None:
            assert [speaker for speaker, _ in other] == [speaker for speaker, _ in talk]
            first = next(place for place, turn in enumerate(talk) if other[place] != turn)
            assert talk[first][0] == "User"
    assert exchange_names((("User", "hello"), ("Bot", "Hello.")), NAMES[language], random.Random(3)) is None


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_drill_asks_for_a_name_that_was_told(language) -> None:
    pools = NAMES[language].pools
    names = {name for pool in pools for name in pool}
    recalled = 0
    for seed in range(300):
        turns = drill(language, pools[0], pools[-1], random.Random(seed))
        assert [speaker for speaker, _ in turns] == ["User", "Bot"] * (len(turns) // 2)
        for place, (speaker, text) in enumerate(turns):
            said = {name for name in names if len(name) > 2 and name in text}
            if speaker == "Bot" and said:
                before = " ".join(text for _, text in turns[:place])
                assert all(name in before for name in said)
                recalled += 1
    assert recalled > 100


@pytest.mark.parametrize("language", LANGUAGES)
def test_half_of_the_drilled_names_are_made_up_and_none_is_asked_for_as_unheard(language) -> None:
    pools = NAMES[language].pools
    heard = (pools[0], NAMES[language].people)
    for names, pool in zip(drilled_names(language, random.Random(4)), heard, strict=True):
        half = len(names) // 2
        assert len(names) == 2 * half and len(set(names[half:])) == half
        assert set(pool) <= set(names[:half])
        assert not set(UNDRILLED[language]) & set(names)
    assert not any(set(UNDRILLED[language]) & set(pool) for pool in pools)
    made = made_up_names(language, 500, random.Random(5))
    assert len(set(made)) == 500 and all(2 <= len(name) <= 10 for name in made)
    assert language == "en" or all(len(name) <= 4 for name in made)  # a syllable is a character
    assert made == made_up_names(language, 500, random.Random(5))
