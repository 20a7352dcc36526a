"""Trains the shipped models of a language, and makes of them what ships: weights as float16, and cards with figures.

    python benchmarks/shipped_models.py ja CORPUS [--out runs/shipped-ja] [--models hred vhred] [--from-runs FOLDER]
        [--export data/models]

CORPUS has the published corpus as `train.jsonl.gz`, `valid.jsonl.gz`, `test.jsonl.gz`: the Self-dialogue Corpus for
`en`, RealPersonaChat for `ja`. seq2seq and HRED are trained on it, then on all of it with this project's small talk and
drills in between (`shipped_talk.py`); the Japanese ones end with the bot's turns alone. VHRED joins in the last of
these stages, from HRED's weights. Hours on two cores; stopped at any moment, the same command goes on. `--from-runs`
takes the first stage from run folders seq2seq and hred in FOLDER instead, which share a tokenizer. With `--export`
nothing is trained: trained runs are copied to FOLDER/NAME with their cards.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shipped_cards import card_of
from shipped_talk import write_talks

from app.shipped import shipped_conversations
from dialog.training.checkpoints import has_checkpoint, load_progress

MODELS = ("seq2seq", "hred", "vhred")
Settings = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """What differs between languages.

    Attributes:
        vocabulary: tokens, where a tokenizer is trained.
        sizes: of all three models.
        copies: of conversations where names come back, with other names.
        updates: of the last stage.
        latent: what is different in it for VHRED.
        bot_updates: on the bot's turns alone, at the end; none where the model knows by then which side it is on.
    """

    vocabulary: int
    sizes: Settings
    copies: int
    updates: int
    latent: Settings
    bot_updates: int


_KINDS: Mapping[str, Settings] = {
    "seq2seq": {},
    "hred": {"attention_turns": 8},
    "vhred": {
        "attention_turns": 8,
        "latent_size": 32,
        "latent_hidden_size": 128,
        "word_dropout": 0.1,
        "bag_of_words": "true",
        "bag_of_words_weight": 0.2,
    },
}
_FIRST = {
    "batch_tokens": 1024,
    "learning_rate": 0.003,
    "warmup_updates": 150,
    "validate_every": 500,
    "validate_conversations": 60,
    "updates": 3000,
}
_LAST = {
    "batch_tokens": 2048,
    "learning_rate": 0.0015,
    "dropout": 0.1,
    "warmup_updates": 50,
    "validate_every": 500,
    "validate_conversations": 0,
    "keep": "last",
}
_DRILLS = 3000
PLANS = {
    "en": Plan(
        8000,
        {"embedding_size": 256, "hidden_size": 384, "context_size": 384},
        copies=3,
        updates=2800,
        latent={"updates": 900, "learning_rate": 0.0008, "free_bits": 0.06, "kl_annealing_updates": 250},
        bot_updates=0,
    ),
    "ja": Plan(
        5000,
        {"embedding_size": 256, "hidden_size": 256, "context_size": 256},
        copies=8,
        updates=2000,
        latent={"updates": 400, "learning_rate": 0.0006, "free_bits": 0.02, "kl_annealing_updates": 150},
        bot_updates=300,
    ),
}


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes the models of a language; what is there already is not made again.

    Attributes:
        language: `en` or `ja`.
        corpus: the published corpus.
        out: where all of it lies.
        first_runs: the first stage, where it was trained before.
    """

    language: str
    corpus: Path
    out: Path
    first_runs: Path | None

    @property
    def plan(self) -> Plan:
        """How they are made."""
        return PLANS[self.language]

    @property
    def _end(self) -> str:
        return "bot" if self.plan.bot_updates else "last"

    def prepared(self) -> Path:
        """Prepares the corpus; returns its folder."""
        options: list[Any] = ["--vocabulary-size", self.plan.vocabulary]
        if self.first_runs is not None:
            options = ["--tokenizer-from", self.first_runs / "hred"]
        return _prepare(self.out / "corpus", self.corpus, ".jsonl.gz", options)

    def first(self, model: str) -> Path:
        """Trains a model on the corpus; returns its run."""
        if self.first_runs is not None:
            return self.first_runs / model
        return self._train(self.prepared(), self.out / f"{model}-first", model, _FIRST, None)

    def last(self, model: str) -> Path:
        """Trains a model on all that there is, VHRED from HRED's run; returns its run."""
        training: Settings = {**_LAST, "updates": self.plan.updates}
        if model == "vhred":
            training, start = {**training, **self.plan.latent}, self.last("hred")
        else:
            start = self.first(model)
        return self._train(self._talk("talk", []), self.out / f"{model}-last", model, training, start)

    def bot(self, model: str) -> Path:
        """Trains a model on the bot's turns, VHRED from HRED's run; returns its run, which is what ships."""
        if not self.plan.bot_updates:
            return self.last(model)
        training: Settings = {**_LAST, "learning_rate": 0.0006, "updates": self.plan.bot_updates}
        if model == "vhred":
            training, start = {**training, **self.plan.latent}, self.bot("hred")
        else:
            start = self.last(model)
        talk = self._talk("bot", ["--reply-as", "Bot"])
        return self._train(talk, self.out / f"{model}-bot", model, training, start)

    def _talk(self, name: str, options: list[Any]) -> Path:
        """Prepares the corpus, the small talk and the drills; returns their folder."""
        folder, logs = self.out / name, self.out / "talk-logs"
        if not (folder / "corpus.json").exists():
            small_talk = shipped_conversations(self.language)
            write_talks(logs, self.language, small_talk, self.corpus, self.plan.copies, _DRILLS)
            tokenizer = self.prepared() / "tokenizer.model"
            _prepare(folder, logs, ".jsonl", [*options, "--tokenizer-from", tokenizer])
        return folder

    def export(self, model: str, to: Path) -> Path:
        """Copies a trained run as it ships, with its card; returns its folder."""
        folder = to / (model if self.language == "en" else f"{model}-{self.language}")
        run, card = self.out / f"{model}-{self._end}", self.out / f"{model}-card.md"
        card.write_text("\n")
        half = self.out / f"{model}-half"
        if not half.exists():
            _hred("export", run, "--out", half, "--half", "--card", card)
        notice = (self.corpus / "LICENSE").read_text().rstrip()
        figures = {
            name: json.loads(_hred("evaluate", half, self.out / name, "--split", "test", "--json"))
            for name in ("corpus", "talk")
        }
        card.write_text(card_of(folder.name, self.language, model, half, figures, notice))
        _hred("export", half, "--out", folder, "--half", "--card", card)
        return folder

    def _train(self, corpus: Path, out: Path, model: str, training: Settings, start: Path | None) -> Path:
        updates = training["updates"]
        if has_checkpoint(out) and load_progress(out).update >= updates:
            return out
        line: list[Any] = ["train", corpus, "--out", out, "--max-updates", updates]
        if has_checkpoint(out):
            line += ["--resume"]
        else:
            line += ["--model", model, *(["--init-from", start] if start is not None else [])]
            known = {"decay_updates": updates, "patience": 0, **_KINDS[model], **training}
            sizes = {k: v for k, v in self.plan.sizes.items() if k != "context_size" or model != "seq2seq"}
            for name, value in {**sizes, **known}.items():
                line += ["--set", f"{name}={value}"] if name != "updates" else []
        _hred(*line, is_shown=True)
        if load_progress(out).update < updates:
            sys.exit(f"shipped_models: stopped; the same command goes on with {out}")
        return out


def _prepare(out: Path, logs: Path, suffix: str, options: list[Any]) -> Path:
    if not (out / "corpus.json").exists():
        splits = [
            part for split in ("train", "valid", "test") for part in (f"--{split}", logs / f"{split}{suffix}")
        ]
        _hred("prepare", *splits, "--out", out, "--overwrite", *options, is_shown=True)
    return out


def _hred(*arguments: Any, is_shown: bool = False) -> str:
    """Runs `hred`, and returns what it printed unless that is shown."""
    line = [sys.executable, "-m", "dialog", *map(str, arguments)]
    try:
        done = subprocess.run(line, check=True, text=True, stdout=None if is_shown else subprocess.PIPE)
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
    return done.stdout or ""


def main() -> None:
    """Trains or exports."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("language", choices=sorted(PLANS))
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=MODELS)
    parser.add_argument("--from-runs", type=Path)
    parser.add_argument("--export", type=Path)
    asked = parser.parse_args()
    out = asked.out or Path(f"runs/shipped-{asked.language}")
    maker = Maker(asked.language, asked.corpus, out, asked.from_runs)
    for model in asked.models:
        print(maker.bot(model) if asked.export is None else maker.export(model, asked.export), flush=True)


if __name__ == "__main__":
    main()
