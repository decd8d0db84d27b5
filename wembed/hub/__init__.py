"""The Hugging Face Hub: what a repository holds, and its files, fetched so that a broken pull goes on where it was."""
