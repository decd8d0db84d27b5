"""Networks of one architecture in; what lies between them, after their neurons are brought into one order, out."""

from wembed.merging.combine import Merged, MergeOptions, common_dataset, merge, save_merged
from wembed.merging.controls import Controls, score_controls
from wembed.merging.embedding import merge_by_embedding
from wembed.merging.path import PathCurve, PathPoint, interpolations, path_of
from wembed.merging.recipe.document import Recipe, RecipeModel, load_recipe
from wembed.merging.recipe.plan import Plan, plan
from wembed.merging.running import Outcome, Tools, run
from wembed.merging.statistics import check_dataset

__all__ = [
    "Controls",
    "MergeOptions",
    "Merged",
    "Outcome",
    "PathCurve",
    "PathPoint",
    "Plan",
    "Recipe",
    "RecipeModel",
    "Tools",
    "check_dataset",
    "common_dataset",
    "interpolations",
    "load_recipe",
    "merge",
    "merge_by_embedding",
    "path_of",
    "plan",
    "run",
    "save_merged",
    "score_controls",
]
