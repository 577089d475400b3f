"""Tests of the registry of model fingerprints."""
