"""What a control connection remembers and what a command is given."""

__all__: list[str] = []
