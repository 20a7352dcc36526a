"""`hred embed`: word2vec on a prepared corpus."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from dialog.corpus.tokenized import TokenizedCorpus
    from dialog.evaluation.vectors import WordVectors
    from dialog.training.word_vectors import VectorSettings

__all__ = ["embed"]

_WORDS_MIN_COUNT = 5
_FREQUENT, _SHOWN = 100, 8
"""Of so many frequent units with letters, the neighbours of some are shown."""


def embed(
    corpus: Annotated[
        Path, typer.Argument(help="Folder that `hred prepare` wrote; its train split is read.")
    ],
    out: Annotated[
        Path, typer.Option(help="File to write, such as vectors.txt, and one with .json behind it.")
    ],
    unit: Annotated[
        str,
        typer.Option(help="tokens (the tokenizer's pieces, to start a model's embedding from), or words."),
    ] = "tokens",
    method: Annotated[
        str, typer.Option(help="skipgram (from a unit those around it), or cbow (from those around it, it).")
    ] = "skipgram",
    rule: Annotated[
        str, typer.Option("--word-rule", help="How words are cut: words, treebank, mecab, ….")
    ] = "words",
    size: Annotated[int, typer.Option(help="Numbers of a vector; a model's embedding_size.")] = 256,
    window: Annotated[int, typer.Option(help="Units to each side that are looked at, at most.")] = 5,
    negative: Annotated[int, typer.Option(help="Units of noise drawn for each that is there.")] = 5,
    subsampling: Annotated[
        float,
        typer.Option(help="Units with a larger share of the corpus are passed over now and then; 0: never."),
    ] = 1e-3,
    min_count: Annotated[
        int | None,
        typer.Option(
            help=f"Times that a unit must stand in the corpus.  [default: 1, of words {_WORDS_MIN_COUNT}]"
        ),
    ] = None,
    epochs: Annotated[int, typer.Option(help="Passes over the corpus.")] = 5,
    seed: Annotated[int, typer.Option(help="The same seed gives the same vectors, with one worker.")] = 1,
    workers: Annotated[int, typer.Option(help="Threads; faster, but the vectors are others each time.")] = 1,
) -> None:
    """Make word2vec vectors of a corpus: skip-gram or CBOW with negative sampling.

    The file is in word2vec's text format. `hred train --embedding-from FILE` starts a model from vectors of tokens.
    """
    from rich.console import Console
    from rich.progress import Progress

    from dialog.corpus.tokenized import TokenizedCorpus
    from dialog.errors import UsageError
    from dialog.training.vector_file import save_vectors
    from dialog.training.word_vectors import VectorSettings, require_gensim, train_vectors

    if min_count is None:
        min_count = _WORDS_MIN_COUNT if unit == "words" else 1
    settings = VectorSettings(
        method, unit, rule, size, window, negative, subsampling, min_count, epochs, seed, workers
    )
    if out.exists():
        raise UsageError(f"{out} is there already; give another --out")
    require_gensim()
    prepared = TokenizedCorpus.open(corpus)
    out.parent.mkdir(parents=True, exist_ok=True)  # what cannot be written to is told before the work
    split, console = prepared.split("train"), Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task(f"{method} of {unit}", total=len(split) * (epochs + 1))
        vectors = train_vectors(split, prepared.tokenizer, settings, lambda count: bar.advance(task, count))
    save_vectors(out, vectors, _details(prepared, settings, vectors))
    print(f"{out}: {len(vectors.rows):,} vectors of {size} numbers")
    _show_neighbours(vectors)


def _details(
    prepared: "TokenizedCorpus", settings: "VectorSettings", vectors: "WordVectors"
) -> dict[str, Any]:
    from dialog import __version__
    from dialog.training.word_vectors import require_gensim

    return {
        "dialog_version": __version__,
        "gensim_version": require_gensim(),
        "vectors": len(vectors.rows),
        "settings": settings.to_json(),
        "corpus": {
            "name": prepared.folder.resolve().name,
            "hash": prepared.hash,
            "split": "train",
            "conversations": len(prepared.split("train")),
            "tokenizer_sha256": prepared.tokenizer.hash,
        },
    }


def _show_neighbours(vectors: "WordVectors") -> None:
    """Prints what is nearest to some frequent units, so that a look shows whether it worked."""
    from dialog.training.word_vectors import nearest

    named = [name for name in vectors.rows if sum(map(str.isalpha, name)) > 1 and name[0] != "<"][:_FREQUENT]
    for name in named[:: -(-len(named) // _SHOWN) or 1]:
        print(f"  {name}: {', '.join(nearest(vectors, name, 5))}")
