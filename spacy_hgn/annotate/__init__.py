"""Annotating corpora of any size: inputs become shards, each done once and whole.

Files (``inputs``) are cut into shards of documents (``shards``). Each is read (``reading``), goes
through the pipeline (``prediction``) and is written (``output``), with a receipt that says so
(``receipts``): in this process (``run``) or by Ray's actors (``with_ray``).
"""
