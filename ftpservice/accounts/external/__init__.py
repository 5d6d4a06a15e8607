"""Accounts of other programs: LDAP directories, PAM services and HTTP services."""

__all__: list[str] = []
