"""The tables of quotas: what trees of files take up, and what each node may add to them."""

from __future__ import annotations

from alembic import op

__all__ = ["down_revision", "downgrade", "revision", "upgrade"]

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLES = """
CREATE UNLOGGED TABLE ftpservice_cluster_quota (
    id bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    place text PRIMARY KEY,
    roots text NOT NULL,
    size bigint NOT NULL DEFAULT 0,
    files bigint NOT NULL DEFAULT 0,
    counted timestamptz,
    is_in_doubt boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE ftpservice_cluster_quota IS
    'Trees of files: their use is "size" and the changes of all nodes (ftpservice_cluster_share).';
CREATE UNLOGGED TABLE ftpservice_cluster_share (
    tree bigint REFERENCES ftpservice_cluster_quota (id) ON DELETE CASCADE,
    run text,
    size bigint NOT NULL,
    files bigint NOT NULL,
    room_size bigint NOT NULL,
    room_files bigint NOT NULL,
    PRIMARY KEY (tree, run)
);
COMMENT ON TABLE ftpservice_cluster_share IS
    'What a node has added to a tree, and what is reserved for it beyond that.';
CREATE INDEX ftpservice_cluster_share_run ON ftpservice_cluster_share (run)
"""
CLAIM = """
CREATE FUNCTION ftpservice_cluster_room(
    own text, number bigint, places text[], all_roots text[], sizes bigint[], counts bigint[],
    kept_sizes bigint[], kept_files bigint[], needed_sizes bigint[], needed_files bigint[],
    size_limits bigint[], files_limits bigint[], most_size bigint, most_files bigint
) RETURNS TABLE (
    tree bigint, use_size bigint, use_files bigint, room_size bigint, room_files bigint,
    others_size bigint, others_files bigint, age float8, is_in_doubt boolean, is_new boolean
)
LANGUAGE plpgsql AS $$
DECLARE
    alive bigint;
    base ftpservice_cluster_quota;
    gone record;
    free bigint;
BEGIN
    -- As with places: a claim that comes after later ones is of no use.
    UPDATE ftpservice_cluster_node node SET claims = number
        WHERE node.run = own AND node.claims < number;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the node is not in the cluster, or a later claim was carried out';
    END IF;
    SELECT count(*) INTO alive FROM ftpservice_cluster_node node
        WHERE node.until > clock_timestamp();
    FOR i IN 1 .. coalesce(array_length(places, 1), 0) LOOP
        INSERT INTO ftpservice_cluster_quota AS one (place, roots)
            VALUES (places[i], all_roots[i]) ON CONFLICT DO NOTHING;
        is_new := FOUND;
        SELECT * INTO base FROM ftpservice_cluster_quota one
            WHERE one.place = places[i] FOR UPDATE;
        IF base.roots <> all_roots[i] THEN
            base.roots := all_roots[i];
            is_new := true;
        END IF;
        -- What a node has added that is gone is not known: all that it might have.
        FOR gone IN DELETE FROM ftpservice_cluster_share share
            WHERE share.tree = base.id AND share.run <> own AND NOT EXISTS (
                SELECT 1 FROM ftpservice_cluster_node node
                    WHERE node.run = share.run AND node.until > clock_timestamp())
            RETURNING share.*
        LOOP
            base.size := base.size + gone.size + greatest(0, gone.room_size);
            base.files := base.files + gone.files + greatest(0, gone.room_files);
            base.is_in_doubt := true;
        END LOOP;
        -- Without a row, what this node has added counted as that of one that is gone.
        PERFORM 1 FROM ftpservice_cluster_share share
            WHERE share.tree = base.id AND share.run = own;
        IF NOT FOUND THEN
            base.size := base.size - sizes[i];
            base.files := base.files - counts[i];
            base.is_in_doubt := base.is_in_doubt OR sizes[i] <> 0 OR counts[i] <> 0;
        END IF;
        SELECT base.size + sizes[i] + coalesce(sum(share.size), 0),
            base.files + counts[i] + coalesce(sum(share.files), 0),
            coalesce(sum(greatest(0, share.room_size)), 0),
            coalesce(sum(greatest(0, share.room_files)), 0)
            INTO use_size, use_files, others_size, others_files
            FROM ftpservice_cluster_share share WHERE share.tree = base.id AND share.run <> own;
        free := coalesce(size_limits[i] - use_size - others_size, most_size + needed_sizes[i]);
        room_size := greatest(kept_sizes[i], least(free, needed_sizes[i] + CASE
            WHEN needed_sizes[i] = 0 THEN 0 ELSE
            greatest(0, least(most_size, (free - needed_sizes[i]) / (4 * alive + 1))) END));
        free := coalesce(files_limits[i] - use_files - others_files, most_files + needed_files[i]);
        room_files := greatest(kept_files[i], least(free, needed_files[i] + CASE
            WHEN needed_files[i] = 0 THEN 0 ELSE
            greatest(0, least(most_files, (free - needed_files[i]) / (4 * alive + 1))) END));
        IF base.counted IS NULL THEN
            room_size := kept_sizes[i];
            room_files := kept_files[i];
        END IF;
        INSERT INTO ftpservice_cluster_share AS share
            VALUES (base.id, own, sizes[i], counts[i], room_size, room_files)
            ON CONFLICT ON CONSTRAINT ftpservice_cluster_share_pkey DO UPDATE
                SET size = excluded.size, files = excluded.files,
                    room_size = excluded.room_size, room_files = excluded.room_files;
        UPDATE ftpservice_cluster_quota one
            SET size = base.size, files = base.files, roots = base.roots,
                is_in_doubt = base.is_in_doubt
            WHERE one.id = base.id AND one IS DISTINCT FROM base;
        tree := base.id;
        age := extract(epoch FROM clock_timestamp() - base.counted);
        is_in_doubt := base.is_in_doubt;
        RETURN NEXT;
    END LOOP;
END
$$;
COMMENT ON FUNCTION ftpservice_cluster_room IS
    'Takes what a node has added to trees, and reserves what it needs, as far as there is room.';
"""


def upgrade() -> None:
    """Create the tables and the function."""
    for statement in TABLES.split(";\n"):
        op.execute(statement)
    creation, comment = CLAIM.split("$$;\n")
    op.execute(f"{creation}$$")
    op.execute(comment)


def downgrade() -> None:
    """Remove the tables and the function."""
    op.execute("DROP FUNCTION ftpservice_cluster_room")
    op.execute("DROP TABLE ftpservice_cluster_share, ftpservice_cluster_quota")
