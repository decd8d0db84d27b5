"""Retrieval: which networks ask, what they should find, where it stands, beside baselines and chance."""
