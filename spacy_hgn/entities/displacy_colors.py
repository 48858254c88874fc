"""Colours for displaCy: the types of the paper's corpora that displaCy has none for."""

COLORS = {
    # WNUT 2016 and 2017
    "location": "#9cc9cc",
    "geo-loc": "#feca74",
    "corporation": "#7aecec",
    "company": "#7aecec",
    "group": "#c887fb",
    "creative-work": "#f0d0ff",
    "movie": "#f0d0ff",
    "tvshow": "#e4b5f0",
    "musicartist": "#ffb3d1",
    "sportsteam": "#b7d7f0",
    "facility": "#ddd6c4",
    "product": "#bfeeb7",
    "other": "#dddddd",
    # BC5CDR and BC2GM
    "Disease": "#ffb09c",
    "Chemical": "#a6e3c8",
    "GENE": "#b9c6ff",
}
