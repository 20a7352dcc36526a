"""How much of bare batched decoding is left when 200 chats join and leave: the engine, in process.

    python benchmarks/engine_speed.py [RUN...] [--chats 200] [--seconds 10]

RUN is a run folder; without one, the shipped models are measured.

- `bare decoding`: a batch of as many replies as chats, none of which ends, decoded by the model's `step` and
  the sampling alone;
- `one batch`: bare decoding of the same work: as many chats at once, each with a reply and a message to read
  and a reply of 22 tokens to decode, which all begin and end together;
- `engine`: as many chats, each of whom sends a message, waits for the whole reply and sends the next one, so
  that replies of 5 to 40 tokens (22 on average) join and leave all the time, and each turn is read.

All are measured in turns, several times, and compared turn by turn, for the machine is shared. The limit is
`one batch`; beside it stands the share of `bare decoding`, which reads nothing.
"""

import waiting  # noqa: F401  (it acts by being imported, before torch is)

# isort: split
import argparse
import random
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from figures import Spread, print_result

from app.shipped import shipped_models
from dialog.conversation import Conversation, Turn
from dialog.decoding.draft import Draft
from dialog.decoding.engine import Engine
from dialog.decoding.replier import Replier
from dialog.decoding.replies import Sampling
from dialog.decoding.sampling import History, reply_generator
from dialog.run_folder import load_run

SAMPLING = Sampling(temperature=0.8, top_p=0.9)
_WORDS = "the you it is that and of to in what we not on do like music dog cat tea rain go see".split()


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="*", type=Path, help="run folders")
    parser.add_argument("--chats", type=int, default=200, help="at once")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each turn of the engine")
    parser.add_argument("--pairs", type=int, default=5, help="2 or more")
    arguments = parser.parse_args()
    results = []
    for folder in arguments.runs or shipped_models().values():
        results.append(_measure(folder, arguments.chats, arguments.seconds, arguments.pairs))
    limits = [result["limit"] for result in results]
    print_result("engine_speed", {"value": sum(limits) / len(limits), "unit": "tokens/s"}, results)


def _measure(folder: Path, chats: int, seconds: float, pairs: int) -> dict[str, Any]:
    replier = Replier.from_run(load_run(folder))
    turns = [
        (_bare(replier, chats), _one_batch(replier, chats, turn), engine_rate(replier, chats, seconds, turn))
        for turn in range(pairs + 1)
    ]
    bare, one_batch, engine = zip(*turns[1:], strict=True)  # the first one warms up
    share = Spread.of([rate / limit for rate, limit in zip(engine, one_batch, strict=True)])
    of_bare = Spread.of([rate / limit for rate, limit in zip(engine, bare, strict=True)])
    print(
        f"{folder.name}, {chats} chats, {torch.get_num_threads()} threads: engine "
        f"{Spread.of(engine).text(0)} tokens/s\n"
        f"  one batch of the same work {Spread.of(one_batch).text(0)} tokens/s: share {share.text(2)}\n"
        f"  bare decoding, nothing read {Spread.of(bare).text(0)} tokens/s: share {of_bare.text(2)}"
    )
    return {
        "name": f"{folder.name}: {chats} chats",
        "value": Spread.of(engine).median,
        "unit": "tokens/s",
        "limit": Spread.of(one_batch).median,
        "share_of_limit": share.median,
        "spread": share.to_json(),
        "bare_decoding": Spread.of(bare).median,
        "share_of_bare_decoding": of_bare.median,
    }


def _bare(replier: Replier, chats: int, steps: int = 40) -> float:
    """Returns tokens a second of a batch that nothing joins and nothing leaves."""
    sampling = replace(SAMPLING, min_tokens=steps + 5, max_tokens=steps + 5)
    draw = random.Random(1)
    readings = [replier.open(small_talk(draw, 3)) for _ in range(chats)]
    replier.reader.read_all(readings)
    generators = [reply_generator(1, index) for index in range(chats)]
    drafts = [
        Draft(History.of(sampling, generator), 1, index, "") for index, generator in enumerate(generators)
    ]
    with torch.inference_mode():
        states = [reading.state for reading in readings]
        state = replier.model.plan(type(states[0]).concat(states), generators)
    batch = replier.new_batch()
    batch.join(drafts, state)
    for _ in range(5):
        batch.step()
    start = time.perf_counter()
    for _ in range(steps):
        batch.step()
    return chats * steps / (time.perf_counter() - start)


def _one_batch(replier: Replier, chats: int, seed: int, length: int = 22) -> float:
    """Returns tokens a second of a batch whose chats go on together: two turns to read, a reply to decode."""
    sampling = replace(SAMPLING, min_tokens=length, max_tokens=length)
    draw, spent = random.Random(1000 + seed), 0.0
    for number in range(3):
        before = [small_talk(draw, 3) for _ in range(chats)]
        replier.reader.read_all([replier.open(conversation) for conversation in before])
        further = [small_talk(draw, 2).turns for _ in range(chats)]
        start = time.perf_counter()
        whole = [Conversation("", (*b.turns, *f[::-1])) for b, f in zip(before, further, strict=True)]
        replier.reply_all(whole, sampling, seed=[number + 1000 * chat for chat in range(chats)])
        spent += time.perf_counter() - start
    return 3 * chats * length / spent


def engine_rate(replier: Replier, chats: int, seconds: float, seed: int) -> float:
    """Returns tokens a second while clients chat, once all of them do."""
    engine = Engine(replier, max_rows=chats, max_waiting=2 * chats)
    draw = random.Random(seed)
    over = threading.Event()

    def send(conversation: Conversation, number: int) -> None:
        length = draw.randint(5, 40)
        sampling = replace(SAMPLING, min_tokens=length, max_tokens=length)
        ticket = engine.submit(conversation, sampling, 1, number)

        def go_on(future: Any) -> None:
            if not over.is_set() and future.exception() is None:
                said = future.result()[0].text
                turns = (*conversation.turns[-20:], Turn("B", said), *small_talk(draw, 1).turns)
                send(Conversation("", turns), number + 1)

        ticket.future.add_done_callback(go_on)

    for chat in range(chats):
        send(small_talk(draw, 3), 1000 * chat)
    time.sleep(seconds / 4)  # until all have joined
    before, start = engine.num_tokens, time.perf_counter()
    time.sleep(seconds)
    rate = (engine.num_tokens - before) / (time.perf_counter() - start)
    over.set()
    while engine.num_waiting or engine.num_running:
        time.sleep(0.01)
    engine.close()
    return rate


def small_talk(draw: random.Random, num_turns: int) -> Conversation:
    texts = (" ".join(draw.choices(_WORDS, k=draw.randint(4, 16))) for _ in range(num_turns))
    return Conversation("", tuple(Turn("AB"[place % 2], text) for place, text in enumerate(texts)))


if __name__ == "__main__":
    main()
