"""Specs of plain chains: declared in words, or inferred from names and shapes."""
