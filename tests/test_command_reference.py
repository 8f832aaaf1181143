"""docs/commands.md is up to date and lists every command and option; its examples use options that exist."""

import shlex

import pytest

from commands import reference


def test_the_page_is_up_to_date() -> None:
    assert reference.PAGE.read_text(encoding="utf-8") == reference.page(), "run: python -m commands.reference"


def test_every_command_has_an_example_and_a_section() -> None:
    names = list(reference.commands())
    assert list(reference.EXAMPLES) == names
    assert [line[3:] for line in reference.page().splitlines() if line.startswith("## ")] == names


@pytest.mark.parametrize("example", [line for lines in reference.EXAMPLES.values() for line in lines])
def test_an_example_uses_options_that_exist(example: str) -> None:
    program, *words = shlex.split(example)
    name = next(name for name in reference.EXAMPLES if words[: len(name.split())] == name.split())
    usages = [usage for usage, _ in reference.options_of(reference.commands()[name])]
    known = {flag for usage in usages for part in usage.split(", ") for flag in part.split()[0].split("/")}
    assert program == "buyerview"
    assert {word for word in words if word.startswith("--")} <= known
