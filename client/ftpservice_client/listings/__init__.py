"""Parsers for the text that servers send in reply to LIST: pure functions, no input or output."""

__all__: list[str] = []
