"""Tests: one folder per package, services and scenarios."""
