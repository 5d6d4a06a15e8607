"""The trash on the disk: files that were deleted or overwritten, in a hidden directory."""

__all__: list[str] = []
