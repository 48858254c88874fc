"""What's wrong with a grid or its corpora."""


class GridError(ValueError):
    """A grid file, or what it names, can't be used. Its text is for the user."""
