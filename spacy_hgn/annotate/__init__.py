"""Annotating corpora of any size, in shards that are each written once and completely.

Files (``inputs``) are cut into shards of documents (``shards``). Each shard is read (``reading``),
goes through the pipeline (``prediction``) and is written (``output``), followed by a receipt
(``receipts``). This happens in one process (``run``) or in Ray actors (``with_ray``).
"""
