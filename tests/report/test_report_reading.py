import pytest

from wembed.evaluate import Evaluation, Result
from wembed.experiment.plan import PLANS
from wembed.report.calibration import Band, band, independent_cases
from wembed.report.lookup import POOLED, best_baseline
from wembed.report.reading import note_on_errors, sentences


def said_of(tau: float, error: float, r2: float) -> str:
    rows = [
        Result("zero-shot", "gnn", "tau", tau, 50, "zero-shot", error),
        Result("zero-shot", "gnn", "r2", r2, 50, "zero-shot", None),
        Result("zero-shot", "stats", "tau", 0.0, 50, "zero-shot", 0.1),
    ]
    return " ".join(sentences(Evaluation(rows, facts={"main encoder": "gnn"})))


@pytest.mark.parametrize(
    ("tau", "error", "r2", "said"),
    [
        (0.4, 0.1, -2.0, "only the order of networks can be used there"),
        (0.1, 0.1, -2.0, "Neither its scale (R² below 0) nor its order says anything there"),
        (-0.4, 0.1, -2.0, "Neither its scale (R² below 0) nor its order says anything there"),
    ],
)
def test_a_failed_transfer_is_said(tau, error, r2, said):
    assert said in said_of(tau, error, r2)


def test_a_good_transfer_needs_no_excuse():
    assert "R² below 0" not in said_of(0.4, 0.1, 0.5)


def difference(other: str, value: float, task: str = "accuracy") -> Result:
    ends = {"low": value - 0.05, "high": value + 0.05}
    if task == "accuracy":
        return Result(task, f"gnn-{other}", "tau_difference", value, 90, "test", target="accuracy", **ends)
    return Result("retrieval", f"gnn-{other}", "recall@1_difference", value, 90, "test", target=task, **ends)


def test_the_verdict_counts_where_the_main_encoder_is_above_and_names_where_it_is_not():
    rows = [difference("stats", 0.2), difference("fingerprint", 0.01), difference("mlp", -0.1, "retrieval-noised")]
    rows += [Result("retrieval-noised", "gnn", "recall@1", 0.8, 90, "test")]
    assert sentences(Evaluation(rows, facts={"main encoder": "gnn"}))[0] == (
        "gnn is above in 1 of 3 comparisons of Recall@1 and tau / tau max with other encoders and baselines, by paired "
        "95 % intervals; it is below in Recall@1 (noised) against mlp; the interval holds zero in tau / tau max "
        "against fingerprint."
    )


def test_the_verdict_is_plain_where_the_main_encoder_is_above_everywhere():
    rows = [difference("stats", 0.2), difference("gnn-no-probes", -0.2)]
    assert sentences(Evaluation(rows, facts={"main encoder": "gnn"}))[0] == (
        "gnn is above in all 1 comparisons of Recall@1 and tau / tau max with other encoders and baselines, by paired "
        "95 % intervals."
    )


def test_a_variant_of_the_main_encoder_is_no_baseline():
    known = PLANS["full"].encoders
    rows = [Result("prediction", name, "tau", 0.5 + 0.01 * place, 90, "test") for place, name in enumerate(known)]
    found = best_baseline(Evaluation(rows, facts={"main encoder": "gnn"}), "prediction", "tau")
    assert found.encoder == "pna"


def test_the_verdict_counts_the_data_set_never_seen():
    sealed = Result("accuracy", "gnn-stats", "tau_difference", -0.2, 50, "zero-shot", low=-0.3, high=-0.1)
    said = sentences(Evaluation([difference("stats", 0.2), sealed], facts={"main encoder": "gnn"}))[0]
    assert "above in 1 of 2 comparisons" in said
    assert "below in tau / tau max on the data set never seen against stats" in said


def test_where_chance_is_always_right_nothing_is_compared():
    rows = [Result("retrieval-dataset", name, "recall@1", 1.0, 90, "test") for name in ("gnn", "stats", "chance")]
    rows.append(difference("stats", 0.0, "retrieval-dataset"))
    assert sentences(Evaluation(rows, facts={"main encoder": "gnn"})) == []


def pooled_difference(value: float, seeds: int = 3) -> Evaluation:
    row = Result(
        "accuracy", "gnn-stats", "tau_difference", value, 90, "test", seeds=seeds, spread=0.1, target="accuracy"
    )
    return Evaluation([row], facts={"main encoder": "gnn", POOLED: list(range(seeds))})


