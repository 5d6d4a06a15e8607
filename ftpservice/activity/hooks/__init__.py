"""Hooks: commands, webhooks and Python plugins that are told of events, or asked as gates."""

__all__: list[str] = []
