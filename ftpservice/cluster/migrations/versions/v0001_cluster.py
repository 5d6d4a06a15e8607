"""The tables of a cluster: its nodes, the places that they hold, bans, requests and answers.

What nodes declare again when it is gone is in unlogged tables: after a crash of the server they
are empty.
"""

from __future__ import annotations

from alembic import op

__all__ = ["down_revision", "downgrade", "revision", "upgrade"]

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = """
CREATE UNLOGGED TABLE ftpservice_cluster_node (
    run text PRIMARY KEY,
    name text NOT NULL,
    version text NOT NULL,
    address text NOT NULL,
    started timestamptz NOT NULL DEFAULT clock_timestamp(),
    until timestamptz NOT NULL,
    sessions bigint NOT NULL,
    health text NOT NULL,
    claims bigint NOT NULL DEFAULT 0
);
COMMENT ON TABLE ftpservice_cluster_node IS
    'One row for each run of a node; it counts as gone after "until".';
CREATE UNLOGGED TABLE ftpservice_cluster_places (
    kind text,
    name text,
    run text REFERENCES ftpservice_cluster_node ON DELETE CASCADE,
    places bigint NOT NULL,
    used bigint NOT NULL,
    PRIMARY KEY (kind, name, run)
);
COMMENT ON TABLE ftpservice_cluster_places IS
    'How many sessions a node may have, in all, of an address and of an account.';
CREATE INDEX ftpservice_cluster_places_run ON ftpservice_cluster_places (run);
CREATE TABLE ftpservice_cluster_ban (
    network text PRIMARY KEY,
    reason text NOT NULL,
    changed timestamptz NOT NULL,
    until timestamptz,
    times bigint NOT NULL
);
COMMENT ON TABLE ftpservice_cluster_ban IS
    'Bans, and those that ended or were lifted lately; without "until" until they are lifted.';
CREATE UNLOGGED TABLE ftpservice_cluster_request (
    id text PRIMARY KEY,
    sender text NOT NULL,
    target text NOT NULL,
    body text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE ftpservice_cluster_request IS 'What administrators ask of nodes.';
CREATE UNLOGGED TABLE ftpservice_cluster_answer (
    request text REFERENCES ftpservice_cluster_request ON DELETE CASCADE,
    run text,
    body text NOT NULL,
    PRIMARY KEY (request, run)
);
COMMENT ON TABLE ftpservice_cluster_answer IS 'The answers of nodes.';
"""
CLAIM = """
CREATE FUNCTION ftpservice_cluster_claim(
    own text, number bigint, kinds text[], names text[], used_places bigint[],
    needed_places bigint[], limits bigint[], most_spare bigint
) RETURNS TABLE (places bigint, is_elsewhere boolean)
LANGUAGE plpgsql AS $$
DECLARE
    alive bigint;
    others bigint;
    unused bigint;
    free bigint;
    spare bigint;
BEGIN
    -- A claim that was on its way when its node gave up may come after later ones.
    UPDATE ftpservice_cluster_node node SET claims = number
        WHERE node.run = own AND node.claims < number;
    IF NOT FOUND THEN
        PERFORM 1 FROM ftpservice_cluster_node node WHERE node.run = own;
        IF FOUND THEN
            RAISE EXCEPTION 'a later claim was carried out';
        END IF;
        RAISE EXCEPTION 'the node is not in the cluster';
    END IF;
    SELECT count(*) INTO alive FROM ftpservice_cluster_node node
        WHERE node.until > clock_timestamp();
    FOR i IN 1 .. coalesce(array_length(kinds, 1), 0) LOOP
        PERFORM pg_advisory_xact_lock(
            hashtextextended('ftpservice:' || kinds[i] || ':' || names[i], 0));
        SELECT coalesce(sum(held.places), 0), coalesce(sum(held.places - held.used), 0)
            INTO others, unused
            FROM ftpservice_cluster_places held
            JOIN ftpservice_cluster_node node ON node.run = held.run
            WHERE held.kind = kinds[i] AND held.name = names[i] AND held.run <> own
                AND node.until > clock_timestamp();
        free := greatest(0, limits[i] - others);
        spare := 0;
        IF needed_places[i] > 0 THEN
            spare := greatest(0, least(most_spare, (free - needed_places[i]) / (4 * alive + 1)));
        END IF;
        places := greatest(used_places[i], least(needed_places[i] + spare, free));
        is_elsewhere := places < needed_places[i] AND unused > 0;
        IF places > 0 THEN
            INSERT INTO ftpservice_cluster_places AS held
                VALUES (kinds[i], names[i], own, places, least(needed_places[i], places))
                ON CONFLICT (kind, name, run)
                DO UPDATE SET places = excluded.places, used = excluded.used;
        ELSE
            DELETE FROM ftpservice_cluster_places held
                WHERE held.kind = kinds[i] AND held.name = names[i] AND held.run = own;
        END IF;
        RETURN NEXT;
    END LOOP;
END
$$;
COMMENT ON FUNCTION ftpservice_cluster_claim IS
    'Gives a node the places that it needs, as far as the limits of all nodes together allow.';
"""


def upgrade() -> None:
    """Create the tables and the function."""
    for statement in TABLES.split(";\n"):
        if statement.strip():
            op.execute(statement)
    creation, comment = CLAIM.split("$$;\n")
    op.execute(f"{creation}$$")
    op.execute(comment)


def downgrade() -> None:
    """Refuse: that would remove the bans."""
    raise NotImplementedError("the first version of the schema cannot be taken back")
