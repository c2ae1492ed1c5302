-- +goose Up

-- How many thousands of numbers the facts of the business day say were begun on it. 0: none has said so since this column is there.
ALTER TABLE days ADD COLUMN thousands BIGINT NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE days DROP COLUMN thousands;
