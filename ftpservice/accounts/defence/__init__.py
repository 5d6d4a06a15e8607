"""Refusals of logins: networks, failed attempts and bans."""

__all__: list[str] = []
