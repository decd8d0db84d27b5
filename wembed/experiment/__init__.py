"""The whole pipeline in one call: build a zoo, train encoders, evaluate them beside baselines, write the report."""

from wembed.experiment.inputs import command_of, zoo_hash
from wembed.experiment.plan import PLANS, Plan, Size
from wembed.experiment.run import run_plan, studies
from wembed.experiment.study import ExperimentOptions, ExperimentResult, run_experiment

__all__ = [
    "PLANS",
    "ExperimentOptions",
    "ExperimentResult",
    "Plan",
    "Size",
    "command_of",
    "run_experiment",
    "run_plan",
    "studies",
    "zoo_hash",
]
