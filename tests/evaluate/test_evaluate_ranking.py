"""Where right answers stand: several of them, ties, candidates; and what chance would reach."""

import itertools

import numpy as np
import pytest

from wembed.evaluate.retrieval.ranking import chance_of_none, chance_precision, ranking


def ranked(scores, relevant, candidates=None):
    scores, relevant = np.array([scores], float), np.array([relevant], bool)
    among = np.ones_like(relevant) if candidates is None else np.array([candidates], bool)
    found = ranking(scores, relevant, among)
    return found.first[0], found.precision[0]


def test_one_right_answer_has_its_reciprocal_rank_as_precision():
    assert ranked([0.9, 0.5, 0.7], [0, 1, 0]) == (3, 1 / 3)


def test_of_several_right_answers_the_first_counts_for_the_rank_and_all_for_the_precision():
    first, precision = ranked([0.9, 0.8, 0.7, 0.6], [1, 0, 1, 0])
    assert first == 1
    assert precision == pytest.approx((1 / 1 + 2 / 3) / 2)


def test_what_ties_with_a_right_answer_stands_before_it():
    assert ranked([0.5, 0.5, 0.5], [0, 1, 0]) == (3, 1 / 3)


def test_right_answers_that_tie_with_each_other_do_not_stand_in_each_others_way():
    assert ranked([0.5, 0.5, 0.1], [1, 1, 0]) == (1, 1.0)


def test_what_is_no_candidate_stands_before_nobody():
    assert ranked([0.9, 0.5, 0.7], [0, 1, 0], [0, 1, 1]) == (2, 0.5)


def test_chance_is_the_mean_over_all_orders():
    relevant, right, among = np.array([True, True, False, False, False]), np.array([2]), np.array([5])
    orders = list(itertools.permutations(range(5)))
    found = [ranked(order, relevant) for order in orders]
    for depth in (1, 2, 4):
        missed = np.mean([first > depth for first, _ in found])
        assert chance_of_none(right, among, depth)[0] == pytest.approx(missed)
    assert chance_precision(right, among)[0] == pytest.approx(np.mean([precision for _, precision in found]))
