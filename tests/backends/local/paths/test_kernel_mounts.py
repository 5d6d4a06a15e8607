"""The kernel's table of mounts, and which part of a tree may hang."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftpservice.backends.local.paths.kernel_mounts import KernelMounts, hanging_part, parse_mounts

TABLE = rb"""22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
40 27 0:40 / /mnt/nas rw,relatime shared:2 master:3 - nfs4 10.0.0.9:/x rw
41 40 8:1 / /mnt/nas/disk rw - xfs /dev/sdb1 rw
42 27 0:42 / /srv/ftp/a\040b rw - fuse.juicefs JuiceFS:x rw
43 27 0:43 / /mnt/over rw - nfs4 10.0.0.9:/y rw
44 43 0:44 / /mnt/over rw - tmpfs none rw
"""


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (b"/srv/other", None),
        (b"/srv/ftp/a b", (b"/srv/ftp/a b", True)),
        (b"/srv/ftp/a b/ann/docs", (b"/srv/ftp/a b", True)),
        (b"/srv/ftp/a bc", None),
        (b"/srv/ftp", (b"/srv/ftp", False)),
        (b"/srv/ftp/ben", None),
        (b"/mnt/nas/ann", (b"/mnt/nas", True)),
        (b"/mnt/nas/disk/ann", None),
        (b"/mnt/over", None),
        (b"/", (b"/", False)),
    ],
)
def test_the_part_of_a_directory(path: bytes, found: tuple[bytes, bool] | None) -> None:
    assert hanging_part(parse_mounts(TABLE), path) == found


def test_without_such_filesystems_there_is_nothing_to_compare() -> None:
    assert parse_mounts(b"27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n") == {}


def test_the_table_of_this_kernel(tmp_path: Path) -> None:
    mounts = KernelMounts()
    mounts.read()
    assert mounts.hanging.get(b"/proc", False) is False
    mounts.close()
    missing = KernelMounts(str(tmp_path / "none"))
    missing.read()
    assert not missing.changes.poll(0)
    assert missing.hanging == {}
