"""Word vectors are read as gensim reads them, and what is no such file is told with its line."""

import gzip
import hashlib

import numpy as np
import pytest

from dialog.errors import UsageError
from dialog.evaluation.vectors import read_vectors

WORD2VEC = "3 2\ncat 1.0 -0.5\nthe 2e-1 0\n猫 -3 4\n"
GLOVE = "cat 1.0 -0.5\nthe 0.2 0\n猫 -3 4\n"


def written(tmp_path, text: str, name: str = "vectors.txt"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "text", [WORD2VEC, GLOVE, WORD2VEC.replace("\n", " \n"), GLOVE.replace("\n", "\r\n")]
)
def test_both_layouts_are_read(tmp_path, text) -> None:
    path = written(tmp_path, text)
    found = read_vectors(path)
    assert list(found.rows) == ["cat", "the", "猫"]
    np.testing.assert_array_equal(found.values, np.array([[1, -0.5], [0.2, 0], [-3, 4]], np.float32))
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    np.testing.assert_array_equal(found.of(["猫", "dog", "cat", "猫"]), [[-3, 4], [1, -0.5], [-3, 4]])
    assert found.of(["dog"]).shape == (0, 2)


def test_gensims_files_are_read(tmp_path) -> None:
    models = pytest.importorskip("gensim.models")
    theirs = models.KeyedVectors(5)
    values = np.random.default_rng(0).normal(size=(4, 5)).astype(np.float32)
    theirs.add_vectors(["a", "b", "don't", "."], values)
    path = tmp_path / "vectors.txt"
    theirs.save_word2vec_format(str(path))
    found = read_vectors(path)
    assert list(found.rows) == ["a", "b", "don't", "."]
    np.testing.assert_allclose(found.values, values, rtol=1e-6)


def test_words_with_spaces_and_packed_files_are_read(tmp_path) -> None:
    assert list(read_vectors(written(tmp_path, "a 1 2\n. . . 3 4\nb 5 6\n")).rows) == ["a", ". . .", "b"]
    path = tmp_path / "vectors.txt.gz"
    path.write_bytes(gzip.compress(WORD2VEC.encode()))
    assert list(read_vectors(path).rows) == ["cat", "the", "猫"]


def test_only_wanted_words_are_kept_and_of_two_the_first(tmp_path) -> None:
    found = read_vectors(written(tmp_path, GLOVE + "cat 9 9\n"), words={"cat", "dog"})
    assert list(found.rows) == ["cat"]
    assert found.values.tolist() == [[1, -0.5]]
    nothing = read_vectors(written(tmp_path, GLOVE), words={"dog"})
    assert nothing.of(["cat"]).shape == (0, 2)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is empty"),
        ("cat 1 2\nthe 3\n", "line 2 of .* no word vector; expected 2 numbers"),
        ("cat 1 2\nthe 3 x\n", "line 2 .* expected 2 numbers"),
        ("cat 1 2\nthe 3 nan\n", "line 2 .* expected finite numbers"),
        ("cat\n", "line 1 .* expected numbers"),
    ],
)
def test_what_is_no_such_file_is_told_in_a_sentence(tmp_path, text, sentence) -> None:
    with pytest.raises(UsageError, match=sentence):
        read_vectors(written(tmp_path, text))


def test_a_missing_or_damaged_file_is_told_in_a_sentence(tmp_path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_vectors(tmp_path / "none.txt")
    for content in (b"no gzip", gzip.compress(GLOVE.encode() * 50)[:-12]):
        path = tmp_path / "vectors.txt.gz"
        path.write_bytes(content)
        with pytest.raises(UsageError, match="cannot be read"):
            read_vectors(path)


def test_a_file_that_was_cut_off_is_told(tmp_path) -> None:
    """Between two lines, where nothing else shows it."""
    with pytest.raises(UsageError, match="ends after 2 of the 3 vectors"):
        read_vectors(written(tmp_path, WORD2VEC.rsplit("\n", 2)[0] + "\n"))
