"""Files of vectors: what is written is read again to the last bit, by us and by gensim."""

import json

import numpy as np
import pytest

from dialog.evaluation.vectors import WordVectors, read_vectors
from dialog.training.vector_file import save_vectors

NAMES = ("▁the", "</s>", "<0x0A>", "元気", "\U0010ffff", "e\u0301")


@pytest.fixture
def vectors() -> WordVectors:
    values = np.random.default_rng(1).normal(size=(len(NAMES), 7)).astype(np.float32)
    values[0] = [0, -0.0, 1e-30, 3e38, 1 / 3, -1, 16777217]
    return WordVectors({name: row for row, name in enumerate(NAMES)}, values)


def test_what_is_written_is_read_to_the_last_bit(vectors, tmp_path) -> None:
    save_vectors(tmp_path / "new" / "v.txt", vectors, {"seed": 1})
    found = read_vectors(tmp_path / "new" / "v.txt")
    assert tuple(found.rows) == NAMES
    assert found.values.tobytes() == vectors.values.tobytes()
    assert json.loads((tmp_path / "new" / "v.txt.json").read_text()) == {"seed": 1}
    assert {path.name for path in (tmp_path / "new").iterdir()} == {"v.txt", "v.txt.json"}


def test_gensim_reads_it_alike(vectors, tmp_path) -> None:
    models = pytest.importorskip("gensim.models")
    save_vectors(tmp_path / "v.txt", vectors, {})
    keyed = models.KeyedVectors.load_word2vec_format(str(tmp_path / "v.txt"), binary=False)
    assert tuple(keyed.index_to_key) == NAMES
    np.testing.assert_array_equal(keyed.vectors, vectors.values)


def test_a_write_that_fails_leaves_what_was_there(vectors, tmp_path) -> None:
    save_vectors(tmp_path / "v.txt", vectors, {})
    before = (tmp_path / "v.txt").read_bytes()
    other = WordVectors(vectors.rows, vectors.values + 1)
    with pytest.raises(TypeError):
        save_vectors(tmp_path / "v.txt", other, {"no json": object()})
    assert (tmp_path / "v.txt").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 2
