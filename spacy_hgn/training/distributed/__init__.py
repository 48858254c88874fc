"""Training over several processes, under ``torchrun``, through the config alone.

Each process, a rank, trains on its share of the data. Their gradients are summed before the
optimizer sees them: N ranks with batches of n learn as one process with batches of N times n.
"""
