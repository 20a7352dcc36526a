"""`hred draw`: pictures of what the equations do, a file each, .svg or .png; here those of cells as they begin.

`app.cli.draw_runs` has those of trained runs.
"""

from pathlib import Path
from typing import Annotated

import typer

from app.cli.draw_runs import attention, context, gates, latent

__all__ = ["draw"]

draw = typer.Typer(
    help="Draw what the equations do: gradients, gates, attention, contexts, latent variables.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Out = Annotated[Path, typer.Option(help="The picture to write: .svg or .png.")]
Cells = Annotated[
    list[str] | None,
    typer.Option(
        "--cell",
        metavar="CELL[,NAME=VALUE]",
        help="A cell and what is changed of it, such as rnn_tanh,scale=1.5, lstm,keep=3 or gru,skips=5+10; "
        "may be repeated. scale: of the recurrent weights; keep: bias of the forget or update gate.",
    ),
]


@draw.command("gradients")
def gradients(
    out: Out,
    cell: Cells = None,
    by: Annotated[str, typer.Option(help="What the gradient is by: state or input.")] = "state",
    hidden: Annotated[int, typer.Option(min=1, help="Size of state and input.")] = 64,
    steps: Annotated[int, typer.Option(min=1, help="The largest distance.")] = 100,
    input_scale: Annotated[
        float, typer.Option(min=0.0, help="Standard deviation of the inputs; fresh token vectors have 0.1.")
    ] = 0.1,
    seed: Annotated[int, typer.Option(min=0, help="Of weights, inputs and directions.")] = 1,
) -> None:
    """Draw how much of a gradient arrives d steps back, for cells as they begin.

    Without --cell all cells are drawn, and what makes their gradients vanish or explode.
    """
    from dialog.errors import UsageError
    from dialog.evaluation.pictures.canvas import check_place
    from dialog.evaluation.pictures.cells import CellSpec
    from dialog.evaluation.pictures.gradient_flow import PANELS, FlowOptions, draw_flow, measure_flow

    check_place(out)
    if by not in ("state", "input"):
        raise UsageError(f"--by is {by!r}, but a gradient is drawn by the state or by the input")
    options = FlowOptions(steps, hidden, by, input_scale, seed=seed)
    named = {"": tuple(cell)} if cell else PANELS
    specs = {title: [CellSpec.parse(one) for one in texts] for title, texts in named.items()}
    panels = {title: measure_flow(some, options) for title, some in specs.items()}
    draw_flow(panels, options, out)
    distances = [d for d in (1, 10, 20, 50, 100, 200, 500) if d < len(next(iter(panels.values()))[0].norms)]
    print(f"{'gradient, d steps back':32}" + "".join(f"{f'd={d}':>10}" for d in distances))
    for curve in dict.fromkeys(curve for curves in panels.values() for curve in curves):
        print(f"{curve.spec.text:32}" + "".join(f"{curve.norms[d]:10.1e}" for d in distances))


@draw.command("clipping")
def clipping(
    out: Out,
    cell: Annotated[
        str, typer.Option(metavar="CELL[,NAME=VALUE]", help="As of `hred draw gradients`.")
    ] = "rnn_tanh,scale=1.5",
    clip: Annotated[float, typer.Option(help="Largest length of a gradient.")] = 1.0,
    length: Annotated[int, typer.Option(min=2, help="Tokens over which the first is remembered.")] = 40,
    hidden: Annotated[int, typer.Option(min=1, help="Size of the state.")] = 32,
    updates: Annotated[int, typer.Option(min=1, help="Of a training.")] = 300,
    learning_rate: Annotated[float, typer.Option(help="Of plain gradient descent.")] = 0.1,
    seeds: Annotated[int, typer.Option(min=1, help="Trainings of each kind, by the seeds 1, 2, …")] = 3,
) -> None:
    """Train a cell to remember a token, with clipped gradients and without, and draw how that goes."""
    from dialog.errors import UsageError
    from dialog.evaluation.pictures.canvas import check_place
    from dialog.evaluation.pictures.cells import CellSpec
    from dialog.evaluation.pictures.clipping import RecallOptions, draw_races, race

    check_place(out)
    if clip <= 0 or learning_rate <= 0:
        raise UsageError(f"--clip is {clip:g} and --learning-rate {learning_rate:g}; both must be above 0")
    options = RecallOptions(length, hidden, 32, updates, learning_rate, clip)
    spec = CellSpec.parse(cell)
    races = []
    print("loss of the last tenth, nats (1.386 is guessing); longest gradient")
    for seed in range(1, seeds + 1):
        one = race(spec, options, seed)
        races.append(one)
        parts = [
            f"{name} {descent.end:.3f} ({max(descent.norms):.3g})"
            for name, descent in (("not clipped", one.free), ("clipped", one.clipped))
        ]
        print(f"seed {seed}: " + ", ".join(parts))
    draw_races(races, options, out)


@draw.command("stack")
def stack(
    out: Out,
    cell: Annotated[str, typer.Option(help="Recurrent cell of all layers.")] = "lstm",
    layers: Annotated[int, typer.Option(min=1, help="Layers of the deep stack.")] = 8,
    hidden: Annotated[int, typer.Option(min=2, help="Size of a layer's output and of an input; even.")] = 64,
    length: Annotated[int, typer.Option(min=1, help="Tokens of an utterance.")] = 30,
    seed: Annotated[int, typer.Option(min=0, help="Of weights, inputs and directions.")] = 1,
) -> None:
    """Draw what of a gradient reaches the lower layers of a deep stack, and the tokens of an utterance."""
    from dialog.evaluation.pictures.canvas import check_place
    from dialog.evaluation.pictures.stacks import (
        READINGS,
        VARIANTS,
        StackCurve,
        draw_stacks,
        layer_gradients,
        token_gradients,
    )

    check_place(out)
    over_tokens = [
        StackCurve(name, token_gradients(cell, directions, hidden, length, seed))
        for name, directions in READINGS.items()
    ]
    over_layers = [
        StackCurve(name, layer_gradients(cell, layers, hidden, length, seed, **variant))
        for name, variant in VARIANTS.items()
    ]
    draw_stacks(over_layers, over_tokens, cell, out)
    for kind, curves in (("layer", over_layers), ("token", over_tokens)):
        for curve in curves:
            print(
                f"{curve.name}: {kind} 1 {curve.norms[0]:.1e}, {kind} {len(curve.norms)} {curve.norms[-1]:.1e}"
            )


for _name, _command in (
    ("gates", gates),
    ("attention", attention),
    ("context", context),
    ("latent", latent),
):
    draw.command(_name)(_command)
