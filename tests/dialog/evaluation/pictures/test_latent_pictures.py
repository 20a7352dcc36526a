"""The map of z: its draws are those of replies, its plane goes through three of them."""

import numpy as np
import pytest

from dialog.decoding.replier import Replier
from dialog.decoding.replies import Sampling
from dialog.errors import UsageError
from dialog.evaluation.pictures import latent
from dialog.evaluation.pictures.latent import LatentMap, draw_map, map_of, principal_plane
from tests.dialog.evaluation.pictures.runs import conversation, run_of

TALK = conversation("hello, how are you?", "are you number 3?")


def test_the_plane_is_that_of_the_largest_variance() -> None:
    random = np.random.default_rng(1)
    points = random.normal(size=(4000, 3)) * [1.0, 5.0, 3.0] + 7
    places, shares = principal_plane(points)
    assert shares == pytest.approx((25 / 35, 9 / 35), abs=0.02)
    for axis, column in ((0, 1), (1, 2)):
        assert abs(np.corrcoef(places[:, axis], points[:, column])[0, 1]) > 0.99


@pytest.mark.parametrize("points", [np.zeros((1, 3)), np.ones((4, 1)), np.arange(5.0)[:, None]])
def test_fewer_than_two_directions_are_no_fault(points) -> None:
    places, shares = principal_plane(points)
    assert places.shape == (len(points), 2)
    assert np.isfinite(places).all()
    assert 0 <= sum(shares) <= 1 + 1e-9


@pytest.mark.parametrize("name", ["vhred", "vhcr"])
def test_draws_are_those_of_replies_and_the_plane_goes_through_three(name) -> None:
    run = run_of(name, variance_scale=30.0)
    found = map_of(run, TALK, 12, side=5, seed=3)
    wanted = Replier.from_run(run).reply(TALK, Sampling(method="greedy"), 12, 3)
    assert found.replies == tuple(one.text for one in wanted)
    first, second, third = found.corners
    assert len({found.beginnings[corner] for corner in found.corners}) == 3
    assert found.beginnings.index(found.beginnings[third]) == third
    on_plane = found.plane[1][1], found.plane[1][3], found.plane[3][1]  # u and v are 0 or 1 there
    assert on_plane == tuple(found.beginnings[corner] for corner in (first, second, third))
    assert found.counts()[0][1] == max(found.beginnings.count(one) for one in found.beginnings)


@pytest.mark.parametrize(("words", "beginning"), [(1, "i"), (2, "i like"), (9, "i like tea.")])
def test_a_beginning_is_so_many_words(words, beginning) -> None:
    assert latent._beginning(" I  Like tea.", words) == beginning
    assert latent._beginning("", words) == "(nothing)"


def test_a_latent_that_decides_nothing_has_no_plane(tmp_path) -> None:
    run = run_of("vhred", variance_scale=1e-6)
    found = map_of(run, TALK, 5)
    assert (found.corners, found.plane) == ((), ())
    draw_map(found, tmp_path / "a.svg")
    assert "plane" not in (tmp_path / "a.svg").read_text()


def test_it_is_drawn_with_its_beginnings(tmp_path) -> None:
    names = tuple(f"name {number}" for number in range(14))
    found = LatentMap(np.zeros((14, 2)), (0.5, 0.25), names, names, (0, 1, 2), (names[:2], names[2:4]))
    draw_map(found, tmp_path / "a.svg")
    text = (tmp_path / "a.svg").read_text()
    assert all(word in text for word in ("name 0 …", "others", "50%", "z3", "the plane through three"))


def test_a_model_without_one_says_so() -> None:
    with pytest.raises(UsageError, match="has no latent variable to draw"):
        map_of(run_of("hred"), TALK, 3)
    with pytest.raises(UsageError, match="answers nothing"):
        map_of(run_of("vae"), TALK, 3)
