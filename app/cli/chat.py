"""`hred chat`: a conversation in the terminal."""

import io
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.ranking_options import Ranking, score_table, takes_ranking
from app.cli.sampling_options import takes_sampling

if TYPE_CHECKING:
    from dialog.conversation import Conversation
    from dialog.decoding.replier import Replier
    from dialog.decoding.replies import Reply, Sampling

__all__ = ["chat"]


@takes_ranking
@takes_sampling
def chat(
    run: Annotated[str, typer.Argument(help="Run folder, or the name of a shipped model.")],
    sampling: "Sampling",
    ranking: Ranking,
    seed: Annotated[int, typer.Option(help="Of the first reply; each further one takes the next.")] = 0,
    scores: Annotated[
        bool, typer.Option("--scores", help="Show each reply's scores in nats, and the candidates it was of.")
    ] = False,
) -> None:
    """Chat in the terminal.

    /new begins a new conversation, /quit or Ctrl-D ends, Ctrl-C stops a reply. The conversation is kept in
    memory alone and is gone at the end; the page (`hred serve`) is what keeps chats. A reply that is
    chosen among candidates is shown when all of them are there.
    """
    from dialog.decoding.threads import let_waiting_threads_sleep

    let_waiting_threads_sleep()
    from app.shipped import run_path
    from dialog.conversation import Conversation, Turn
    from dialog.decoding.replier import Replier
    from dialog.run_folder import load_run

    replier = Replier.from_run(load_run(run_path(run)))
    ranking.check(replier, sampling, 1)
    ranker = ranking.ranker(replier)
    is_terminal = sys.stdin.isatty()
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")  # a line that is not UTF-8 is read as far as it goes
    if is_terminal:
        print(f"Chatting with {run}. /new begins anew, /quit ends, Ctrl-C stops a reply.")
    turns: list[Turn] = []
    while True:
        try:
            text = input("you> " if is_terminal else "").strip()
        except EOFError:
            return
        if text == "/quit":
            return
        if text == "/new":
            turns = []
        elif text:
            turns.append(Turn("you", text))
            print("bot> " if is_terminal else "", end="", flush=True)
            conversation = Conversation("", tuple(turns))
            if ranker is None:
                found = _streamed(replier, conversation, sampling, seed)
            else:
                asked = (replier, ranker, conversation, sampling, 1, seed)
                found = _chosen(partial(ranking.replies, *asked))
            seed += 1
            if scores and found:
                print(score_table(found, 1))
            if found and found[0].text:
                turns.append(Turn("bot", found[0].text))


def _streamed(
    replier: "Replier", conversation: "Conversation", sampling: "Sampling", seed: int
) -> "list[Reply]":
    from dialog.decoding.replies import Reply

    found = []
    with _stopped_by_interrupt() as stop:
        for piece in replier.stream(conversation, sampling, seed, stop=stop.is_set):
            if isinstance(piece, Reply):
                found.append(piece)
            else:
                print(piece.replace("\n", " "), end="", flush=True)  # a reply is one line
    print(" [stopped]" if stop.is_set() else "", flush=True)
    return found


def _chosen(candidates: "Callable[[], list[Reply]]") -> "list[Reply]":
    """Prints the best of some candidates; none is chosen before all of them are there."""
    try:
        found = candidates()
    except KeyboardInterrupt:
        print(" [stopped]", flush=True)
        return []
    print(found[0].text, flush=True)
    return found


@contextmanager
def _stopped_by_interrupt() -> Iterator[threading.Event]:
    """While a reply is decoded, Ctrl-C stops it instead of the program."""
    stop = threading.Event()
    before = signal.signal(signal.SIGINT, lambda number, frame: stop.set())
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
