import pytest

from wembed.catalog import CatalogRow, Zoo, find_family, find_row, locate
from wembed.cli.text import plain
from wembed.errors import NotFoundError


@pytest.fixture
def zoo(tmp_path, monkeypatch) -> Zoo:
    monkeypatch.chdir(tmp_path)
    zoo = Zoo.create(tmp_path / "zoo")
    (tmp_path / "a.pt").touch()
    zoo.append(
        [
            CatalogRow(id="ani-1x_0", path=str(tmp_path / "a.pt")),
            CatalogRow(id="child", path="/child.pt", parent="ani-1x_0"),
            CatalogRow(id="grandchild", path="/grandchild.pt", parent="child"),
            CatalogRow(id="loop", path="/loop.pt", parent="loop"),
        ]
    )
    return zoo


def test_a_path_comes_first_and_brings_its_row(zoo, tmp_path):
    located = locate("a.pt", zoo)
    assert located.row
    assert located.id == "ani-1x_0"
    assert locate("ani-1x_0", zoo).path == tmp_path / "a.pt"
    (tmp_path / "ani-1x_0").touch()
    assert locate("ani-1x_0", zoo).row is None


def test_a_close_id_is_suggested(zoo):
    with pytest.raises(NotFoundError, match="ani-1x_9: no such file, and no such id in the zoo at ") as caught:
        locate("ani-1x_9", zoo)
    assert caught.value.hint == "did you mean ani-1x_0?"


def test_without_a_zoo_only_the_file_is_missed():
    with pytest.raises(NotFoundError, match=r"missing.pt: no such file$") as caught:
        locate("missing.pt", None)
    assert caught.value.hint == "check the path"


@pytest.mark.parametrize("name", ["org/name", "org/name@v1", "hf://org/name", "hf://openai/gpt2@main"])
def test_a_hub_name_is_told_how_to_fetch_it(zoo, name):
    with pytest.raises(NotFoundError) as caught:
        locate(name, zoo)
    assert caught.value.hint == f"if it is on the Hub, fetch it first: `wembed zoo pull {name}`"


def test_a_family_goes_up_and_down_and_never_in_circles(zoo):
    family = find_family(zoo, find_row(zoo, "child"))
    assert (family.ancestors, family.children) == (("ani-1x_0",), ("grandchild",))
    assert [row.id for row in family.root.rows()] == ["ani-1x_0", "child", "grandchild"]
    loop = find_family(zoo, find_row(zoo, "loop"))
    assert (loop.ancestors, loop.children) == ((), ())
    assert [row.id for row in loop.root.rows()] == ["loop"]


def test_a_path_that_is_not_in_the_zoo_is_told_how_to_get_there(zoo, tmp_path):
    (tmp_path / "other.pt").touch()
    with pytest.raises(NotFoundError, match=r"other.pt is not in the zoo at ") as caught:
        find_row(zoo, "other.pt")
    assert caught.value.hint == "take it in with `wembed zoo add other.pt`"


@pytest.mark.parametrize("name", ["a\nb", "\x1b[31m", "\u202e.pt", "a\\n\tb"])
def test_an_id_is_found_as_it_is_printed(zoo, name):
    zoo.append([CatalogRow(id=name, path="/x.pt")])
    assert locate(plain(name), zoo).id == find_row(zoo, plain(name)).id == name


def test_an_id_with_a_backslash_comes_before_one_that_is_printed_so(zoo):
    zoo.append([CatalogRow(id=name, path="/x.pt") for name in ("a\nb", "a\\nb")])
    assert locate("a\\nb", zoo).id == "a\\nb"
