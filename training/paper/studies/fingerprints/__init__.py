"""What fingerprints lie in: bands and patches (`persistence`), training photographs (`subsets`)."""
