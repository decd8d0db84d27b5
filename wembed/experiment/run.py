"""A whole experiment: each of its zoos, as often as it has seeds, and what they come to together."""

import dataclasses
from collections.abc import Sequence

from wembed.experiment.folder import alone, claim
from wembed.experiment.inputs import INPUTS, PooledInputs, file_hash, write_inputs
from wembed.experiment.log import LOG, Log, Show, unseen
from wembed.experiment.plan import Plan
from wembed.experiment.pooled import pooled
from wembed.experiment.study import ExperimentOptions, ExperimentResult, run_experiment
from wembed.report import write_report
from wembed.report.results_file import FILE


def run_plan(plan: Plan, options: ExperimentOptions, show: Show = unseen) -> list[ExperimentResult]:
    """Runs what a plan says, or what is left of it; one result for each of its zoos.

    Args:
        plan: zoos, encoders, seeds.
        options: see `studies`.
        show: shows how far a stage is.

    Raises:
        WembedError: see `run_experiment`.
    """
    return [
        _repeated(of_zoo, show) if plan.seeds > 1 else run_experiment(of_zoo[0], show)
        for of_zoo in studies(plan, options)
    ]


def studies(plan: Plan, options: ExperimentOptions) -> list[list[ExperimentOptions]]:
    """What each zoo's studies are, one for every seed.

    A plan of one zoo works in the folder itself, one of several in a folder of each; several seeds have a folder each
    inside of that, beside the report of what they come to together.

    Args:
        plan: zoos, encoders, seeds.
        options: the folder of all of it, the first seed, and what goes for every study; its manifest, encoders and
            draws are the plan's.
    """
    found = []
    for manifest in plan.manifests:
        folder = options.folder / manifest if len(plan.manifests) > 1 else options.folder
        chosen = dataclasses.replace(options, manifest=manifest, encoders=plan.encoders, draws=plan.draws)
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


def _repeated(of_zoo: Sequence[ExperimentOptions], show: Show) -> ExperimentResult:
    """A study with every seed, and what they come to together, with a report of its own."""
    first, folder = of_zoo[0], of_zoo[0].folder.parent
    with alone(folder):
        claim(folder, first.of_zoo | {"seeds": len(of_zoo)})
        done = [run_experiment(one, show) for one in of_zoo]
        evaluation = pooled([one.evaluation for one in done])
        with Log(folder / LOG, show).stage("drawing") as progress:
            files = write_report(evaluation, folder, progress=progress)
        hashes = {one.folder.name: file_hash(one.folder / INPUTS) for one in done}
        write_inputs(PooledInputs(first.command, hashes, file_hash(folder / FILE)), folder)
    left_out = {name: reason for one in done for name, reason in one.left_out.items()}
    return ExperimentResult(folder, done[0].zoo, evaluation, files, left_out)
