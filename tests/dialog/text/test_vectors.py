"""Files of vectors: what is written is read again, by us and by gensim; what is no such file is a sentence."""

import json

import numpy as np
import pytest

from dialog.errors import ConfigError
from dialog.text.vectors import WordVectors, load_vectors, save_vectors


@pytest.fixture
def vectors() -> WordVectors:
    names = ("▁the", "</s>", "<0x0A>", "元気", "\U0010ffff", "e\u0301")
    draw = np.random.default_rng(1)
    matrix = draw.normal(size=(len(names), 7)).astype(np.float32)
    matrix[0] = [0, -0.0, 1e-30, 3e38, 1 / 3, -1, 16777217]
    return WordVectors(names, matrix)


def test_what_is_written_is_read_to_the_last_bit(vectors, tmp_path) -> None:
    save_vectors(tmp_path / "new" / "v.txt", vectors, {"seed": 1})
    found = load_vectors(tmp_path / "new" / "v.txt")
    assert found.names == vectors.names
    assert found.matrix.tobytes() == vectors.matrix.tobytes()
    assert json.loads((tmp_path / "new" / "v.txt.json").read_text()) == {"seed": 1}
    assert {path.name for path in (tmp_path / "new").iterdir()} == {"v.txt", "v.txt.json"}


def test_gensim_reads_it_alike(vectors, tmp_path) -> None:
    models = pytest.importorskip("gensim.models")
    save_vectors(tmp_path / "v.txt", vectors, {})
    keyed = models.KeyedVectors.load_word2vec_format(str(tmp_path / "v.txt"), binary=False)
    assert tuple(keyed.index_to_key) == vectors.names
    np.testing.assert_array_equal(keyed.vectors, vectors.matrix)


def test_gensims_own_file_is_read_as_gensim_reads_it(vectors, tmp_path) -> None:
    models = pytest.importorskip("gensim.models")
    keyed = models.KeyedVectors(7)
    keyed.add_vectors(list(vectors.names), vectors.matrix)
    keyed.save_word2vec_format(str(tmp_path / "v.txt"))
    found = load_vectors(tmp_path / "v.txt")
    assert found.names == vectors.names
    np.testing.assert_array_equal(found.matrix, vectors.matrix)


def test_the_nearest_have_the_least_angles() -> None:
    rows = [[1, 0], [9, 1], [1, 1], [0, 1], [-1, 0]]
    vectors = WordVectors(tuple("abcde"), np.array(rows, np.float32))
    assert vectors.nearest("a", 3) == ["b", "c", "d"]
    assert vectors.nearest("a", 99) == ["b", "c", "d", "e"]
    assert vectors.nearest("e", 1) == ["d"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "does not begin with the number"),
        (b"the 0.1 0.2\n", "does not begin with the number"),
        (b"0 3\n", "does not begin with the number"),
        (b"2 3\na 1 2 3\n", "has 1 vectors, but its first line says 2"),
        (b"1 3\na 1 2 3\nb 1 2 3\n", "has 2 vectors, but its first line says 1"),
        (b"1 3\na 1 2\n", "line 2 of .* is no name with 3 numbers"),
        (b"2 2\na 1 2\nb 1 x\n", "line 3 of .* is no name with 2 numbers"),
        (b"1 2\na 1 nan\n", "line 2 of"),
        (b"99999999999 2\na 1 2\n", "has 1 vectors"),
        (b"1 2\n\xff 1 2\n", "is no text in UTF-8"),
    ],
)
def test_a_file_of_another_kind_is_one_sentence(tmp_path, content, words) -> None:
    (tmp_path / "v.txt").write_bytes(content)
    with pytest.raises(ConfigError, match=words) as refused:
        load_vectors(tmp_path / "v.txt")
    assert "\n" not in str(refused.value)


def test_a_file_that_is_not_there_is_one_sentence(tmp_path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_vectors(tmp_path / "none.txt")


def test_a_write_that_fails_leaves_what_was_there(vectors, tmp_path) -> None:
    save_vectors(tmp_path / "v.txt", vectors, {})
    before = (tmp_path / "v.txt").read_bytes()
    with pytest.raises(TypeError):
        save_vectors(tmp_path / "v.txt", vectors, {"no json": object()})
    assert (tmp_path / "v.txt").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 2
