"""Build the sample corpus in assets/sample from hand-written passages and templates.

Reads ``handwritten/*.txt`` and ``templates/*.txt`` and writes ``train.tsv``, ``dev.tsv`` and
``test.tsv``: one token and its BIO tag a line, a blank line between sentences. The output
depends only on the input files, the seed and spaCy's English tokenizer.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
from collections import Counter
from pathlib import Path

import spacy
from spacy.language import Language

SPLITS = ("train", "dev", "test")
GENERATED = {"train": 1720, "dev": 215, "test": 215}
LABELS = [
    *("PERSON", "NORP", "FAC", "ORG", "GPE", "LOC", "PRODUCT", "EVENT", "WORK_OF_ART"),
    *("LAW", "LANGUAGE", "DATE", "TIME", "PERCENT", "MONEY", "QUANTITY", "ORDINAL", "CARDINAL"),
]
DEFAULT_DIR = Path(__file__).resolve().parent.parent / "assets" / "sample"

MARKUP = re.compile(r"\[([A-Z_]+) ([^\[\]]+)\]")
SLOT = re.compile(r"\{([^{}]+)\}")
REFERENCE = re.compile(r"<([^<>]+)>")
ARTICLE = re.compile(r"\b([Aa])\(n\) (?=(\S+))")
# Words that take "an": a vowel letter that is not pronounced as a consonant, or 8, 11, 18, 80-89.
VOWEL_SOUND = re.compile(r"(?!eu|one\b|uga|uk|uni|ur[au]|us[aeu])[aeiou]|8|1[18]\b", re.IGNORECASE)

Pools = dict[str, list[str]]
Sentence = tuple[str, list[tuple[int, int, str]]]  # text and (start, end, label) entities
Tagged = list[tuple[str, str]]  # (token, BIO tag) pairs


def content_lines(path: Path) -> list[str]:
    """Return the lines of a text file that are neither empty nor comments."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def read_pools(path: Path) -> Pools:
    """Read filler lists: a ``[name]`` header, then values separated by `` | ``."""
    pools: Pools = {}
    values: list[str] = []
    for line in content_lines(path):
        if line.startswith("["):
            values = pools.setdefault(line[1:-1], [])
        else:
            values.extend(value.strip() for value in line.split(" | "))
    return pools


def check_disjoint(directory: Path) -> None:
    """Raise if a template or an open-class filler occurs in two splits."""
    owner: dict[tuple[str, str], str] = {}
    for split in SPLITS:
        items = {("template", line) for line in content_lines(directory / f"{split}.txt")}
        for name, values in read_pools(directory / f"fillers_{split}.txt").items():
            kind = name.split(".")[0]
            items |= {(kind, value) for value in values if not REFERENCE.search(value)}
        for item in items:
            if item in owner:
                raise ValueError(f"{item} is in both {owner[item]} and {split}")
            owner[item] = split


def expand(name: str, pools: Pools, rng: random.Random) -> str:
    """Draw a value of a filler list and expand the references inside it."""

    def replace(match: re.Match[str]) -> str:
        low, dots, high = match[1].partition("..")
        return str(rng.randint(int(low), int(high))) if dots else expand(match[1], pools, rng)

    return REFERENCE.sub(replace, rng.choice(pools[name]))


def resolve_articles(marked: str) -> str:
    """Replace ``a(n)`` by the article that suits the word after it."""

    def replace(match: re.Match[str]) -> str:
        rest = MARKUP.sub(r"\2", marked[match.end() :])
        return f"{match[1]}n " if VOWEL_SOUND.match(rest) else f"{match[1]} "

    return ARTICLE.sub(replace, marked)


def fill(template: str, pools: Pools, rng: random.Random) -> str:
    """Fill the slots of a template; the result has the markup of hand-written text."""
    used: set[str] = set()

    def replace(match: re.Match[str]) -> str:
        name = match[1]
        value = expand(name, pools, rng)
        while value in used:  # no value twice in one sentence
            value = expand(name, pools, rng)
        used.add(value)
        return value if name.startswith("_") else f"[{name.split('.')[0]} {value}]"

    marked = resolve_articles(SLOT.sub(replace, template))
    if template.startswith("{"):
        first = marked.find(" ") + 1 if marked.startswith("[") else 0
        keep = marked[first:].startswith("iP")  # product names such as iPhone
        marked = marked if keep else marked[:first] + marked[first].upper() + marked[first + 1 :]
    # An abbreviation at the end of a sentence takes no second full stop.
    return re.sub(r"\.\]\.(?=$| )", ".]", marked)


def generate(
    count: int, templates: list[str], pools: Pools, seen: set[str], rng: random.Random
) -> list[Sentence]:
    """Generate sentences, using all templates about equally often and repeating none."""
    sentences: list[Sentence] = []
    failures = 0
    while len(sentences) < count:
        for template in rng.sample(templates, len(templates)):
            sentence = parse_markup(fill(template, pools, rng))
            key = sentence[0].lower()
            if key in seen:
                failures += 1
                if failures > 50 * count:
                    raise ValueError("the templates do not allow that many sentences")
                continue
            seen.add(key)
            sentences.append(sentence)
    rng.shuffle(sentences)
    return sentences[:count]


