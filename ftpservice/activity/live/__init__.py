"""The sessions and transfers of now, for those who watch them."""

__all__: list[str] = []
