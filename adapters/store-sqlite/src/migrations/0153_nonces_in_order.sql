-- Nonces are times, so in their order those of one commit lie on one page, whoever signed.
CREATE TABLE nonces_in_order (
    hotkey     BLOB NOT NULL,
    nonce      INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (nonce, hotkey)
) STRICT, WITHOUT ROWID;
INSERT INTO nonces_in_order (hotkey, nonce, expires_at) SELECT hotkey, nonce, expires_at FROM nonces;
DROP TABLE nonces;
ALTER TABLE nonces_in_order RENAME TO nonces;
CREATE INDEX nonces_by_expiry ON nonces (expires_at);
