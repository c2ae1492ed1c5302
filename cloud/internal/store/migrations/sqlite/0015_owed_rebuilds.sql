-- +goose Up

-- Halls whose projections are to be made again of their log: a key came late, or facts went that were projected.
CREATE TABLE owed_rebuilds (
    hall     TEXT   NOT NULL PRIMARY KEY,
    since_ms BIGINT NOT NULL
);

-- +goose Down
DROP TABLE owed_rebuilds;
