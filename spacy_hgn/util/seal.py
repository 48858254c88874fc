"""A checksum around serialized bytes, so that damaged files are refused and named."""

import hashlib

NAME = b"spacy-hgn"
FORMAT = 1
"""What comes after the head; a new number tells older releases that they can't read it."""

MAGIC = NAME + bytes([FORMAT])
_HEAD = len(MAGIC) + hashlib.sha256().digest_size


def seal(payload: bytes) -> bytes:
    """Put a mark and a SHA-256 in front of the bytes."""
    return MAGIC + hashlib.sha256(payload).digest() + payload


def unseal(data: bytes, what: str) -> bytes:
    """Return the bytes that were sealed.

    what: names the data in errors.
    Raises ValueError where they weren't sealed, were cut short, or were changed, or where a
    newer release sealed them.
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
            f"These are no {what} data of spacy-hgn, or they are damaged: expected them to "
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
