"""A checksum around serialized bytes, so that damaged files are refused and named."""

import hashlib

MAGIC = b"spacy-hgn\x01"
_HEAD = len(MAGIC) + hashlib.sha256().digest_size


def seal(payload: bytes) -> bytes:
    """Put a mark and a SHA-256 in front of the bytes."""
    return MAGIC + hashlib.sha256(payload).digest() + payload


def unseal(data: bytes, what: str) -> bytes:
    """Return the bytes that were sealed.

    what: names the data in errors.
    Raises ValueError where they weren't sealed, were cut short, or were changed.
    """
    if not data.startswith(MAGIC):
        raise ValueError(
            f"These are no {what} data of spacy-hgn, or they are damaged: expected them to "
            f"begin with {MAGIC!r}, got {data[: len(MAGIC)]!r} ({len(data):,} bytes in all)."
        )
    payload = data[_HEAD:]
    if hashlib.sha256(payload).digest() != data[len(MAGIC) : _HEAD]:
        raise ValueError(
            f"The {what} data are damaged: their checksum doesn't match the {len(payload):,} "
            "bytes that follow it. They were cut short or changed since they were written; "
            "copy the pipeline again."
        )
    return payload
