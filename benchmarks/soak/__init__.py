"""A day of a service in minutes: many clients, fast timers, kills. Nothing may be left over."""

__all__: list[str] = []
