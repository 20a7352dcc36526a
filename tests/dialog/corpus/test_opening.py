"""Logs that are packed, elsewhere, or named by a glob give the corpus of the plain files."""

import bz2
import gzip
import lzma

import fsspec
import pyarrow as pa
import pytest

from dialog.corpus.prepare import Settings, prepare_corpus
from dialog.corpus.tokenized import TokenizedCorpus
from dialog.errors import LogError


def zstandard(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return bytes(sink.getvalue())


PACKERS = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress, ".zst": zstandard}


def ids(corpus: TokenizedCorpus) -> list[str]:
    rows = corpus.split("train")
    return [rows[index].id for index in range(len(rows))]


@pytest.fixture
def data(tmp_path, write_jsonl, made_conversation) -> bytes:
    items = [{"turns": made_conversation(number)["turns"]} for number in range(300)]
    return write_jsonl(tmp_path / "plain" / "a.jsonl", items).read_bytes()


@pytest.mark.parametrize("ending", PACKERS)
def test_packed_logs_are_read_and_cut_off_ones_refused(tmp_path, data, prepared, ending) -> None:
    plain = prepared(tmp_path / "one", tmp_path / "plain")
    packed = tmp_path / "packed" / f"a.jsonl{ending}"
    packed.parent.mkdir()
    packed.write_bytes(PACKERS[ending](data))
    found = prepared(tmp_path / "two", packed.parent)
    assert ids(found) == ids(plain) == [f"a.jsonl:{line}" for line in range(1, 301)]
    assert (tmp_path / "one" / "train.arrow").read_bytes() == (tmp_path / "two" / "train.arrow").read_bytes()
    packed.write_bytes(PACKERS[ending](data)[:-20])
    with pytest.raises(LogError, match=rf"a\.jsonl{ending}"):
        prepared(tmp_path / "three", packed)


def test_globs_are_files_and_folders_in_their_order(
    tmp_path, write_jsonl, made_conversation, prepared
) -> None:
    for name, number in (("b/x.jsonl", 0), ("a/y.jsonl.gz", 1), ("a/z.jsonl", 2), ("c[1].jsonl", 3)):
        write_jsonl(tmp_path / name, [made_conversation(number)])
    assert ids(prepared(tmp_path / "1", str(tmp_path / "**" / "[xy].jsonl*"))) == ["made-1", "made-0"]
    assert ids(prepared(tmp_path / "2", str(tmp_path / "[ab]"))) == ["made-1", "made-2", "made-0"]
    assert ids(prepared(tmp_path / "3", str(tmp_path / "c[1].jsonl"))) == ["made-3"]
    with pytest.raises(LogError, match="no file is found for"):
        prepared(tmp_path / "4", str(tmp_path / "*.csv"))


@pytest.mark.parametrize("workers", [1, 2])
def test_addresses_are_read_as_paths_are(tmp_path, write_jsonl, made_conversation, prepared, workers) -> None:
    folder = tmp_path / "logs"
    for name, numbers in (("train.jsonl", range(40)), ("valid.jsonl.gz", range(40, 50))):
        write_jsonl(folder / name, [made_conversation(number) for number in numbers])
    (folder / "notes.md").write_text("no log")
    here = prepared(tmp_path / "here", folder, split_by="auto", segment_bytes=2_000)
    for number, url in enumerate((f"file://{folder}", f"file://{folder}/*.jsonl*")):
        out = tmp_path / f"there-{number}"
        there = prepared(out, url, split_by="auto", segment_bytes=2_000, workers=workers)
        assert [len(there.split(name)) for name in ("train", "valid", "test")] == [40, 10, 0]
        assert (out / "train.arrow").read_bytes() == (here.folder / "train.arrow").read_bytes()
        assert there.report["files"][0]["path"] == f"file://{folder}/train.jsonl"
    alone = prepared(tmp_path / "alone", f"file://{folder}/train.jsonl")
    assert len(alone.split("train")) == 40


def test_storage_that_is_no_disk_is_read(tmp_path, data, prepared) -> None:
    fsspec.filesystem("memory").pipe("/bucket/a.jsonl.gz", gzip.compress(data))
    found = prepared(tmp_path / "out", "memory://bucket")
    assert ids(found) == [f"a.jsonl:{line}" for line in range(1, 301)]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("file:///no/such/file.jsonl", "does not exist"),
        ("memory://nothing/*.jsonl", "nothing is found"),
        ("nowhere://x", "Protocol not known"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path, url, said) -> None:
    with pytest.raises(LogError, match=said) as raised:
        prepare_corpus(Settings(out=tmp_path / "out", logs=[url]))
    assert url in str(raised.value)
    assert not list(tmp_path.iterdir())
