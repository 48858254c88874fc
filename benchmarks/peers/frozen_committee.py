"""frozen_hgn.py with a committee of three heads (``init config --frozen --members 3``)."""

from functools import partial

from frozen_hgn import BATCHES, PACKAGES, load, train
from lessons import serve

if __name__ == "__main__":
    serve(partial(train, members=3), load, BATCHES, *PACKAGES)
