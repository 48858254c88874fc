"""``spacy hgn init config``: write a config for ``spacy train``."""

from pathlib import Path
from typing import Annotated

from spacy.cli.init_config import InitValues, Optimizations, save_config
from typer import Argument, BadParameter, Exit, Option
from wasabi import Printer
from wasabi.util import locale_escape

from . import init_cli


def parse_windows(text: str) -> list[int]:
    """Parse widths of windows, ``[3, 5, 7]`` or without brackets."""
    widths = [width.strip() for width in text.strip("[] ").split(",")]
    if not all(width.isdecimal() for width in widths if width):
        raise BadParameter(f"expected widths such as [3,5,7], or [] for none; got {text!r}")
    return [int(width) for width in widths if width]


Output = Argument(help="Config file to write, or - for stdout", allow_dash=True)
Lang = Option("--lang", "-l", help="Language code")
Hero = Option("--hero", help="Hero on the hub or in a folder; default: by language and purpose")
Gpu = Option("--gpu", "-G", help="Train on a GPU")
Optimize = Option("--optimize", "-o", help="Optimize for speed or for scores")
RecipeName = Option("--recipe", "-r", help="Training recipe: default, fast, frozen, paper")
Frozen = Option("--frozen", help="Recipe frozen: train a head over a frozen Hero")
Sentences = Option("--sentences", min=1, help="Number to train on; sets the steps")
Windows = Option("--windows", help="Widths of the windows, [5,7,9]; [] is the plain Transformer")
Fusion = Option("--fusion", help="Fusion of Hero and windows: dot, add, concat, mlp")
Members = Option("--members", min=1, help="Number of heads in a committee")
Force = Option("--force", "-F", help="Overwrite an existing file")


@init_cli.command("config")
def init_config_cli(
    output_file: Annotated[Path, Output],
    lang: Annotated[str, Lang] = InitValues.lang,
    hero: Annotated[str | None, Hero] = None,
    gpu: Annotated[bool, Gpu] = False,
    optimize: Annotated[Optimizations, Optimize] = Optimizations.efficiency,
    recipe: Annotated[str | None, RecipeName] = None,
    frozen: Annotated[bool, Frozen] = False,
    sentences: Annotated[int | None, Sentences] = None,
    windows: Annotated[str | None, Windows] = None,
    fusion: Annotated[str | None, Fusion] = None,
    members: Annotated[int | None, Members] = None,
    force: Annotated[bool, Force] = False,
) -> None:
    """Write a complete config for training transformer and hgn_ner.

    --optimize accuracy: the recipe "default"; overlapping spans of 128 tokens, so that every token
    has context on both sides; and the Hero that spaCy recommends for the language, usually with
    twelve layers.

    --optimize efficiency: the recipe "fast"; spans that don't overlap; and DistilBERT, with six
    layers. The loss in F1 depends on the corpus: measure it.

    A recipe sets learning rates, epochs, windows and fusion. docs/training.md shows the cost and F1
    of each. --sentences converts the recipe's epochs into steps; without it, there are 1,000 steps.
    With more than 4,500 sentences, "frozen" has fewer epochs and a higher learning rate. Use a
    lower --vars.hero_learn_rate for a large Hero, such as 1e-5, and a higher one for a small Hero,
    such as 1e-4. With --gpu, PyTorch manages the memory.

    --frozen is the recipe "frozen": the Hero isn't trained and reads each text once. That takes
    minutes on a CPU. --members 3 trains three heads and predicts with their mean probability.
    """
    is_stdout = str(output_file) == "-"
    msg = Printer(no_print=is_stdout)
    if not is_stdout and output_file.exists() and not force:
        msg.fail(f"{output_file} already exists. --force overwrites it.", exits=1)
    from spacy_hgn.training.init_config import describe_foreign_hero, make_training_config
    from spacy_hgn.training.recipes import choose_recipe

    try:
        config = make_training_config(
            lang,
            hero,
            gpu=gpu,
            optimize=optimize.value,
            recipe=choose_recipe(recipe, frozen),
            sentences=sentences,
            windows=None if windows is None else parse_windows(windows),
            fusion=fusion,
            members=members,
        )
    except (ImportError, ValueError) as error:
        Printer().fail("Can't make this config")
        print(locale_escape(str(error)))
        raise Exit(1) from error
    device, chosen = "GPU" if gpu else "CPU", config["vars"]
    named = f"recipe {chosen['recipe']}" if chosen["recipe"] else "no recipe, with these settings"
    msg.info(f"{optimize.value}, {named}, {device}, Hero {chosen['hero']}")
    if foreign := describe_foreign_hero(chosen["hero"], config["nlp"]["lang"]):
        msg.warn(foreign)
    save_config(config, output_file, is_stdout=is_stdout)
