"""The model's layers, in the order in which a text meets them: Hero, Gang, fusion, tags."""
