"""A file-transfer service on Twisted: FTP over virtual filesystems, uploads that never tear."""

__all__ = ["__version__"]

__version__ = "0.1.0"
