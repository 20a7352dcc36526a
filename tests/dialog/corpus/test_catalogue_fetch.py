"""Downloads that break off, are killed, or find another file than before."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialog.corpus.catalogue_fetch import download, name_of
from dialog.errors import LogError, UsageError
from tests.dialog.corpus.file_server import FileServer

CONTENT = bytes(range(256)) * 4_000  # about 1 MB


def test_a_download_is_the_file(serve, tmp_path) -> None:
    file, told = serve(CONTENT), []
    path = download(file.url, tmp_path / "new", lambda done, total: told.append((done, total)))
    assert (path.name, path.read_bytes()) == ("corpus.zip", CONTENT)
    assert told[0] == (0, len(CONTENT)) and told[-1] == (len(CONTENT), len(CONTENT))
    assert [each.name for each in path.parent.iterdir()] == ["corpus.zip"]
    assert download(file.url, tmp_path / "new") == path
    assert len(file.asked) == 1  # what is there is not asked for again


def test_a_connection_that_is_cut_is_taken_up_where_it_was(serve, tmp_path) -> None:
    file = serve(CONTENT, cuts=[300_000, 300_000, 0, None])
    assert download(file.url, tmp_path, pause=0.0).read_bytes() == CONTENT
    assert file.asked == [None, "bytes=300000-", "bytes=600000-", "bytes=600000-"]


def test_what_came_is_kept_for_the_next_call(serve, tmp_path) -> None:
    file = serve(CONTENT, cuts=[500_000, 0, 0, 0, 0])
    with pytest.raises(LogError, match="500,000 bytes are kept in .*give the same command again"):
        download(file.url, tmp_path, pause=0.0)
    told = []
    assert download(file.url, tmp_path, lambda done, _: told.append(done), pause=0.0).read_bytes() == CONTENT
    assert told[0] == 500_000


def test_a_download_that_was_killed_after_its_last_byte_ends(serve, tmp_path) -> None:
    file = serve(CONTENT)
    download(file.url, tmp_path).rename(tmp_path / "corpus.zip.part")
    memory = {"url": file.url, "validator": file.etag, "total": len(CONTENT)}
    (tmp_path / "corpus.zip.part.json").write_text(json.dumps(memory))
    assert download(file.url, tmp_path).read_bytes() == CONTENT
    assert file.asked == [None, f"bytes={len(CONTENT)}-"]


def test_a_file_that_has_changed_meanwhile_begins_anew(serve, tmp_path) -> None:
    file = serve(CONTENT, cuts=[500_000, 0, 0, 0, 0])
    with pytest.raises(LogError):
        download(file.url, tmp_path, pause=0.0)
    file.content, file.etag = CONTENT[::-1], '"v2"'
    assert download(file.url, tmp_path, pause=0.0).read_bytes() == CONTENT[::-1]


@pytest.mark.parametrize("options", [{"ranges": False}, {"etag": ""}])
def test_a_server_without_ranges_or_versions_sends_it_anew(serve, tmp_path, options) -> None:
    file = serve(CONTENT, cuts=[700_000], **options)
    assert download(file.url, tmp_path, pause=0.0).read_bytes() == CONTENT


@settings(max_examples=10)
@given(cuts=st.lists(st.integers(0, 5_000), max_size=6))
def test_wherever_it_is_cut_the_file_is_whole_or_not_there(serve_once, tmp_path_factory, cuts) -> None:
    file, folder = serve_once, tmp_path_factory.mktemp("cut")
    file.cuts = list(cuts)
    for _ in range(len(cuts) + 1):
        try:
            path = download(file.url, folder, pause=0.0)
        except LogError:
            assert not (folder / "corpus.zip").exists()
        else:
            assert path.read_bytes() == file.content
            return
    raise AssertionError("it never came whole")


@pytest.fixture(scope="module")
def serve_once(serve) -> FileServer:
    return serve(CONTENT[:10_000])


def test_what_is_not_there_is_said_at_once(serve, tmp_path) -> None:
    file = serve(b"", status=404)
    with pytest.raises(LogError, match="HTTP 404 .*download it by hand and give it by --from"):
        download(file.url, tmp_path, pause=0.0)
    assert len(file.asked) == 1
    with pytest.raises(LogError, match="cannot be downloaded"):
        download("http://127.0.0.1:9/corpus.zip", tmp_path, pause=0.0)  # nobody listens on the discard port


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://a/b.zip",
        "https://a.b/",
        "http:///x.zip",
        "https://a/x/..",
        "https://a/%00",
    ],
)
def test_addresses_that_name_no_file_of_the_web(url) -> None:
    with pytest.raises(UsageError):
        name_of(url)
