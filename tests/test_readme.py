"""What the README shows is what its commands do."""

import json
import re
import shutil
from pathlib import Path

import pytest

from wembed.cli.app import app

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def commands() -> list[list[str]]:
    """The wembed commands of the quick start, without the installation before them."""
    block = README.partition("<!-- main -->")[2].partition("```sh\n")[2].partition("```")[0]
    lines = [line.strip().removesuffix("&&").split() for line in block.splitlines()]
    return [words[1:] for words in lines if words[0] == "wembed"]


def test_the_quick_start_prints_what_the_readme_shows(tmp_path, monkeypatch, capsys):
    shutil.copytree(ROOT / "zoo_manifests", tmp_path / "zoo_manifests")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WEMBED_ZOO", raising=False)
    for arguments in commands():
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            app([*arguments, "--json"], prog_name="wembed")
        assert not left.value.code
    found = {row["id"]: row["score"] for row in json.loads(capsys.readouterr().out)}
    shown = {name: float(score) for name, score in re.findall(r"^ +\d+ +(\S+) +(\d\.\d{4}) ", README, re.MULTILINE)}
    assert list(found) == list(shown)
    assert found == pytest.approx(shown, abs=1e-3)


@pytest.mark.parametrize("name", ["zoo add", "zoo list", "embed", "search", "inspect", "permute"])
def test_every_command_of_the_table_has_help_with_an_example(name, capsys):
    assert f"`wembed {name}" in README
    with pytest.raises(SystemExit):
        app([*name.split(), "--help"], prog_name="wembed")
    assert f"Example: wembed {name}" in capsys.readouterr().out
