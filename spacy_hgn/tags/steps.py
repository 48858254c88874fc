"""The order in which what runs along texts takes the tokens of many texts at once."""

from itertools import pairwise

import numpy


class Steps:
    """Tokens in the order in which they are taken: all first ones of the parts, all second ones ...

    Longer parts come first, so that those that a step still has are the first few.
    """

    def __init__(self, is_first: numpy.ndarray) -> None:
        """is_first: whether a part begins at the token. *Shape:* (tokens,)"""
        starts = numpy.flatnonzero(is_first)
        part = numpy.cumsum(is_first) - 1
        lengths = numpy.bincount(part)
        place = numpy.arange(len(part)) - starts[part]
        self.order = numpy.lexsort((-lengths[part], place))
        bounds = numpy.cumsum([0, *numpy.bincount(place)]).tolist()
        self.rows = [slice(*pair) for pair in pairwise(bounds)]
