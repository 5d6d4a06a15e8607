"""Certificates by ACME (RFC 8555): order, challenges, renewal. Needs the extra ``acme``."""

__all__: list[str] = []
