"""The error that ends a run; what is done stays done."""


class AnnotatingError(ValueError):
    """A run that can't begin or go on as things stand."""
