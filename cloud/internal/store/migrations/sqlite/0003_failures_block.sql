-- +goose Up

-- Who guesses one name from many networks is slowed down in each block of addresses by itself. Failures from before are in none:
-- they are forgotten within a quarter of an hour.
ALTER TABLE failures ADD COLUMN block TEXT NOT NULL DEFAULT '';
CREATE INDEX failures_by_block ON failures (name, block, last_ms);

-- +goose Down
DROP INDEX failures_by_block;
ALTER TABLE failures DROP COLUMN block;
