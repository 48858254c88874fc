"""Hooks into spaCy's training loop, for checkpoints and several processes."""
