"""Replies of a comparison: the same whatever else is asked for, and the same after a stop at any place."""

import json

import pytest

from dialog.decoding.replier import Replier
from dialog.evaluation.comparison import answering
from dialog.evaluation.comparison.answering import answer_all, read_answers, reply_seed
from dialog.evaluation.comparison.decoders import parse_decoder
from tests.dialog.evaluation.comparison_cases import TEXTS, make_material, make_tiny, make_tokenizer

TOKENIZER = make_tokenizer()


def answers_of(name, text, path, material=None, num_replies=3, seed=4):
    replier = Replier(make_tiny(name, TOKENIZER), TOKENIZER, "hash")
    return answer_all(
        replier,
        parse_decoder(text),
        None,
        material or make_material(TOKENIZER),
        num_replies,
        seed,
        path,
    )


@pytest.mark.parametrize("text", ["greedy,max-tokens=6", "sample,max-tokens=6", "beam=2,max-tokens=6"])
@pytest.mark.parametrize("name", ["hred", "vhred"])
def test_a_stop_at_any_place_changes_no_byte(name, text, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(answering, "_BLOCK", 1)
    answers_of(name, text, tmp_path / "whole.jsonl")
    whole = (tmp_path / "whole.jsonl").read_bytes()
    for cut in (0, 1, len(whole) // 3, len(whole) // 2, len(whole) - 1, len(whole)):
        (tmp_path / "again.part").write_bytes(whole[:cut])
        answers_of(name, text, tmp_path / "again.jsonl")
        assert (tmp_path / "again.jsonl").read_bytes() == whole
        assert not (tmp_path / "again.part").exists()
        (tmp_path / "again.jsonl").unlink()


def test_a_file_that_is_there_is_taken(tmp_path) -> None:
    found = answers_of("hred", "greedy,max-tokens=4", tmp_path / "a.jsonl")
    line = json.loads((tmp_path / "a.jsonl").read_bytes().splitlines()[0])
    assert line["conversation"] == "talk 0" and line["turn"] == 1
    assert answers_of("vhred", "sample", tmp_path / "a.jsonl") == found == read_answers(tmp_path / "a.jsonl")


def test_a_reply_is_that_of_the_replier_alone(tmp_path) -> None:
    from dialog.conversation import Conversation, Turn

    material = make_material(TOKENIZER)
    found = answers_of("vhred", "sample,max-tokens=8", tmp_path / "a.jsonl", material)
    replier = Replier(make_tiny("vhred", TOKENIZER), TOKENIZER, "hash")
    for context, answer in zip(material.contexts, found, strict=True):
        turns = tuple(Turn("AB"[i % 2], text) for i, text in enumerate(context.texts))
        seed = reply_seed(4, answer.conversation, answer.turn)
        alone = replier.reply(Conversation("", turns), parse_decoder("sample,max-tokens=8").sampling, 3, seed)
        assert [reply.text for reply in alone] == list(answer.replies)
        assert (answer.details["seed"], answer.details["context_hash"]) == (seed, alone[0].context_hash)


def test_fewer_replies_and_fewer_conversations_are_a_part_of_more(tmp_path) -> None:
    many = answers_of("vhred", "sample,max-tokens=8", tmp_path / "many.jsonl", num_replies=3)
    one = answers_of("vhred", "sample,max-tokens=8", tmp_path / "one.jsonl", num_replies=1)
    assert [a.replies[:1] for a in many] == [a.replies for a in one]
    few = make_material(TOKENIZER, max_conversations=2)
    part = answers_of("vhred", "sample,max-tokens=8", tmp_path / "few.jsonl", few)
    assert [a.replies for a in part] == [a.replies for a in many[: len(part)]]


def test_who_says_the_same_each_time_is_counted_as_often(tmp_path) -> None:
    for answer in answers_of("hred", "greedy,max-tokens=5", tmp_path / "a.jsonl"):
        assert len(answer.replies) == 3 and len(set(answer.replies)) == 1
    assert all(len(a.replies) == 2 for a in answers_of("hred", "beam=2,max-tokens=5", tmp_path / "b.jsonl"))
    drawn = answers_of("vhred", "greedy,max-tokens=5", tmp_path / "c.jsonl")
    assert all(len(answer.details["indices"]) == 3 for answer in drawn)


def test_seeds_differ_by_conversation_turn_and_comparison() -> None:
    seeds = {reply_seed(s, c, t) for s in (0, 1) for c in ("a", "b", "1/a") for t in (1, 2, 11)}
    assert len(seeds) == 18


def test_the_same_talk_under_two_names_gets_replies_of_its_own(tmp_path) -> None:
    material = make_material(TOKENIZER, [TEXTS[0], TEXTS[0]])
    found = answers_of("hred", "sample,max-tokens=12", tmp_path / "a.jsonl", material)
    first, second = found[: len(found) // 2], found[len(found) // 2 :]
    assert [a.details["context_hash"] for a in first] == [a.details["context_hash"] for a in second]
    assert [a.replies for a in first] != [a.replies for a in second]
