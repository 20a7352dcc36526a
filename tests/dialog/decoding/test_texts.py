"""Texts without a context: fixed by seed and index, and a prompt is read as the model would read its own words."""

from pathlib import Path

import pytest
import torch

from dialog.decoding.replies import Sampling
from dialog.decoding.texts import generate_texts
from dialog.errors import UsageError
from dialog.models.registry import build_model
from dialog.run_folder import Run
from dialog.text.batches import EOS

SAMPLED = Sampling(max_tokens=12)
GREEDY = Sampling("greedy", max_tokens=12)


@pytest.fixture(scope="module")
def run(tokenizer) -> Run:
    torch.manual_seed(3)
    sizes = {"vocab_size": tokenizer.num_tokens, "embedding_size": 12, "hidden_size": 16}
    model = build_model("lm", sizes).eval()
    with torch.no_grad():
        model.table.weight.mul_(12)
    return Run(Path("runs/lm"), "lm", model, tokenizer, "", {})


@pytest.mark.parametrize("sampling", [SAMPLED, Sampling("beam", max_tokens=12, beam_size=7)])
@pytest.mark.parametrize("prompt", ["", "I have"])
def test_text_three_of_three_is_text_three_of_six(run, sampling, prompt) -> None:
    three = generate_texts(run, sampling, 3, 7, prompt)
    six = generate_texts(run, sampling, 6, 7, prompt)
    assert [one.tokens for one in three] == [one.tokens for one in six[:3]]
    assert [one.index for one in six] == [*range(6)]
    assert len({one.tokens for one in six}) > 1
    assert [one.text for one in generate_texts(run, sampling, 3, 7, prompt)] == [one.text for one in three]


def test_another_seed_gives_other_texts(run) -> None:
    first, second = (generate_texts(run, SAMPLED, 3, seed) for seed in (1, 2))
    assert [one.tokens for one in first] != [one.tokens for one in second]


def test_a_prompt_is_read_token_by_token_and_the_text_goes_on_behind_it(run) -> None:
    words = "I have 7"
    read = tuple(run.tokenizer.encode(words))
    (rest,) = generate_texts(run, GREEDY, prompt=words)
    stepped, state = [], run.model.plan(run.model.start(1), [torch.Generator()])
    tokens = [2, *read]
    while len(stepped) < 12:
        logits, state = run.model.step(torch.tensor([tokens.pop(0)]), state)
        if not tokens:
            logits[0, :3] = -torch.inf
            logits[0, EOS] = -torch.inf if not stepped else logits[0, EOS]
            stepped.append(int(logits.argmax()))
            tokens = stepped[-1:]
            if tokens == [EOS]:
                break
    assert list(rest.tokens) == stepped
    assert rest.text == " ".join(run.tokenizer.decode([*read, *rest.tokens]).split())


def test_its_log_probability_is_the_models_score(run) -> None:
    (one,) = generate_texts(run, SAMPLED, seed=5)
    state, token, nats = run.model.plan(run.model.start(1), [torch.Generator()]), 2, 0.0
    for target in one.tokens:
        logits, state = run.model.step(torch.tensor([token]), state)
        nats += float(logits.detach().log_softmax(1)[0, target])
        token = target
    assert one.log_probability == pytest.approx(nats, abs=1e-4)


def test_what_needs_a_context_is_refused(tokenizer, hred) -> None:
    run = Run(Path("runs/mine"), "hred", hred, tokenizer, "", {})
    with pytest.raises(UsageError, match="`hred reply runs/mine --context TEXT`"):
        generate_texts(run, SAMPLED)


def test_more_texts_than_a_beam_finds_are_refused(run) -> None:
    with pytest.raises(UsageError, match="a beam of 2 finds 2"):
        generate_texts(run, Sampling("beam", beam_size=2), 3)


def test_a_text_ends_before_a_stop_sequence_and_keeps_its_prompt(run) -> None:
    whole = generate_texts(run, SAMPLED, 1, 7, "I have")[0]
    own = whole.text.removeprefix("I have")
    stop = own[len(own) // 2 :][:2].strip()
    (text,) = generate_texts(run, Sampling(max_tokens=12, stop=(stop,)), 1, 7, "I have")
    assert text.ended == "stop" and text.text == f"I have{own[: own.index(stop)]}".strip()
