"""Commands on the pages are commands that there are, with options that they have."""

import shlex
from pathlib import Path
from typing import Any

import pytest
from spacy.cli._util import app
from typer import Context
from typer.main import get_command

import spacy_hgn.cli  # noqa: F401  (adds the subcommands to the app)

from .pages import PAGES, commands_of, name_of

INSTALLED_BY_READERS = ("huggingface-hub",)
COMMANDS = [(page, command) for page in PAGES for command in commands_of(page)]


def parse(words: list[str]) -> None:
    """Look a command up, and let it read its options; it doesn't run."""
    command: Any = get_command(app)
    context = Context(command, info_name="spacy")
    while hasattr(command, "commands"):
        name = words.pop(0)
        assert name in command.commands, name
        command = command.commands[name]
        context = Context(command, info_name=name, parent=context)
    if not command.context_settings.get("ignore_unknown_options"):  # those take any override
        command.make_parser(context).parse_args(words)


def test_the_pages_show_commands():
    assert len(COMMANDS) > 50


@pytest.mark.parametrize("page", sorted({page for page, _ in COMMANDS}), ids=name_of)
def test_commands_exist_and_have_the_options(page: Path):
    for command in commands_of(page):
        words = shlex.split(command.replace("&", " "), comments=True)[2:]
        if words[0] not in INSTALLED_BY_READERS:
            parse(words)
