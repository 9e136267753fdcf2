"""Songbird sessions in Jupyter: upload whylogs profiles, pick up to three, see them side by side."""

__version__ = "0.1.0"
