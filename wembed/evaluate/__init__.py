"""What an evaluation measures, each number beside its baselines."""

from wembed.evaluate.encoders import zoo_encoders
from wembed.evaluate.evaluate import EvaluateOptions, evaluate
from wembed.evaluate.results import Curve, Evaluation, MapPoint, Predicted, Result

__all__ = ["Curve", "EvaluateOptions", "Evaluation", "MapPoint", "Predicted", "Result", "evaluate", "zoo_encoders"]
