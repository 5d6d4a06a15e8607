"""The data connection: whom it accepts, how it is made, which mover it gets."""

__all__: list[str] = []
