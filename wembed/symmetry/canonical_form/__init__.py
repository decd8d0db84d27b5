"""The form in which every member of a symmetry class is the same: continuous symmetries removed, on views."""
