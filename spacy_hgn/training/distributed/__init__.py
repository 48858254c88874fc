"""Training on several processes with ``torchrun``, set up in the config.

Each process, called a rank, trains on its share of the data. Gradients are summed before the
optimizer uses them, so N ranks with batches of n train like one process with batches of N times n.
"""
