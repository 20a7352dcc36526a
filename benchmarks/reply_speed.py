"""How fast models reply: one reply, a turn late in a chat, and 64 replies at once.

    python benchmarks/reply_speed.py [RUN...] [--repeats 50]

RUN is a run folder; without one, fresh models of the shipped sizes are measured. Everything goes through the
Replier, as in the page: text in, text out. Every reply has 20 tokens, for it may not end before.

- `reply`: seconds of one reply in a chat that goes on (the bot's last reply and the new message are read, the
  reply is decoded), beside the time of reading the weights that a token needs once a token, at the rate of the
  fastest of sum, copy and matrix-vector product over a buffer of their size; beside it what the decoding of
  the tokens takes alone;
- `late turn`: the time of a turn (the bot's last reply and the new message are read, a reply is decoded) at
  turn 1,000 over that at the first full window, pair by pair;
- `64 at once`: replies a second, beside 64 replies in the time of reading those weights once a token.
"""

import waiting  # noqa: F401  (it acts by being imported, before torch is)

# isort: split
import argparse
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from figures import Spread, print_result, seconds_of, words

from dialog.conversation import Conversation, Turn
from dialog.decoding.replier import Asked, Replier
from dialog.decoding.replies import Sampling
from dialog.models.base import ContextState, ReplyModel
from dialog.models.registry import build_model
from dialog.run_folder import load_run
from dialog.text.batches import Utterances
from dialog.text.tokenizer import Tokenizer, train_tokenizer

_MODELS = ["seq2seq", "hred", "vhred"]
_TOKENS = 20
_LATE_TURN = 1000
_AT_ONCE = 64
_SAMPLING = Sampling(top_p=0.9, min_tokens=_TOKENS, max_tokens=_TOKENS)
_READ_AT_EACH_TOKEN = ("table.", "decoder.rnn.", "decoder.combine.")


class WatchedModel:
    """A model that notes what it reads.

    Attributes:
        tokens_read: by `observe` since it was last set to 0.
        state_bytes: of the last context state.
    """

    def __init__(self, model: ReplyModel) -> None:
        self._model = model
        self.tokens_read = self.state_bytes = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def eval(self) -> "WatchedModel":
        """As the model's own."""
        self._model.eval()
        return self

    def observe(self, state: ContextState, utterances: Utterances) -> ContextState:
        """As the model's own."""
        after = self._model.observe(state, utterances)
        self.tokens_read += int(utterances.lengths.sum())
        self.state_bytes = after.num_bytes
        return after


class Chat:
    """Messages of one length in tokens, all different, and chats made of them."""

    def __init__(self, tokenizer: Tokenizer, vocabulary: list[str], seed: int = 1) -> None:
        self._random = random.Random(seed)
        # Words that are one token each wherever they stand: any order of them has the same length.
        whole = [word for word in vocabulary if len(tokenizer.encode(f"{word} {word}")) == 2]
        self._words = whole[:200] or vocabulary[:1]

    def message(self) -> str:
        """Returns a message of 12 words."""
        return " ".join(self._random.choice(self._words) for _ in range(12))

    def conversation(self, num_turns: int) -> Conversation:
        """Returns a chat."""
        return Conversation("", tuple(Turn("AB"[turn % 2], self.message()) for turn in range(num_turns)))

    def one_turn_later(self, conversation: Conversation) -> Conversation:
        """Returns the chat with a further reply and a further message."""
        start = len(conversation.turns)
        further = (Turn("AB"[turn % 2], self.message()) for turn in (start, start + 1))
        return Conversation("", (*conversation.turns, *further))


@dataclass(frozen=True, slots=True)
class Subject:
    """A model to measure."""

    name: str
    model: ReplyModel
    tokenizer: Tokenizer
    vocabulary: list[str]


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="*", type=Path, help="run folders")
    parser.add_argument("--repeats", type=int, default=50, help="of each figure, 2 or more")
    parser.add_argument("--models", nargs="+", default=_MODELS, choices=_MODELS, help="without RUN")
    arguments = parser.parse_args()
    results, bandwidths = [], []
    for subject in _subjects(arguments.runs, arguments.models):
        figures, bandwidth = _measure(subject, arguments.repeats)
        results += figures
        bandwidths.append(bandwidth)
    limit = {"value": sum(bandwidths) / len(bandwidths), "unit": "GB/s"}
    print(f"{torch.get_num_threads()} threads; limit: reading at {limit['value']:.1f} GB/s")
    print_result("reply_speed", limit, results)


