"""The commands of FTP, one file for each concern of the RFCs."""

__all__: list[str] = []
