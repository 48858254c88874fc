"""Corpora in a config that aren't converted yet."""

from pathlib import Path
from typing import Any

from thinc.api import Config
from wasabi import msg

from spacy_hgn.corpora.docbin import SUFFIX, list_docbins, open_outputs
from spacy_hgn.corpora.parts import refuse_settings
from spacy_hgn.corpora.reading import Task

from .convert import Summary, convert, find_files
from .corpus_options import CorpusOptions, show_counts_of_reading

READERS = ("spacy.Corpus.v1", "spacy-hgn.ShardedCorpus.v1")
"""The readers of ``.spacy`` files."""


def convert_corpora(config: Config, folder: Path, options: CorpusOptions) -> None:
    """Convert a config's train and dev corpora into a folder, unless they are ``.spacy`` files,
    and have the config read the result.

    Raises CorpusError if a corpus can't be read, or if options are given but nothing is converted.
    """
    places = config.interpolate()
    for name in ("train_corpus", "dev_corpus"):
        section, _, part = str(places.get("training", {}).get(name)).rpartition(".")
        reader: dict[str, Any] = places.get(section, {}).get(part, {})
        if reader.get("@readers") in READERS and reader.get("path"):
            path = as_docbin(Path(reader["path"]), folder / f"{part}{SUFFIX}", options)
            config[section][part]["path"] = str(path)


def as_docbin(path: Path, output: Path, options: CorpusOptions) -> Path:
    """Convert a corpus, unless it is ``.spacy`` files. Returns the path of the ``.spacy`` files."""
    settings = options.settings()
    is_docbin = path.suffix == SUFFIX or (path.is_dir() and bool(list_docbins(path)))
    if is_docbin or not path.exists():
        refuse_settings(path, settings, options.format)
        return path
    task, summary = Task(options.make_pipeline(), settings, options.repairs()), Summary()
    with open_outputs(output) as outputs:
        convert(find_files(path, output), outputs, task, options.format, summary)
        outputs.move()
    msg.info(f"{path}: {'; '.join(dict.fromkeys(summary.found.values()))}")
    show_counts_of_reading(task.counts, task.repairs)
    return output
