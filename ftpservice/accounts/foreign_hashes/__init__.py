"""Password hashes of other programs, until `password_hash` replaces them."""

__all__: list[str] = []
