"""Acting on weights with a network's symmetry group: elements of it, drawn at random, carried out on files."""
