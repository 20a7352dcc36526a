"""Taking published corpora in: downloads that break off, archives of strangers, hashes, datasheets."""

import gzip
import hashlib
import http.server
import io
import json
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialog.corpus.catalogue import CATALOGUE
from dialog.corpus.catalogue_fetch import download, name_of
from dialog.corpus.catalogue_get import get_corpus
from dialog.corpus.catalogue_unpack import unpack
from dialog.errors import LogError, UsageError
from tests.dialog.corpus.conftest import prepare_into, split_texts
from tests.dialog.corpus.published_pieces import PIECES


@dataclass
class FileServer:
    """A server of one file.

    Attributes:
        content: the file.
        cuts: for each request to come, how many bytes are sent before the connection is cut; None for all.
        asked: the Range header of each request.
        etag: what tells a version of the file.
        ranges: whether it knows ranges.
        status: what it answers instead, if not 0.
    """

    content: bytes
    cuts: list[int | None] = field(default_factory=list)
    asked: list[str | None] = field(default_factory=list)
    etag: str = '"v1"'
    ranges: bool = True
    status: int = 0
    url: str = ""


@pytest.fixture(scope="module")
def serve() -> Iterator[object]:
    servers: list[http.server.ThreadingHTTPServer] = []

    def start(content: bytes, **options: object) -> FileServer:
        file = FileServer(content, **options)  # type: ignore[arg-type]

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                file.asked.append(self.headers["Range"])
                if file.status:
                    self.send_error(file.status)
                    return
                start = 0
                if file.ranges and self.headers["Range"] and self.headers["If-Range"] == file.etag:
                    start = int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
                    if start >= len(file.content):
                        self.send_error(416)
                        return
                self.send_response(206 if start else 200)
                if file.etag:
                    self.send_header("ETag", file.etag)
                if start:
                    self.send_header(
                        "Content-Range", f"bytes {start}-{len(file.content) - 1}/{len(file.content)}"
                    )
                self.send_header("Content-Length", str(len(file.content) - start))
                self.end_headers()
                cut = file.cuts.pop(0) if file.cuts else None
                self.wfile.write(file.content[start:] if cut is None else file.content[start : start + cut])
                self.close_connection = True

            def log_message(self, *_: object) -> None:
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        file.url = f"http://127.0.0.1:{server.server_address[1]}/data/corpus.zip?x=1"
        return file

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


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
    return serve(CONTENT[:10_000])  # type: ignore[no-any-return]


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


def zip_of(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in members.items():
            packed.writestr(name, content)
    return path


def tar_of(path: Path, members: dict[str, bytes], links: dict[str, str] | None = None) -> Path:
    with tarfile.open(path, "w:gz") as packed:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            packed.addfile(info, io.BytesIO(content))
        for name, target in (links or {}).items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            packed.addfile(info)
    return path


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_archives_and_those_inside_are_unpacked(tmp_path) -> None:
    inner = zip_of(tmp_path / "train.zip", {"train/a.txt": b"a", "__MACOSX/._a.txt": b"x"}).read_bytes()
    expected = {"c/train/train/a.txt": b"a", "c/b.txt": b"b"}
    for number, make in enumerate((zip_of, tar_of)):
        out = tmp_path / str(number)
        assert (
            unpack(make(tmp_path / f"{number}.archive", {"c/train.zip": inner, "c/b.txt": b"b"}), out) == []
        )
        assert files_of(out) == expected


@pytest.mark.parametrize(
    "name", ["../out.txt", "/out.txt", "a/../../out.txt", "..\\out.txt", "C:\\out.txt", "a/../b"]
)
@pytest.mark.parametrize("make", [zip_of, tar_of])
def test_a_path_that_leads_out_stops_it(tmp_path, name, make) -> None:
    archive = make(tmp_path / "evil.archive", {"good.txt": b"1", name: b"2"})
    with pytest.raises(LogError, match="leads out of its folder"):
        unpack(archive, tmp_path / "deep" / "folder")
    assert set(files_of(tmp_path)) == {"evil.archive", "deep/folder/good.txt"}


def test_links_are_left_out_and_nothing_is_written_through_them(tmp_path) -> None:
    archive = tar_of(
        tmp_path / "a.tgz", {"b.txt": b"b"}, {"link": str(tmp_path), "link/c.txt": "/etc/passwd"}
    )
    assert unpack(archive, tmp_path / "out") == ["link", "link/c.txt"]
    assert files_of(tmp_path / "out") == {"b.txt": b"b"}
    packed = zipfile.ZipFile(tmp_path / "b.zip", "w")
    link = zipfile.ZipInfo("link")
    link.external_attr = 0o120777 << 16
    packed.writestr(link, "/etc")
    packed.close()
    assert unpack(tmp_path / "b.zip", tmp_path / "out2") == ["link"]
    assert files_of(tmp_path / "out2") == {}


def test_a_bomb_does_not_go_off(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("dialog.corpus.catalogue_unpack._FREE", 1 << 20)
    archive = zip_of(tmp_path / "bomb.zip", {f"{n}.txt": bytes(1 << 20) for n in range(6)})
    with pytest.raises(LogError, match="more than 100 times its size"):
        unpack(archive, tmp_path / "out")
    assert sum(map(len, files_of(tmp_path / "out").values())) <= 1 << 20


@settings(max_examples=25)
@given(data=st.data())
def test_a_damaged_archive_is_told_in_a_sentence(tmp_path_factory, data) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    make = data.draw(st.sampled_from((zip_of, tar_of)))
    archive = make(folder / "a.archive", {"a.txt": b"some text " * 20, "b/c.txt": b"more"})
    content = bytearray(archive.read_bytes())
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=4)):
        content[place] = data.draw(st.integers(0, 255))
    archive.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        unpack(archive, folder / "out")
    except (LogError, OSError) as error:
        assert str(error)
    assert {path.name for path in folder.iterdir()} <= {"a.archive", "out"}


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
