"""Archives of strangers: unpacked whole, and never beside their folder."""

import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialog.corpus.catalogue_unpack import unpack
from dialog.errors import LogError
from tests.dialog.corpus.archives import files_of, tar_of, zip_of


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
