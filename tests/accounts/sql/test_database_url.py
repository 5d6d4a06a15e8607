"""Database URLs: what is supported, and that a password is in no text."""

import pytest

from ftpservice.accounts.sql.database_url import parse_database_url


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("sqlite:////srv/a.db", "sql:sqlite:////srv/a.db"),
        ("sqlite:////srv/a.db?cache=5m", "sql:sqlite:////srv/a.db"),
        (
            "postgresql://ann:hidden@db.example:99/x?sslmode=require",
            "sql:postgresql://ann@db.example:99/x",
        ),
        ("postgresql+psycopg://db/x", "sql:postgresql://db/x"),
        ("postgresql:///x?host=/run/postgresql", "sql:postgresql:///x"),
    ],
)
def test_the_place_is_what_the_store_option_takes_without_password_and_options(text, place):
    url = parse_database_url(text)
    assert url.place == place
    assert "hidden" not in repr(url) + str(url)
    assert (url.path is None) == ("postgresql" in text)


def test_a_relative_path_starts_at_the_current_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert parse_database_url("sqlite:///a.db").path == str(tmp_path / "a.db")


def test_the_options_of_postgresql_stay_and_ours_is_taken():
    url = parse_database_url("postgresql://db/x?cache=10m&passfile=/etc/pgpass")
    assert url.cache_seconds == 600
    assert dict(url.url.query) == {"passfile": "/etc/pgpass"}
    assert parse_database_url("postgresql://db/x").cache_seconds == 0


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not a database URL"),
        ("a.db", "not a database URL"),
        ("sqlite://", "expected a path"),
        ("sqlite:///:memory:", "expected a path"),
        ("sqlite:////a.db?mode=ro", "expected a path"),
        ("postgresql://db", "the database is missing"),
        ("mysql://root:hidden@db/x", "unsupported kind of database 'mysql'"),
        ("postgresql://ann:hidden@db:port/x", "not a database URL"),
        ("postgresql://ann:hidden@db/x?cache=ever", "cache=ever: not a duration"),
    ],
)
def test_others_are_refused_with_the_reason(text, reason):
    with pytest.raises(ValueError, match=reason) as caught:
        parse_database_url(text)
    assert "hidden" not in str(caught.value)
