"""Read corpora in many formats into Docs, without losing or guessing anything."""
