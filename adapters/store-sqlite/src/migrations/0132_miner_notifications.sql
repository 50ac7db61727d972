-- What miners want to be told, and what became of it: one text for each, which the pool alone reads.
CREATE TABLE subscriptions (
    hotkey BLOB NOT NULL PRIMARY KEY CHECK (length(hotkey) = 32),
    record TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Notices on their way to miners, one for each channel. A row is deleted once it has arrived, or was given up.
CREATE TABLE miner_notices (
    hotkey   BLOB NOT NULL REFERENCES subscriptions (hotkey),
    channel  TEXT NOT NULL,
    key      TEXT NOT NULL,                -- what it tells of: once for each channel
    kind     TEXT NOT NULL,
    at       INTEGER NOT NULL,
    text     TEXT NOT NULL,
    detail   TEXT NOT NULL,
    failures INTEGER NOT NULL,
    next_at  INTEGER NOT NULL,
    PRIMARY KEY (hotkey, channel, key)
) STRICT, WITHOUT ROWID;
