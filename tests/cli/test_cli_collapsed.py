"""What a person sees of a deep network's groups."""

from wembed.cli.collapsed import collapsed


def _row(layer: int, **other):
    group = f"layers.{layer}.q.heads x layers.{layer}.q.head_dim"
    row = {"group": group, "size": 8, "shape": "2 x 4", "kind": "head x head_dim", "free": True, "scale": "linear"}
    return row | {"why": None, "tensors": [f"layers.{layer}.q.weight"]} | other


def test_layers_that_differ_in_their_number_alone_share_a_row():
    rows, _ = collapsed([_row(i) for i in range(12)])
    assert [(row["group"], row["times"]) for row in rows] == [("layers.*.q.heads x head_dim", 12)]


def test_a_layer_that_is_unlike_the_others_has_a_row_of_its_own():
    rows, _ = collapsed([_row(0), _row(1, size=6, shape="2 x 3"), _row(2)])
    assert [(row["group"], row["times"]) for row in rows] == [
        ("layers.*.q.heads x head_dim", 2),
        ("layers.1.q.heads x head_dim", 1),
    ]


def test_taps_are_left_out():
    rows, columns = collapsed([_row(0), _row(1, why="kernel taps")])
    assert [row["times"] for row in rows] == [1]
    assert "tensors" not in columns
