"""What embeddings and predictions do when a network is rescaled, damaged or rounded."""
