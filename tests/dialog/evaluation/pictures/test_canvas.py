"""Where pictures are written and in which letters."""

import pytest

from dialog.errors import UsageError
from dialog.evaluation.pictures import canvas as module
from dialog.evaluation.pictures.canvas import canvas, check_place, heat_map


@pytest.mark.parametrize(
    ("name", "sentence"), [("a.jpg", "end in .svg or .png"), ("no/a.svg", "folder .*no of")]
)
def test_a_place_that_cannot_be_is_a_sentence(name, sentence, tmp_path) -> None:
    with pytest.raises(UsageError, match=sentence):
        check_place(tmp_path / name)
    with pytest.raises(UsageError, match=sentence), canvas(tmp_path / name, 2, 2):
        pass


def test_an_svg_keeps_any_script_as_text(tmp_path) -> None:
    with canvas(tmp_path / "a.svg", 3, 3) as figure:
        heat_map(figure.subplots(), [[0.1, 0.9]], ["こんにちは", "costs $5 and $6"], ["元気?"])
    text = (tmp_path / "a.svg").read_text(encoding="utf-8")
    assert all(word in text for word in ("こんにちは", "costs $5 and $6", "元気?"))


def test_a_png_without_the_letters_is_refused_and_not_left_half_written(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(module, "_EAST_ASIAN", ())
    refused = pytest.raises(UsageError, match="no font here has all characters")
    with refused, canvas(tmp_path / "a.png", 2, 2) as figure:
        figure.suptitle("元気")
    assert not list(tmp_path.iterdir())


def test_nothing_is_written_where_drawing_fails(tmp_path) -> None:
    with pytest.raises(ZeroDivisionError), canvas(tmp_path / "a.svg", 2, 2):
        raise ZeroDivisionError
    assert not list(tmp_path.iterdir())
