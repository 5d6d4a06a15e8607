"""The shell's commands, one file for each subject."""

__all__: list[str] = []
