"""What takes minutes is collected by ``make cluster`` only: a skipped test would fail the build."""

from tests.support.whole_cluster import IS_WHOLE

collect_ignore = (
    []
    if IS_WHOLE
    else [
        "test_bucket_fleet.py",
        "test_juicefs_contract.py",
        "test_juicefs_nodes.py",
    ]
)
