"""``spacy hgn init config``: a config that ``spacy train`` takes at once."""

from pathlib import Path
from typing import Annotated

from spacy.cli.init_config import InitValues, Optimizations, save_config
from typer import Argument, BadParameter, Exit, Option
from wasabi import Printer
from wasabi.util import locale_escape

from . import init_cli


def parse_windows(text: str) -> list[int]:
    """Widths of windows as they stand in a config, ``[3, 5, 7]``, or without the brackets."""
    widths = [width.strip() for width in text.strip("[] ").split(",")]
    if not all(width.isdecimal() for width in widths if width):
        raise BadParameter(f"expected widths like [3,5,7], or [] for none; got {text!r}")
    return [int(width) for width in widths if width]


Output = Argument(help="Config file to write, or - for stdout", allow_dash=True)
Lang = Option("--lang", "-l", help="Code of the language")
Hero = Option("--hero", help="Hero, on the hub or in a folder; else one for language and purpose")
Gpu = Option("--gpu", "-G", help="For a training on a GPU")
Optimize = Option("--optimize", "-o", help="What matters more, speed or scores")
RecipeName = Option("--recipe", "-r", help="How it is trained: default, fast, frozen, paper")
Frozen = Option("--frozen", help="The recipe frozen: the Hero stays as it is, a head is trained")
Sentences = Option("--sentences", min=1, help="To train on: the recipe's epochs become steps")
Windows = Option("--windows", help="Widths of the windows, [5,7,9]; [] is the plain Transformer")
Fusion = Option("--fusion", help="What joins Hero and windows: dot, add, concat, mlp")
Members = Option("--members", min=1, help="Heads that are trained side by side, a committee")
Force = Option("--force", "-F", help="Write over a file that is there")


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
    """Write a complete config for a training of transformer and hgn_ner.

    For accuracy: the recipe "default"; spans of 128 tokens that overlap, so that every token has
    context on both sides; and the Hero that spaCy recommends for the language, mostly of twelve
    layers.

    For efficiency: the recipe "fast"; spans that don't overlap; and DistilBERT, of six layers.
    What that costs in F1 depends on the corpus: measure it.

    A recipe is a whole setting: rates, epochs, windows, fusion. docs/training.md has what each
    costs and gives. --sentences makes steps of its epochs; without it there are 1,000 steps. A
    large Hero wants a lower --vars.hero_learn_rate, such as 1e-5, and a small one a higher one,
    such as 1e-4. --gpu has PyTorch manage the memory.

    --frozen is the recipe "frozen": the Hero isn't trained, and reads each text once. That takes
    minutes on a CPU. --members 3 trains three heads side by side, whose mean predicts.
    """
    is_stdout = str(output_file) == "-"
    msg = Printer(no_print=is_stdout)
    if not is_stdout and output_file.exists() and not force:
        msg.fail(f"{output_file} is there already. --force writes over it.", exits=1)
    from spacy_hgn.training.init_config import make_training_config
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
        Printer().fail("Can't make such a config")
        print(locale_escape(str(error)))
        raise Exit(1) from error
    device, chosen = "GPU" if gpu else "CPU", config["vars"]
    msg.info(f"{optimize.value}, recipe {chosen['recipe']}, {device}, Hero {chosen['hero']}")
    save_config(config, output_file, is_stdout=is_stdout)
