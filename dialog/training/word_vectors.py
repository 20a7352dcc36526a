"""word2vec on a prepared corpus, by gensim: vectors of tokens to start a model's embedding from, or of words.

Mikolov et al. 2013, "Efficient Estimation of Word Representations in Vector Space", section 3 (CBOW, skip-gram);
Mikolov et al. 2013, "Distributed Representations of Words and Phrases and their Compositionality", section 2.2
(negative sampling) and 2.3 (subsampling). For w_O beside w_I, and k words w_i drawn from the noise, skip-gram's

    log sigma(v'_{w_O} . v_{w_I}) + sum_i log sigma(-v'_{w_i} . v_{w_I})

is made large; CBOW has the mean of the v around w_O in the place of v_{w_I}.

| paper | here |
|---|---|
| v | what is kept: a row of the file |
| c, the size of the context | `window` |
| k | `negative` |
| t, which makes frequent words rarer | `subsampling` |

Every utterance is a sentence by itself; as tokens it is closed by the end token, as models read it.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from dialog.errors import ConfigError, CorpusError, UsageError
from dialog.evaluation.vectors import WordVectors
from dialog.evaluation.words import WORD_RULES, word_rule
from dialog.models.base import ReplyModel
from dialog.models.config import Settings, setting
from dialog.text.batches import EOS
from dialog.text.loader import EncodedSplit
from dialog.text.tokenizer import Tokenizer

__all__ = ["VectorSettings", "nearest", "require_gensim", "start_embedding", "train_vectors"]


@dataclass(frozen=True)
class VectorSettings(Settings):
    """How vectors are made; each field says its unit."""

    method: str = setting(
        "skipgram",
        "cbow guesses a unit from those around it, skipgram these from it",
        choices=("cbow", "skipgram"),
    )
    unit: str = setting(
        "tokens",
        "what a vector is of: tokens, to start a model's embedding from, or words",
        choices=("tokens", "words"),
    )
    word_rule: str = setting(
        "words",
        "how a text is cut into words; see `evaluation.words`",
        choices=tuple(WORD_RULES),
        read_by="the unit words",
        is_read=lambda settings: settings.unit == "words",
    )
    size: int = setting(256, "numbers of a vector", minimum=1, below=16_385)
    window: int = setting(5, "units to each side that are looked at, at most", minimum=1)
    negative: int = setting(5, "units drawn from the noise for each that is there", minimum=1)
    subsampling: float = setting(
        1e-3,
        "share of the corpus above which a unit is passed over now and then; 0 never",
        minimum=0.0,
        below=1.0,
    )
    min_count: int = setting(1, "times that a unit must stand in the corpus", minimum=1)
    epochs: int = setting(5, "passes over the corpus", minimum=1)
    seed: int = setting(1, "of first vectors, windows and noise", minimum=0)
    workers: int = setting(1, "threads; with several, a seed no longer fixes the vectors", minimum=1)


def require_gensim() -> str:
    """Returns gensim's version.

    Raises:
        UsageError: it is not installed.
    """
    try:
        import gensim
    except ImportError:
        raise UsageError(
            "gensim, which makes the vectors, is not installed (it has no release for Python 3.14 yet); "
            "take Python 3.11 to 3.13, or try: pip install gensim"
        ) from None
    version: str = gensim.__version__
    return version


def train_vectors(
    split: EncodedSplit,
    tokenizer: Tokenizer,
    settings: VectorSettings,
    progress: Callable[[int], None] = lambda utterances: None,
) -> WordVectors:
    """Makes vectors of a split; with one worker the same arguments give the same vectors.

    Args:
        split: the conversations; read once for the vocabulary and once an epoch, never held.
        tokenizer: the split's own.
        settings: how.
        progress: is told of each conversation that was read, by 1.

    Raises:
        CorpusError: nothing stands in the split often enough.
        UsageError: gensim is not installed, or what the word rule needs.
    """
    require_gensim()
    from gensim.models import Word2Vec

    logging.getLogger("gensim").setLevel(logging.ERROR)  # what it warns of is how small a corpus is
    cut = word_rule(settings.word_rule).cut if settings.unit == "words" else None
    sentences = _Sentences(split, tokenizer, cut, progress)
    model = Word2Vec(
        vector_size=settings.size,
        window=settings.window,
        sg=int(settings.method == "skipgram"),
        hs=0,
        negative=settings.negative,
        sample=settings.subsampling,
        min_count=settings.min_count,
        workers=settings.workers,
        seed=settings.seed,
    )
    model.build_vocab(sentences)
    if not model.wv.index_to_key:
        raise CorpusError(
            f"no {settings.unit} stand in the split at least {settings.min_count} times; take a lower --min-count, or "
            "more conversations"
        )
    model.train(sentences, total_examples=model.corpus_count, epochs=settings.epochs)
    rows = {name: row for row, name in enumerate(model.wv.index_to_key)}
    return WordVectors(rows, np.asarray(model.wv.vectors, np.float32))


def nearest(vectors: WordVectors, name: str, count: int) -> list[str]:
    """Returns the names whose vectors have the least angles to that of `name`, the least first."""
    lengths = np.linalg.norm(vectors.values, axis=1) + 1e-12
    cosines = vectors.values @ vectors.values[vectors.rows[name]] / lengths
    cosines[vectors.rows[name]] = -np.inf  # itself, which comes last by that and is left out
    best = np.argsort(-cosines, kind="stable")[: min(count, len(cosines) - 1)]
    names = list(vectors.rows)
    return [names[row] for row in best]


def start_embedding(model: ReplyModel, tokenizer: Tokenizer, vectors: WordVectors) -> int:
    """Sets the rows of a model's token table to the vectors of the tokens; the other rows stay as they are.

    Args:
        model: with fresh weights.
        tokenizer: the model's own.
        vectors: by the names that the tokenizer gives its tokens.

    Returns:
        How many tokens have a vector.

    Raises:
        ConfigError: the vectors are of another size, or none is of a token.
    """
    weight = dict(model.named_parameters())["table.weight"].detach().clone()
    size = vectors.values.shape[1]
    if size != weight.shape[1]:
        raise ConfigError(
            f"the vectors have {size} numbers and the model's tokens {weight.shape[1]}; train with "
            f"--set embedding_size={size}, or make others by `hred embed --size {weight.shape[1]}`"
        )
    found = [
        (token, vectors.rows[piece]) for token, piece in enumerate(tokenizer.pieces) if piece in vectors.rows
    ]
    if not found:
        raise ConfigError(
            "no vector is of a token of this corpus; make vectors by `hred embed --unit tokens` of a corpus with the "
            "same tokenizer"
        )
    tokens, rows = (list(column) for column in zip(*found, strict=True))
    weight[tokens] = torch.from_numpy(vectors.values[rows]).to(weight)
    model.initialise_from({"table.weight": weight})
    return len(found)


class _Sentences:
    """The utterances of a split, each as the names of its units; can be read again and again.

    Args:
        split: the conversations.
        tokenizer: the split's own.
        cut: the words of a text; None for the tokens.
        progress: is told of each conversation that was read.
    """

    def __init__(
        self,
        split: EncodedSplit,
        tokenizer: Tokenizer,
        cut: Callable[[str], list[str]] | None,
        progress: Callable[[int], None],
    ) -> None:
        self._split, self._tokenizer, self._cut, self._progress = split, tokenizer, cut, progress

    def __iter__(self) -> Iterator[Sequence[str]]:
        for number in range(len(self._split)):
            for utterance in self._split[number].utterances:
                yield self._units(utterance.tolist())
            self._progress(1)

    def _units(self, tokens: list[Any]) -> list[str]:
        if self._cut is not None:
            return self._cut(self._tokenizer.decode(tokens))
        return [self._tokenizer.pieces[token] for token in (*tokens, EOS)]
