"""Attributes of files on the disk: stat, access, ACL, extended attributes, links, mounts."""

__all__: list[str] = []
