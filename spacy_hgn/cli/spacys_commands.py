"""Changes of spaCy's own commands.

``train`` evaluates the last step, and refuses overrides of unknown settings. Under ``torchrun``,
each of its processes has its own GPU, and only the first writes output. ``evaluate`` draws the
entities of all components.
"""

import functools
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import spacy.cli
from spacy.cli._util import import_code, parse_config_overrides, show_validation_error
from spacy.language import DEFAULT_CONFIG
from spacy.tokens import Doc
from spacy.util import get_lang_class, load_config, registry, resolve_dot_names
from thinc.api import Config
from typer import Context, Typer
from wasabi import msg

from spacy_hgn.backend.gpu import check_gpu
from spacy_hgn.training.evaluations import change_for_last_step

from .pipelines import ending_at

UNCHECKED = ("vars", *DEFAULT_CONFIG)
"""Sections in which spaCy accepts any setting. In all others, functions check their arguments."""


def look_before_training(app: Typer) -> None:
    """Have ``train`` check configs that use this package. Other configs aren't changed."""
    _change_train(app, _looking)


def train_in_ranks(app: Typer) -> None:
    """Have ``train`` use the rank's GPU instead of the one in ``--gpu-id``, and write output on the
    first rank only.

    The logger that connects the ranks is made too late for this: by then, the pipeline is already
    on the first GPU. spaCy's command has no earlier hook.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        _change_train(app, _as_rank)


def draw_all_entities() -> None:
    """Have ``evaluate --displacy-path`` draw all entities, not those of ``ner`` alone."""
    module: Any = sys.modules[spacy.cli.evaluate.__module__]  # its function has the same name
    module.render_parses = _drawing_entities(module.render_parses)


def _change_train(app: Typer, change: Callable[[Callable], Callable]) -> None:
    for command in app.registered_commands:
        if command.name == "train" and command.callback is not None:
            command.callback = change(command.callback)


def _looking(train: Callable) -> Callable:
    @functools.wraps(train)
    def look_and_train(
        ctx: Context, config_path: Path, code_path: Path | None, use_gpu: int, **settings: Any
    ) -> Any:
        if config_path.is_file():  # not standard input, which can be read only once
            import_code(code_path)
            with ending_at("Can't train", ValueError, OSError):
                check_gpu(use_gpu)
                ctx.args += look_at(config_path, parse_config_overrides([*ctx.args]))
        given = {"config_path": config_path, "code_path": code_path, "use_gpu": use_gpu}
        return train(ctx=ctx, **given, **settings)

    return look_and_train


def look_at(path: Path, overrides: Mapping[str, Any]) -> list[str]:
    """Arguments to add to the command, so that the last step is evaluated.

    Exits if an override isn't a setting.
    """
    with show_validation_error(path):
        config = load_config(path, overrides={**overrides}, interpolate=False)
        own = load_config(path, interpolate=False)
    if not re.search(r"\b(spacy-hgn\.|hgn_ner\b)", config.to_str(interpolate=False)):
        return []
    for problem in find_unknown(overrides, own):
        msg.fail(problem, exits=1)
    with show_validation_error(path):
        config = config.interpolate()
        training = {**DEFAULT_CONFIG["training"], **config.get("training", {})}
        if training["max_epochs"] > 0 and int(os.environ.get("WORLD_SIZE", "1")) > 1:
            return []  # ranks count the batches of an epoch together, later
        changes = change_for_last_step(training, lambda: count_batches(config))
    if changes and os.environ.get("RANK", "0") == "0":
        told = ", ".join(f"{name} = {value}" for name, value in changes.items())
        msg.info(f"Changed under training, so that the last step is evaluated: {told}")
    return [f"--training.{name}={value}" for name, value in changes.items()]


def find_unknown(overrides: Iterable[str], config: Config) -> Iterator[str]:
    """An error message for each override that is neither in the config nor in spaCy's default."""
    for name in overrides:
        section, _, option = name.rpartition(".")
        if section not in UNCHECKED:
            continue
        known = [*config.get(section, {}), *DEFAULT_CONFIG.get(section, {})]
        if option not in known:
            near = get_close_matches(option, known, n=1)
            advice = f" Did you mean --{section}.{near[0]}?" if near else ""
            yield f"--{name}: the config has no such setting.{advice}"


def count_batches(config: Config) -> int:
    """The number of steps in one epoch of a config's training."""
    (train,) = resolve_dot_names(config, [config["training"]["train_corpus"]])
    batcher = registry.resolve({"batcher": config["training"]["batcher"]})["batcher"]
    nlp = get_lang_class(config["nlp"]["lang"])()
    return sum(1 for _ in batcher(train(nlp)))


def _as_rank(train: Callable) -> Callable:
    @functools.wraps(train)
    def train_as_rank(*args: Any, output_path: Path | None, use_gpu: int, **settings: Any) -> Any:
        if use_gpu >= 0:
            from spacy_hgn.backend.ranks import own_gpu

            check_gpu(0)
            use_gpu = own_gpu()
        if os.environ["RANK"] != "0":
            output_path = None
        return train(*args, output_path=output_path, use_gpu=use_gpu, **settings)

    return train_as_rank


def _drawing_entities(render: Callable) -> Callable:
    @functools.wraps(render)
    def render_with_entities(docs: Sequence[Doc], *args: Any, ents: bool, **settings: Any) -> None:
        is_annotated = any(doc.has_annotation("ENT_IOB") for doc in docs)
        render(docs, *args, ents=ents or is_annotated, **settings)

    return render_with_entities
