"""Lineage: trained networks in; their twins and children, and how far each child is from its parent, out.

`plan_children` (in plan) names the children of a group's runs, `make_children` (in make) makes them, `twin_draws` (in
twins) tells what a twin has of its own. Change is what `relative_change` (in change) says.
"""
