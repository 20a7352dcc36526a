"""The corpus on disk: what is written is what is read, and damage is named."""

import itertools
import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialog.corpus.texts import SplitWriter
from dialog.corpus.tokenized import SCHEMA, SPLITS, TokenizedCorpus, TokenizedSplit
from dialog.errors import CorpusError

turn = st.tuples(
    st.integers(0, 65_535), st.lists(st.integers(0, 70_000), min_size=1, max_size=4), st.booleans()
)
conversation = st.lists(turn, min_size=1, max_size=5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("splits")


@given(st.lists(st.lists(conversation, max_size=4), max_size=4), st.sampled_from([1, 1 << 20]))
@settings(max_examples=40, deadline=None)
def test_what_is_written_is_read(folder, batches, flush_bytes) -> None:
    path = folder / "x.arrow"
    with SplitWriter(path, SCHEMA, flush_bytes) as writer:
        for rows in batches:
            columns = [
                [f"é{number}" for number in range(len(rows))],
                *([[turn[column] for turn in row] for row in rows] for column in range(3)),
            ]
            arrays = [pa.array(column, field.type) for column, field in zip(columns, SCHEMA, strict=True)]
            writer.write(pa.record_batch(arrays, schema=SCHEMA))
    written = [row for rows in batches for row in rows]
    split = TokenizedSplit(path)
    assert len(split) == len(written)
    for index, row in enumerate(written):
        for read in (split[index], split[index - len(written)]):
            assert read.speakers.tolist() == [turn[0] for turn in row]
            assert [tokens.tolist() for tokens in read.utterances] == [turn[1] for turn in row]
            assert read.targets.tolist() == [turn[2] for turn in row]
    lengths = [[len(turn[1]) for turn in row] for row in written]
    assert split.lengths.tolist() == list(itertools.chain(*lengths))
    assert split.offsets.tolist() == [0, *itertools.accumulate(map(len, lengths))]
    assert split.num_turns.tolist() == [len(each) for each in lengths]
    assert split.targets.tolist() == [turn[2] for row in written for turn in row]
    assert [each.tolist() for each in split.num_utterance_tokens()] == lengths
    assert (split.lengths.dtype, split.offsets.dtype) == (np.int32, np.int64)
    with pytest.raises(IndexError):
        split[len(written)]


@pytest.fixture
def corpus_folder(tmp_path, write_jsonl, made_conversation, prepared):
    log = write_jsonl(tmp_path / "log.jsonl", [made_conversation(number) for number in range(30)])
    prepared(tmp_path / "corpus", log)
    return tmp_path / "corpus"


def test_tokens_are_views_of_the_file(corpus_folder) -> None:
    tokens = TokenizedCorpus.open(corpus_folder).split("train")[3].utterances[0]
    assert tokens.dtype == np.int32
    assert not tokens.flags.owndata
    assert not tokens.flags.writeable


def test_empty_splits_are_read(corpus_folder) -> None:
    corpus = TokenizedCorpus.open(corpus_folder, verify=True)
    for name in ("valid", "test"):
        split = corpus.split(name)
        assert (len(split), split.offsets.tolist(), len(split.lengths)) == (0, [0], 0)
    with pytest.raises(CorpusError, match="no split 'dev'"):
        corpus.split("dev")


@pytest.mark.parametrize("name", ["corpus.json", "tokenizer.model", *(f"{split}.arrow" for split in SPLITS)])
def test_a_missing_file_is_named(corpus_folder, name) -> None:
    (corpus_folder / name).unlink()
    with pytest.raises(CorpusError, match=name):
        TokenizedCorpus.open(corpus_folder)


@pytest.mark.parametrize("name", ["tokenizer.model", *(f"{split}.arrow" for split in SPLITS)])
def test_a_cut_or_flipped_file_is_named(corpus_folder, name) -> None:
    data = bytearray((corpus_folder / name).read_bytes())
    (corpus_folder / name).write_bytes(data[:-1])
    with pytest.raises(CorpusError, match=name):
        TokenizedCorpus.open(corpus_folder)
    data[len(data) // 2] ^= 1
    (corpus_folder / name).write_bytes(data)
    with pytest.raises(CorpusError, match=name):
        TokenizedCorpus.open(corpus_folder, verify=True)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        "{",
        '{"format": "hred-corpus", "version": 1}',
        '{"format": "hred-corpus", "version": 2}',
    ],
)
def test_a_damaged_manifest_is_named(corpus_folder, content) -> None:
    (corpus_folder / "corpus.json").write_text(content)
    with pytest.raises(CorpusError):
        TokenizedCorpus.open(corpus_folder)


@pytest.mark.parametrize("key", ["files", "splits", "report"])
def test_a_manifest_without_a_part_is_damaged(corpus_folder, key) -> None:
    manifest = json.loads((corpus_folder / "corpus.json").read_text())
    for value in (None, 3, {}, {"train.arrow": {}}):
        (corpus_folder / "corpus.json").write_text(json.dumps({**manifest, key: value}))
        if key == "report" and isinstance(value, dict):
            continue
        with pytest.raises(CorpusError, match="damaged"):
            TokenizedCorpus.open(corpus_folder)