def _subjects(runs: list[Path], names: list[str]) -> list[Subject]:
    if runs:
        loaded = [load_run(folder) for folder in runs]
        everyday = ["the", "you", "it", "is", "that", "and", "of", "to", "in", "what", "we", "not", "on"]
        return [Subject(run.folder.name, run.model, run.tokenizer, everyday) for run in loaded]
    vocabulary = words(30_000)
    tokenizer = Tokenizer(train_tokenizer(_lines(vocabulary), 8000, "bpe"))
    torch.manual_seed(1)
    subjects = []
    for name in names:
        sizes = {"vocab_size": tokenizer.num_tokens, "embedding_size": 256, "hidden_size": 384}
        if name != "seq2seq":
            sizes["context_size"] = 384
        subjects.append(Subject(name, build_model(name, sizes), tokenizer, vocabulary))
    return subjects


def _lines(vocabulary: list[str]) -> list[str]:
    """Sentences in which the first words are frequent and every word stands once."""
    frequent = [word for word in vocabulary[:500] for _ in range(20)]
    every = [*frequent, *vocabulary]
    return [" ".join(every[start : start + 10]) for start in range(0, len(every), 10)]


def _measure(subject: Subject, repeats: int) -> tuple[list[dict[str, Any]], float]:
    watched = WatchedModel(subject.model)
    replier = Replier(cast(ReplyModel, watched), subject.tokenizer, "")
    chat = Chat(subject.tokenizer, subject.vocabulary)
    weights = [w for n, w in subject.model.named_parameters() if n.startswith(_READ_AT_EACH_TOKEN)]
    buffer = torch.ones(sum(weight.numel() for weight in weights))
    one_reading = _seconds_of_reading(buffer, 5 + 2 * repeats)
    print(f"{subject.name}: {subject.model.num_parameters:,} parameters, {len(buffer):,} read at each token")
    figures = [
        _reply(subject.name, replier, chat, repeats, _TOKENS * one_reading),
        _decoding(subject.name, replier, chat, repeats, _TOKENS * one_reading),
        _late_turn(subject.name, replier, watched, chat, repeats),
        _at_once(subject.name, replier, chat, repeats, _TOKENS * one_reading),
    ]
    return figures, buffer.numel() * 4 / one_reading / 1e9


