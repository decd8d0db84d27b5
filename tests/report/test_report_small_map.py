import math

from wembed.evaluate.results import MapPoint
from wembed.report.small_map import MOST_KINDS, OTHERS, braille, letter, small_map


def points(*places: tuple[float, float, str]) -> list[MapPoint]:
    return [MapPoint(f"m{number}", x, y, kind, "digits", 0.5) for number, (x, y, kind) in enumerate(places)]


def text(found) -> list[str]:
    return ["".join(sign.text for sign in line) for line in found.lines]


def test_corners_are_where_they_belong():
    corners = points((0, 0, "a"), (0, 1, "b"), (1, 1, "c"), (1, 0, "d"))
    assert text(small_map(corners, 3, 2, letter)) == ["B C", "A D"]


def test_a_braille_sign_holds_a_dot_for_each_point():
    assert text(small_map(points((0, 0, "a"), (1, 3, "a")), 1, 1, braille)) == ["⡈"]


def test_the_commonest_kind_of_a_sign_gives_it_its_colour():
    many = points((0, 0, "a"), (0, 0, "b"), (0, 0, "b"), (9, 9, "a"), (9, 9, "a"), (9, 9, "a"))
    found = small_map(many, 2, 1, letter)
    assert [name for name, _ in found.legend] == ["a", "b"]
    assert [sign.kind for sign in found.lines[0]] == [1, 0]


def test_kinds_that_are_too_many_are_others():
    found = small_map(points(*((float(number), 0.0, f"kind {number}") for number in range(12))), 12, 1, letter)
    assert len(found.legend) == MOST_KINDS
    assert found.others == 4
    assert [sign.kind for sign in found.lines[0]].count(OTHERS) == 4


def test_points_without_a_place_are_counted_and_left_out():
    found = small_map(points((0, 0, "a"), (math.nan, 0, "a"), (math.inf, 1, "b")), 2, 1, letter)
    assert (found.outside, found.legend) == (2, [("a", 1)])


def test_one_point_and_none_are_drawn():
    assert text(small_map(points((3, 4, "")), 2, 1, letter)) == ["A "]
    assert text(small_map([], 2, 1, letter)) == ["  "]
