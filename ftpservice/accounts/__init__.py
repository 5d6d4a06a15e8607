"""Who may log in, with what, to which files: accounts, checkers, realm, attempts."""

__all__: list[str] = []