@pytest.mark.parametrize(("value", "said"), [(0.26, "above in all 1"), (0.24, "holds zero"), (-0.26, "below in tau")])
def test_a_mean_over_seeds_is_above_by_student_s_t(value, said):
    (sentence, *_) = sentences(pooled_difference(value))  # t for 2 degrees of freedom: 4.30 * 0.1 / sqrt(3) = 0.248
    assert said in sentence
    assert "by 95 % intervals over seeds (Student's t)" in sentence


def test_what_stands_beside_a_mean_over_seeds_is_said():
    assert "± spread (standard deviation) over 3 seeds" in note_on_errors(pooled_difference(0.2))


def test_names_cannot_break_a_sentence():
    rows = [Result("prediction", "a\n# b\x1b[31m", "tau", 0.5, 90, "test")]
    assert all(sentence.isprintable() for sentence in sentences(Evaluation(rows)))


@pytest.mark.parametrize(
    ("gap", "said"), [(0.2, "gnn is ahead by 20.0 points"), (0.02, "level with it"), (-0.2, "gnn is behind by")]
)
def test_a_paired_interval_decides_who_is_ahead(gap, said):
    rows = [Result("retrieval-noised", "gnn", "recall@1", 0.5, 90, "test", 0.2)]
    rows += [Result("retrieval-noised", "stats", "recall@1", 0.5 - gap, 90, "test", 0.2)]
    rows += [difference("stats", gap, "retrieval-noised")]
    assert said in sentences(Evaluation(rows, facts={"main encoder": "gnn"}))[1]


def test_an_interval_that_has_rows_of_its_own_is_read():
    rows = [
        Result("accuracy", "gnn-stats", metric, value, 90, "test")
        for metric, value in (("tau_difference", 0.2), ("tau_difference_low", 0.1), ("tau_difference_high", 0.3))
    ]
    said = " ".join(sentences(Evaluation(rows, facts={"main encoder": "gnn"})))
    assert "the paired 95 % interval of the difference lies above zero against stats (+0.200, +0.100 to +0.300)" in said


def test_every_new_task_has_its_sentence(evaluation):
    said = " ".join(sentences(evaluation))
    for words in (
        "finding the parent of a child: gnn puts the right one first in 91.0 % (86.0 to 95.0) of 90 queries",
        "chance in 1.0 %",
        "On 6 parts of the zoo that were held out, gnn reaches tau / tau max from 0.650 (width:32) to 0.900 "
        "(architecture:mlp-relu-32x32), and is the best on 6 of them; on 2 of them only its regression did not see "
        "them.",
        "On held-out runs, the intervals of gnn hold what they state at 6 of 6 levels, as far as chance lets 103 runs",
        "On the data set never seen, the intervals of gnn hold what they state at 0 of 6 levels",
        "gnn tells dataset of 90 checkpoints with accuracy 0.930 (0.880 to 0.970), the best baseline, stats, with "
        "0.900 (0.850 to 0.940); the commonest answer alone reaches 0.410.",
        "Permuting and rescaling 50 checkpoints changes the embedding of gnn by at most 1e-06 of its length",
        "Further than to the nearest stranger a mere permutation and rescaling moves cosine (1.4 against 0.03).",
        "Of 90 damaged copies gnn finds the original first after bf16 100.0 % (fingerprint 100.0 %), int8 98.0 % "
        "(fingerprint 96.0 %)",
        "Rounding to bf16 moves 99 % of the embeddings of gnn by at most 3.0 % of the distance to the nearest "
        "stranger.",
    ):
        assert words in said


def test_the_reading_of_shuffled_labels_names_the_largest_of_all():
    rows = [
        Result("prediction", f"{name} (shuffled labels)", "tau", tau, 90, "test")
        for name, tau in (("gnn", 0.01), ("stats", -0.04))
    ]
    said = " ".join(sentences(Evaluation(rows, facts={"main encoder": "gnn"})))
    assert "tau is -0.040 at most, that of stats among 2;" in said


def test_a_band_of_chance_is_wide_for_few_cases():
    assert band(0.9, 20).holds(0.8)
    assert not band(0.9, 2000).holds(0.8)
    assert band(1.0, 20) == Band(1.0, 1.0)


def test_cases_that_are_not_known_give_no_band():
    assert independent_cases(Evaluation([]), "test") is None
    assert independent_cases(Evaluation([], facts={"runs by split": {"test": 7}}), "test") == 7
