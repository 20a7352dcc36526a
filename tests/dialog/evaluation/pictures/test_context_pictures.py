"""Context states are those that replies are planned from."""

import numpy as np
import pytest

from dialog.errors import UsageError
from dialog.evaluation.pictures.context import Course, course_of, draw_course
from dialog.evaluation.text_scores import read_context
from tests.dialog.evaluation.pictures.runs import TOKENIZER, conversation, run_of

TALK = ["hello", "how are you?", "number 7"]


@pytest.mark.parametrize("name", ["hred", "vhred"])
def test_each_is_the_state_of_the_conversation_so_far(name) -> None:
    run = run_of(name)
    found = course_of(run, conversation(*TALK))
    assert found.turns == tuple(TALK)
    for count in (1, 2, 3):
        state = read_context(run.model, TOKENIZER, conversation(*TALK[:count]))
        np.testing.assert_allclose(found.states[count - 1], state.context[0].numpy(), atol=1e-6)


def test_likeness_and_movement_are_what_they_are_called() -> None:
    found = Course(("a", "b", "c"), np.array([[3.0, 4.0], [4.0, -3.0], [8.0, -6.0]]))
    np.testing.assert_allclose(found.likeness, [[1, 0, 0], [0, 1, 1], [0, 1, 1]], atol=1e-12)
    np.testing.assert_allclose(found.movement, [1, np.sqrt(2), 0.5])


def test_turns_without_words_are_passed_over_as_in_a_chat() -> None:
    run = run_of("hred")
    whole = course_of(run, conversation(*TALK))
    holes = course_of(run, conversation("hello", " ", "", "how are you?", "number 7"))
    assert holes.turns == whole.turns
    np.testing.assert_array_equal(holes.states, whole.states)


@pytest.mark.parametrize("name", ["seq2seq", "vhcr", "transformer"])
def test_a_model_without_such_a_state_says_so(name) -> None:
    settings = {"embedding_size": 8, "feedforward_size": 8, "heads": 2} if name == "transformer" else {}
    with pytest.raises(UsageError, match="no context state"):
        course_of(run_of(name, **settings), conversation(*TALK))


def test_a_conversation_without_words_is_refused() -> None:
    with pytest.raises(UsageError, match="no turn has words"):
        course_of(run_of("hred"), conversation(" "))


def test_it_is_drawn_turn_by_turn(tmp_path) -> None:
    draw_course(course_of(run_of("hred"), conversation(*TALK)), tmp_path / "a.svg")
    text = (tmp_path / "a.svg").read_text()
    assert "how are you?  2" in text
