"""`hred chat`: a conversation in the terminal."""

import io
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.sampling_options import DEFAULTS, MaxTokens, MethodName, Temperature, TopK, TopP

if TYPE_CHECKING:
    from dialog.conversation import Turn
    from dialog.decoding.replier import Replier
    from dialog.decoding.replies import Sampling

__all__ = ["chat"]


def chat(
    run: Annotated[str, typer.Argument(help="Run folder, or the name of a shipped model.")],
    seed: Annotated[int, typer.Option(help="Of the first reply; each further one takes the next.")] = 0,
    method: MethodName = DEFAULTS.method,
    temperature: Temperature = DEFAULTS.temperature,
    top_k: TopK = DEFAULTS.top_k,
    top_p: TopP = DEFAULTS.top_p,
    max_tokens: MaxTokens = DEFAULTS.max_tokens,
) -> None:
    """Chat in the terminal.

    /new begins a new conversation, /quit or Ctrl-D ends, Ctrl-C stops a reply. The conversation is kept in
    memory alone and is gone at the end; the page (`hred serve`) is what keeps chats.
    """
    from app.shipped import run_path
    from dialog.conversation import Turn
    from dialog.decoding.replier import Replier
    from dialog.decoding.replies import Sampling
    from dialog.run_folder import load_run

    sampling = Sampling(method, temperature, top_k, top_p, max_tokens=max_tokens)  # type: ignore[arg-type]  # is checked
    replier = Replier.from_run(load_run(run_path(run)))
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
            answer = _answer(replier, turns, sampling, seed, "bot> " if is_terminal else "")
            seed += 1
            if answer:
                turns.append(Turn("bot", answer))


def _answer(replier: "Replier", turns: "list[Turn]", sampling: "Sampling", seed: int, prompt: str) -> str:
    from dialog.conversation import Conversation
    from dialog.decoding.replies import Reply

    answer = ""
    print(prompt, end="", flush=True)
    with _stopped_by_interrupt() as stop:
        for piece in replier.stream(Conversation("", tuple(turns)), sampling, seed, stop=stop.is_set):
            if isinstance(piece, Reply):
                answer = piece.text
            else:
                print(piece.replace("\n", " "), end="", flush=True)  # a reply is one line
    print(" [stopped]" if stop.is_set() else "", flush=True)
    return answer


@contextmanager
def _stopped_by_interrupt() -> Iterator[threading.Event]:
    """While a reply is decoded, Ctrl-C stops it instead of the program."""
    stop = threading.Event()
    before = signal.signal(signal.SIGINT, lambda number, frame: stop.set())
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
