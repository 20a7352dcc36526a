"""Exports of chat programs among other files: in ZIP files, damaged, in a layout of nobody, and what is no chat."""

import pytest

from dialog.corpus.formats import FormatOptions, find_format
from dialog.corpus.records import LogFile
from dialog.corpus.sources import find_sources
from dialog.errors import LogError, LogFormatError, UsageError
from tests.dialog.corpus.chat_reading import WHATSAPP, read_chat, zip_of


def test_zip_files_are_read_in_place(tmp_path) -> None:
    path = tmp_path / "WhatsApp Chat - Tom.zip"
    chat = WHATSAPP["iOS"].format("Anna: hello, Tom\n", "Tom: hi\n")
    path.write_bytes(zip_of({"_chat.txt": chat, "0001-PHOTO.jpg": b"\xff\xd8", "__MACOSX/_chat.txt": b"\0"}))
    sources = find_sources([tmp_path], {}, FormatOptions(), "auto", 1 << 20)
    assert [(each.file.shown, each.log_format.name) for each in sources.files] == [
        (f"{path}/_chat.txt", "whatsapp")
    ]
    file = sources.files[0].file
    assert [line.content.decode() for line in file.lines()] == chat.split("\n")[:-1]
    assert (file.name, file.num_bytes) == ("_chat.txt", len(chat.encode()))


@pytest.mark.parametrize("content", [b"PK\x03\x04 cut off", b"no archive at all"])
def test_a_damaged_zip_file_is_told(tmp_path, content) -> None:
    (tmp_path / "x.zip").write_bytes(content)
    with pytest.raises(LogError, match="x.zip is a ZIP file that cannot be read"):
        find_sources([tmp_path / "x.zip"], {}, FormatOptions(), "auto", 1 << 20)


@pytest.mark.parametrize("name", ["telegram", "discord", "chatgpt", "slack"])
@pytest.mark.parametrize("content", ['{"messages": 1', '{"else": []}', "[1, 2]", "[" * 10_000])
def test_a_forced_format_that_does_not_fit_is_one_sentence(tmp_path, name, content) -> None:
    if (name, content) in (("slack", '{"else": []}'), ("slack", "[1, 2]")):
        return  # nothing in it is a message, and that is counted
    with pytest.raises(LogFormatError):
        read_chat(tmp_path / "x.json", content, name=name)


def test_json_in_no_known_layout_is_refused_and_left_out_of_folders(tmp_path) -> None:
    (tmp_path / "package.json").write_text('{\n "name": "x"\n}\n')
    (tmp_path / "chat.txt").write_text(WHATSAPP["iOS"].format("Anna: hello\n", "Tom: hi\n"))
    sources = find_sources([tmp_path], {}, FormatOptions(), "auto", 1 << 20)
    assert [each.file.path.name for each in sources.files] == ["chat.txt"]
    assert "package.json holds one JSON value, in no known layout" in sources.left_out[0]


@pytest.mark.parametrize(
    "text",
    [
        "12:30 lunch at the cafe\n13:00 a walk\n",
        "we met on 12/31/20 and talked\n[so] she said\n",
        "A: see https://example.org\nB: yes\n",
        "[12:30] a plan, and [13:00] another\nno more\n",
    ],
)
def test_plain_text_is_no_chat(tmp_path, text) -> None:
    (tmp_path / "x.txt").write_text(text)
    assert find_format(LogFile(tmp_path / "x.txt", 1000), FormatOptions()).name == "plain"


@pytest.mark.parametrize("options", [{"silence": 0.0}, {"silence": float("nan")}, {"dates": "ydm"}])
def test_options_that_cannot_be(options) -> None:
    with pytest.raises(UsageError, match="--silence|--dates"):
        FormatOptions(**options)
