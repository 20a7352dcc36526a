"""`hred generate`: text from a language model, or from the prior of a variational autoencoder."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.sampling_options import takes_sampling

if TYPE_CHECKING:
    from dialog.decoding.replies import Sampling

__all__ = ["generate"]


@takes_sampling
def generate(
    run: Annotated[
        str, typer.Argument(help="Run folder of a model that needs no context, such as lm or vae.")
    ],
    sampling: "Sampling",
    num_texts: Annotated[int, typer.Option("-n", "--num-texts", min=1, help="How many texts.")] = 1,
    prompt: Annotated[str, typer.Option(help="What each text begins with.")] = "",
    seed: Annotated[int, typer.Option(help="The same seed gives the same texts.")] = 0,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="A JSON object a line, with all that is needed to draw a text again."),
    ] = False,
) -> None:
    """Draw text from a language model, a text a line; there is no conversation that it answers.

    A variational autoencoder draws a z from its prior for each text.
    """
    from dialog.decoding.threads import let_waiting_threads_sleep

    let_waiting_threads_sleep()
    from app.shipped import run_path
    from dialog.decoding.texts import generate_texts
    from dialog.run_folder import load_run

    found = generate_texts(load_run(run_path(run)), sampling, num_texts, seed, prompt)
    for one in found:
        print(json.dumps({"prompt": prompt, **one.to_json()}, ensure_ascii=False) if as_json else one.text)