def parse_markup(line: str) -> Sentence:
    """Split ``[LABEL text]`` markup into plain text and entity offsets."""
    text = ""
    entities = []
    position = 0
    for match in MARKUP.finditer(line):
        if match[1] not in LABELS:
            raise ValueError(f"unknown label {match[1]!r} in: {line}")
        text += line[position : match.start()]
        entities.append((len(text), len(text) + len(match[2]), match[1]))
        text += match[2]
        position = match.end()
    text += line[position:]
    if re.search(r"[\[\]{}<>]", text):
        raise ValueError(f"stray bracket in: {line}")
    return text, entities


def tag(sentence: Sentence, nlp: Language) -> Tagged:
    """Tokenize a sentence and give each token a BIO tag."""
    text, entities = sentence
    doc = nlp.make_doc(text)
    tags = ["O"] * len(doc)
    for start, end, label in entities:
        span = doc.char_span(start, end)
        if span is None:
            raise ValueError(f"{text[start:end]!r} does not fall on token boundaries in: {text}")
        tags[span.start : span.end] = [f"B-{label}"] + [f"I-{label}"] * (len(span) - 1)
    return [(tok.text, bio) for tok, bio in zip(doc, tags, strict=True) if not tok.is_space]


def build(directory: Path, seed: int) -> dict[str, dict[str, list[Tagged]]]:
    """Return the tagged sentences of each split, hand-written and generated ones apart."""
    nlp = spacy.blank("en")
    templates = directory / "templates"
    check_disjoint(templates)
    written = {
        split: [
            parse_markup(line) for line in content_lines(directory / f"handwritten/{split}.txt")
        ]
        for split in SPLITS
    }
    texts = [text.lower() for sentences in written.values() for text, _ in sentences]
    seen = set(texts)
    if len(seen) < len(texts):
        raise ValueError(f"repeated: {[text for text, n in Counter(texts).items() if n > 1]}")
    corpus = {}
    for split in SPLITS:
        rng = random.Random(f"{seed}-{split}")
        pools = read_pools(templates / "fillers_shared.txt")
        pools |= read_pools(templates / f"fillers_{split}.txt")
        patterns = content_lines(templates / f"{split}.txt")
        made = generate(GENERATED[split], patterns, pools, seen, rng)
        corpus[split] = {
            "hand-written": [tag(sentence, nlp) for sentence in written[split]],
            "generated": [tag(sentence, nlp) for sentence in made],
        }
    return corpus


def merged(parts: dict[str, list[Tagged]]) -> list[Tagged]:
    """Return the sentences of a split: the hand-written ones, then the generated ones."""
    return [tagged for group in parts.values() for tagged in group]


def to_tsv(sentences: list[Tagged]) -> bytes:
    """Serialise tagged sentences."""
    blocks = ["".join(f"{token}\t{bio}\n" for token, bio in tagged) for tagged in sentences]
    return "\n".join(blocks).encode("utf-8")


def entity_strings(sentences: list[Tagged]) -> list[tuple[str, str]]:
    """Return (label, lower-cased surface string) of every entity."""
    found: list[tuple[str, str]] = []
    for tagged in sentences:
        for token, bio in tagged:
            if bio.startswith("B-"):
                found.append((bio[2:], token.lower()))
            elif bio.startswith("I-"):
                found[-1] = (found[-1][0], f"{found[-1][1]} {token.lower()}")
    return found


def statistics(corpus: dict[str, dict[str, list[Tagged]]]) -> str:
    """Return the tables of the README: sizes, entities per type and overlap with train."""
    rows = ["| split | source | sentences | without entity | tokens | entities |"]
    rows.append("| --- | --- | ---: | ---: | ---: | ---: |")
    for split, parts in corpus.items():
        for source, group in parts.items():
            empty = sum(all(bio == "O" for _, bio in tagged) for tagged in group)
            sizes = f"{len(group)} | {empty} | {sum(map(len, group))}"
            rows.append(f"| {split} | {source} | {sizes} | {len(entity_strings(group))} |")
    names = {split: entity_strings(merged(parts)) for split, parts in corpus.items()}
    counts = {split: Counter(label for label, _ in found) for split, found in names.items()}
    known = set(names["train"])
    rows += ["", "| type | train | dev | test | dev seen in train | test seen in train |"]
    rows.append("| --- | ---: | ---: | ---: | ---: | ---: |")
    for label in LABELS:
        cells = [str(counts[split][label]) for split in SPLITS]
        for split in ("dev", "test"):
            hits = sum(item in known for item in names[split] if item[0] == label)
            cells.append(f"{100 * hits / max(1, counts[split][label]):.0f}%")
        rows.append(f"| {label} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def main(argv: list[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Build the sample corpus.")
    parser.add_argument("--dir", type=Path, default=DEFAULT_DIR, help="default: assets/sample")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--check", action="store_true", help="compare with the files, write none")
    parser.add_argument("--stats", action="store_true", help="print the tables of the README")
    args = parser.parse_args(argv)
    corpus = build(args.dir, args.seed)
    differing = []
    for split, parts in corpus.items():
        path = args.dir / f"{split}.tsv"
        content = to_tsv(merged(parts))
        if not args.check:
            path.write_bytes(content)
        elif not path.is_file() or path.read_bytes() != content:
            differing.append(str(path))
    if args.stats:
        print(statistics(corpus))
    if differing:
        print(f"out of date, run {Path(__file__).name}: {', '.join(differing)}", file=sys.stderr)
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
