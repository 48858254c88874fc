"""Corpora as files of many formats become Docs: nothing is lost, and nothing guessed."""
