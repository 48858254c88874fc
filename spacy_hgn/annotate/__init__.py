"""Annotating corpora of any size: input files become shards, each done once and whole.

A run is planned first (``inputs``, ``survey``, ``plan``, ``manifest``): which documents of which
files are a shard. Each shard is then read (``reading``), annotated (``pipe``) and written
(``shard``, ``entities_table``, ``docbin_file``, ``whole_files``), here or by Ray's actors.
"""
