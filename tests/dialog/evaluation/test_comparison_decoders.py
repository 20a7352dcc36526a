"""Every way to decode is read as it is meant, and what cannot be meant is told in a sentence."""

import pytest

from dialog.decoding.replies import Sampling
from dialog.errors import UsageError
from dialog.evaluation.comparison.decoders import parse_decoder, parse_decoders


@pytest.mark.parametrize(
    ("text", "sampling"),
    [
        ("greedy", Sampling("greedy")),
        ("sample", Sampling("sample")),
        ("top-p=0.5", Sampling("sample", top_p=0.5)),
        ("top-k=40, temperature=0.7", Sampling("sample", top_k=40, temperature=0.7)),
        ("min-p=0.1,max-tokens=9", Sampling("sample", min_p=0.1, max_tokens=9)),
        ("beam=5", Sampling("beam", beam_size=5)),
        ("beam=4,length-penalty=0", Sampling("beam", beam_size=4, length_penalty=0.0)),
        ("greedy,no-repeat-ngram=3", Sampling("greedy", no_repeat_ngram=3)),
    ],
)
def test_what_is_meant(text, sampling) -> None:
    found = parse_decoder(text)
    assert found.sampling == sampling and found.ranker is None
    assert found.name == text.replace(" ", "")
    assert found.draws == (sampling.method != "greedy")


def test_candidates_are_drawn_and_ranked() -> None:
    found = parse_decoder("mmi=runs/some/lm")
    assert (found.ranker, found.candidates, found.weight) == ("runs/some/lm", 10, 0.5)
    assert found.sampling == Sampling("sample", top_p=0.9) and found.name == "mmi=lm"
    other = parse_decoder("mmi=lm,candidates=20,weight=0.3,top-p=0.8")
    assert (other.candidates, other.weight, other.sampling.top_p) == (20, 0.3, 0.8)
    assert parse_decoder("mmi=lm,beam=12").candidates == 12
    assert other.to_json()["candidates"] == 20 and "beam_size" not in other.to_json()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "there is no ''"),
        ("loud", "there is no 'loud'; words are greedy"),
        ("greedy=1", "greedy takes no value"),
        ("top-p", "top-p needs a value, such as top-p=0.9"),
        ("mmi", "mmi needs a value, such as mmi=RUN"),
        ("beam=x", "beam is 'x', but must be a whole number"),
        ("top-p=much", "top-p is 'much', but must be a number"),
        ("top-p=2", "top_p is 2.0, but must be above 0"),
        ("beam=0", "beam_size is 0"),
        ("greedy,sample", "exclude each other"),
        ("greedy,beam=3", "exclude each other"),
        ("greedy,top-p=0.9", "top-p does not go with greedy"),
        ("beam=3,top-p=0.9", "top-p does not go with beam"),
        ("top-p=0.9,weight=0.2", "weight is read with mmi=RUN alone"),
        ("mmi=lm,greedy", "mmi ranks several"),
    ],
)
def test_what_cannot_be_is_a_sentence(text, sentence) -> None:
    with pytest.raises(UsageError, match=sentence):
        parse_decoder(text)


def test_two_of_one_name_are_refused() -> None:
    with pytest.raises(UsageError, match="given twice"):
        parse_decoders(["greedy", "top-p=0.9", "greedy"])
