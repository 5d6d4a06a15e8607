#!/usr/bin/env python3
"""A hook that moves each complete upload to another directory of the same filesystem.

Usage: move_after_upload.py DIRECTORY

A file that is there already is not replaced: the new one gets the id of the event in its name.
"""

import json
import os
import sys


def main():
    """Move the file of the event on standard input."""
    event = json.load(sys.stdin)
    source = event["storage_name"]
    name = os.path.basename(source)
    for target in (name, f"{event['id']}-{name}"):
        try:
            os.link(source, os.path.join(sys.argv[1], target), follow_symlinks=False)
        except FileExistsError:
            continue
        os.unlink(source)
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
