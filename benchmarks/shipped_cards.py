"""The cards of the shipped models, filled in from their runs and their figures on the test splits."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["card_of"]

_ABOUT = {
    "seq2seq": "Seq2seq with attention: it answers the last utterance and knows nothing of what was said before it.",
    "hred": "HRED: it follows the whole conversation through a context RNN over the utterances, and attends over "
    "the last eight.",
    "vhred": "VHRED: HRED with a latent variable of 32 dimensions, drawn for each reply, so that replies vary in "
    "course.",
}
_SPEAKS = {
    "en": "Small talk in English, to see what a model of this kind does and does not do.",
    "ja": "Small talk in Japanese, to see what a model of this kind does and does not do.",
}
_WRITERS = {
    "en": "what paid workers wrote in 2017, playing both sides of a conversation",
    "ja": "what recruited speakers wrote to each other",
}
_CORPUS = {
    "en": """The Self-dialogue Corpus (Fainberg et al. 2018, "Talking to myself: self-dialogues as data for
conversational agents"), split by author, exact duplicates left out""",
    "ja": """RealPersonaChat (Yamashita et al. 2023, "RealPersonaChat: A Realistic Persona Chat Corpus with
Interlocutors' Own Personalities", Nagoya University), exact duplicates left out; its persona profiles were not used,
and the models imitate no speaker of it""",
}
_LICENCE = {
    "en": """The weights are trained on the Self-dialogue Corpus, which is published under this licence:

```
NOTICE
```
""",
    "ja": """The weights are trained on RealPersonaChat (Nagoya University,
https://github.com/nu-dialogue/real-persona-chat), which is published under the Creative Commons licence
Attribution-ShareAlike 4.0 International. These weights are shared under the same licence, CC BY-SA 4.0:
https://creativecommons.org/licenses/by-sa/4.0/legalcode. What was changed: a model was trained on the corpus;
none of its text is in this folder.
""",
}
_TALK = """The conversations of this project (`data/conversations/LANGUAGE`, CC0), but for those of validation and
test; copies of those where names come back, with other names (`benchmarks/shipped_talk.py`); and 3,000 drills made
by a program, which open and close a chat and ask for names (`benchmarks/shipped_drills.py`)."""


def card_of(
    name: str, language: str, model: str, run: Path, figures: Mapping[str, Mapping[str, Any]], notice: str
) -> str:
    """Returns a shipped model's card in Markdown.

    Args:
        name: that it ships by.
        language: `en` or `ja`.
        model: its kind.
        run: its folder.
        figures: what `hred evaluate --json` says of the weights that ship, by the test split of `corpus` and `talk`.
        notice: the corpus's licence, where it must stand in the card.
    """
    config = json.loads((run / "config.json").read_bytes())
    chosen = config["chosen_by"]
    return f"""# {name}

{_ABOUT[model]} One of the models that this project ships; `make chat` opens a page with them.

## What it is for

{_SPEAKS[language]} It calls itself a program, asks back, and has forgotten everything when the chat ends.

## Limits

It knows no facts and makes things up. It contradicts itself, repeats itself, and follows a subject for a few turns at
most. It was trained on {_WRITERS[language]}, and shares their interests and
biases. Not for advice of any kind, and not for people who do not know that they talk to a program.

## Data

{_CORPUS[language]}.

{_TALK.replace("LANGUAGE", language)}

## Training

`benchmarks/shipped_models.py` makes it; docs/log.md tells how these weights were made. They are those of
update {chosen["update"]:,}, the last one, of the last stage, seed {config["seed"]}. All its settings stand in
`config.json`, its course in `metrics.jsonl`.

## Figures

Of the float16 weights that are shipped, on the test splits, end tokens counted (`hred evaluate`):

{_table(figures)}

Beside the other shipped models, with intervals, use of the context and variety (`hred compare`):
docs/results/shipped.md.

## Sizes

{_sizes(config["settings"])}

## Licence

{_LICENCE[language].replace("NOTICE", notice)}"""


def _table(figures: Mapping[str, Mapping[str, Any]]) -> str:
    rows = [("nats per token", "nats_per_token", ".4f"), ("perplexity", "perplexity", ".2f")]
    rows += [("KL, nats per reply", "kl_per_reply", ".3f"), ("replies scored", "num_replies", ",")]
    shown = ["| | corpus | small talk |", "|---|---|---|"]
    for words, name, form in rows:
        values = [figures[part][name] for part in ("corpus", "talk")]
        if None not in values:
            bound = (
                " (upper bound)" if name in ("nats_per_token", "perplexity") and _is_bound(figures) else ""
            )
            shown.append(f"| {words}{bound} | {values[0]:{form}} | {values[1]:{form}} |")
    return "\n".join(shown)


def _is_bound(figures: Mapping[str, Mapping[str, Any]]) -> bool:
    return figures["corpus"]["kl_per_reply"] is not None


def _sizes(settings: Mapping[str, Any]) -> str:
    return "\n".join(
        ["| what | value |", "|---|---|", *(f"| {name} | {value} |" for name, value in settings.items())]
    )
