"""What `hred compare` wires together: runs, corpus, decoders, word vectors, progress."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from app.shipped import run_path, shipped_models
from dialog.corpus.tokenized import TokenizedCorpus
from dialog.decoding.rerank import AntiLanguageModel, BackwardModel, Ranker
from dialog.errors import UsageError
from dialog.evaluation.comparison.cache import Cache
from dialog.evaluation.comparison.comparing import Comparison, VectorSource
from dialog.evaluation.comparison.decoders import DEFAULT_DECODERS, Decoder, parse_decoders
from dialog.evaluation.comparison.material import Material, default_rules, unique_ids
from dialog.evaluation.comparison.plan import Plan
from dialog.evaluation.comparison.runs import RunEntry, check_names, describe_run
from dialog.evaluation.comparison.training_side import TrainingSide
from dialog.evaluation.vectors import WordVectors, read_vectors
from dialog.evaluation.words import word_rule
from dialog.run_folder import Run, load_run
from dialog.training.vector_file import save_vectors
from dialog.training.word_vectors import VectorSettings, require_gensim, train_vectors

__all__ = ["Options", "set_up"]

_SIZE, _MIN_COUNT = 200, 2
"""Numbers of a vector, and times that a word must stand in the training split."""


@dataclass(frozen=True, slots=True)
class Options:
    """The command's options; see `hred compare --help`."""

    runs: list[str]
    corpus: Path
    split: str
    out: Path
    decoders: list[str] | None
    words: list[str] | None
    vectors: str | None
    replies: int
    samples: int
    prior_samples: int
    bootstrap: int
    seed: int
    max_conversations: int | None


@contextmanager
def set_up(options: Options) -> Iterator[Comparison]:
    """Opens and checks everything, and shows progress while the comparison runs.

    Raises:
        UsageError, RunFolderError, CorpusError: something is missing or does not fit; the message says what.
    """
    decoders = parse_decoders(options.decoders or list(DEFAULT_DECODERS))
    for rule in options.words or ():
        word_rule(rule)
    runs = _runs(options.runs)
    rankers = {each.name: load_run(run_path(each.ranker)) for each in decoders if each.ranker is not None}
    for decoder in decoders:
        for entry in runs if decoder.ranker is not None else ():
            _ranker(rankers, decoder, entry)  # one that does not fit is told now
    prepared = TokenizedCorpus.open(options.corpus)
    material = _material(prepared, options)
    options.out.mkdir(parents=True, exist_ok=True)  # what cannot be written to is told before the work
    cache = Cache(options.out / "cache")
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as bars:

        def progress(what: str, total: int) -> Callable[[int], None]:
            task = bars.add_task(what, total=total)
            return lambda done: bars.advance(task, done)

        train = prepared.split("train")
        training = TrainingSide(
            train,
            unique_ids([train[number].id for number in range(len(train))]),
            prepared.tokenizer.decode,
            options.seed,
        )
        texts = [context.reference for context in material.contexts]
        plan = Plan(
            decoders,
            tuple(options.words or default_rules(texts)),
            options.split,
            options.replies,
            options.samples,
            options.prior_samples,
            num_draws=options.bootstrap,
            seed=options.seed,
            max_conversations=options.max_conversations,
        )
        yield Comparison(
            runs,
            plan,
            material,
            training,
            prepared.folder.resolve().name,
            cache,
            _vectors(options.vectors, prepared, cache, progress),
            lambda decoder, run: _ranker(rankers, decoder, run),
            {name: run.model_hash for name, run in rankers.items()},
            progress,
            _notes(runs, prepared),
        )


def _runs(given: list[str]) -> list[RunEntry]:
    named = []
    for text in given:
        name, equals, folder = text.partition("=")
        if equals and name and not Path(text).exists() and text not in shipped_models():
            named.append((name, run_path(folder)))
        else:
            path = run_path(text)
            named.append((path.resolve().name, path))
    check_names([name for name, _ in named])
    return [describe_run(name, path) for name, path in named]


