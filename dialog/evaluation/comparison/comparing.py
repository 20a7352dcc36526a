"""All of a comparison in order: likelihood, replies, anchors, metrics, statistics. What is kept is not done again."""

import platform
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

from dialog import __version__
from dialog.decoding.replier import Replier
from dialog.decoding.rerank import Ranker
from dialog.evaluation.comparison.anchor_rows import ANCHORS, anchor_path
from dialog.evaluation.comparison.answering import answer_all, read_answers
from dialog.evaluation.comparison.cache import Cache
from dialog.evaluation.comparison.decoders import Decoder
from dialog.evaluation.comparison.material import Material
from dialog.evaluation.comparison.measuring import RowSums, answers_hash, measure_row, words_of
from dialog.evaluation.comparison.plan import Plan
from dialog.evaluation.comparison.replies_file import RepliesOf, write_replies
from dialog.evaluation.comparison.runs import RunEntry, load_for_scoring
from dialog.evaluation.comparison.scoring import frequency_costs, score_run, token_frequencies
from dialog.evaluation.comparison.statistics import Row, Statistics
from dialog.evaluation.comparison.training_side import TrainingSide
from dialog.evaluation.leaks import Leaks
from dialog.evaluation.vectors import WordVectors
from dialog.evaluation.words import WordRule, word_rule
from dialog.run_folder import Run

__all__ = ["Comparison", "VectorSource"]

_FREQUENCIES = "frequencies of tokens"


class VectorSource(Protocol):
    """Where word vectors come from; under another word rule they may be others."""

    def key(self, rule: str) -> str:
        """Returns what tells these vectors from others."""

    def sentence(self) -> str:
        """Returns what the report says of them."""

    def load(self, rule: str, words: Collection[str]) -> WordVectors | None:
        """Returns the vectors of some words, or of more; None where there are none."""


