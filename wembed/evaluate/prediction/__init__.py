"""Prediction: one regression for every encoder and baseline, on held-out runs, parts of the zoo, and other targets."""
