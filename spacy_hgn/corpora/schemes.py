"""Tag schemes (IOB1, IOB2, IOBES, BILUO, BMES, BMEWO, IO) and their detection."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from spacy_hgn.tags.tag_set import check_label

from .sentences import MISSING_TAG, Notation, Tag, TokenSpan, write_tags

OUTSIDE = "O"

BEGIN, CONTINUE, OPEN = "BSUW", "IMEL", "BIM"
"""Prefixes that begin an entity, that continue one, and after which it may continue."""

_TAG = re.compile(f"([{BEGIN}{CONTINUE}])-(.+)", re.DOTALL)


@dataclass(frozen=True)
class TagScheme(Notation):
    """A scheme of prefixed tags, ``B-geo-loc``: the prefix ends at the first hyphen.

    name: for users. single, first, last, middle: the prefixes of an entity's only, first, last
    and other tokens. touching: the prefix of the first token directly after an entity with the
    same label, if it differs.
    """

    name: str
    single: str
    first: str
    last: str
    touching: str | None = None
    middle: str = "I"

    @property
    def letters(self) -> str:
        """The letters that its tags may begin with."""
        return f"{OUTSIDE}{MISSING_TAG}B{self.middle}{self.single}{self.last}"

    expected = (
        "O, - for a missing tag, or one of B I E S L U M W, a hyphen and a label (for labels "
        "without a prefix, set the scheme io)"
    )

    def knows(self, tag: str) -> bool:
        """Whether it is a tag of any scheme."""
        return tag == OUTSIDE or split_tag(tag) is not None

    def parse(self, tag: str) -> Tag | None:
        """The same for every scheme: B, S, U and W begin an entity; E, L, S, U and W end one."""
        parts = split_tag(tag)
        return None if parts is None else Tag(parts[0] in BEGIN, parts[1], parts[0] in OPEN)

    def write(self, entities: Sequence[TokenSpan], length: int) -> list[str]:
        """The tags of as many tokens, given their entities in order."""
        tags = [OUTSIDE] * length
        end_before, label_before = 0, ""
        for start, end, label in entities:
            prefixes = [self.middle] * (end - start)
            prefixes[0] = self.first
            prefixes[-1] = self.last if end - start > 1 else self.single
            if self.touching and start == end_before and label == label_before:
                prefixes[0] = self.touching
            tags[start:end] = [f"{prefix}-{label}" for prefix in prefixes]
            end_before, label_before = end, label
        return tags


class Labels(Notation):
    """IO without prefixes: a token's tag is the label of its entity.

    Adjacent entities with the same label look like one entity. This scheme is never detected,
    because any column of words would match it.
    """

    name = "IO"
    expected = "O, - for a missing tag, or a label without a prefix"

    def knows(self, tag: str) -> bool:
        """Whether it is O or a label."""
        if tag == OUTSIDE:
            return True
        return split_tag(tag) is None and is_label(tag) and any(map(str.isalnum, tag))

    def parse(self, tag: str) -> Tag | None:
        """Any other text than O and - is a label."""
        return None if tag in (OUTSIDE, MISSING_TAG) else Tag(False, tag, True)

    def write(self, entities: Sequence[TokenSpan], length: int) -> list[str]:
        """The tags of as many tokens, given their entities in order."""
        tags = [OUTSIDE] * length
        for start, end, label in entities:
            tags[start:end] = [label] * (end - start)
        return tags


IOB1 = TagScheme("IOB1", single="I", first="I", last="I", touching="B")
IOB2 = TagScheme("IOB2", single="B", first="B", last="I")
IOBES = TagScheme("IOBES", single="S", first="B", last="E")
BILUO = TagScheme("BILUO", single="U", first="B", last="L")
BMES = TagScheme("BMES", single="S", first="B", last="E", middle="M")
BMEWO = TagScheme("BMEWO", single="W", first="B", last="E", middle="M")
IO = Labels()

FOUND = (IOB2, IOB1, IOBES, BILUO, BMES, BMEWO)
"""The schemes that can be detected."""

NOTATIONS: dict[str, Notation] = {
    **{"iob2": IOB2, "bio": IOB2, "iob1": IOB1, "iobes": IOBES, "bioes": IOBES},
    **{"biluo": BILUO, "bilou": BILUO, "bmes": BMES, "bmewo": BMEWO, "io": IO},
}
"""All schemes, under all their names."""


def split_tag(tag: str) -> tuple[str, str] | None:
    """The prefix and the label of a tag; None if it has none, or isn't a tag."""
    match = _TAG.fullmatch(tag)
    return (match[1], match[2]) if match and is_label(match[2]) else None


def is_label(label: object) -> bool:
    """Whether the component can learn entities with this label."""
    try:
        check_label(label)  # type: ignore[arg-type]
    except ValueError:
        return False
    return True


def find_scheme(sentences: Iterable[Sequence[str]]) -> TagScheme:
    """The scheme in which all tags are valid, or else most of them.

    If there are several, the first one with the same prefixes: IOB2, then IOB1, IOBES, BILUO, BMES,
    BMEWO.

    sentences: the tags of each sentence, read once.
    """
    impossible: Counter[TagScheme] = Counter()
    foreign: Counter[TagScheme] = Counter()
    for tags in sentences:
        known = [tag if IOB2.knows(tag) else MISSING_TAG for tag in tags]
        entities = IOB2.read(known)
        for scheme in FOUND if entities else ():
            valid = write_tags(entities, known, scheme)
            impossible[scheme] += sum(a != b for a, b in zip(known, valid))
            foreign[scheme] += sum(tag[0] not in scheme.letters for tag in known)
    fitting = (scheme for scheme in FOUND if not impossible[scheme])
    misfits = {scheme: (impossible[scheme], foreign[scheme]) for scheme in FOUND}
    return next(fitting, min(FOUND, key=lambda scheme: misfits[scheme]))