def _seconds_of_reading(buffer: torch.Tensor, repeats: int) -> float:
    """Returns the time of reading a buffer by the fastest of sum, copy and matrix-vector product, a median each."""
    matrix, target = buffer[: len(buffer) // 512 * 512].view(-1, 512), torch.empty_like(buffer)
    vector = torch.ones(512)
    array = matrix.numpy()
    ways: list[Callable[[], Any]] = [
        buffer.sum,
        lambda: target.copy_(buffer),
        lambda: matrix @ vector,
        lambda: array @ vector.numpy(),
    ]
    return min(Spread.of([seconds_of(way) for _ in range(repeats)][5:]).median for way in ways)


def _reply(name: str, replier: Replier, chat: Chat, repeats: int, limit: float) -> dict[str, Any]:
    conversation = chat.conversation(3)
    replier.reply(conversation, _SAMPLING)
    taken = []
    for seed in range(repeats + 3):
        conversation = chat.one_turn_later(conversation)
        start = time.perf_counter()
        (reply,) = replier.reply(conversation, _SAMPLING, seed=seed)
        taken.append(time.perf_counter() - start)
        assert len(reply.tokens) == _TOKENS
    seconds = Spread.of(taken[3:])
    share = limit / seconds.median
    print(
        f"  a reply of {_TOKENS} tokens: {1000 * seconds.median:.1f} ms (quartiles "
        f"{1000 * seconds.lower:.1f} to {1000 * seconds.upper:.1f}), reading its weights "
        f"{1000 * limit:.1f} ms: {1 / share:.2f} times that"
    )
    return {
        "name": f"{name}: reply",
        "value": seconds.median / limit,
        "unit": "times the reading",
        "limit": 1.0,
        "seconds": seconds.median,
        "share_of_limit": share,
        "spread": seconds.to_json(),
    }


def _decoding(name: str, replier: Replier, chat: Chat, repeats: int, limit: float) -> dict[str, Any]:
    """The tokens alone: the conversation is read and the reply is planned before the clock starts."""
    reading = replier.open(chat.conversation(3))
    replier.reader.read_all([reading])
    taken = []
    for seed in range(repeats + 3):
        drafts, state = replier.begin([Asked(reading, _SAMPLING, seed, 0)])
        batch = replier.new_batch()
        batch.join(drafts, state)
        taken.append(seconds_of(lambda batch=batch: list(batch.run())))  # type: ignore[misc]
    seconds = Spread.of(taken[3:])
    print(
        f"  its tokens alone: {1000 * seconds.median:.1f} ms (quartiles {1000 * seconds.lower:.1f} to "
        f"{1000 * seconds.upper:.1f}): {seconds.median / limit:.2f} times reading the weights"
    )
    return {
        "name": f"{name}: tokens",
        "value": seconds.median / limit,
        "unit": "times the reading",
        "limit": 1.0,
        "share_of_limit": limit / seconds.median,
        "spread": seconds.to_json(),
    }


def _late_turn(
    name: str, replier: Replier, watched: WatchedModel, chat: Chat, repeats: int
) -> dict[str, Any]:
    """Both models' window is one turn, so it is full from the second turn on."""
    late = chat.conversation(_LATE_TURN - 2)
    early = Conversation("", late.turns[-2:])
    for conversation in (early, late):
        replier.reply(conversation, _SAMPLING)  # its state is kept from here on
    ratios = []
    for pair in range(repeats + 3):
        found = {}
        for which in ("early", "late") if pair % 2 else ("late", "early"):
            conversation = chat.one_turn_later(early if which == "early" else late)
            watched.tokens_read = 0
            start = time.perf_counter()
            (reply,) = replier.reply(conversation, _SAMPLING, seed=pair)
            seconds = time.perf_counter() - start
            found[which] = (seconds, watched.tokens_read, watched.state_bytes, len(reply.tokens))
        if found["early"][1:] != found["late"][1:]:
            raise SystemExit(f"{name}: the two turns of a pair did unequal work: {found}")
        ratios.append(found["late"][0] / found["early"][0])
    ratio = Spread.of(ratios[3:])
    _, tokens, state_bytes, _ = found["late"]
    print(
        f"  a turn at turn {_LATE_TURN:,} over one at the first full window: {ratio.text()}; both read "
        f"{tokens} tokens and keep {state_bytes:,} bytes"
    )
    return {
        "name": f"{name}: late turn",
        "value": ratio.median,
        "unit": "ratio",
        "limit": 1.0,
        "share_of_limit": 1.0 / ratio.median,
        "spread": ratio.to_json(),
    }


def _at_once(name: str, replier: Replier, chat: Chat, repeats: int, limit: float) -> dict[str, Any]:
    rates = []
    for seed in range(max(5, repeats // 5) + 1):
        conversations = [chat.conversation(3) for _ in range(_AT_ONCE)]
        start = time.perf_counter()
        replier.reply_all(conversations, _SAMPLING, seed=seed)
        rates.append(_AT_ONCE / (time.perf_counter() - start))
    rate = Spread.of(rates[1:])
    share = rate.median / (_AT_ONCE / limit)
    print(
        f"  {_AT_ONCE} at once: {rate.text(1)} replies/s, share of reading weights once a token {share:.3f}"
    )
    return {
        "name": f"{name}: {_AT_ONCE} at once",
        "value": rate.median,
        "unit": "replies/s",
        "limit": _AT_ONCE / limit,
        "share_of_limit": share,
        "spread": rate.to_json(),
    }


if __name__ == "__main__":
    main()
