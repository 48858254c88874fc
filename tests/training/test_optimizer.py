"""AdamW over whole steps, against torch's own on the same gradients."""

import numpy
import pytest
import spacy
import torch
from spacy.training import Example
from thinc.api import fix_random_seed, noop, registry
from torch import nn

from spacy_hgn.architectures import build_hero_gang_tok2vec
from spacy_hgn.backend.optimizer import AdamW

WIDTH = 4
RATES = {"learn_rate": 0.01, "weight_decay": 0.1}


def make_layer(seed: int = 0):
    fix_random_seed(seed)
    layer = build_hero_gang_tok2vec(noop(), [1, 3], "lstm", "dot", 0.0, "float32")
    layer.initialize(X=[numpy.ones((2, WIDTH), dtype="f")])
    return layer


def backpropagate(*layers, seed: int = 0, scale: float = 1.0):
    """One pass through each layer, so that they hold gradients."""
    generator = numpy.random.default_rng(seed)
    for layer in layers:
        fused, backprop = layer.begin_update([generator.normal(size=(5, WIDTH)).astype("f")])
        backprop([scale * generator.normal(size=f.shape).astype("f") for f in fused])


def weights(layer) -> torch.Tensor:
    return torch.cat([p.detach().flatten().clone() for p in module_of(layer).parameters()])


def module_of(layer) -> nn.Module:
    return layer.layers[0].shims[0]._model


