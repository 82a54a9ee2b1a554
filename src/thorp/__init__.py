"""Thorp: one private AI service out of the computers of a house."""

__version__ = "0.1.0.dev0"
