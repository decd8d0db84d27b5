"""Figures and text from what an evaluation found."""
