"""The registry of model fingerprints: what represents a generator, and where it is kept."""
