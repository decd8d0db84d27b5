"""Aligning networks and combining them."""
