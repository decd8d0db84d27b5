from pathlib import Path

import pytest

from wembed.catalog import assign_id


def ids(*paths: str) -> list[str]:
    owners: dict[str, Path] = {}
    for path in map(Path, paths):
        owners[assign_id(path, owners)] = path
    assert len(owners) == len(paths)
    return list(owners)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/x/resnet20-12fca82f.th", "resnet20-12fca82f"),
        ("/x/best_model.policy.pth", "best_model.policy"),
        ("/x/model.v1.5", "model.v1.5"),
        ("/x/folder", "folder"),
    ],
)
def test_an_id_is_the_stem(path, expected):
    assert ids(path) == [expected]


def test_a_taken_stem_gets_the_nearest_parent_that_tells_them_apart():
    found = ids("/rl/ars/X/best_model.policy.pth", "/rl/ppo/X/best_model.policy.pth", "/rl/ars/Y/best_model.policy.pth")
    assert found == ["best_model.policy", "ppo/best_model.policy", "Y/best_model.policy"]


def test_ids_get_longer_where_that_is_taken_too():
    assert ids("/a/x/m.pt", "/b/x/m.pt", "/c/b/x/m.pt") == ["m", "b/m", "c/m"]
    assert ids("/a/x/m.pt", "/b/y/m.pt", "/b/z/y/m.pt") == ["m", "y/m", "z/m"]
    assert ids("/d/m.pt", "/d/m.pth", "/d/m.bin") == ["m", "d/m", "m-2"]


def test_a_path_keeps_its_id():
    owners = {"m": Path("/a/m.pt")}
    assert assign_id(Path("/a/m.pt"), owners) == "m"
