"""The version of ganblocks."""

__version__ = "0.1.0"
