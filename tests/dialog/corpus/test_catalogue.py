"""Taking published corpora in: from archives and addresses to logs, hashes, datasheets."""

import gzip
import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from dialog.corpus.catalogue import CATALOGUE
from dialog.corpus.catalogue_get import get_corpus
from dialog.errors import LogError, UsageError
from tests.dialog.corpus.archives import zip_of
from tests.dialog.corpus.conftest import prepare_into, split_texts
from tests.dialog.corpus.published_pieces import PIECES


def archive_of(name: str, path: Path) -> Path:
    return zip_of(
        path,
        {
            key: value.encode() if isinstance(value, str) else value
            for key, value in PIECES[name].files.items()
        },
    )


@pytest.mark.parametrize("name", PIECES)
def test_an_archive_becomes_logs_that_prepare_reads(name, tmp_path) -> None:
    archive = archive_of(name, tmp_path / "a.zip")
    sheet = get_corpus(CATALOGUE[name], tmp_path / "out", str(archive), any_version=True)
    turns = sheet["turns"]
    assert turns["found"] == turns["written"] + sum(turns["lost"].values()) > 0
    assert sheet["files"][0]["sha256"] == hashlib.sha256(archive.read_bytes()).hexdigest()
    assert {path.name for path in tmp_path.iterdir()} == {"a.zip", "out"}
    rows = {
        path.name.removesuffix(".jsonl.gz"): [
            json.loads(line) for line in gzip.decompress(path.read_bytes()).decode().splitlines()
        ]
        for path in (tmp_path / "out").glob("*.jsonl.gz")
    }
    said = {
        (split, tuple((turn["speaker"], turn["text"]) for turn in row["turns"]))
        for split, conversations in rows.items()
        for row in conversations
    }
    assert said == {(split or "conversations", tuple(turns)) for split, turns in PIECES[name].read}
    text = (tmp_path / "out/datasheet.md").read_text(encoding="utf-8")
    for fact in ("title", "licence", "paper", "home"):
        assert sheet["corpus"][fact] in text


def test_what_is_got_can_be_prepared(tmp_path) -> None:
    out = tmp_path / "dailydialog"
    get_corpus(
        CATALOGUE["dailydialog"], out, str(archive_of("dailydialog", tmp_path / "a.zip")), any_version=True
    )
    corpus = prepare_into(tmp_path / "corpus", out, split_by="auto")
    assert corpus.report["splits"]["by"] == "names"
    assert corpus.report["left_out"] == []
    assert split_texts(corpus, "valid") == [["Late again ?", "The bus .", "I see ."]]


def test_the_same_files_give_the_same_bytes(tmp_path) -> None:
    folder = PIECES["cornell"].write(tmp_path / "in")
    written = []
    for number in range(2):
        get_corpus(CATALOGUE["cornell"], tmp_path / str(number), str(folder))
        written.append((tmp_path / str(number) / "conversations.jsonl.gz").read_bytes())
    assert written[0] == written[1]


def test_a_hash_that_is_known_is_held_against_the_file(serve, tmp_path) -> None:
    content = archive_of("cornell", tmp_path / "a.zip").read_bytes()
    right = replace(CATALOGUE["cornell"], sha256={"corpus.zip": hashlib.sha256(content).hexdigest()})
    wrong = replace(right, sha256={"corpus.zip": "0" * 64})
    file = serve(content)
    with pytest.raises(LogError, match=f"is known with {'0' * 64}"):
        get_corpus(wrong, tmp_path / "out", file.url)
    assert {path.name for path in tmp_path.iterdir()} == {"a.zip"}  # a damaged download is not gone on with
    sheet = get_corpus(right, tmp_path / "out", file.url)
    assert sheet["files"][0]["known"] == sheet["files"][0]["sha256"]
    assert ", as known" in (tmp_path / "out/datasheet.md").read_text()
    assert file.asked == [None, None]
    get_corpus(wrong, tmp_path / "out", file.url, any_version=True, overwrite=True)
    assert "so this is another version" in (tmp_path / "out/datasheet.md").read_text()


def test_a_hash_of_a_file_in_a_folder_is_checked_too(tmp_path) -> None:
    folder = PIECES["dailydialog"].write(tmp_path / "in")
    with pytest.raises(LogError, match="dialogues_train.txt of DailyDialog is known with 2128f3b8"):
        get_corpus(CATALOGUE["dailydialog"], tmp_path / "out", str(folder))
    assert not (tmp_path / "out").exists()


def test_a_download_that_breaks_off_is_gone_on_with_by_the_same_command(serve, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    file = serve(archive_of("ubuntu", tmp_path / "a.zip").read_bytes(), cuts=[200, 0, 0, 0, 0])
    with pytest.raises(LogError, match="200 bytes are kept"):
        get_corpus(CATALOGUE["ubuntu"], tmp_path / "out", file.url)
    assert not (tmp_path / "out").exists()
    get_corpus(CATALOGUE["ubuntu"], tmp_path / "out", file.url)
    assert file.asked[-1] == "bytes=200-"
    assert {path.name for path in tmp_path.iterdir()} == {"a.zip", "out"}


def test_what_is_there_is_not_overwritten_unasked(tmp_path) -> None:
    folder, out = PIECES["ubuntu"].write(tmp_path / "in"), tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="was not made by this command"):
        get_corpus(CATALOGUE["ubuntu"], out, str(folder), overwrite=True)
    (out / "mine.txt").unlink()
    get_corpus(CATALOGUE["ubuntu"], out, str(folder))
    with pytest.raises(UsageError, match="add --overwrite"):
        get_corpus(CATALOGUE["ubuntu"], out, str(folder))
    get_corpus(CATALOGUE["ubuntu"], out, str(folder), overwrite=True)


def test_a_corpus_without_one_file_for_all_says_where_to_choose(tmp_path) -> None:
    with pytest.raises(UsageError, match="choose yours at https://opus.nlpl.eu"):
        get_corpus(CATALOGUE["opensubtitles"], tmp_path / "out")
    with pytest.raises(LogError, match="does not exist"):
        get_corpus(CATALOGUE["opensubtitles"], tmp_path / "out", str(tmp_path / "no"))
    assert list(tmp_path.iterdir()) == []
