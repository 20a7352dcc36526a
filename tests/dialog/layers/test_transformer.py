"""The Transformer's layers are the papers' equations, and torch's layers with the same weights."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dialog.layers.looking import Looking
from dialog.layers.packing import Packing
from dialog.layers.transformer import DecoderLayer, EncoderLayer, TransformerAttention, sinusoids
from tests.dialog.layers.transformer_reference import attention_block, sinusoid

SIZE, HEADS, INNER = 6, 2, 10
LENGTHS, SOURCE_LENGTHS = [4, 1, 7], [3, 5, 2]


def close(found: Tensor, wanted: Tensor, tolerance: float = 1e-10) -> None:
    torch.testing.assert_close(found, wanted, atol=tolerance, rtol=0)


def drawn(module: nn.Module) -> nn.Module:
    """Returns the module in float64 with all parameters drawn, so that a forgotten bias or gain shows."""
    torch.manual_seed(1)
    for name, parameter in module.named_parameters():
        with torch.no_grad():
            parameter.normal_(std=0.4).add_(1.0 if name.endswith("norm.weight") else 0.0)
    return module.double().eval()


def rows(lengths: Sequence[int], seed: int = 2) -> tuple[Packing, Tensor]:
    """Returns a packing and random packed tokens."""
    packing = Packing.of(torch.tensor(lengths))
    generator = torch.Generator().manual_seed(seed)
    return packing, torch.randn(packing.num_tokens, SIZE, generator=generator, dtype=torch.float64)


def hush(layer: nn.Module) -> nn.Module:
    """Makes the feed-forward part add nothing."""
    with torch.no_grad():
        layer.feed_forward.narrow.weight.zero_()
        layer.feed_forward.narrow.bias.zero_()
    return layer


@pytest.mark.parametrize("heads", [1, 2, 3])
@pytest.mark.parametrize("causal", [False, True])
def test_an_attention_block_is_the_equation_forward_and_back(heads, causal) -> None:
    packing, tokens = rows(LENGTHS)
    tokens.requires_grad_()
    kind = DecoderLayer if causal else EncoderLayer
    layer = hush(drawn(kind(SIZE, heads, INNER, 0.0)))
    own = Looking.of(packing.table(), packing.table())
    if causal:  # nothing is looked at beyond the reply
        nothing = torch.zeros(len(LENGTHS), 0, dtype=torch.int64)
        with torch.no_grad():
            layer.source.output.bias.zero_()
        empty = tokens.new_zeros(0, SIZE)
        found = layer(tokens, own, Looking.of(packing.table(), nothing), empty, empty, None)
    else:
        found = layer(tokens, own, None)
    g = torch.randn(found.shape, dtype=torch.float64)
    parameters = {f"norm.{k}": p for k, p in layer.own_norm.named_parameters()}
    parameters |= dict(layer.own.named_parameters())
    gradients = torch.autograd.grad(found, [tokens, *parameters.values()], g)
    arrays = {name: p.detach().numpy() for name, p in parameters.items()}
    wanted = {name: np.zeros(p.shape) for name, p in parameters.items()}
    for row in packing.table():
        places = row[row >= 0]
        y, parts = attention_block(arrays, tokens[places].detach().numpy(), heads, causal, g[places].numpy())
        close(found[places].detach(), torch.from_numpy(y))
        close(gradients[0][places], torch.from_numpy(parts.pop("x")))
        for name, part in parts.items():
            wanted[name] += part
    for name, gradient in zip(parameters, gradients[1:], strict=True):
        close(gradient, torch.from_numpy(wanted[name]))


def give(theirs: nn.MultiheadAttention, ours: TransformerAttention) -> None:
    weights, nothing = (ours.query, ours.key, ours.value), torch.zeros(SIZE, dtype=torch.float64)
    theirs.in_proj_weight.data = torch.cat([one.weight for one in weights])
    theirs.in_proj_bias.data = torch.cat([ours.query.bias, nothing, ours.value.bias])
    theirs.out_proj.load_state_dict(ours.output.state_dict())


def torchs(ours: EncoderLayer | DecoderLayer) -> nn.Module:
    """Returns torch's layer with the same weights, its norms before each part as well."""
    kind = nn.TransformerEncoderLayer if isinstance(ours, EncoderLayer) else nn.TransformerDecoderLayer
    theirs = kind(SIZE, HEADS, INNER, dropout=0.0, norm_first=True, batch_first=True, dtype=torch.float64)
    give(theirs.self_attn, ours.own)
    norms = [ours.own_norm, ours.forward_norm]
    if isinstance(ours, DecoderLayer):
        give(theirs.multihead_attn, ours.source)
        norms.insert(1, ours.source_norm)
    for number, norm in enumerate(norms, start=1):
        getattr(theirs, f"norm{number}").load_state_dict(norm.state_dict())
    theirs.linear1.load_state_dict(ours.feed_forward.widen.state_dict())
    theirs.linear2.load_state_dict(ours.feed_forward.narrow.state_dict())
    return theirs.train()  # there is no dropout; in evaluation torch takes another path, with nested tensors


