"""Resumable uploads of the account that is logged in, by the protocol tus 1.0.0."""

__all__: list[str] = []
