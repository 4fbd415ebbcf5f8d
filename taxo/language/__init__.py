"""The language: text to a checked method, without torch."""
