"""A whole experiment: each of its zoos, as often as it has seeds, and what they come to together."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from wembed.experiment.folder import alone
from wembed.experiment.log import Show, unseen
from wembed.experiment.plan import Plan
from wembed.experiment.pooled import pooled
from wembed.experiment.study import ExperimentOptions, ExperimentResult, run_experiment
from wembed.report import write_report


def run_plan(plan: Plan, options: ExperimentOptions, show: Show = unseen) -> list[ExperimentResult]:
    """Runs what a plan says, or what is left of it; one result for each of its zoos.

    Args:
        plan: zoos, encoders, seeds.
        options: see `studies`.
        show: shows how far a stage is.

    Raises:
        WembedError: see `run_experiment`.
    """
    found: list[ExperimentResult] = []
    for of_zoo in studies(plan, options):
        done = [run_experiment(one, show) for one in of_zoo]
        found.append(done[0] if len(done) == 1 else _together(done, of_zoo[0].folder.parent, show))
    return found


def studies(plan: Plan, options: ExperimentOptions) -> list[list[ExperimentOptions]]:
    """What each zoo's studies are, one for every seed.

    A plan of one zoo works in the folder itself, one of several in a folder of each; several seeds have a folder each
    inside of that, beside the report of what they come to together.

    Args:
        plan: zoos, encoders, seeds.
        options: the folder of all of it, the first seed, and what goes for every study; its manifest and encoders are
            the plan's.
    """
    found = []
    for manifest in plan.manifests:
        folder = options.folder / manifest if len(plan.manifests) > 1 else options.folder
        chosen = dataclasses.replace(options, manifest=manifest, encoders=plan.encoders)
        found.append(
            [
                dataclasses.replace(
                    chosen,
                    seed=options.seed + number,
                    folder=folder / f"seed-{options.seed + number}" if plan.seeds > 1 else folder,
                )
                for number in range(plan.seeds)
            ]
        )
    return found


def _together(done: Sequence[ExperimentResult], folder: Path, show: Show) -> ExperimentResult:
    """What the seeds of a zoo come to, with a report of its own."""
    evaluation = pooled([one.evaluation for one in done])
    with alone(folder), show("drawing") as progress:
        files = write_report(evaluation, folder, progress=progress)
    left_out = {name: reason for one in done for name, reason in one.left_out.items()}
    return ExperimentResult(folder, done[0].zoo, evaluation, files, left_out)
