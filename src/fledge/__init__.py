"""Fledge raises a language model: raw text in, an assistant out."""

__version__ = "0.1.0"
