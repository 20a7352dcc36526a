"""Attention is a weighted mean of the real places."""

import torch

from dialog.layers.attention import attend


def problem() -> tuple[torch.Tensor, ...]:
    torch.manual_seed(1)
    query, key, value = (torch.randn(3, *s, dtype=torch.float64) for s in ((2, 4), (5, 4), (5, 6)))
    mask = torch.tensor([[True] * 5, [True, False, True, False, False], [False] * 5])
    return query, key, value, mask


def test_weights_sum_to_one_over_real_places_and_are_zero_elsewhere() -> None:
    query, key, value, mask = problem()
    summary, weights = attend(query, key, value, mask)
    assert (weights[~mask[:, None].expand_as(weights)] == 0).all()
    torch.testing.assert_close(weights[:2].sum(2), torch.ones(2, 2, dtype=torch.float64))
    assert (summary[2] == 0).all() and (weights[2] == 0).all()
    assert (weights[:2][mask[:2, None].expand(2, 2, 5)] > 0).all()


def test_it_is_the_softmax_of_products_over_real_places() -> None:
    query, key, value, mask = problem()
    summary, _ = attend(query, key, value, mask)
    for row in range(2):
        real = mask[row]
        for time in range(2):
            shares = torch.softmax(key[row, real] @ query[row, time], dim=0)
            torch.testing.assert_close(summary[row, time], shares @ value[row, real])


def test_what_stands_on_padding_changes_nothing_and_gets_no_gradient() -> None:
    query, key, value, mask = problem()
    leaves = [t.clone().requires_grad_() for t in (key, value)]
    summary, _ = attend(query, *leaves, mask)
    for gradient in torch.autograd.grad(summary.sum(), leaves):
        assert (gradient[~mask] == 0).all() and gradient.isfinite().all()
    for junk in (1e30, -1e30):
        other = attend(query, key.masked_fill(~mask[:, :, None], junk), value, mask)[0]
        torch.testing.assert_close(other, summary)


def test_no_source_at_all_gives_zeros() -> None:
    query, key, value, mask = problem()
    summary, weights = attend(query, key[:, :0], value[:, :0], mask[:, :0])
    assert summary.shape == (3, 2, 6) and not summary.any() and weights.shape == (3, 2, 0)