@dataclass
class Comparison:
    """A comparison.

    Attributes:
        runs: that are compared.
        plan: how.
        material: on what.
        training: the training split of the same corpus.
        corpus_name: what the report calls the corpus.
        cache: of what was computed.
        vectors: for the embedding metrics.
        ranker: gives what a decoder ranks the candidates of a run by, or None.
        ranker_hashes: SHA-256 of the weights of each decoder's ranker, by the decoder's name.
        progress: is told what begins and how much there is; gives what is told how much was done.
        notes: sentences for the report.
    """

    runs: Sequence[RunEntry]
    plan: Plan
    material: Material
    training: TrainingSide
    corpus_name: str
    cache: Cache
    vectors: VectorSource
    ranker: Callable[[Decoder, Run], Ranker | None]
    ranker_hashes: Mapping[str, str]
    progress: Callable[[str, int], Callable[[int], None]]
    notes: list[str] = field(default_factory=list)

    def run(self, replies_path: Path) -> Statistics:
        """Does what is not done yet.

        Args:
            replies_path: the file that all replies are written to.

        Raises:
            UsageError, RunFolderError, CorpusError: something does not fit together; the message says what.
        """
        leaks = self.training.leaks(self.material, self.cache)
        rows, replies = self._frequencies(), self._anchors()
        for run in self.runs:
            loaded = _Loaded(run)
            row, answered = self._scored(run, loaded)
            rows.append(row)
            replies += answered
        signatures: dict[str, str] = {}
        rows += self._measured(replies, leaks, signatures)
        write_replies(replies_path, replies, self.plan.to_json(), self.material)
        return Statistics(self._about(signatures), self.material.counts(self.plan.rules), leaks.sums, rows)

    @property
    def same_tokenizer(self) -> bool:
        """Whether all runs have one tokenizer."""
        return len({run.tokenizer.hash for run in self.runs}) == 1

    def _frequencies(self) -> list[Row]:
        """Returns the anchor of the likelihood, unless its tokens would not compare with the models'."""
        tokenizer = self.material.tokenizer
        if self.same_tokenizer and self.runs[0].tokenizer.hash != tokenizer.hash:
            return []
        key = {**self.material.key, "anchor": _FREQUENCIES}

        def costs() -> Any:
            frequencies = token_frequencies(self.training.split, tokenizer.num_tokens)
            return frequency_costs(self.material.split, self.material.ids, frequencies)

        return [Row(_FREQUENCIES, "frequencies", {"": self.cache.sums("frequencies", key, costs)})]

    def _anchors(self) -> list[RepliesOf]:
        plan, rule = self.plan, word_rule(self.plan.rules[0])
        return [
            RepliesOf(
                name,
                "anchor",
                anchor_path(
                    name, self.material, self.training, rule, plan.num_replies, plan.seed, self.cache
                ),
            )
            for name in ANCHORS
        ]

    def _scored(self, run: RunEntry, loaded: "_Loaded") -> tuple[Row, list[RepliesOf]]:
        scores = score_run(run, lambda: loaded.run.model, self.material, self.plan, self.cache, self.progress)
        facts = {} if scores.latent is None else {"latent_use": scores.latent}
        row = Row(run.name, "run", {"": scores.sums}, run=run.name, facts=facts)
        return row, [self._answered(run, decoder, loaded) for decoder in self.plan.decoders]

    def _answered(self, run: RunEntry, decoder: Decoder, loaded: "_Loaded") -> RepliesOf:
        plan = self.plan
        key = {
            **self.material.key,
            **run.key,
            "decoder": decoder.to_json(),
            "ranker": self.ranker_hashes.get(decoder.name),
            "replies": plan.num_replies,
            "seed": plan.seed,
        }
        path = self.cache.path("replies", key, ".jsonl")
        if not path.exists():
            told = self.progress(f"{run.name}: {decoder.name}", len(self.material.contexts))
            replier, ranker = Replier.from_run(loaded.run), self.ranker(decoder, loaded.run)
            answer_all(replier, decoder, ranker, self.material, plan.num_replies, plan.seed, path, told)
        return RepliesOf(f"{run.name}, {decoder.name}", "replies", path, run.name, decoder.name)

    def _measured(self, replies: Sequence[RepliesOf], leaks: Leaks, signatures: dict[str, str]) -> list[Row]:
        found: dict[str, dict[str, RowSums]] = {row.name: {} for row in replies}
        hashes: dict[str, str] = {}
        for name in self.plan.rules:
            for row, values in self._measured_by(word_rule(name), replies, leaks).items():
                found[row][name], hashes[row] = RowSums.from_json(values), values["replies_hash"]
                for metric, signature in values["signatures"].items():
                    signatures[f"{metric} of {name}" if metric == "BLEU" else metric] = signature
        return [
            Row(
                row.name,
                row.kind,
                {rule: sums.whole for rule, sums in found[row.name].items()},
                {rule: sums.clean for rule, sums in found[row.name].items() if sums.clean is not None},
                row.run,
                row.decoder,
                {"replies_hash": hashes[row.name]},
            )
            for row in replies
        ]

    def _measured_by(
        self, rule: WordRule, replies: Sequence[RepliesOf], leaks: Leaks
    ) -> dict[str, dict[str, Any]]:
        """Returns what `RowSums.to_json` gives of each row, and the hash of its replies."""
        keys = {
            row.name: {"replies": row.path.name, "rule": rule.name, "vectors": self.vectors.key(rule.name)}
            for row in replies
        }
        missing = [row for row in replies if not self.cache.has("metrics", keys[row.name])]
        known: set[str] = set()
        vectors: WordVectors | None = None
        if missing:
            known = self.training.known_replies(rule)
            words = {word for said in self.material.words(rule) for word in said}
            for row in missing:
                words |= words_of(read_answers(row.path), rule)
            vectors = self.vectors.load(rule.name, words)
        told = self.progress(f"metrics by {rule.name}", len(missing))

        def measure(row: RepliesOf) -> dict[str, Any]:
            answers = read_answers(row.path)
            sums = measure_row(answers, self.material, rule, leaks.clean, known, vectors)
            told(1)
            return {**sums.to_json(), "replies_hash": answers_hash(answers)}

        return {
            row.name: self.cache.json("metrics", keys[row.name], lambda row=row: measure(row))  # type: ignore[misc]
            for row in replies
        }

    def _about(self, signatures: Mapping[str, str]) -> dict[str, Any]:
        material, plan = self.material, self.plan
        libraries = ("torch", "numpy", "sacrebleu", "sentencepiece")
        return {
            "data": {
                "corpus": self.corpus_name,
                "corpus_hash": material.key["corpus"],
                "text_hash": material.text_hash,
                "split": plan.split,
                "conversations": len(material.ids),
                "replies": len(material.contexts),
                "limited": plan.max_conversations is not None,
            },
            "settings": {
                **plan.to_json(),
                "ranker_weights": dict(self.ranker_hashes),
            },
            "same_tokenizer": self.same_tokenizer,
            "runs": {run.name: run.facts for run in self.runs},
            "signatures": dict(signatures),
            "vectors": self.vectors.sentence(),
            "versions": {
                "dialog": __version__,
                "Python": platform.python_version(),
                **{name: version(name) for name in libraries},
            },
            "notes": list(self.notes),
        }


class _Loaded:
    """A run that is loaded when it is first asked for."""

    def __init__(self, entry: RunEntry) -> None:
        self._entry = entry
        self._run: Run | None = None

    @property
    def run(self) -> Run:
        """The run."""
        if self._run is None:
            self._run = load_for_scoring(self._entry.folder)
        return self._run
