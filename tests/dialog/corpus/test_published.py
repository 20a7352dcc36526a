"""Readers of published corpora: small pieces are read as they stand, what is lost is counted, damage stops none."""

import gzip
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialog.corpus.catalogue import CATALOGUE, find_corpus
from dialog.corpus.published.material import Material, Tally
from dialog.corpus.published.subtitles import MOST_LINES
from dialog.errors import LogError, LogFormatError, UsageError
from tests.dialog.corpus.published_pieces import PIECES

REAL = Path(__file__).parents[4] / "shared" / "corpora"
needs_real = pytest.mark.skipif(not REAL.is_dir(), reason="the real pieces are not on this machine")


def read(name: str, folder: Path) -> tuple[list[tuple[str | None, list[tuple[str, str]]]], Tally]:
    """Reads a corpus; checks the law that every turn found is written or counted as lost."""
    tally = Tally()
    found = list(CATALOGUE[name].reader(Material.of(folder), tally))
    written = sum(len(each.conversation.turns) for each in found)
    assert tally.found == written + tally.lost.total()
    assert set(tally.examples) == {*tally.lost, *tally.notes}
    return [(each.split, [(t.speaker, t.text) for t in each.conversation.turns]) for each in found], tally


def counted(counts: Mapping[str, int], words: Mapping[str, int]) -> bool:
    """Whether the counts are those that are named by a word of each."""
    return len(counts) == len(words) and all(
        sum(number for what, number in counts.items() if word in what) == wanted
        for word, wanted in words.items()
    )


def test_every_corpus_of_the_catalogue_has_a_piece() -> None:
    assert set(PIECES) == set(CATALOGUE)


@pytest.mark.parametrize("name", PIECES)
def test_a_piece_is_read_as_it_stands(name, tmp_path) -> None:
    piece = PIECES[name]
    conversations, tally = read(name, piece.write(tmp_path))
    assert conversations == piece.read
    assert counted(tally.lost, piece.lost), tally.lost
    assert counted(tally.notes, piece.noted), tally.notes


@pytest.mark.parametrize("name", PIECES)
def test_other_files_are_not_taken_for_the_corpus(name, tmp_path) -> None:
    for other in ("notes.md", "more.md"):
        (tmp_path / other).write_text("nothing of it")
    with pytest.raises(LogFormatError, match="give the folder or the archive"):
        read(name, tmp_path)


@pytest.mark.parametrize("name", PIECES)
@settings(max_examples=10)
@given(data=st.data())
def test_damage_is_counted_or_told_and_never_a_crash(name, tmp_path_factory, data) -> None:
    """Bytes are cut out of a file, changed or put in; the law of `read` holds, or one sentence says what is wrong."""
    folder = PIECES[name].write(tmp_path_factory.mktemp("damaged"))
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    path = data.draw(st.sampled_from(paths))
    content = path.read_bytes()
    start = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(start, min(len(content), start + 40)))
    path.write_bytes(content[:start] + data.draw(st.binary(max_size=12)) + content[end:])
    try:
        read(name, folder)
    except LogError as error:
        assert "\n" not in str(error).strip()


@pytest.mark.parametrize("name", PIECES)
@settings(max_examples=6)
@given(content=st.binary(max_size=200))
def test_any_bytes_in_every_file_stop_no_reader(name, tmp_path_factory, content) -> None:
    folder = PIECES[name].write(tmp_path_factory.mktemp("noise"))
    for path in folder.rglob("*"):
        if path.is_file():
            path.write_bytes(content)
    try:
        read(name, folder)
    except LogError as error:
        assert str(error)


def test_lines_that_are_no_utf8_are_read_and_noted(tmp_path) -> None:
    (tmp_path / "1.tsv").write_bytes(b"t\tann\t\tcaf\xe9\n")
    conversations, tally = read("ubuntu", tmp_path)
    assert conversations == [(None, [("ann", "caf\ufffd")])]
    assert counted(tally.notes, {"not UTF-8": 1})


def test_plain_subtitles_are_cut_at_blank_lines_and_after_some(tmp_path) -> None:
    lines = ["- First.", "Second.", "", *(f"line {number}" for number in range(MOST_LINES + 3))]
    (tmp_path / "en.txt.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    conversations, _ = read("opensubtitles", tmp_path)
    assert [len(turns) for _, turns in conversations] == [2, MOST_LINES, 3]
    assert conversations[0] == (None, [("A", "First."), ("B", "Second.")])


def test_an_entity_of_its_own_is_not_followed(tmp_path) -> None:
    bomb = '<!DOCTYPE d [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><document><s>&b;</s></document>'
    (tmp_path / "1.xml").write_text(bomb)
    conversations, tally = read("opensubtitles", tmp_path)
    assert conversations == []
    assert counted(tally.notes, {"entities": 1})


def test_multiwoz_2_2_is_read_too(tmp_path) -> None:
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/dialogues_001.json").write_text(
        '[{"dialogue_id": "X.json", "turns": [{"speaker": "USER", "utterance": "a taxi", "frames": []}]}, 3]'
    )
    conversations, tally = read("multiwoz", tmp_path)
    assert conversations == [("valid", [("USER", "a taxi")])]
    assert counted(tally.notes, {"entries": 1})


def test_names_are_found_however_they_are_written() -> None:
    assert find_corpus("Daily-Dialog") is CATALOGUE["dailydialog"]
    assert find_corpus("topical-chat") is CATALOGUE["topical_chat"]
    with pytest.raises(UsageError, match="it has dailydialog, cornell"):
        find_corpus("reddit")


def test_the_catalogue_tells_all_that_it_promises() -> None:
    for entry in CATALOGUE.values():
        assert all(
            getattr(entry, name) for name in ("title", "language", "size", "licence", "obligations", "paper")
        )
        assert entry.home.startswith(("http://", "https://"))
        assert all(len(each) == 64 and int(each, 16) for each in entry.sha256.values())


@needs_real
@pytest.mark.parametrize(
    ("name", "folder", "conversations", "turns"),
    [
        ("dailydialog", "dailydialog/raw/ijcnlp_dailydialog", 13_118, 102_979),
        ("cornell", "formats/cornell", 545, 1_885),
        ("personachat", "formats/personachat", 7, 102),
        ("convai2", "formats/convai2", 11, 150),
        ("real_persona_chat", "formats/real_persona_chat", 5, 150),
    ],
)
def test_real_pieces_are_read_whole(name, folder, conversations, turns) -> None:
    found, tally = read(name, REAL / folder)
    assert (len(found), sum(len(said) for _, said in found)) == (conversations, turns)
    assert tally.lost.total() == 0
    if name == "cornell":
        assert counted(tally.notes, {"missing": 75})  # of its last 25 conversations
