"""Random numbers go on where they were, from memory and from JSON."""

import json
import random

import numpy
import torch

from spacy_hgn.training.loop.random_numbers import (
    RandomStream,
    put_random_state,
    random_state,
)


def draw() -> tuple[float, ...]:
    gauss = random.gauss(0, 1), numpy.random.normal()  # each keeps a second one back
    return (*gauss, random.random(), float(numpy.random.rand()), float(torch.rand(1)))


def through_json(state):
    return json.loads(json.dumps(state, default=lambda array: array.tolist()))


def test_goes_on_through_json():
    draw()
    state = random_state()
    expected = draw()
    again = through_json(state)
    for each in (state, again):
        draw()
        put_random_state(each)
        assert draw() == expected


def test_a_gpu_s_generator_goes_on_too(monkeypatch):
    """Of the GPU that the process uses now, and once it uses one."""
    on_gpu = {"state": torch.tensor([7], dtype=torch.uint8)}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_rng_state", lambda: on_gpu["state"])
    monkeypatch.setattr(torch.cuda, "set_rng_state", lambda state: on_gpu.update(state=state))
    state = through_json(random_state())
    on_gpu["state"] = torch.tensor([8], dtype=torch.uint8)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: False)  # torch waits until it is
    put_random_state(state)
    assert on_gpu["state"].tolist() == [7]


def test_a_gpu_s_generator_is_left_out_where_there_is_none(monkeypatch):
    def unexpected(state):
        raise AssertionError

    monkeypatch.setattr(torch.cuda, "set_rng_state", unexpected)
    state = random_state()
    assert state["cuda"] is None
    put_random_state({**state, "cuda": torch.tensor([7], dtype=torch.uint8)})


def test_streams_do_not_move_each_other():
    stream = RandomStream(random_state())
    first, second = draw(), draw()
    put_random_state(stream.state)
    found = []
    for _ in range(2):
        with stream.drawing():
            found.append(draw())
        found.append(draw())
    assert found == [first, first, second, second]
