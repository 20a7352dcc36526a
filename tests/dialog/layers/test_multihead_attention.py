"""Multi-head attention is torch's scaled dot-product attention between four products."""

import pytest
import torch
from torch.nn import functional

from dialog.errors import ConfigError
from dialog.layers.attention import AttentionOptions, MultiheadAttention, make_attention
from tests.dialog.layers.attention_cases import attended, problem


@pytest.mark.parametrize("heads", [1, 2, 3, 6])
def test_it_is_torchs_scaled_dot_product_attention(heads) -> None:
    torch.manual_seed(1)
    layer = MultiheadAttention(4, 6, heads).double()
    query, values, mask = problem(4, 6)
    leaves = [query.requires_grad_(), values.requires_grad_(), *layer.parameters()]
    ours = attended(layer, query, values, mask)
    q, k, v = (
        product.unflatten(2, (heads, -1)).transpose(1, 2)
        for product in (layer.query(query), layer.key(values), layer.value(values))
    )
    kept = mask.any(1)  # of a row without places, torch's gives something else
    theirs = functional.scaled_dot_product_attention(q[kept], k[kept], v[kept], mask[kept][:, None, None])
    summary = layer.output(theirs.transpose(1, 2).flatten(2))
    torch.testing.assert_close(ours.summary[kept], summary, atol=1e-10, rtol=0)
    for one, other in zip(
        torch.autograd.grad(ours.summary.square().sum(), leaves),
        torch.autograd.grad(summary.square().sum(), leaves),
        strict=True,
    ):
        torch.testing.assert_close(one, other, atol=1e-10, rtol=0)


def test_with_the_same_parameters_it_is_torchs_layer_weights_and_all() -> None:
    torch.manual_seed(1)
    ours = MultiheadAttention(6, 6, 3).double()
    theirs = torch.nn.MultiheadAttention(6, 3, bias=False, batch_first=True).double()
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([ours.query.weight, ours.key.weight, ours.value.weight]))
        theirs.out_proj.weight.copy_(ours.output.weight)
    query, values, mask = (tensor[torch.tensor([0, 1, 3])] for tensor in problem(6, 6))
    result = attended(ours, query, values, mask)
    summary, weights = theirs(query, values, values, key_padding_mask=~mask)
    torch.testing.assert_close(result.summary, summary, atol=1e-10, rtol=0)
    torch.testing.assert_close(result.weights, weights, atol=1e-10, rtol=0)


def test_heads_must_divide_the_size() -> None:
    with pytest.raises(ConfigError, match="attention_heads=4 does not divide the 6 dimensions"):
        make_attention(AttentionOptions("multihead", heads=4), 4, 6)
    with pytest.raises(ConfigError, match="attention_heads=0 is too few; take 1 or more"):
        AttentionOptions("multihead", heads=0)
