"""Points between two vectors: ends, midpoints, and lengths."""

import math

import pytest
import torch

from dialog.layers.between import linear, spherical

WAYS = [linear, spherical]


def vectors(count: int = 6, size: int = 5) -> torch.Tensor:
    return torch.randn(2, count, size, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.mark.parametrize("way", WAYS)
def test_the_ends_are_the_vectors_and_the_way_back_is_the_way(way) -> None:
    first, last = vectors()
    shares = torch.tensor([0.0, 0.1, 0.5, 0.7, 0.9, 1.0], dtype=torch.float64)
    torch.testing.assert_close(way(first, last, torch.zeros(6)), first)
    torch.testing.assert_close(way(first, last, torch.ones(6)), last)
    torch.testing.assert_close(way(first, last, shares), way(last, first, 1 - shares))
    for dtype in (torch.float32, torch.float64):
        assert way(first.to(dtype), last.to(dtype), shares).dtype == dtype


def test_on_the_line_distances_are_shares() -> None:
    first, last = vectors()
    shares = torch.rand(6, generator=torch.Generator().manual_seed(2))
    points = linear(first, last, shares)
    torch.testing.assert_close((points - first).norm(dim=1), shares.double() * (last - first).norm(dim=1))


def test_on_the_arc_lengths_stay_and_angles_are_shares() -> None:
    first, last = vectors()
    first, last = (3 * one / one.norm(dim=1, keepdim=True) for one in (first, last))
    shares = torch.rand(6, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    points = spherical(first, last, shares)
    torch.testing.assert_close(points.norm(dim=1), torch.full((6,), 3.0, dtype=torch.float64))
    angles = [((one * other).sum(1) / 9).acos() for one, other in ((first, points), (first, last))]
    torch.testing.assert_close(angles[0], shares * angles[1])


def test_the_middle_of_two_draws_is_as_long_as_a_draw_on_the_arc_and_shorter_on_the_line() -> None:
    first, last = vectors(200, 400)
    half = torch.full((200,), 0.5)
    lengths = [float(way(first, last, half).norm(dim=1).mean()) for way in WAYS]
    assert lengths[0] == pytest.approx(math.sqrt(200), rel=0.02)
    assert lengths[1] == pytest.approx(math.sqrt(400), rel=0.02)


def test_where_there_is_no_arc_the_way_is_the_line() -> None:
    first = torch.tensor([[1.0, 2.0], [1.0, 2.0], [1.0, 2.0], [0.0, 0.0], [0.0, 0.0]], dtype=torch.float64)
    last = torch.tensor([[1.0, 2.0], [2.0, 4.0], [-1.0, -2.0], [3.0, 0.0], [0.0, 0.0]], dtype=torch.float64)
    shares = torch.tensor([0.3, 0.5, 0.5, 0.25, 0.5])
    torch.testing.assert_close(spherical(first, last, shares), linear(first, last, shares))
