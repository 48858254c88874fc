"""Hard input: texts, corpora and model files as no one would wish for."""
