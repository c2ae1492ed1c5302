-- +goose Up

-- The first line of a bundle's first text, by which people know it; empty of pictures alone, and of what was published before this.
ALTER TABLE notice_bundles ADD COLUMN heading TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE notice_bundles DROP COLUMN heading;
