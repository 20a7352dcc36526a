"""`hred probe corpus`: how long and how varied the replies of runs to a prepared corpus are, beside people's."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.cli.prepare_report import show_progress
from app.shipped import run_path
from dialog.conversation import Conversation, Turn
from dialog.corpus.tokenized import TokenizedCorpus
from dialog.decoding.replier import Replier
from dialog.decoding.replies import Sampling
from dialog.errors import CorpusError, UsageError
from dialog.evaluation.bootstrap import estimate
from dialog.evaluation.variety import VARIETY_FIGURES, measure_variety
from dialog.evaluation.words import word_rule
from dialog.run_folder import load_run

__all__ = ["probe_corpus"]

_FIGURES = [figure for figure in VARIETY_FIGURES if figure.name in ("length", "distinct_2", "top_share")]
_WORDS = word_rule("words")
_TOGETHER = 64
_TURNS = 16  # of a context that are read at most


@dataclass(frozen=True, slots=True)
class _Asked:
    """Contexts of a split, and what people replied to them.

    Attributes:
        contexts: a conversation each, whose last turn is answered.
        replies: people's.
        conversations: (context,) the place in `ids` of each context's conversation.
        ids: the conversations.
    """

    contexts: list[Conversation]
    replies: list[str]
    conversations: NDArray[np.int64]
    ids: list[str]


def probe_corpus(
    folders: Sequence[str], sampling: Sampling, split: str, num_replies: int, seed: int
) -> dict[str, Any]:
    """Draws contexts of a split, lets each run reply to each once, and measures the replies.

    Args:
        folders: runs, and last the prepared corpus.
        sampling: how tokens are chosen.
        split: of the corpus.
        num_replies: how many contexts are drawn, at most.
        seed: of the contexts and of the replies.

    Returns:
        `rows`: people, then the runs, each with its figures and the most frequent reply.

    Raises:
        UsageError: no run is named.
        CorpusError: the split has no reply.
    """
    *runs, corpus = folders
    if not runs:
        raise UsageError(f"only {corpus} was named, but at least one run is needed before the corpus")
    prepared = TokenizedCorpus.open(Path(corpus))
    asked = _draw(prepared, split, num_replies, seed)
    people = [_cut(reply, sampling.max_tokens, prepared) for reply in asked.replies]
    rows = [_row("people", people, asked, seed)]
    for run in runs:
        replier = Replier.from_run(load_run(run_path(run)))
        rows.append(_row(run, _answers(run, replier, asked, sampling, seed), asked, seed))
    return {"split": split, "replies": len(asked.contexts), "conversations": len(asked.ids), "rows": rows}


def _draw(prepared: TokenizedCorpus, split: str, num_replies: int, seed: int) -> _Asked:
    chosen = prepared.split(split)
    turns = np.flatnonzero(chosen.targets)
    if not len(turns):
        raise CorpusError(f"the split {split} of {prepared.folder} has no reply; choose another --split")
    drawn = np.random.default_rng(seed).permutation(turns)[:num_replies]
    contexts, replies, owners = [], [], []
    for turn in np.sort(drawn).tolist():
        number = int(np.searchsorted(chosen.offsets, turn, side="right")) - 1
        place = turn - int(chosen.offsets[number])
        conversation = chosen[number]
        first = max(0, place - _TURNS)
        texts = [
            prepared.tokenizer.decode(tokens.tolist())
            for tokens in conversation.utterances[first : place + 1]
        ]
        told = tuple(Turn("AB"[at % 2], text) for at, text in enumerate(texts[:-1]))
        contexts.append(Conversation(f"{number}/{place}", told))
        replies.append(texts[-1])
        owners.append(number)
    numbers, places = np.unique(np.array(owners), return_inverse=True)
    return _Asked(contexts, replies, places.astype(np.int64), [str(number) for number in numbers])


def _cut(text: str, max_tokens: int, prepared: TokenizedCorpus) -> str:
    """Cuts what people said as replies of models are cut."""
    return prepared.tokenizer.decode(prepared.tokenizer.encode(text)[:max_tokens])


def _answers(run: str, replier: Replier, asked: _Asked, sampling: Sampling, seed: int) -> list[str]:
    texts: list[str] = []
    with show_progress() as progress:
        for start in range(0, len(asked.contexts), _TOGETHER):
            some = asked.contexts[start : start + _TOGETHER]
            seeds = [seed * 1_000_003 + place for place in range(start, start + len(some))]
            texts += [reply.text for (reply,) in replier.reply_all(some, sampling, seed=seeds)]
            progress(f"replies of {run}", len(texts), len(asked.contexts))
    return texts


def _row(name: str, replies: Sequence[str], asked: _Asked, seed: int) -> dict[str, Any]:
    sums = measure_variety([_WORDS.cut(reply) for reply in replies], asked.conversations, asked.ids)
    figures = {key: found.to_json() for key, found in estimate(sums, _FIGURES, seed).items()}
    ((top, _),) = Counter(reply.casefold() for reply in replies).most_common(1)
    return {"name": name, "figures": figures, "top_reply": top}
