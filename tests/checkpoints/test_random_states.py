"""Random numbers go on where they were, from memory and from JSON."""

import json
import random

import numpy
import torch

from spacy_hgn.checkpoints.random_states import RandomState, RandomStream


def draw() -> tuple[float, ...]:
    gauss = random.gauss(0, 1), numpy.random.normal()  # each keeps a second one back
    return (*gauss, random.random(), float(numpy.random.rand()), float(torch.rand(1)))


def test_goes_on_through_json():
    draw()
    state = RandomState.take()
    expected = draw()
    again = RandomState.from_json(json.loads(json.dumps(state.to_json())))
    for each in (state, again):
        draw()
        each.put()
        assert draw() == expected


def test_streams_do_not_move_each_other():
    stream = RandomStream(RandomState.take())
    first, second = draw(), draw()
    stream.state.put()
    found = []
    for _ in range(2):
        with stream.drawing():
            found.append(draw())
        found.append(draw())
    assert found == [first, first, second, second]
