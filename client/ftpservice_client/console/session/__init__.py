"""What shell and single commands share: the session, its login, its lines."""

__all__: list[str] = []
