"""The F1 in the paper's Tables 2 and 3, by corpus, Hero and system."""

SYSTEMS = ("base", "mlp", "dot", "add", "concat")


def _row(*f1: float) -> dict[str, float]:
    return dict(zip(SYSTEMS, f1, strict=True))


PUBLISHED = {
    "wnut16": {
        "BERT-large-cased": _row(54.36, 56.67, 56.75, 55.01, 55.84),
        "XLNet-large-cased": _row(56.69, 59.39, 59.50, 57.68, 57.69),
    },
    "wnut17": {
        "BERT-large-cased": _row(49.52, 54.65, 53.55, 51.20, 50.74),
        "XLNet-large-cased": _row(53.51, 57.20, 57.41, 53.20, 55.45),
    },
    "ontonotes": {
        "BERT-large-cased": _row(89.16, 89.71, 89.71, 89.58, 89.52),
        "XLNet-large-cased": _row(90.38, 90.92, 90.86, 90.74, 90.63),
    },
    "bc5cdr-disease": {"BioBERT-large": _row(87.15, 87.77, 87.86, 87.29, 87.33)},
    "bc5cdr-chem": {"BioBERT-large": _row(93.47, 94.43, 94.59, 94.29, 94.11)},
    "bc2gm": {"BioBERT-large": _row(84.72, 85.65, 85.54, 85.35, 85.12)},
}
"""By the name of the corpus's folder in assets. All with the protocol ``paper``."""
