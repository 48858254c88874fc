"""What the subcommands that run a pipeline share: options, how it is loaded, what they write."""

from pathlib import Path

from spacy.language import Language
from spacy.util import load_model
from typer import Argument, Option
from wasabi import msg

FACTORY = "hgn_ner"

Pipeline = Argument(help="Name of an installed package, or folder")
Component = Option("--component", help="Name of the component in the pipeline")
Gpu = Option("--gpu-id", "-g", help="GPU ID or -1 for CPU")
Code = Option("--code", "-c", help="Python file with what the pipeline registers")


def load_pipeline(name: str) -> Language:
    """Load an installed package or a folder.

    Raises OSError if there is none, and ValueError if no ``hgn_ner`` runs in it.
    """
    nlp = load_model(name)
    if not own_components(nlp):
        components = ", ".join(nlp.pipe_names) or "none"
        disabled = f" (disabled: {', '.join(nlp.disabled)})" if nlp.disabled else ""
        raise ValueError(
            f"{name}: expected a pipeline with {FACTORY}, "
            f"got one with the components: {components}{disabled}."
        )
    return nlp


def own_components(nlp: Language) -> list[str]:
    """The names of the components that are ``hgn_ner``."""
    return [name for name in nlp.pipe_names if nlp.get_pipe_meta(name).factory == FACTORY]


def write_text(path: Path, text: str) -> None:
    """Write a file, in a folder that is made where it isn't there, and say so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf8")
    msg.good(f"Written to {path}")
