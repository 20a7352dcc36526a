"""Leaks are found whatever the case and the signs; those of a published corpus are the ones known of it."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from dialog.evaluation.leaks import measure_leaks
from dialog.evaluation.talks import Talk

DAILYDIALOG = Path(__file__).resolve().parents[4] / "shared/corpora/dailydialog"


def talk(name: str, *texts: str, targets: list[bool] | None = None) -> Talk:
    return Talk(name, texts, np.arange(len(texts)) > 0 if targets is None else np.array(targets))


TRAIN = [
    talk("t1", "Hi , you !", "Hello .", "Bye ."),
    talk("t2", "...", "What ?"),
    talk("t3", "猫 だ。", "そう"),
]


def test_case_space_and_signs_are_ignored_and_the_order_is_not() -> None:
    split = [
        talk("same", "hi you", "HELLO", "bye!"),
        talk("part", "Hello", "bye", "hi you"),
        talk("other order", "hello", "hi you", "bye"),
        talk("signs alone", "...", "what"),
        talk("other signs", "?!", "what"),
        talk("japanese", "猫だ", "そう！"),
        talk("other cut", "hi", "youhello", "bye"),
    ]
    found = measure_leaks(split, TRAIN)
    assert found.leaked == ("same", "signs alone", "other signs", "japanese", "other cut")
    assert found.clean == ("part", "other order")
    assert found.sums.column("pairs").tolist() == [2, 2, 2, 1, 1, 1, 2]
    assert found.sums.column("leaked_pairs").tolist() == [2, 1, 0, 1, 0, 1, 0]
    assert found.sums.column("leaked_turns").tolist() == [1, 0, 0, 1, 0, 1, 0]
    assert found.to_json() == {
        "conversations": 7, "leaked_conversations": 5, "leaked_turn_by_turn": 3, "pairs": 11, "leaked_pairs": 5
    }  # fmt: skip


def test_only_pairs_whose_reply_is_scored_count() -> None:
    found = measure_leaks([talk("x", "hi you", "hello", "bye", targets=[False, False, True])], TRAIN)
    assert found.to_json()["pairs"] == found.to_json()["leaked_pairs"] == 1


def test_a_split_in_itself_leaks_whole_and_nothing_leaks_from_nothing() -> None:
    assert measure_leaks(TRAIN, TRAIN).clean == ()
    assert measure_leaks(TRAIN, []).leaked == ()
    assert measure_leaks([], TRAIN).to_json()["conversations"] == 0


def published(split: str) -> Iterator[Talk]:
    with gzip.open(DAILYDIALOG / f"{split}.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            data = json.loads(line)
            yield talk(data["id"], *(turn["text"] for turn in data["turns"]))


@pytest.mark.skipif(not DAILYDIALOG.is_dir(), reason="the corpus is not here")
@pytest.mark.parametrize(("split", "count", "cut_elsewhere"), [("test", 149, 2), ("valid", 122, 1)])
def test_known_leaks_of_dailydialog_are_found(split, count, cut_elsewhere) -> None:
    found = measure_leaks(published(split), published("train"))
    known = (DAILYDIALOG / f"{split}.leaked_ids.txt").read_text().split()
    turn_by_turn = np.array(found.sums.ids)[found.sums.column("leaked_turns") == 1]
    assert sorted(turn_by_turn.tolist()) == sorted(known)
    assert len(known) == count
    assert set(known) < set(found.leaked)
    assert len(found.leaked) == count + cut_elsewhere
    assert len(found.clean) == 1000 - count - cut_elsewhere
