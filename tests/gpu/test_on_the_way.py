"""Nothing waits for the GPU or goes to the host on the way, and launches don't grow with Docs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import torch
from component.helpers import TEXTS
from tagger.oracle import RECURRENCES
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from spacy_hgn.backend.torch_shim import autocast
from spacy_hgn.tagger.hero_gang import HeroGang

from .helpers import DEVICE, DRY, hero_nlp, needs_cuda, teach

SPLIT = 16
"""Kernels by which two sizes may differ: cuBLAS cuts a large product and sums its parts. It is far
less than one for each of 192 Docs more."""

MODELS = [{}, {"precision": "bfloat16"}, {"windows": []}]


@pytest.fixture(params=MODELS, ids=str)
def nlp(request, tiny_bert):
    """A pipeline over a tiny transformer, by default settings but for one."""
    nlp = hero_nlp(tiny_bert, **{"windows": [5, 7, 9], **request.param})
    teach(nlp, 1)
    return nlp


def predicting(nlp, texts) -> Callable[[], object]:
    """Predicts from vectors that lie on the Docs."""
    flat, docs = nlp.get_pipe("hgn_ner").model.get_ref("flat"), with_vectors(nlp, texts)
    return lambda: flat.predict(docs)


def learning(nlp, texts) -> Callable[[], None]:
    """Goes forward from what the Hero has made of the Docs, and back to it."""
    flat, docs = nlp.get_pipe("hgn_ner").model.get_ref("flat"), with_vectors(nlp, texts)

    def learn() -> None:
        found, backprop = flat.begin_update(docs)
        backprop(found)

    return learn


def with_vectors(nlp, texts) -> list:
    """Docs after the transformer, which has seen them all at once."""
    hero = nlp.get_pipe("transformer")
    docs = list(map(nlp.make_doc, texts))
    hero.set_annotations(docs, hero.predict(docs))
    return docs


@contextmanager
def waiting_is_an_error() -> Iterator[None]:
    """torch raises where the host would wait for the GPU, as a copy to the host does."""
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


@needs_cuda
@pytest.mark.parametrize("make", [predicting, learning])
def test_the_host_does_not_wait(make, nlp):
    make(nlp, TEXTS)()  # compiles
    call = make(nlp, TEXTS)
    with waiting_is_an_error():
        call()


@needs_cuda
@pytest.mark.parametrize("recurrence", RECURRENCES)
def test_no_recurrence_makes_the_host_wait(recurrence):
    module = HeroGang(32, [3, 5], recurrence, "mlp", tags=7).to(DEVICE)
    z = torch.randn(20, 32, device=DEVICE, requires_grad=True)
    d_logits = torch.randn(20, 7, device=DEVICE)

    def both_ways() -> None:
        with autocast("bfloat16", DEVICE):
            logits = module(z, [9, 1, 10], rate=0.1)
        logits.backward(d_logits)

    both_ways()  # compiles
    with waiting_is_an_error():
        both_ways()


@pytest.mark.parametrize("make", [predicting, learning])
def test_as_many_launches_for_many_docs(make, nlp):
    few, many = (launches(make, nlp, TEXTS * times) for times in (2, 50))
    assert few > 0
    assert many <= few + SPLIT


def launches(make, nlp, texts) -> int:
    """How many kernels and copies a call takes, or calls of torch's operators where it is dry."""
    make(nlp, texts)()
    call = make(nlp, texts)
    activity = ProfilerActivity.CPU if DRY else ProfilerActivity.CUDA
    with profile(activities=[activity]) as profiler:
        call()
        if not DRY:
            torch.cuda.synchronize()
    if DRY:
        return sum(event.name.startswith("aten::") for event in profiler.events())
    count = sum(event.device_type == DeviceType.CUDA for event in profiler.events())
    if not count:
        pytest.skip("torch's profiler sees no kernels on this machine (CUPTI)")
    return count
