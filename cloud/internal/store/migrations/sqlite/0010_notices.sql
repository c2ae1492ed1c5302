-- +goose Up

-- What the screens of halls show: of each group of screens of a hall the bundle that was published last. A row stays when its bundle is
-- withdrawn, so that versions go on rising.
CREATE TABLE notice_bundles (
    hall         TEXT   NOT NULL,
    screens      TEXT   NOT NULL, -- the group
    version      BIGINT NOT NULL,
    id           TEXT   NOT NULL, -- SM3 of the manifest, hexadecimal
    manifest     BLOB   NOT NULL, -- as it was signed
    sig          BLOB   NOT NULL,
    published_ms BIGINT NOT NULL,
    actor        TEXT   NOT NULL,
    withdrawn_ms BIGINT NOT NULL, -- 0: it is not
    PRIMARY KEY (hall, screens)
);
CREATE UNIQUE INDEX notice_bundles_by_id ON notice_bundles (id);

-- The files in them, each once however many halls show it.
CREATE TABLE notice_files (
    sm3  TEXT NOT NULL PRIMARY KEY,
    data BLOB NOT NULL
);
CREATE TABLE notice_contents (
    bundle TEXT NOT NULL,
    sm3    TEXT NOT NULL,
    PRIMARY KEY (bundle, sm3)
);
CREATE INDEX notice_contents_by_file ON notice_contents (sm3);

-- The number of a hall's last order about its notices. One that follows the time goes on rising when the database is restored.
CREATE TABLE notice_orders (
    hall       TEXT   NOT NULL PRIMARY KEY,
    number     BIGINT NOT NULL,
    changed_ms BIGINT NOT NULL
);
CREATE INDEX notice_orders_by_time ON notice_orders (changed_ms);

-- +goose Down
DROP TABLE notice_orders;
DROP TABLE notice_contents;
DROP TABLE notice_files;
DROP TABLE notice_bundles;
