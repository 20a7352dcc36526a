"""`hred reply`: replies to a context given on the command line."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.ranking_options import Ranking, score_table, takes_ranking
from app.cli.sampling_options import takes_sampling

if TYPE_CHECKING:
    from dialog.decoding.replies import Sampling

__all__ = ["reply"]


@takes_ranking
@takes_sampling
def reply(
    run: Annotated[str, typer.Argument(help="Run folder, or the name of a shipped model.")],
    context: Annotated[
        list[str],
        typer.Option(help="A turn of the conversation so far; repeat it, the last one is answered."),
    ],
    sampling: "Sampling",
    ranking: Ranking,
    num_replies: Annotated[int, typer.Option("-n", "--num-replies", min=1, help="How many replies.")] = 1,
    seed: Annotated[int, typer.Option(help="The same seed gives the same replies.")] = 0,
    as_json: Annotated[
        bool, typer.Option("--json", help="A JSON object a line, with all that is needed to replay a reply.")
    ] = False,
    scores: Annotated[
        bool,
        typer.Option(
            "--scores",
            help="Show all candidates with their scores in nats, the best first; a star is chosen.",
        ),
    ] = False,
) -> None:
    """Reply to a conversation, a reply a line; its turns are by two speakers in turn."""
    from dialog.decoding.threads import let_waiting_threads_sleep

    let_waiting_threads_sleep()
    from app.shipped import run_path
    from dialog.conversation import Conversation, Turn
    from dialog.decoding.replier import Replier
    from dialog.run_folder import load_run

    turns = tuple(Turn("AB"[place % 2], text) for place, text in enumerate(context))
    replier = Replier.from_run(load_run(run_path(run)))
    ranking.check(replier, sampling, num_replies)
    ranker = ranking.ranker(replier)
    found = ranking.replies(replier, ranker, Conversation("", turns), sampling, num_replies, seed)
    if as_json:
        for one in found if scores else found[:num_replies]:
            print(json.dumps(one.to_json(), ensure_ascii=False))
    elif scores:
        print(score_table(found, num_replies))
    else:
        print("\n".join(one.text for one in found[:num_replies]))
