"""Imported by each process that has this directory in its path: the coverage of it is measured."""

import coverage

coverage.process_startup()
