"""``spacy hgn debug data``: check a config's corpora before the training."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any, cast

from spacy.cli._util import import_code, parse_config_overrides, show_validation_error
from spacy.language import Language
from spacy.pipeline import TrainablePipe
from spacy.schemas import ConfigSchemaTraining
from spacy.training import Corpus, Example
from spacy.util import load_config, load_model_from_config, registry, resolve_dot_names
from thinc.api import Config, Model
from typer import Argument, Context, Option
from wasabi import msg
from wasabi.util import locale_escape

from spacy_hgn.corpora.checks import Finding, Part, examine, find_all
from spacy_hgn.corpora.hero_fit import (
    HeroFit,
    Kept,
    Step,
    count_kept,
    find_largest_step,
    measure_fit,
)
from spacy_hgn.corpora.stats import Overlap, find_overlaps

from . import debug_cli
from .corpus_options import CorpusOptions, with_corpus_options
from .pipelines import Code, Component, ending_at, find_component, write_json
from .raw_corpora import as_docbin, convert_corpora
from .stats import show_counts, show_overlaps

ConfigPath = Argument(help="Training config", exists=True, dir_okay=False)
Test = Option("--test", "-t", help="Another part to check", exists=True)
Show = Option("--show", min=0, help="Number of examples to show per finding")
Output = Option("--output", "-o", "--json", help="JSON file for all findings", dir_okay=False)
IgnoreWarnings = Option("--ignore-warnings", "-IW", help="Show only numbers and errors")

if TYPE_CHECKING:
    from spacy_transformers.data_classes import HFObjects

SOUND = {
    "data": "All parts have texts and entities",
    "labels": "Enough entities of all labels in train",
    "parts": "All parts have the same labels",
    "entities": "All entities can be learnt",
    "overlap": "No sentence is in two parts",
    "length": "The Hero can read all texts",
    "step": "There is enough memory for the largest step",
    "kept": "There is enough room for the vectors of all texts",
}
"""The message of a check without findings."""

TRAINED_ON = ("train", "dev")
"""The parts that a training reads several times."""

Reader = Callable[[Language], Iterable[Example]]


@dataclass(frozen=True)
class Report:
    """All results. hero: None if there is none or it can't be read. step: for a Hero that is
    trained. kept: for a frozen one."""

    parts: dict[str, Part]
    hero: HeroFit | None
    step: Step | None
    kept: Kept | None
    overlaps: list[Overlap]
    findings: list[Finding]


@debug_cli.command(
    "data", context_settings={"allow_extra_args": True, "ignore_unknown_options": True}
)
@with_corpus_options
def debug_data_cli(
    context: Context,
    config_path: Annotated[Path, ConfigPath],
    options: CorpusOptions,
    test: Annotated[Path | None, Test] = None,
    component: Annotated[str, Component] = "hgn_ner",
    show: Annotated[int, Show] = 3,
    output: Annotated[Path | None, Output] = None,
    ignore_warnings: Annotated[bool, IgnoreWarnings] = False,
    code: Annotated[Path | None, Code] = None,
) -> None:
    """Check the corpora of a config before the training.

    Reads training.train_corpus and training.dev_corpus with the config's own readers and the
    pipeline's own tokens. Override settings as in spacy train: --paths.train train.spacy. A corpus
    in another format is converted first, with the options of spacy hgn convert.

    Errors, with exit status 1: corpora or a Hero that can't be read; a part without texts, without
    entities, or without entities that can be learnt; a label that tags can't represent; a tenth or
    more of a part's entities that can't be learnt for the same reason (they don't match the tokens,
    begin or end with white space, or have an unknown label); incorrect spans that are entities.

    Warnings: fewer such entities; entities across the start of a sentence; labels with 50 entities
    or fewer in train; labels that some parts lack; fewer than 100 texts; sentences that two parts
    share; texts and tokens that are too long for the Hero, or in letters it doesn't know; a step
    that needs more memory than the machine has.
    """
    import_code(code)
    with (
        ending_at("Can't read the corpora", ValueError, OSError, can_repair=True),
        show_validation_error(config_path),
        TemporaryDirectory() as folder,
    ):
        config = load_config(config_path, overrides=parse_config_overrides(context.args))
        convert_corpora(config, Path(folder), options)
        nlp = load_model_from_config(config)
        training, readers = find_training(nlp.config.interpolate())
        if test is not None:
            readers["test"] = Corpus(as_docbin(test, Path(folder, "test.spacy"), options))
        report = look(nlp, component, training, readers, show)
    levels = Counter(finding.level for finding in report.findings)
    show_report(report, show, ignore_warnings)
    if output is not None:
        write_json(output, {"config": str(config_path), **asdict(report)})
    summary = f"Errors: {levels['error']:,}, warnings: {levels['warning']:,}"
    if levels["error"]:
        msg.fail(summary, exits=1)
    msg.good(summary)


def find_training(config: Config) -> tuple[dict[str, Any], dict[str, Reader]]:
    """A config's section ``training``, and its readers of train and dev.

    Raises ConfigValidationError if they are missing.
    """
    training = registry.resolve(config["training"], schema=ConfigSchemaTraining)
    names = [training["train_corpus"], training["dev_corpus"]]
    return training, dict(zip(TRAINED_ON, resolve_dot_names(config, names)))


def look(
    nlp: Language,
    name: str,
    training: Mapping[str, Any],
    readers: Mapping[str, Reader],
    n_examples: int,
) -> Report:
    """Read the parts and check them for a component of the pipeline.

    Raises ValueError if the component isn't an hgn_ner, and the readers' errors.
    """
    component = find_component(nlp, name)
    examples = {part: list(reader(nlp)) for part, reader in readers.items()}
    settings = known_labels(nlp, component), component.incorrect_spans_key
    parts = {part: examine(found, *settings) for part, found in examples.items()}
    references = {part: [eg.reference for eg in found] for part, found in examples.items()}
    overlaps = find_overlaps(references, n_examples)
    fit = step = kept = None
    unread = []
    try:
        if (node := find_hero(nlp, component)) is not None:
            hero = load(node)
            texts = {part: [eg.predicted for eg in found] for part, found in examples.items()}
            fit = measure_fit(texts, node.attrs["name"], hero)
            kept = count_kept(node, [examples[part] for part in TRAINED_ON])
            if kept is None:
                step = find_largest_step(examples["train"], training, hero, fit.limit)
    except ValueError as error:  # without a Hero, the other findings still help
        unread.append(Finding("error", "length", str(error)))
    findings = [*find_all(parts, overlaps, fit, step, kept), *unread]
    return Report(parts, fit, step, kept, overlaps, findings)


def known_labels(nlp: Language, component: Any) -> list[str] | None:
    """The labels that the config gives the component; None is all labels in the corpora."""
    settings = nlp.config.interpolate()["initialize"]["components"].get(component.name, {})
    given = registry.resolve(settings).get("labels")
    return None if given is None else [*component.labels, *given]


def load(node: Model) -> "HFObjects":
    """The Hero of a Transformer's model. Raises ValueError if it can't be loaded."""
    from spacy_hgn.hero.hero_files import load_hero  # torch comes with it

    shim: Any = node.layers[0].shims[0]
    if not node.attrs["has_transformer"]:
        settings = shim._hfmodel._init_tokenizer_config, shim._hfmodel._init_transformer_config
        node.attrs["set_transformer"](node, load_hero(node.attrs["name"], *settings))
    return shim._hfmodel


def find_hero(nlp: Language, component: Any) -> Model | None:
    """The Transformer inside the component, or the one it listens to."""
    nodes = list(component.model.walk())
    own = set(map(id, nodes))
    for _, pipe in nlp.components:
        if any(id(listener) in own for listener in getattr(pipe, "listeners", [])):
            nodes.extend(cast(TrainablePipe, pipe).model.walk())
    return next((node for node in nodes if "has_transformer" in node.attrs), None)


def show_report(report: Report, n_examples: int, ignore_warnings: bool) -> None:
    """Print the numbers, then the findings of each check."""
    msg.divider("Corpora")
    show_counts({name: part.counts for name, part in report.parts.items()}, report.hero)
    for name, part in report.parts.items():
        if part.misaligned_tokens:
            n = part.misaligned_tokens
            msg.info(f"{name}: {n:,} of the pipeline's tokens don't match the annotation's tokens")
    show_overlaps(report.overlaps)
    for need in (report.step, report.kept):
        if need is not None:
            msg.info(need.describe())
    msg.divider("Findings")
    has_data = not any(f.check == "data" and f.level == "error" for f in report.findings)
    for check, sound in SOUND.items():
        found = [finding for finding in report.findings if finding.check == check]
        for finding in found:
            if finding.level == "error" or not ignore_warnings:
                show_finding(finding, n_examples)
        of_hero = {"length": report.hero, "step": report.step, "kept": report.kept}
        if not found and has_data and of_hero.get(check, True):
            msg.good(sound)


def show_finding(finding: Finding, n_examples: int) -> None:
    """Print a finding and some examples."""
    tell: Any = msg.fail if finding.level == "error" else msg.warn
    tell(finding.message)
    more = len(finding.examples) - n_examples
    for example in finding.examples[:n_examples]:
        print(locale_escape(f"    {example}"))
    if n_examples and more > 0:
        print(f"    and {more:,} more")