def torch_twin(layer, rate: float, max_norm: float, *others):
    """A function that steps copies of the layers' modules by torch, given their gradients."""
    modules = [module_of(each) for each in (layer, *others)]
    copies = nn.ModuleList(torch.nn.Module() for _ in modules)
    for module, copy in zip(modules, copies):
        for i, parameter in enumerate(module.parameters()):
            copy.register_parameter(str(i), nn.Parameter(parameter.detach().clone()))
    decayed = [p for p in copies.parameters() if p.ndim > 1]
    spared = [p for p in copies.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": 0.1}, {"params": spared, "weight_decay": 0.0}]
    adam = torch.optim.AdamW(groups, lr=rate)

    def step() -> list[torch.Tensor]:
        for module, copy in zip(modules, copies):
            for own, theirs in zip(copy.parameters(), module.parameters()):
                own.grad = theirs.grad.clone()
        nn.utils.clip_grad_norm_(copies.parameters(), max_norm)
        adam.step()
        return [torch.cat([p.detach().flatten() for p in copy.parameters()]) for copy in copies]

    return step


def test_equals_torch_over_several_steps_and_layers():
    first, second = make_layer(0), make_layer(1)
    step = torch_twin(first, 0.01, 1.0, second)
    optimizer = AdamW(**RATES, grad_clip=1.0)
    for seed in range(5):
        backpropagate(first, second, seed=seed, scale=10.0 if seed else 0.001)
        expected = step()
        first.finish_update(optimizer)
        second.finish_update(optimizer)
        optimizer.step_schedules()
        for layer, theirs in zip((first, second), expected):
            torch.testing.assert_close(weights(layer), theirs, atol=1e-6, rtol=1e-5)


def test_norm_is_that_of_all_layers_together():
    first, second = make_layer(0), make_layer(1)
    optimizer = AdamW(0.0, grad_clip=1.0)
    for clipped_to in (1.0, 0.99):  # in its first step a layer is not known to have others
        backpropagate(first, second, scale=100.0)
        seen = watch_gradients(first)
        first.finish_update(optimizer)
        second.finish_update(optimizer)
        if clipped_to == 1.0:
            assert seen[0] == pytest.approx(1.0, abs=1e-4)
        else:
            assert 0 < seen[0] < clipped_to


def watch_gradients(layer) -> list[float]:
    """The gradient's norm over the layer as the optimizer's step meets it."""
    seen: list[float] = []
    original = torch.optim.AdamW.step

    def step(self, *args):
        grads = [p.grad.norm() for p in module_of(layer).parameters()]
        seen.append(float(torch.stack(grads).norm()))
        torch.optim.AdamW.step = original
        return original(self, *args)

    torch.optim.AdamW.step = step
    return seen


def test_gradients_are_gone_after_the_step():
    layer = make_layer()
    backpropagate(layer)
    layer.finish_update(AdamW(**RATES))
    assert all(p.grad is None for p in module_of(layer).parameters())
    before = weights(layer)
    layer.finish_update(AdamW(**RATES))
    assert torch.equal(weights(layer), before)


def test_gradients_of_several_passes_are_summed():
    once, twice = make_layer(), make_layer()
    backpropagate(once, scale=2.0)
    backpropagate(twice)
    backpropagate(twice)
    for layer in (once, twice):
        layer.finish_update(AdamW(**RATES, grad_clip=0))
    torch.testing.assert_close(weights(once), weights(twice), atol=1e-6, rtol=1e-5)


def test_hero_has_a_rate_of_its_own():
    hero, gang = make_layer(), make_layer()
    hero.layers[0].shims[0].part = "hero"
    before = weights(hero)
    backpropagate(hero, gang)
    optimizer = AdamW(0.01, 0.0)
    hero.finish_update(optimizer)
    gang.finish_update(optimizer)
    assert torch.equal(weights(hero), before)
    assert not torch.equal(weights(gang), before)


def test_rates_follow_their_schedules():
    def falling(first: float):
        while True:
            yield first
            first /= 2

    optimizer = AdamW(falling(0.1), falling(0.01))
    assert (optimizer.learn_rate, optimizer.hero_learn_rate) == (0.1, 0.01)
    optimizer.step_schedules()
    assert (optimizer.learn_rate, optimizer.hero_learn_rate) == (0.05, 0.005)


@pytest.mark.parametrize("steps_before", [0, 1])
def test_two_pipelines_do_not_step_each_other(steps_before):
    ours, theirs = make_layer(), make_layer()
    our_optimizer, their_optimizer = AdamW(**RATES), AdamW(**RATES)
    for seed in range(steps_before):
        for layer, optimizer in ((ours, our_optimizer), (theirs, their_optimizer)):
            backpropagate(layer, seed=seed)
            layer.finish_update(optimizer)
    for layer in (ours, theirs):
        backpropagate(layer, seed=steps_before)
    before = weights(theirs)
    ours.finish_update(our_optimizer)
    assert torch.equal(weights(theirs), before)
    theirs.finish_update(their_optimizer)
    assert torch.equal(weights(theirs), weights(ours))


def test_other_layers_are_updated_one_by_one():
    optimizer = AdamW(**RATES)
    array, gradient = numpy.ones(3, dtype="f"), numpy.ones(3, dtype="f")
    updated, cleared = optimizer((1, "W"), array, gradient)
    assert (updated < 1).all()
    assert not cleared.any()


def test_is_registered():
    config = {"optimizer": {"@optimizers": "spacy-hgn.AdamW.v1", "learn_rate": 0.5}}
    optimizer = registry.resolve(config)["optimizer"]
    assert isinstance(optimizer, AdamW)
    assert optimizer.learn_rate == 0.5


def test_trains_a_pipeline_with_a_component_of_thinc():
    nlp = spacy.blank("xx")
    nlp.add_pipe("tagger")
    tok2vec = {"@architectures": "spacy.HashEmbedCNN.v2", "width": 8, "depth": 1}
    tok2vec |= {"embed_size": 50, "window_size": 1, "maxout_pieces": 2, "subword_features": False}
    nlp.add_pipe("hgn_ner", config={"model": {"tok2vec": {**tok2vec, "pretrained_vectors": None}}})
    doc = nlp.make_doc("Apple hired Ada")
    gold = {"tags": ["N", "V", "N"], "entities": [(0, 5, "ORG"), (12, 15, "PERSON")]}
    examples = [Example.from_dict(doc, gold)]
    nlp.initialize(lambda: examples)
    losses = []
    optimizer = AdamW(0.02)
    for _ in range(40):
        losses.append(nlp.update(examples, sgd=optimizer, losses={}))
    assert losses[-1]["hgn_ner"] < losses[0]["hgn_ner"] / 5
    assert losses[-1]["tagger"] < losses[0]["tagger"] / 5
