"""The attention maps of a trained run: as numbers, as figures and as an interactive page."""
