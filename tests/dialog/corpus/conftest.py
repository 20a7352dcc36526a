"""Conversations and logs that the tests of the corpus make themselves."""

import gzip
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dialog.corpus.formats import FormatOptions, find_format
from dialog.corpus.prepare import prepare_corpus
from dialog.corpus.records import BadRecord, LogFile
from dialog.corpus.settings import Settings
from dialog.corpus.splits import Shares
from dialog.corpus.tokenized import TokenizedCorpus
from tests.dialog.corpus.file_server import FileServer, file_servers

WORDS = [first + second for first in "bdklmnprst" for second in ("a", "e", "iko", "ona", "u")]


def conversation_of(number: int, num_turns: int = 4) -> dict[str, object]:
    """A conversation in the project's own JSON, the same at each call; A and B speak in turn."""
    generator = random.Random(number)
    texts = [" ".join(generator.choices(WORDS, k=generator.randint(2, 7))) for _ in range(num_turns)]
    turns = [{"speaker": "AB"[place % 2], "text": text} for place, text in enumerate(texts)]
    return {"id": f"made-{number}", "turns": turns}


def jsonl_at(path: Path, items: list[object]) -> Path:
    """Writes a value a line, packed where the name ends so; strings are written as they are."""
    lines = [item if isinstance(item, str) else json.dumps(item) for item in items]
    return bytes_at(path, ("\n".join(lines) + "\n").encode())


def bytes_at(path: Path, data: bytes) -> Path:
    """Writes a file, packed where its name ends so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(data, mtime=0) if path.name.endswith(".gz") else data)
    return path


def prepare_into(out: Path, *logs: Path, **settings: object) -> TokenizedCorpus:
    """Prepares with a small vocabulary and all in training, unless told otherwise."""
    options = {"vocabulary_size": 320, "shares": Shares(0.0, 0.0), "split_by": "hash", **settings}
    return prepare_corpus(Settings(out=out, logs=logs, **options))  # type: ignore[arg-type]


def split_texts(corpus: TokenizedCorpus, split: str = "train") -> list[list[str]]:
    """The texts of a split, decoded."""
    rows = corpus.split(split)
    return [[corpus.tokenizer.decode(tokens) for tokens in rows[i].utterances] for i in range(len(rows))]


def read_file(path: Path, data: bytes, options: FormatOptions | None = None, limit: int = 2_000) -> Any:
    """Writes a file, finds its format, and reads it: conversations, bad records as (line, reason), format."""
    path.write_bytes(gzip.compress(data) if path.name.endswith(".gz") else data)
    file = LogFile(path, limit)
    log_format = find_format(file, options or FormatOptions())
    conversations, bad = [], []
    for record in log_format.records(file, file.lines()) if log_format else ():
        if record.error is not None:
            bad.append((record.line, record.error))
            continue
        try:
            conversations.append(log_format.parse(record, f"{path.name}:{record.line}").conversation)
        except BadRecord as error:
            bad.append((record.line, str(error)))
    return conversations, bad, log_format


@pytest.fixture
def read_log() -> Callable[..., Any]:
    return read_file


@pytest.fixture
def made_conversation() -> Callable[..., Any]:
    return conversation_of


@pytest.fixture
def write_jsonl() -> Callable[..., Any]:
    return jsonl_at


@pytest.fixture
def write_bytes() -> Callable[..., Any]:
    return bytes_at


@pytest.fixture
def prepared() -> Callable[..., Any]:
    return prepare_into


@pytest.fixture
def texts_of() -> Callable[..., Any]:
    return split_texts


@pytest.fixture(scope="module")
def serve() -> Iterator[Callable[..., FileServer]]:
    with file_servers() as start:
        yield start
