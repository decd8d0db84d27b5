"""What an evaluation measures, each number beside its baselines."""
