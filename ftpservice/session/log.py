"""The log of what nobody expected."""

from twisted.logger import Logger

__all__ = ["log"]

log = Logger("ftpservice")
