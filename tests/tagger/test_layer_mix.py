"""The learnt mix of layers against a plain oracle."""

import numpy
import pytest
import torch

from spacy_hgn.tagger.hero_gang import HeroGang
from spacy_hgn.tagger.layer_mix import LayerMix

TOKENS, LAYERS, WIDTH = 5, 3, 4
STEP = 1e-3


def make_mix(weights=(0.5, -1.0, 2.0), scale=1.5):
    mix = LayerMix(LAYERS)
    with torch.no_grad():
        mix.weights.copy_(torch.tensor(weights))
        mix.scale.fill_(scale)
    return mix


def layers(seed=0):
    return numpy.random.default_rng(seed).normal(size=(TOKENS, LAYERS, WIDTH)).astype("float32")


def plain_mix(z, weights, scale):
    """Equation 1 of the paper, layer by layer."""
    shares = numpy.exp(weights) / numpy.exp(weights).sum()
    mixed = numpy.zeros((len(z), z.shape[2]))
    for layer, share in enumerate(shares):
        mixed += share * z[:, layer]
    return scale * mixed


def test_is_the_papers_equation():
    z = layers()
    found = make_mix()(torch.from_numpy(z)).detach().numpy()
    expected = plain_mix(z, numpy.array([0.5, -1.0, 2.0]), 1.5)
    assert found.shape == (TOKENS, WIDTH)
    numpy.testing.assert_allclose(found, expected, atol=1e-6)


def test_is_at_first_the_mean_of_the_layers():
    z = layers()
    found = LayerMix(LAYERS)(torch.from_numpy(z)).detach().numpy()
    numpy.testing.assert_allclose(found, z.mean(axis=1), atol=1e-6)


def test_shares_add_up_to_one():
    shares = make_mix().shares
    assert shares.sum().item() == pytest.approx(1)
    assert shares.argmax() == 2


def test_no_tokens():
    assert LayerMix(LAYERS)(torch.empty(0, LAYERS, WIDTH)).shape == (0, WIDTH)


def test_gradients_equal_finite_differences():
    z, upstream = layers(), layers(1)[:, 0].astype("float64")
    mix = make_mix()
    x = torch.from_numpy(z).requires_grad_()
    (mix(x) * torch.from_numpy(upstream)).sum().backward()
    at = {"weights": numpy.array([0.5, -1.0, 2.0]), "scale": numpy.array([1.5])}

    def loss(**moved):
        values = {**at, **moved}
        return (plain_mix(z, values["weights"], values["scale"][0]) * upstream).sum()

    for name, values in at.items():
        for place in range(len(values)):
            step = numpy.zeros(len(values))
            step[place] = STEP
            above, below = (loss(**{name: values + sign * step}) for sign in (1, -1))
            gradient = getattr(mix, name).grad.reshape(-1)[place].item()
            assert gradient == pytest.approx((above - below) / (2 * STEP), rel=1e-3)
    shares = mix.shares.detach().numpy()
    expected = 1.5 * shares[None, :, None] * upstream[:, None]
    numpy.testing.assert_allclose(x.grad.numpy(), expected, atol=1e-6)


def test_bfloat16_layers_are_mixed_in_float32_under_autocast_too():
    z = torch.from_numpy(layers()).bfloat16()
    mix = make_mix()
    with torch.autocast("cpu", torch.bfloat16):
        found = mix(z)
    assert found.dtype == torch.float32
    assert torch.equal(found, mix(z.float()))


# In a head


def test_a_head_takes_as_many_layers_as_it_is_given_first():
    head = HeroGang(WIDTH, [], tags=2)
    assert head.layers is None
    head.fit_layers(LAYERS)
    head.fit_layers(LAYERS + 1)
    assert (head.layers, len(head.mix.weights)) == (LAYERS, LAYERS)


def test_one_layer_is_not_mixed():
    head = HeroGang(WIDTH, [], tags=2)
    head.fit_layers(1)
    head.fit_layers(LAYERS)
    assert head.layers == 1
    assert not hasattr(head, "mix")


def test_a_head_of_several_layers_reads_their_mix():
    z = torch.from_numpy(layers())
    head, mixed = HeroGang(WIDTH, [], tags=2, layers=LAYERS), HeroGang(WIDTH, [], tags=2)
    mixed.load_state_dict({k: v for k, v in head.state_dict().items() if "mix" not in k})
    head.mix.load_state_dict(make_mix().state_dict())
    expected = mixed(make_mix()(z), [TOKENS])
    numpy.testing.assert_allclose(head(z, [TOKENS]).detach(), expected.detach(), atol=1e-6)
