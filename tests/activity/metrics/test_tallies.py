"""The counters and histograms of this project are those of the library, to the last sample."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from ftpservice.activity.metrics.tallies import Family, HistogramTally

BOUNDS = (0.01, 1, 1024, 1024**3)


class Own:
    def __init__(self, family):
        self.collect = family.collect


def written(*families):
    registry = CollectorRegistry()
    for family in families:
        registry.register(Own(family))
    return b"".join(
        line + b"\n" for line in generate_latest(registry).splitlines() if b"_created" not in line
    )


@given(st.lists(st.one_of(st.sampled_from(BOUNDS), st.floats(0, 1e12)), max_size=20))
def test_a_histogram_is_written_as_the_library_does(values):
    tally = HistogramTally(BOUNDS)
    registry = CollectorRegistry()
    theirs = Histogram("ftpservice_a", "Text.", ["way"], buckets=BOUNDS, registry=registry)
    theirs.labels("up")
    for value in values:
        tally.observe(value)
        theirs.labels("up").observe(value)
    expected = b"".join(
        line + b"\n" for line in generate_latest(registry).splitlines() if b"_created" not in line
    )
    assert written(Family("a", "Text.", ("way",), {}, {("up",): tally})) == expected


@pytest.mark.parametrize("labels", [(), ("way", "end")])
def test_a_counter_is_written_as_the_library_does(labels):
    registry = CollectorRegistry()
    theirs = Counter("ftpservice_a", "Text.", labels, registry=registry)
    ours = Family.of_counters("a", "Text.", *labels)
    if labels:
        ours.counts["up", "cut"] = 3
        theirs.labels("up", "cut").inc(3)
    expected = b"".join(
        line + b"\n" for line in generate_latest(registry).splitlines() if b"_created" not in line
    )
    assert written(ours) == expected
