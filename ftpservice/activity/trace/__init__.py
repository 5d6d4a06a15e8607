"""Transcripts of running sessions: commands and replies without secrets."""

__all__: list[str] = []
