"""Tag schemes: IOB1, IOB2, IOBES, BILUO, and which of them a corpus uses."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from spacy_hgn.tags import check_label

from .sentences import MISSING, Entity, write_tags

OUTSIDE = "O"

_TAG = re.compile(r"([BIESLU])-(.+)", re.DOTALL)


@dataclass(frozen=True)
class TagScheme:
    """A scheme of prefixed tags, ``B-geo-loc``: the prefix ends at the first hyphen.

    name: as users know it. single, first, last: the prefixes of an entity's only, first and
    last token; those between have I. touching: the first token's right after an entity of
    the same label, where that makes a difference.
    """

    name: str
    single: str
    first: str
    last: str
    touching: str | None = None

    @property
    def letters(self) -> str:
        """What its tags may begin with."""
        return f"{OUTSIDE}{MISSING}BI{self.single}{self.last}"

    expected = "O, - for a missing tag, or one of B I E S L U, a hyphen and a label"

    def knows(self, tag: str) -> bool:
        """Whether it is a tag of any scheme."""
        return tag == OUTSIDE or split_tag(tag) is not None

    def read(self, tags: Sequence[str]) -> list[Entity]:
        """The entities that tags name, the same under every scheme.

        B, S and U begin an entity; so does a tag that has no entity of its label before it
        to continue. E, L, S and U end one. What isn't a tag is outside.
        """
        entities: list[Entity] = []
        is_open = False
        for i, tag in enumerate(tags):
            parts = split_tag(tag)
            if parts is None:
                is_open = False
                continue
            prefix, label = parts
            if is_open and prefix in "IEL" and entities[-1][2] == label:
                entities[-1] = (entities[-1][0], i + 1, label)
            else:
                entities.append((i, i + 1, label))
            is_open = prefix in "BI"
        return entities

    def write(self, entities: Sequence[Entity], length: int) -> list[str]:
        """The tags of as many tokens, given their entities in order."""
        tags = [OUTSIDE] * length
        end_before, label_before = 0, ""
        for start, end, label in entities:
            prefixes = ["I"] * (end - start)
            prefixes[0] = self.first
            prefixes[-1] = self.last if end - start > 1 else self.single
            if self.touching and start == end_before and label == label_before:
                prefixes[0] = self.touching
            tags[start:end] = [f"{prefix}-{label}" for prefix in prefixes]
            end_before, label_before = end, label
        return tags


IOB1 = TagScheme("IOB1", single="I", first="I", last="I", touching="B")
IOB2 = TagScheme("IOB2", single="B", first="B", last="I")
IOBES = TagScheme("IOBES", single="S", first="B", last="E")
BILUO = TagScheme("BILUO", single="U", first="B", last="L")

SCHEMES = {
    **{"iob2": IOB2, "bio": IOB2, "iob1": IOB1, "iobes": IOBES, "bioes": IOBES},
    **{"biluo": BILUO, "bilou": BILUO},
}
"""The schemes by all their names."""


def split_tag(tag: str) -> tuple[str, str] | None:
    """The prefix and the label of a tag; None if it has none, or isn't a tag."""
    match = _TAG.fullmatch(tag)
    return (match[1], match[2]) if match and is_label(match[2]) else None


def is_label(label: object) -> bool:
    """Whether the component could learn entities of this label."""
    try:
        check_label(label)  # type: ignore[arg-type]
    except ValueError:
        return False
    return True


def find_scheme(sentences: Iterable[Sequence[str]]) -> TagScheme:
    """The scheme in which all tags are valid, or failing that, the most of them.

    Of several such schemes the first whose prefixes they have is taken: IOB2, then IOB1,
    IOBES, BILUO.

    sentences: the tags of each sentence.
    """
    sentences = list(sentences)
    misfits: dict[TagScheme, tuple[int, int]] = {}
    for scheme in (IOB2, IOB1, IOBES, BILUO):
        impossible = foreign = 0
        for tags in sentences:
            known = [tag if scheme.knows(tag) else MISSING for tag in tags]
            valid = write_tags(scheme.read(known), known, scheme)
            impossible += sum(a != b for a, b in zip(known, valid))
            foreign += sum(tag[0] not in scheme.letters for tag in known)
        if not impossible:
            return scheme
        misfits[scheme] = (impossible, foreign)
    return min(misfits, key=lambda scheme: misfits[scheme])
