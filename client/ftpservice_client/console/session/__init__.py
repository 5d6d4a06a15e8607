"""What the shell, scripts and one-shot commands share: session, login, options, transfers."""

__all__: list[str] = []
