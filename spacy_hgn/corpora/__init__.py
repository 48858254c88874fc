"""Corpora as files: columns, CoNLL-2003, CoNLL-2012 and JSONL become Docs, losing nothing."""