def test_an_encoder_layer_is_torchs() -> None:
    packing, tokens = rows(LENGTHS)
    ours = drawn(EncoderLayer(SIZE, HEADS, INNER, 0.0))
    table = packing.table()
    wanted = torchs(ours)(packing.pad(tokens), src_key_padding_mask=table < 0)
    close(ours(tokens, Looking.of(table, table), None), packing.pack(wanted))


def decoding() -> tuple[DecoderLayer, Packing, Tensor, Packing, Tensor, Tensor]:
    """Returns a layer, replies, what they look at, and what torch's layer makes of them (row, time, size)."""
    (packing, tokens), (sources, source) = rows(LENGTHS), rows(SOURCE_LENGTHS, seed=3)
    ours = drawn(DecoderLayer(SIZE, HEADS, INNER, 0.0))
    wanted = torchs(ours)(
        packing.pad(tokens),
        sources.pad(source),
        tgt_mask=nn.Transformer.generate_square_subsequent_mask(max(LENGTHS), dtype=torch.float64),
        tgt_is_causal=True,
        memory_key_padding_mask=sources.table() < 0,
    )
    return ours, packing, tokens, sources, source, wanted


def test_a_decoder_layer_is_torchs() -> None:
    ours, packing, tokens, sources, source, wanted = decoding()
    table = packing.table()
    looking = Looking.of(table, table), Looking.of(table, sources.table())
    found = ours(tokens, *looking, ours.source.key(source), ours.source.value(source), None)
    close(found, packing.pack(wanted))


def test_a_decoder_layer_step_by_step_is_torchs_too() -> None:
    ours, packing, tokens, sources, source, wanted = decoding()
    keys, values = sources.pad(ours.source.key(source)), sources.pad(ours.source.value(source))
    mask, padded = sources.table() >= 0, packing.pad(tokens)
    before = [padded.new_zeros(3, 0, SIZE)] * 2
    for time in range(max(LENGTHS)):
        said = torch.ones(3, time, dtype=torch.bool)
        found, key, value, weights = ours.step(
            padded[:, time], (*before, said), (keys, values, mask), with_weights=True
        )
        before = [torch.cat([b, new[:, None]], 1) for b, new in zip(before, (key, value), strict=True)]
        real = packing.lengths > time
        close(found[real], wanted[real, time])
        close(weights.sum(1), torch.ones(3, dtype=torch.float64))
        assert (weights[~mask] == 0).all() and (weights[mask] > 0).all()


def test_a_reply_that_looks_at_nothing_gets_nothing_and_disturbs_no_other() -> None:
    ours, packing, tokens, sources, source, _ = decoding()
    table, positions = packing.table(), sources.table()
    key, value = ours.source.key(source), ours.source.value(source)
    own = Looking.of(table, table)
    whole = ours(tokens, own, Looking.of(table, positions), key, value, None)
    deaf = positions.clone()
    deaf[1] = -1
    found = ours(tokens, own, Looking.of(table, deaf), key, value, None)
    assert found.isfinite().all()
    changed = ~torch.isclose(found, whole, rtol=1e-9, atol=1e-12).all(1)  # not of the last bit
    assert changed[table[1, :1]].all() and not changed[table[[0, 2]][table[[0, 2]] >= 0]].any()
    looks = Looking.of(table, deaf)
    heard = ours.source(tokens, key, value, looks)[table[1, 0]]
    close(heard, ours.source.output.bias)
    gradient = torch.autograd.grad(found.sum(), ours.source.query.weight)[0]
    assert gradient.isfinite().all()


def test_a_place_is_the_papers_sinusoid_however_far_it_is() -> None:
    for size in (1, 6, 7):
        places = torch.tensor([0, 1, 2, 63, 64, 5000])
        found = sinusoids(places, torch.zeros(6, size, dtype=torch.float64))
        wanted = np.stack([sinusoid(int(place), size) for place in places])
        close(found, torch.from_numpy(wanted))
        narrow = sinusoids(places, torch.zeros(6, size))
        assert narrow.dtype == torch.float32
        close(narrow.double(), found, 1e-3)
