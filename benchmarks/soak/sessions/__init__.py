"""What a client does in one session; each module has some of them in ``SESSIONS``."""

__all__: list[str] = []
