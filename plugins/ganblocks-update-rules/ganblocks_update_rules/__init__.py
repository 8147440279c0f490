"""Placeholder until its components arrive."""
