#!/usr/bin/env python3
"""A gate that accepts CSV files only whose first line and number of columns are right.

Usage: csv_gate.py COLUMN...

Exit status 0: the file is as it has to be; 1: it is not, and the line is printed.
"""

import csv
import os
import sys


def problem_of(path, columns):
    """Return what is wrong with a file; empty if nothing is."""
    with open(path, encoding="utf-8", newline="") as file:
        rows = csv.reader(file, strict=True)
        if next(rows, None) != columns:
            return f"The first line is not {','.join(columns)}."
        for row in rows:
            if len(row) != len(columns):
                return f"Line {rows.line_num} has {len(row)} columns instead of {len(columns)}."
    return ""


def main():
    """Check the upload, and exit with the status for the gate."""
    try:
        problem = problem_of(os.environ["FTPSERVICE_FILE"], sys.argv[1:])
    except (UnicodeDecodeError, csv.Error) as error:
        problem = f"Not a CSV file in UTF-8: {error}."
    if problem:
        print(problem)
    return 1 if problem else 0


if __name__ == "__main__":
    sys.exit(main())
