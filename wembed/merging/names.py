"""What people choose between when they merge, by name: in recipes, on the command line and in code."""

from typing import Literal

FormulaName = Literal["linear", "slerp", "ties", "dare", "task", "stock"]  # each combines values, tensor by tensor
MethodName = Literal[FormulaName, "embedding"]  # the last is a search
AlignName = Literal["weights", "embedding", "none"]
DtypeName = Literal["bfloat16", "float16", "float32", "float64"]
Maximised = Literal["accuracy"]
