-- +goose Up

-- When somebody looked into what was found of a chain, 0: nobody has; and what he found.
ALTER TABLE chain_faults ADD COLUMN known_ms BIGINT NOT NULL DEFAULT 0;
ALTER TABLE chain_faults ADD COLUMN reason TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE chain_faults DROP COLUMN reason;
ALTER TABLE chain_faults DROP COLUMN known_ms;
