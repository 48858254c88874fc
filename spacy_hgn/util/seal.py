"""A checksum for serialized bytes, to detect damaged files."""

import hashlib

NAME = b"spacy-hgn"
FORMAT = 1
"""The version of the format. Older releases refuse a newer one."""

MAGIC = NAME + bytes([FORMAT])
_HEAD = len(MAGIC) + hashlib.sha256().digest_size


def seal(payload: bytes) -> bytes:
    """Add a header with the version and a SHA-256."""
    return MAGIC + hashlib.sha256(payload).digest() + payload


def unseal(data: bytes, what: str) -> bytes:
    """Check and return the bytes without the header.

    what: the name of the data in errors. Raises ValueError for data that have no header, are
    truncated or changed, or come from a newer release.
    """
    found = data[: len(MAGIC)]
    if found[:-1] == NAME and found[-1] > FORMAT:
        raise ValueError(
            f"The {what} data are in format {found[-1]}, and this spacy-hgn reads format {FORMAT}: "
            "a newer release wrote them, or they are damaged. Update spacy-hgn, or copy the "
            "pipeline again."
        )
    if found != MAGIC:
        raise ValueError(
            f"These aren't {what} data of spacy-hgn, or they are damaged: expected them to "
            f"begin with {MAGIC!r}, got {found!r} ({len(data):,} bytes in all)."
        )
    payload = data[_HEAD:]
    if hashlib.sha256(payload).digest() != data[len(MAGIC) : _HEAD]:
        raise ValueError(
            f"The {what} data are damaged: their checksum doesn't match the {len(payload):,} "
            "bytes that follow it. They were cut short or changed since they were written; "
            "copy the pipeline again."
        )
    return payload
