"""What files with the same mode, owner and group share."""

import os

from ftpservice.backends.local.metadata import stat as local_stat
from ftpservice.backends.local.metadata.stat import entry_of


def test_it_is_kept_for_so_many_kinds_of_files(tmp_path, monkeypatch):
    monkeypatch.setattr(local_stat, "_known_shared", {})
    monkeypatch.setattr(local_stat, "MAX_CACHED", 4)
    path = tmp_path / "file"
    path.touch()
    for mode in range(0o400, 0o420):
        path.chmod(mode)
        assert entry_of("file", os.stat(path)).mode == mode
        assert len(local_stat._known_shared) <= 4
