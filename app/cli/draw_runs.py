"""`hred draw gates|attention|context|latent`: pictures of what a trained run does with a text or a conversation."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from dialog.conversation import Conversation
    from dialog.run_folder import Run

__all__ = ["attention", "context", "gates", "latent"]

RunName = Annotated[str, typer.Argument(metavar="RUN", help="Run folder, or the name of a shipped model.")]
Out = Annotated[Path, typer.Option(help="The picture to write: .svg or .png.")]
Turns = Annotated[
    list[str],
    typer.Option("--context", help="A turn of the conversation so far; repeat it, the last one is answered."),
]


def gates(
    run: RunName,
    out: Out,
    text: Annotated[str, typer.Option(help="What is read.")],
    layer: Annotated[int, typer.Option(help="Of what reads text; 1 is the lowest.")] = 1,
    backward: Annotated[
        bool,
        typer.Option("--backward", help="The direction that reads from the end, of the two of an encoder."),
    ] = False,
) -> None:
    """Draw how far the gates of a trained LSTM or GRU are open over a text, and print their means."""
    loaded = _loaded(run, out)
    from dialog.evaluation.pictures.gates import draw_gates, gates_of

    found = gates_of(loaded, text, layer, backward)
    draw_gates(found, out)
    print(f"{'':16}" + "".join(f"{name:>9}" for name in found.values))
    for place, token in enumerate(found.tokens):
        print(f"{token:16}" + "".join(f"{values[:, place].mean():9.2f}" for values in found.values.values()))


def attention(
    run: RunName,
    out: Out,
    turns: Turns,
    reply: Annotated[
        str | None, typer.Option(help="The reply.  [default: the most probable one, token by token]")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of z, where there is a latent variable.")] = 0,
) -> None:
    """Draw where each token of a reply looks, and print the place that it looks at most."""
    loaded = _loaded(run, out)
    from dialog.evaluation.pictures.attention import draw_looks, looks_of

    found = looks_of(loaded, _conversation(turns), reply, seed)
    draw_looks(found, out)
    print(found.text)
    for name, weights in zip(found.rows, found.weights, strict=True):
        best = int(weights.argmax())
        print(f"{name:16}{weights[best]:5.2f} on {found.columns[best]}")


def context(run: RunName, out: Out, turns: Turns) -> None:
    """Draw how the context state of HRED or VHRED moves from turn to turn, and print how far."""
    loaded = _loaded(run, out)
    from dialog.evaluation.pictures.context import course_of, draw_course

    found = course_of(loaded, _conversation(turns))
    draw_course(found, out)
    for text, moved in zip(found.turns, found.movement, strict=True):
        print(f"{moved:5.2f}  {text}")


def latent(
    run: RunName,
    out: Out,
    turns: Turns,
    num_draws: Annotated[int, typer.Option("-n", "--num-draws", min=1, help="Of z, from the prior.")] = 300,
    side: Annotated[int, typer.Option(min=2, help="Points along each side of the plane.")] = 25,
    words: Annotated[int, typer.Option(min=1, help="Of a reply, that are its beginning.")] = 2,
    seed: Annotated[int, typer.Option(help="Of the draws; the z of `hred reply` by it are the same.")] = 0,
) -> None:
    """Draw which z make the reply begin how, and print how often each beginning comes.

    The reply to each z is the most probable one, token by token, so that z alone tells replies apart.
    """
    loaded = _loaded(run, out)
    from dialog.evaluation.pictures.latent import draw_map, map_of

    found = map_of(loaded, _conversation(turns), num_draws, side, words, seed)
    draw_map(found, out)
    for name, count in found.counts()[:12]:
        print(f"{count:5}  {name} …")
    for number, corner in enumerate(found.corners, 1):
        print(f"z{number}: {found.replies[corner]}")


def _loaded(run: str, out: Path) -> "Run":
    from dialog.decoding.threads import let_waiting_threads_sleep

    let_waiting_threads_sleep()
    from app.shipped import run_path
    from dialog.evaluation.pictures.canvas import check_place
    from dialog.run_folder import load_run

    check_place(out)
    return load_run(run_path(run))


def _conversation(texts: list[str]) -> "Conversation":
    from dialog.conversation import Conversation, Turn

    return Conversation("", tuple(Turn("AB"[place % 2], text) for place, text in enumerate(texts)))