def _ranker(rankers: dict[str, Run], decoder: Decoder, run: Run | RunEntry) -> Ranker | None:
    found = rankers.get(decoder.name)
    if found is None:
        return None
    kind = BackwardModel if found.direction == "backward" else AntiLanguageModel
    return kind.from_run(found, run.tokenizer, weight=decoder.weight)


def _material(prepared: TokenizedCorpus, options: Options) -> Material:
    split = prepared.split(options.split)
    ids = unique_ids([split[number].id for number in range(len(split))])
    return Material(split, ids, prepared.tokenizer, prepared.hash, options.split, options.max_conversations)


def _notes(runs: list[RunEntry], prepared: TokenizedCorpus) -> list[str]:
    others = [run.name for run in runs if run.tokenizer.hash != prepared.tokenizer.hash]
    if not others:
        return []
    return [
        f"{', '.join(others)} {'has' if len(others) == 1 else 'have'} another tokenizer than the corpus and "
        "scored the same texts in their own tokens."
    ]


def _vectors(
    given: str | None,
    prepared: TokenizedCorpus,
    cache: Cache,
    progress: Callable[[str, int], Callable[[int], None]],
) -> VectorSource:
    if given == "none":
        return _NoVectors("None were asked for, so the table of word vectors is left out")
    if given is not None:
        return _VectorFile(Path(given))
    try:
        require_gensim()
    except UsageError as error:
        return _NoVectors(f"Left out, for {error}")
    return _TrainedVectors(prepared, cache, progress)


class _NoVectors:
    """No vectors.

    Args:
        reason: for the report.
    """

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def key(self, rule: str) -> str:
        return "none"

    def sentence(self) -> str:
        return self._reason

    def load(self, rule: str, words: Collection[str]) -> WordVectors | None:
        return None


class _VectorFile:
    """Vectors of a file.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._hash = read_vectors(path, ()).sha256  # the whole file is read once: what is wrong is told now

    def key(self, rule: str) -> str:
        return self._hash

    def sentence(self) -> str:
        return f"The file {self._path.name}, SHA-256 {self._hash[:20]}"

    def load(self, rule: str, words: Collection[str]) -> WordVectors | None:
        return read_vectors(self._path, words)


class _TrainedVectors:
    """word2vec of the training split, by the rule that replies are cut by.

    Args:
        prepared: the corpus.
        cache: where they are kept.
        progress: is told.
    """

    def __init__(
        self, prepared: TokenizedCorpus, cache: Cache, progress: Callable[[str, int], Callable[[int], None]]
    ) -> None:
        self._prepared, self._cache, self._progress = prepared, cache, progress

    def _settings(self, rule: str) -> VectorSettings:
        return VectorSettings(unit="words", word_rule=rule, size=_SIZE, min_count=_MIN_COUNT)

    def _values(self, rule: str) -> dict[str, Any]:
        return {
            "corpus": self._prepared.hash,
            "gensim": require_gensim(),
            "settings": self._settings(rule).to_json(),
        }

    def key(self, rule: str) -> str:
        return self._cache.path("vectors", self._values(rule), ".txt").name

    def sentence(self) -> str:
        settings = self._settings("words")
        return (
            f"word2vec ({settings.method}) of the training split, {settings.size} numbers, window {settings.window}, "
            f"{settings.epochs} epochs, words that stand there {settings.min_count} times or more, seed "
            f"{settings.seed}, gensim {require_gensim()}"
        )

    def load(self, rule: str, words: Collection[str]) -> WordVectors | None:
        path, settings = self._cache.path("vectors", self._values(rule), ".txt"), self._settings(rule)
        if not path.exists():
            train = self._prepared.split("train")
            told = self._progress(f"word2vec by {rule}", len(train) * (settings.epochs + 1))
            vectors = train_vectors(train, self._prepared.tokenizer, settings, told)
            save_vectors(path, vectors, self._values(rule))
        return read_vectors(path)
