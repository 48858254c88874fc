"""What checkpoints and several processes share: a way into spaCy's training loop."""
