"""`hred reply`: replies to a context given on the command line."""

import json
from typing import Annotated

import typer

from app.cli.sampling_options import DEFAULTS, MaxTokens, MethodName, Temperature, TopK, TopP

__all__ = ["reply"]


def reply(
    run: Annotated[str, typer.Argument(help="Run folder, or the name of a shipped model.")],
    context: Annotated[
        list[str],
        typer.Option(help="A turn of the conversation so far; repeat it, the last one is answered."),
    ],
    num_replies: Annotated[int, typer.Option("-n", "--num-replies", min=1, help="How many replies.")] = 1,
    seed: Annotated[int, typer.Option(help="The same seed gives the same replies.")] = 0,
    method: MethodName = DEFAULTS.method,
    temperature: Temperature = DEFAULTS.temperature,
    top_k: TopK = DEFAULTS.top_k,
    top_p: TopP = DEFAULTS.top_p,
    max_tokens: MaxTokens = DEFAULTS.max_tokens,
    as_json: Annotated[
        bool, typer.Option("--json", help="A JSON object a line, with all that is needed to replay a reply.")
    ] = False,
) -> None:
    """Reply to a conversation, a reply a line; its turns are by two speakers in turn."""
    from app.shipped import run_path
    from dialog.conversation import Conversation, Turn
    from dialog.decoding.replier import Replier
    from dialog.decoding.replies import Sampling
    from dialog.run_folder import load_run

    sampling = Sampling(method, temperature, top_k, top_p, max_tokens=max_tokens)  # type: ignore[arg-type]  # is checked
    turns = tuple(Turn("AB"[place % 2], text) for place, text in enumerate(context))
    replier = Replier.from_run(load_run(run_path(run)))
    for answer in replier.reply(Conversation("", turns), sampling, num_replies, seed):
        print(json.dumps(answer.to_json(), ensure_ascii=False) if as_json else answer.text)
