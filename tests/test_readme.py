"""What the README says can be done, can be done."""

import re
import shlex
from pathlib import Path

import pytest

from wembed.cli.app import COMMANDS, ZOO_COMMANDS, app

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
NAMES = [*(name for name in COMMANDS if name != "zoo"), *(f"zoo {name}" for name in ZOO_COMMANDS)]


def commands(mark: str) -> list[list[str]]:
    """The wembed commands of the block behind a mark, as words."""
    block = README.partition(f"<!-- {mark} -->")[2].partition("```sh\n")[2].partition("```")[0]
    lines = [shlex.split(line.removesuffix("&&")) for line in block.splitlines()]
    return [words[1:] for words in lines if words[0] == "wembed"]


def help_of(words: list[str], capsys) -> str:
    with pytest.raises(SystemExit):
        app([*words, "--help"], prog_name="wembed")
    return capsys.readouterr().out


@pytest.mark.parametrize("name", NAMES)
def test_every_command_has_help_with_an_example_and_stands_in_the_table(name, capsys):
    table = README.partition("## Commands")[2].partition("## ")[0]
    assert re.search(rf"`(wembed )?{name.replace('zoo ', '(zoo )?')}\b", table)
    assert f"Example: wembed {name}" in help_of(name.split(), capsys)


def test_the_blocks_have_commands():
    assert commands("main") == [["experiment", "--small"]]
    assert [words[0] for words in commands("questions")] == ["permute", "search", "predict", "merge"]


@pytest.mark.parametrize("words", [*commands("main"), *commands("questions")], ids=" ".join)
def test_every_option_that_the_readme_uses_is_there(words, capsys):
    shown = help_of(words[:1], capsys)
    assert all(re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", shown) for word in words if word.startswith("-"))


def test_every_folder_and_file_of_the_tree_is_there():
    tree = README.partition("## Files")[2].partition("```\n")[2].partition("```")[0]
    named = [line.split()[0] for line in tree.splitlines()]
    inside = [ROOT / "wembed" / name for name in named[1 : named.index("zoo_manifests/")]]
    assert all(path.exists() for path in [*inside, ROOT / "zoo_manifests", ROOT / "tests", ROOT / ".ci" / "run"])
    parts = {path.stem for path in (ROOT / "wembed").iterdir() if not path.name.startswith(("_", "py."))}
    assert parts == {path.stem for path in inside if path.parent.name == "wembed"}


def test_nothing_is_left_to_be_filled_in():
    assert "@@" not in README
    headings = re.findall(r"^## .*$", README, re.MULTILINE)
    assert len(headings) == len(set(headings))
