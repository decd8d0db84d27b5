"""What is to be merged, and how, as people write it; from headers alone, whether that can be done and what it takes."""
